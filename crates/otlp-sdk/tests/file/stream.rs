//! Writers of the user's: slow, full, gone, panicking.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use super::*;

/// What a writer does the next time it is asked.
enum Step {
    Take(usize),
    Fail(io::ErrorKind),
    Panic,
    /// Says that it is there, and waits until its other end is dropped.
    Block(Sender<()>, Receiver<()>),
}

/// Follows its script, then takes everything.
#[derive(Clone, Default)]
struct Scripted {
    steps: Arc<Mutex<VecDeque<Step>>>,
    taken: Arc<Mutex<Vec<u8>>>,
}

impl Scripted {
    fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: Arc::new(Mutex::new(steps.into_iter().collect())), ..Self::default() }
    }

    fn taken(&self) -> Vec<u8> {
        self.taken.lock().unwrap().clone()
    }

    fn exporter(&self) -> FileExporter {
        traces().with_writer(self.clone()).build().unwrap()
    }
}

impl io::Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let step = self.steps.lock().unwrap().pop_front();
        let taken = match step {
            Some(Step::Take(count)) => count.min(bytes.len()),
            Some(Step::Fail(kind)) => return Err(kind.into()),
            Some(Step::Panic) => std::panic::resume_unwind(Box::new("the writer's words")),
            Some(Step::Block(there, until)) => {
                there.send(()).unwrap();
                let _ = until.recv();
                bytes.len()
            }
            None => bytes.len(),
        };
        self.taken.lock().unwrap().extend_from_slice(bytes.get(..taken).unwrap());
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_line_that_was_taken_in_part_is_completed_before_the_next() {
    use io::ErrorKind::{Interrupted, StorageFull, TimedOut, WouldBlock};
    let writer = Scripted::new([
        Step::Take(3),
        Step::Fail(Interrupted),
        Step::Take(10),
        Step::Fail(WouldBlock),
        Step::Take(5),
        Step::Fail(StorageFull),
        // Another attempt goes on with it.
        Step::Take(7),
        Step::Fail(TimedOut),
        // The next request completes it, and fails at its own.
        Step::Take(1000),
        Step::Fail(StorageFull),
    ]);
    let exporter = writer.exporter();
    for name in ["first", "first", "second"] {
        let outcome = write(&exporter, name).await;
        assert!(is_retryable(&outcome), "{outcome:?}");
        assert!(message(&outcome).starts_with("a writer cannot be written: "), "{outcome:?}");
    }
    assert!(is_delivered(&write(&exporter, "second").await));
    assert_eq!(names(&writer.taken()), ["first", "second"]);
}

#[tokio::test]
async fn a_line_that_a_full_pipe_takes_bit_by_bit_is_written_once_however_many_deadlines_pass() {
    const FULL: Step = Step::Fail(io::ErrorKind::WouldBlock);
    let writer = Scripted::default();
    let exporter = writer.exporter();
    let line = payload("slow");
    for _ in 0..3 {
        let full = std::iter::repeat_with(|| FULL).take(1000);
        *writer.steps.lock().unwrap() = [Step::Take(5)].into_iter().chain(full).collect();
        let outcome = exporter.export(line.clone(), after(30)).await;
        assert!(is_retryable(&outcome), "{outcome:?}");
        assert_eq!(kind(&outcome), Some(ErrorKind::Timeout), "{outcome:?}");
    }
    writer.steps.lock().unwrap().clear();
    assert!(is_delivered(&exporter.export(line, after(20_000)).await));
    assert!(is_delivered(&write(&exporter, "next").await));
    assert_eq!(names(&writer.taken()), ["slow", "next"]);
}

#[tokio::test]
async fn a_reader_that_has_gone_ends_it_for_good() {
    let (reader, writer) = io::pipe().unwrap();
    let exporter = traces().with_writer(writer).build().unwrap();
    drop(reader);
    let outcome = write(&exporter, "unread").await;
    assert!(is_permanent(&outcome), "{outcome:?}");
    assert!(message(&outcome).contains("Broken pipe"), "{outcome:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_told_in_the_systems_words() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let exporter = traces().with_writer(full).build().unwrap();
    let outcome = write(&exporter, "no room").await;
    assert!(is_retryable(&outcome), "{outcome:?}");
    assert!(message(&outcome).contains("No space left on device"), "{outcome:?}");
}

#[tokio::test]
async fn a_writer_that_panics_costs_one_request() {
    let writer = Scripted::new([Step::Take(5), Step::Panic]);
    let exporter = writer.exporter();
    let outcome = write(&exporter, "lost").await;
    assert!(is_permanent(&outcome) && kind(&outcome) == Some(ErrorKind::Panic), "{outcome:?}");
    assert!(message(&outcome).contains("the writer panicked: the writer's words"), "{outcome:?}");
    assert!(is_delivered(&write(&exporter, "kept").await));
    let taken = writer.taken();
    let whole = taken.split(|byte| *byte == b'\n').nth(1).unwrap();
    assert_eq!(names(&[whole, b"\n"].concat()), ["kept"]);
}

/// An exporter whose writer hangs in the line of a request that has passed its deadline, until the sender
/// is dropped.
async fn hanging() -> (FileExporter, Scripted, Sender<()>) {
    let ((there, arrived), (release, until)) = (channel(), channel());
    let writer = Scripted::new([Step::Block(there, until)]);
    let exporter = writer.exporter();
    let patience = tokio::task::spawn_blocking(move || arrived.recv_timeout(PATIENCE));
    let (arrived, outcome) = tokio::join!(patience, exporter.export(payload("hangs"), after(200)));
    arrived.unwrap().unwrap();
    assert!(is_retryable(&outcome), "{outcome:?}");
    assert_eq!(kind(&outcome), Some(ErrorKind::Timeout), "{outcome:?}");
    assert!(message(&outcome).contains("while writing to a writer"), "{outcome:?}");
    (exporter, writer, release)
}

#[tokio::test]
async fn a_writer_that_hangs_holds_nobody_beyond_the_deadline() {
    let (exporter, writer, release) = hanging().await;
    // Some wait in the queue, others for room in it.
    let waiting = (0..20).map(|_| exporter.export(payload("waits"), after(50)));
    for outcome in futures_util::future::join_all(waiting).await {
        assert_eq!(kind(&outcome), Some(ErrorKind::Timeout), "{outcome:?}");
    }
    assert_eq!(exporter.force_flush(after(50)).await.unwrap_err().kind(), ErrorKind::Timeout);

    // What has ceased to wait is not written; the line that was under way is.
    drop(release);
    assert!(is_delivered(&write(&exporter, "later").await));
    exporter.shutdown(soon()).await.unwrap();
    assert_eq!(names(&writer.taken()), ["hangs", "later"]);
}

#[tokio::test]
async fn a_shutdown_ends_at_its_deadline_while_the_writer_hangs() {
    let (exporter, _writer, release) = hanging().await;
    assert_eq!(exporter.shutdown(after(50)).await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(kind(&write(&exporter, "x").await), Some(ErrorKind::AlreadyShutdown));
    drop(release);
}
