//! Where lines go.

use std::io::{self, ErrorKind, Write};

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
    /// What is left of a line that was written in part.
    rest: Vec<u8>,
}

impl Output {
    pub(super) fn stdout() -> Self {
        Self::Stream(Stream { writer: None, rest: Vec::new() })
    }

    pub(super) fn writer(writer: Box<dyn Write + Send>) -> Self {
        Self::Stream(Stream { writer: Some(writer), rest: Vec::new() })
    }

    /// Writes a line, `\n` included.
    pub(super) fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::File(file) => file.write_line(line),
            Self::Stream(stream) => stream.guarded(|writer, rest| {
                finish(writer, rest)?;
                write_or_keep(writer, rest, line)?;
                writer.flush()
            }),
        }
    }

    /// Waits until everything that was written has arrived.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.sync(),
            Self::Stream(stream) => stream.guarded(|writer, rest| {
                finish(writer, rest)?;
                writer.flush()
            }),
        }
    }
}

impl Stream {
    /// Runs `work` with the writer, which is the user's and may panic.
    fn guarded(
        &mut self,
        work: impl FnOnce(&mut dyn Write, &mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<()> {
        let Self { writer, rest } = self;
        match writer {
            // Held for the whole line: nobody else's comes between.
            None => work(&mut io::stdout().lock(), rest),
            Some(writer) => match caught(|| work(writer, rest)) {
                Ok(result) => result,
                Err(panic) => {
                    // How much it took is not known. The next line begins anew.
                    *rest = b"\n".to_vec();
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

/// Writes what is left of an earlier line.
fn finish(writer: &mut dyn Write, rest: &mut Vec<u8>) -> io::Result<()> {
    if rest.is_empty() {
        return Ok(());
    }
    let line = std::mem::take(rest);
    let (written, result) = write_counted(writer, &line);
    rest.extend_from_slice(line.get(written..).unwrap_or_default());
    result
}

/// Writes `line`; if only a part of it can be written, keeps what is left.
fn write_or_keep(writer: &mut dyn Write, rest: &mut Vec<u8>, line: &[u8]) -> io::Result<()> {
    let (written, result) = write_counted(writer, line);
    if written > 0 {
        rest.extend_from_slice(line.get(written..).unwrap_or_default());
    }
    result
}

/// Writes all of `bytes`, and says how many were taken.
fn write_counted(writer: &mut dyn Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while let Some(left) = bytes.get(written..).filter(|left| !left.is_empty()) {
        match writer.write(left) {
            Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
            Ok(taken) => written = written.saturating_add(taken),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}
