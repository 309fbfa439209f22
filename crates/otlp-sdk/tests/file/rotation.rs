//! Rotation: names, bounds, and that nothing is lost on the way.

use std::path::PathBuf;

use otlp_sdk::file::Rotation;

use super::*;

/// Length of the line of a span whose name has one character.
async fn line_length(folder: &Path) -> u64 {
    let path = folder.join("one");
    assert!(is_delivered(&write(&to_path(&path), "x").await));
    std::fs::metadata(path).unwrap().len()
}

fn rotating(path: &Path, rotation: Rotation) -> FileExporter {
    traces().with_path(path).with_rotation(rotation).build().unwrap()
}

fn in_folder(folder: &Path, name: &str) -> PathBuf {
    folder.join(name)
}

#[tokio::test]
async fn full_files_are_numbered_and_the_oldest_goes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let length = line_length(folder).await;
    let path = in_folder(folder, "traces.jsonl");
    let exporter = rotating(&path, Rotation::at(2 * length).with_kept_files(2));
    for name in ["a", "b", "c", "d", "e", "f", "g"] {
        assert!(is_delivered(&write(&exporter, name).await), "{name}");
    }
    assert_eq!(names_in(&path), ["g"]);
    assert_eq!(names_in(&in_folder(folder, "traces.1.jsonl")), ["e", "f"]);
    assert_eq!(names_in(&in_folder(folder, "traces.2.jsonl")), ["c", "d"]);
    // These, the lock, and the one that was measured.
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 5);
    assert_eq!(std::fs::metadata(folder.join("traces.jsonl.lock")).unwrap().len(), 0);
}

#[test]
fn a_file_keeps_its_owner_when_it_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let path = in_folder(folder.path(), "traces.jsonl");
    let rotation = Rotation::at(1);
    let exporter = rotating(&path, rotation);
    // Whoever opens the file does so between any two steps of a rotation.
    let stop = std::sync::atomic::AtomicBool::new(false);
    let other = || {
        let mut refused = 0;
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            match traces().with_path(&path).with_rotation(rotation).build() {
                Ok(_) => panic!("the file has two owners"),
                Err(_) => refused += 1,
            }
        }
        refused
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for _ in 0..200 {
            assert!(is_delivered(&runtime.block_on(write(&exporter, "x"))));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(other.join().unwrap() > 0);
    });
}

#[tokio::test]
async fn a_line_beyond_the_limit_stands_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = in_folder(folder.path(), "traces");
    let exporter = rotating(&path, Rotation::at(1));
    for name in ["a", "b", "c"] {
        assert!(is_delivered(&write(&exporter, name).await));
    }
    assert_eq!(names_in(&path), ["c"]);
    assert_eq!(names_in(&in_folder(folder.path(), "traces.1")), ["b"]);
    assert_eq!(names_in(&in_folder(folder.path(), "traces.2")), ["a"]);
}

#[tokio::test]
async fn without_predecessors_a_full_file_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = in_folder(folder.path(), "traces.jsonl");
    let exporter = rotating(&path, Rotation::at(1).with_kept_files(0));
    for name in ["a", "b"] {
        assert!(is_delivered(&write(&exporter, name).await));
    }
    assert_eq!(names_in(&path), ["b"]);
    // And the lock.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[tokio::test]
async fn a_rotation_that_fails_loses_nothing_however_often() {
    let folder = tempfile::tempdir().unwrap();
    let path = in_folder(folder.path(), "traces.jsonl");
    let exporter = rotating(&path, Rotation::at(1).with_kept_files(3));
    for name in ["a", "b", "c"] {
        assert!(is_delivered(&write(&exporter, name).await));
    }
    // A directory cannot be replaced by a file.
    let obstacle = in_folder(folder.path(), "traces.3.jsonl");
    std::fs::create_dir(&obstacle).unwrap();
    for _ in 0..3 {
        let outcome = write(&exporter, "d").await;
        assert!(is_retryable(&outcome), "{outcome:?}");
        assert!(message(&outcome).contains("traces.jsonl cannot be written"), "{outcome:?}");
    }
    std::fs::remove_dir(&obstacle).unwrap();
    assert!(is_delivered(&write(&exporter, "d").await));
    let kept = |name| names_in(&in_folder(folder.path(), name));
    assert_eq!(kept("traces.jsonl"), ["d"]);
    assert_eq!(kept("traces.1.jsonl"), ["c"]);
    assert_eq!(kept("traces.2.jsonl"), ["b"]);
    assert_eq!(kept("traces.3.jsonl"), ["a"]);
}

#[tokio::test]
async fn a_missing_predecessor_is_filled_before_anything_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let path = in_folder(folder.path(), "traces.jsonl");
    let exporter = rotating(&path, Rotation::at(1).with_kept_files(2));
    for name in ["a", "b", "c"] {
        assert!(is_delivered(&write(&exporter, name).await));
    }
    std::fs::remove_file(in_folder(folder.path(), "traces.1.jsonl")).unwrap();
    assert!(is_delivered(&write(&exporter, "d").await));
    let kept = |name| names_in(&in_folder(folder.path(), name));
    assert_eq!(
        (kept("traces.1.jsonl"), kept("traces.2.jsonl")),
        (vec!["c".into()], vec!["a".into()])
    );
}

#[test]
fn a_rotation_of_what_is_no_file_is_refused() {
    let error = traces().with_rotation(Rotation::at(1)).build().unwrap_err();
    assert!(error.to_string().contains("with_path"), "{error}");
    assert_eq!(error.setting(), "rotation");
}
