//! The four example files of the protocol's repository, which the crate opentelemetry-proto carries.

use std::path::PathBuf;
use std::process::Command;

use opentelemetry_proto::tonic::logs::v1::LogsData;
use opentelemetry_proto::tonic::metrics::v1::MetricsData;
use opentelemetry_proto::tonic::trace::v1::TracesData;
use serde_json::{Map, Value};

use super::*;

#[test]
fn the_examples_of_the_protocol_come_back_as_they_were() {
    // J1 to J7
    comes_back::<TracesData>(Signal::Traces, "trace.json", &[]);
    // A `sint32` of 0 is a default, and left out as any default may be.
    comes_back::<MetricsData>(Signal::Metrics, "metrics.json", &["scale"]);
    comes_back::<LogsData>(Signal::Logs, "logs.json", &[]);
    comes_back::<LogsData>(Signal::Logs, "events.json", &[]);
}

/// Reads and writes the example `file`, where the fields in `left_out` have their default.
fn comes_back<T>(signal: Signal, file: &str, left_out: &[&str])
where
    T: prost::Message + Default + Debug + PartialEq + DeserializeOwned,
{
    let message = Message::Request(signal);
    let example = std::fs::read(examples().join(file)).unwrap();
    let bytes = read(message, &example).unwrap();
    // As their own reader understands it.
    let theirs: T = serde_json::from_slice(&example).unwrap();
    assert_eq!(T::decode(bytes.as_slice()).unwrap(), theirs, "{file}");

    let mut text = Vec::new();
    write(message, &bytes, &mut text).unwrap();
    assert_eq!(read(message, &text).unwrap(), bytes, "{file}");
    let written: Value = serde_json::from_slice(&text).unwrap();
    let mut meant: Value = serde_json::from_slice(&example).unwrap();
    let mut differs = Vec::new();
    permit("", &mut meant, left_out, &mut differs);
    assert_eq!(written, meant, "{file}");
    assert_eq!(differs, left_out, "{file}");
}

/// Changes an example in the ways in which our text may differ from it, and notes which defaults it has.
fn permit(name: &str, value: &mut Value, left_out: &[&str], found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let kept = std::mem::take(fields).into_iter().filter(|(name, value)| {
                let is_left_out = left_out.contains(&name.as_str()) && *value == 0;
                found.extend(is_left_out.then(|| name.clone()));
                !is_left_out
            });
            *fields = kept.collect::<Map<_, _>>();
            fields.iter_mut().for_each(|(name, value)| permit(name, value, left_out, found));
        }
        Value::Array(members) => {
            members.iter_mut().for_each(|member| permit(name, member, left_out, found));
        }
        // Hex is read in any case, and written in lower case.
        Value::String(id) if name.ends_with("Id") => id.make_ascii_lowercase(),
        // A whole number in a field for any number: 5 is written as 5.0.
        Value::Number(number) if DOUBLES.contains(&name) => {
            *value = number.as_f64().unwrap().into();
        }
        _ => {}
    }
}

/// The fields of type `double` in the examples.
const DOUBLES: [&str; 7] =
    ["asDouble", "doubleValue", "sum", "min", "max", "explicitBounds", "zeroThreshold"];

/// The folder of the examples, in the sources of opentelemetry-proto that Cargo has.
fn examples() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let mut command = Command::new(cargo);
    command
        .args(["metadata", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(manifest);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "opentelemetry-proto").unwrap();
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    manifest.with_file_name("src/proto/opentelemetry-proto/examples")
}
