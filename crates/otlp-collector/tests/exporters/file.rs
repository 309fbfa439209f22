//! `file`: what stands in the file decodes with the official crates, and is what the Go collector writes.

use std::fs;
use std::path::Path;

use otlp_collector::component::{Destination, Host};
use otlp_collector::exporters::file::{FileSettings, RotationSettings};
use otlp_core::export::{Outcome, decompress};
use otlp_core::{Payload, Signal};
use otlp_testing::Message;

use crate::support::{consume, destination, error, payload, soon, start};

fn file(folder: &Path, settings: &str) -> Box<dyn Destination> {
    let path = folder.join("out.json");
    let settings = format!("{{path: '{}', {settings}}}", path.display());
    destination("file", &settings).unwrap()
}

async fn write(destination: &dyn Destination, signal: Signal, times: usize) {
    let sender = start(destination, "file", signal);
    for _ in 0..times {
        let outcome = consume(&sender, payload(signal)).await;
        assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
    }
    sender.shutdown(soon()).await;
    let account = sender.account();
    assert_eq!((account.sent, account.unaccounted()), (3 * times as u64, 0));
}

/// Messages, each behind four bytes of its length.
fn records(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (record, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        records.push(record);
        bytes = rest;
    }
    assert!(bytes.is_empty());
    records
}

#[tokio::test]
async fn each_request_is_a_line_of_json_and_signals_share_the_file() {
    // X1, X2
    let folder = tempfile::tempdir().unwrap();
    let destination = file(folder.path(), "");
    let mut senders = Vec::new();
    for signal in Signal::ALL {
        let sender = start(destination.as_ref(), "file", signal);
        assert!(consume(&sender, payload(signal)).await.error().is_none());
        senders.push(sender);
    }
    let text = fs::read(folder.path().join("out.json")).unwrap();
    assert!(text.ends_with(b"\n"));
    let lines: Vec<_> = text.split(|byte| *byte == b'\n').collect();
    assert_eq!(lines.len(), 4);
    for (signal, line) in Signal::ALL.into_iter().zip(lines) {
        let read = Message::decode_json(signal, line).unwrap();
        assert_eq!(read, Message::of(&payload(signal)).unwrap());
    }
    for sender in senders {
        sender.shutdown(soon()).await;
    }
}

#[tokio::test]
async fn protobuf_and_what_is_compressed_have_their_length_in_front() {
    for (settings, is_json, compression) in [
        ("format: proto", false, ""),
        ("format: proto, compression: zstd, compression_params: {level: 6}", false, "zstd"),
        ("compression: zstd", true, "zstd"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(file(folder.path(), settings).as_ref(), Signal::Logs, 2).await;
        let bytes = fs::read(folder.path().join("out.json")).unwrap();
        let records = records(&bytes);
        assert_eq!(records.len(), 2);
        for record in records {
            let record = match compression {
                "" => record.to_vec(),
                _ => decompress(compression.parse().unwrap(), &record.to_vec().into(), 1 << 20)
                    .unwrap()
                    .to_vec(),
            };
            let read = match is_json {
                true => Message::decode_json(Signal::Logs, &record).unwrap(),
                false => Message::decode(Signal::Logs, record.into()).unwrap(),
            };
            assert_eq!(read, Message::of(&payload(Signal::Logs)).unwrap());
        }
    }
}

#[tokio::test]
async fn a_file_is_begun_anew_unless_it_is_added_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.json");
    for (settings, lines) in [("", 1), ("append: true", 2), ("append: true", 3), ("", 1)] {
        write(file(folder.path(), settings).as_ref(), Signal::Traces, 1).await;
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), lines);
    }
    // Whoever wrote before was cut off in the middle of a line.
    fs::write(&path, "{\"resourceSp").unwrap();
    write(file(folder.path(), "append: true").as_ref(), Signal::Traces, 1).await;
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, "{\"resourceSp"));
    assert!(Message::decode_json(Signal::Traces, lines[1].as_bytes()).is_ok());
}

/// A request of about 400 KiB.
fn large() -> Payload {
    let mut request = crate::support::traces();
    request.resource_spans[0].scope_spans[0].spans[0].name = "x".repeat(400 << 10);
    let request = prost::Message::encode_to_vec(&request);
    Payload::from_request(Signal::Traces, request).unwrap()
}

