//! The exporter `file`: requests as lines of JSON, or as messages with their length in front.
//!
//! Each request is written at once, by a thread of the exporter's own: a request counts as delivered when the
//! system has its whole record. Of a record that cannot be written whole (a full disk) nothing stays in the file,
//! and the request may be tried again.

mod backups;
mod record;
mod record_file;
mod settings;

use std::io::ErrorKind as IoErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use otlp_core::Payload;
use otlp_core::export::text::printable;
use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter, Outcome, attempt};
use parking_lot::Mutex;

use self::record::Format;
use self::record_file::RecordFile;
pub use self::settings::{FileFormat, FileSettings, RotationSettings};
use super::desk::Desk;

/// Writes the requests of one signal to a file that all signals share.
#[derive(Debug)]
struct FileExporter {
    /// `None` after the shutdown.
    desk: Mutex<Option<Arc<Desk<State>>>>,
    format: Format,
    path: PathBuf,
}

/// What the thread has.
struct State {
    file: RecordFile,
    /// Kept for the next record.
    record: Vec<u8>,
}

impl State {
    const fn new(file: RecordFile) -> Self {
        Self { file, record: Vec::new() }
    }

    fn write(&mut self, format: Format, payload: &Payload, destination: &str) -> Outcome {
        self.record.clear();
        if let Err(outcome) = format.encode(payload, destination, &mut self.record) {
            return outcome;
        }
        let written = self.file.add(&self.record);
        self.record.clear();
        self.record.shrink_to(RECORD_KEPT);
        match written {
            Ok(()) => Outcome::delivered(),
            Err(error) => {
                let is_final =
                    matches!(error.kind(), IoErrorKind::BrokenPipe | IoErrorKind::FileTooLarge);
                let error = failed(destination).with_source(error);
                if is_final { Outcome::permanent(error) } else { Outcome::retryable(error) }
            }
        }
    }
}

impl FileExporter {
    fn new(desk: Arc<Desk<State>>, format: Format, path: PathBuf) -> Self {
        Self { desk: Mutex::new(Some(desk)), format, path }
    }

    fn desk(&self) -> Option<Arc<Desk<State>>> {
        self.desk.lock().clone()
    }
}

impl Exporter for FileExporter {
    async fn export(&self, payload: Payload, deadline: Deadline) -> Outcome {
        let Some(desk) = self.desk() else { return attempt::already_shutdown() };
        if payload.is_empty() {
            return Outcome::delivered();
        }
        let (format, destination) = (self.format, self.destination());
        let written = desk
            .ask(deadline, move |state, _awaited| state.write(format, &payload, &destination))
            .await;
        match written {
            Ok(outcome) => outcome,
            Err(error) if error.kind() == ErrorKind::Panic => Outcome::permanent(error),
            Err(error) => Outcome::retryable(error),
        }
    }

    async fn force_flush(&self, deadline: Deadline) -> Result<(), ExportError> {
        let Some(desk) = self.desk() else { return Ok(()) };
        let synced = desk.ask(deadline, |state, _awaited| state.file.sync()).await?;
        synced.map_err(|error| failed(&self.destination()).with_source(error))
    }

    async fn shutdown(&self, deadline: Deadline) -> Result<(), ExportError> {
        let flushed = self.force_flush(deadline).await;
        let Some(desk) = self.desk.lock().take() else { return Ok(()) };
        flushed.and(desk.close(deadline).await)
    }

    fn component_type(&self) -> &'static str {
        "file"
    }

    fn destination(&self) -> String {
        printable(&self.path.to_string_lossy())
    }
}

fn failed(destination: &str) -> ExportError {
    ExportError::new(ErrorKind::Other, format!("{destination} cannot be written"))
}

/// Most memory that is kept from one record to the next.
const RECORD_KEPT: usize = 1 << 20;
