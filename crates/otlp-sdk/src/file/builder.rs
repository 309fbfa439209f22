//! What the user says about a file exporter, and the way from there to one.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;

use otlp_core::Signal;
use otlp_core::export::BuildError;
use parking_lot::Mutex;

use super::line_file::LineFile;
use super::output::Output;
use super::{FileExporter, Rotation, shown, writer};

/// Builds a [`FileExporter`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct FileExporterBuilder {
    signal: Signal,
    target: Target,
    rotation: Option<Rotation>,
}

enum Target {
    Stdout,
    Path(PathBuf),
    Writer(Box<dyn Write + Send>),
}

impl FileExporterBuilder {
    pub(super) fn new(signal: Signal) -> Self {
        Self { signal, target: Target::Stdout, rotation: None }
    }

    /// Writes to this file, which is made if it is not there and added to if it is. One file for each
    /// signal (row X2); `.jsonl` is the usual extension (row X1). Default: standard output.
    pub fn with_path(self, path: impl Into<PathBuf>) -> Self {
        Self { target: Target::Path(path.into()), ..self }
    }

    /// Writes to this writer, one line and one flush for each request, on the exporter's own thread.
    /// Default: standard output.
    pub fn with_writer(self, writer: impl Write + Send + 'static) -> Self {
        Self { target: Target::Writer(Box::new(writer)), ..self }
    }

    /// Bounds the space that a file and its predecessors take. Default: the file grows without bound.
    pub fn with_rotation(self, rotation: Rotation) -> Self {
        Self { rotation: Some(rotation), ..self }
    }

    /// Opens the file and starts the thread that writes. Needs no runtime.
    ///
    /// # Errors
    ///
    /// The file cannot be opened or belongs to another exporter, the path is no regular file, a rotation
    /// is set without a path, the thread cannot be started.
    pub fn build(self) -> Result<FileExporter, BuildError> {
        let (output, destination) = match (self.target, self.rotation) {
            (Target::Path(path), rotation) => {
                let destination = shown(&path);
                let file = LineFile::open(path, rotation).map_err(|error| {
                    let problem = format!("{destination} cannot be opened");
                    BuildError::new("path", problem).with_source(error)
                })?;
                (Output::File(file), destination)
            }
            (_, Some(_)) => {
                let problem = "is for files only; set `with_path`, or leave it out";
                return Err(BuildError::new("rotation", problem));
            }
            (Target::Stdout, None) => (Output::stdout(), "standard output".to_owned()),
            (Target::Writer(writer), None) => (Output::writer(writer), "a writer".to_owned()),
        };
        let jobs = writer::start(output, destination.clone()).map_err(|error| {
            BuildError::new("the writing thread", "cannot be started").with_source(error)
        })?;
        Ok(FileExporter { signal: self.signal, destination, jobs: Mutex::new(Some(jobs)) })
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("Stdout"),
            Self::Path(path) => f.debug_tuple("Path").field(path).finish(),
            Self::Writer(_) => f.write_str("Writer"),
        }
    }
}
