//! When a file is full, and where its content goes then.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// How large a file may become, and how many of its predecessors are kept.
///
/// A line that would make the file larger than the limit goes into a new one; a line that is larger by
/// itself stands alone in its file. The full file is renamed: `traces.jsonl` becomes `traces.1.jsonl`,
/// what had that name becomes `traces.2.jsonl`, and so on; what would be one too many is deleted. So the
/// files together take at most `max_bytes * (kept_files + 1)`, and the highest number is the oldest.
///
/// ```
/// use otlp_sdk::file::Rotation;
///
/// let rotation = Rotation::at(64 << 20).with_kept_files(4); // 320 MiB in all
/// # let _ = rotation;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    max_bytes: u64,
    kept_files: u32,
}

impl Rotation {
    /// A new file at `max_bytes`; 9 predecessors are kept.
    #[must_use]
    pub const fn at(max_bytes: u64) -> Self {
        Self { max_bytes, kept_files: KEPT_FILES }
    }

    /// How many predecessors are kept, beside the file that is written. 0 deletes a file as soon as it is
    /// full.
    #[must_use]
    pub const fn with_kept_files(self, kept_files: u32) -> Self {
        Self { kept_files, ..self }
    }

    /// Whether a file of `length` bytes is full for a line.
    pub(super) fn is_due(self, length: u64, line: usize) -> bool {
        length > 0 && length.saturating_add(line as u64) > self.max_bytes
    }

    /// Makes the name of the file free. A failure leaves the file where it is, and a repetition then
    /// deletes nothing more.
    pub(super) fn make_room(self, path: &Path) -> io::Result<()> {
        if self.kept_files == 0 {
            return std::fs::remove_file(path);
        }
        // Only what stands without a gap has to move on.
        let gap = (1..=self.kept_files).find(|number| !numbered(path, *number).exists());
        for number in (1..gap.unwrap_or(self.kept_files)).rev() {
            std::fs::rename(numbered(path, number), numbered(path, number + 1))?;
        }
        std::fs::rename(path, numbered(path, 1))
    }
}

/// `traces.jsonl` with a number: `traces.1.jsonl`.
pub(super) fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.file_stem().map_or_else(OsString::new, ToOwned::to_owned);
    name.push(format!(".{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

const KEPT_FILES: u32 = 9;
