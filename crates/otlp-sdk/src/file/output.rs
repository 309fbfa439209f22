//! Where lines go.

use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use super::line_file::LineFile;
use crate::foreign::caught;

/// Takes whole lines.
pub(super) enum Output {
    File(LineFile),
    Stream(Stream),
}

/// A stream, from which nothing can be taken back.
pub(super) struct Stream {
    /// `None` is standard output.
    writer: Option<Box<dyn Write + Send>>,
    begun: Begun,
}

/// A line that was written in part, or as a whole when nobody waited any more, and how much of it. Empty if
/// there is none.
#[derive(Default)]
struct Begun {
    line: Vec<u8>,
    written: usize,
}

/// Says whether somebody still waits for what is being written.
pub(super) type Awaited<'a> = &'a dyn Fn() -> bool;

impl Output {
    pub(super) fn stdout() -> Self {
        Self::Stream(Stream { writer: None, begun: Begun::default() })
    }

    pub(super) fn writer(writer: Box<dyn Write + Send>) -> Self {
        Self::Stream(Stream { writer: Some(writer), begun: Begun::default() })
    }

    /// Writes a line, `\n` included. A stream that takes nothing at the moment is waited for.
    pub(super) fn write_line(&mut self, line: &[u8], awaited: Awaited<'_>) -> io::Result<()> {
        match self {
            Self::File(file) => file.write_line(line),
            Self::Stream(stream) => stream.guarded(|writer, begun| {
                // Another attempt at the line that was begun goes on with it.
                let is_begun = begun.line == line;
                begun.finish(writer, awaited)?;
                if !is_begun {
                    begun.write(writer, line, awaited)?;
                }
                writer.flush()
            }),
        }
    }

    /// Waits until everything that was written has arrived.
    pub(super) fn flush(&mut self, awaited: Awaited<'_>) -> io::Result<()> {
        match self {
            Self::File(file) => file.sync(),
            Self::Stream(stream) => stream.guarded(|writer, begun| {
                begun.finish(writer, awaited)?;
                writer.flush()
            }),
        }
    }
}

impl Stream {
    /// Runs `work` with the writer, which is the user's and may panic.
    fn guarded(
        &mut self,
        work: impl FnOnce(&mut dyn Write, &mut Begun) -> io::Result<()>,
    ) -> io::Result<()> {
        let Self { writer, begun } = self;
        match writer {
            // Held for the whole line: nobody else's comes between.
            None => work(&mut io::stdout().lock(), begun),
            Some(writer) => match caught(|| work(writer, begun)) {
                Ok(result) => result,
                Err(panic) => {
                    // How much it took is not known. The next line begins anew.
                    *begun = Begun { line: b"\n".to_vec(), written: 0 };
                    Err(io::Error::new(ErrorKind::InvalidData, Panicked(panic)))
                }
            },
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Its destructor is the user's too.
        let _ = caught(|| drop(self.writer.take()));
    }
}

/// The writer panicked, with this text.
#[derive(Debug, thiserror::Error)]
#[error("the writer panicked: {}", otlp_core::export::text::printable(.0))]
pub(super) struct Panicked(String);

impl Begun {
    /// Writes what is left of the line.
    fn finish(&mut self, writer: &mut dyn Write, awaited: Awaited<'_>) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        let left = line.get(self.written..).unwrap_or_default();
        let (written, result) = write_counted(writer, left, awaited);
        match result {
            Ok(()) if awaited() => self.written = 0,
            _ => *self = Self { line, written: self.written.saturating_add(written) },
        }
        result
    }

    /// Writes `line`; keeps it if only a part of it can be written, or if nobody is there to hear that it is.
    fn write(
        &mut self,
        writer: &mut dyn Write,
        line: &[u8],
        awaited: Awaited<'_>,
    ) -> io::Result<()> {
        let (written, result) = write_counted(writer, line, awaited);
        if written > 0 && (result.is_err() || !awaited()) {
            *self = Self { line: line.to_vec(), written };
        }
        result
    }
}

/// Writes all of `bytes`, and says how many were taken.
fn write_counted(
    writer: &mut dyn Write,
    bytes: &[u8],
    awaited: Awaited<'_>,
) -> (usize, io::Result<()>) {
    let mut written = 0;
    let mut pause = PAUSE_MIN;
    while let Some(left) = bytes.get(written..).filter(|left| !left.is_empty()) {
        match writer.write(left) {
            Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
            Ok(taken) => {
                written = written.saturating_add(taken);
                pause = PAUSE_MIN;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // A pipe that does not block is full. This thread has nothing else to do.
            Err(error) if error.kind() == ErrorKind::WouldBlock && awaited() => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(PAUSE_MAX);
            }
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

/// How long a stream that does not block is left alone.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(50);