#[tokio::test]
async fn a_full_file_gets_another_name_and_the_oldest_are_deleted() {
    let folder = tempfile::tempdir().unwrap();
    for (name, is_ours) in [
        ("out-2020-01-02T15-04-05.000-size.json", true),
        ("out-2020-01-03T15-04-05.000.json", true),
        ("out-of-the-way.json", false),
    ] {
        fs::write(folder.path().join(name), if is_ours { "old" } else { "other" }).unwrap();
    }
    let mut settings = FileSettings::to(folder.path().join("out.json"));
    let mut rotation = RotationSettings::default();
    (rotation.max_megabytes, rotation.max_backups) = (1, 3);
    settings.rotation = Some(rotation);
    settings.check().unwrap();
    let sender = start(&settings, "file", Signal::Traces);
    for _ in 0..9 {
        let outcome = consume(&sender, large()).await;
        assert!(outcome.error().is_none(), "{outcome:?}");
    }
    sender.shutdown(soon()).await;
    let mut names = Vec::new();
    let mut lines = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let text = fs::read_to_string(entry.path()).unwrap();
        names.push(entry.file_name().into_string().unwrap());
        if text == "other" {
            continue;
        }
        assert!(text.len() <= 1 << 20);
        for line in text.lines() {
            lines += 1;
            assert!(Message::decode_json(Signal::Traces, line.as_bytes()).is_ok());
        }
    }
    // Two in each file: nine need five, of which four are full and three are kept.
    assert_eq!((names.len(), lines), (5, 7), "{names:?}");
    assert!(names.contains(&"out-of-the-way.json".to_owned()));
    let full = names.iter().filter(|name| name.ends_with("-size.json")).count();
    assert_eq!(full, 3, "{names:?}");
}

#[tokio::test]
async fn old_files_are_deleted_at_the_start_too() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("out-2020-01-02T15-04-05.000-size.json"), "old").unwrap();
    fs::write(folder.path().join("out-2999-01-02T15-04-05.000-size.json"), "new").unwrap();
    write(file(folder.path(), "rotation: {max_days: 3}").as_ref(), Signal::Traces, 1).await;
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 2, "the newer one, and the file");
}

/// The system's own full disk.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_told_to_whoever_brings_the_request() {
    let destination = destination("file", "{path: /dev/full}").unwrap();
    let sender = start(destination.as_ref(), "file", Signal::Traces);
    let outcome = consume(&sender, payload(Signal::Traces)).await;
    assert!(matches!(outcome, Outcome::Retryable { .. }), "{outcome:?}");
    assert!(error(&outcome).contains("/dev/full cannot be written"), "{}", error(&outcome));
    let account = sender.account();
    assert_eq!((account.sent, account.returned, account.unaccounted()), (0, 3, 0), "{account}");
}

#[tokio::test]
async fn two_exporters_do_not_write_to_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let first = file(folder.path(), "");
    let sender = start(first.as_ref(), "file", Signal::Traces);
    assert!(consume(&sender, payload(Signal::Traces)).await.error().is_none());
    let second = file(folder.path(), "");
    let host = Host::alone("file/second".parse().unwrap());
    let refused = second.open(&host, Signal::Traces).unwrap_err().to_string();
    assert!(refused.contains("another exporter writes to it"), "{refused}");
    // Nor has the second one emptied it.
    assert!(!fs::read(folder.path().join("out.json")).unwrap().is_empty());
}

#[tokio::test]
async fn folders_are_made_if_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/out.json");
    let settings = format!("{{path: '{}'}}", path.display());
    let host = Host::alone("file".parse().unwrap());
    let missing = destination("file", &settings).unwrap().open(&host, Signal::Traces);
    assert!(missing.unwrap_err().to_string().contains("out.json"));
    let settings = format!(
        "{{path: '{}', create_directory: true, directory_permissions: '0750'}}",
        path.display()
    );
    write(destination("file", &settings).unwrap().as_ref(), Signal::Traces, 1).await;
    assert!(path.exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder.path().join("a")).unwrap().permissions().mode();
        assert_eq!(mode & 0o027, 0, "{mode:o}");
    }
}

#[test]
fn the_examples_of_the_go_collector_are_read_and_mistakes_named() {
    for settings in [
        "{path: ./foo}",
        "{path: ./foo, rotation: }",
        "{path: ./foo, rotation: {max_megabytes: 10, max_days: 3, max_backups: 3, localtime: true}, \
         format: proto, compression: zstd, compression_params: {level: 6}}",
        "{path: ./foo, flush_interval: 5}",
        "{path: ./foo, group_by: {enabled: false, resource_attribute: a, max_open_files: 10}}",
    ] {
        assert!(destination("file", settings).is_ok(), "{settings}");
    }
    for (settings, said) in [
        ("", "path: it is empty"),
        ("{path: a, append: true, rotation: }", "append: it does not go with rotation"),
        ("{path: a, format: text}", "unknown value \"text\""),
        ("{path: a, compression: gzip}", "unknown value \"gzip\""),
        ("{path: a, group_by: {enabled: true}}", "group_by: the Go collector knows this"),
        ("{path: a, encoding: otlp_encoding}", "not supported here"),
        ("{path: a, directory_permissions: '0755'}", "create_directory"),
        ("{path: a, create_directory: true, directory_permissions: '0999'}", "octal"),
        ("{path: a, create_directory: true, directory_permissions: '1755'}", "octal"),
        ("{path: a, rotaton: {}}", "did you mean \"rotation\"?"),
        ("{path: a, rotation: {max_megabytes: many}}", "max_megabytes"),
    ] {
        let error = destination("file", settings).unwrap_err();
        assert!(error.contains(said) && error.contains(":2:"), "{settings}: {error}");
    }
}
