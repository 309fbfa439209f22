//! Bounded reads of the small system files that detectors look into.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The file system that a detector looks at; another root in tests and for a mounted host.
#[derive(Clone, Debug)]
pub(super) struct SystemFiles {
    root: PathBuf,
}

impl SystemFiles {
    pub(super) fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The text of the first of `paths`, relative to the root, that can be read.
    pub(super) fn first(&self, paths: &[&str]) -> Option<String> {
        paths.iter().find_map(|path| read_text(&self.root.join(path)))
    }

    /// The first line of the first of `paths` that has one which is not blank.
    pub(super) fn first_line(&self, paths: &[&str]) -> Option<String> {
        paths.iter().find_map(|path| {
            let text = read_text(&self.root.join(path))?;
            let line = text.lines().next()?.trim();
            (!line.is_empty()).then(|| line.to_owned())
        })
    }
}

impl Default for SystemFiles {
    fn default() -> Self {
        Self::at("/")
    }
}

/// UTF-8 text of at most [`BYTES_MAX`]; `None` for anything else.
fn read_text(path: &Path) -> Option<String> {
    let mut text = String::new();
    let file = File::open(path).ok()?;
    let read = file.take(BYTES_MAX + 1).read_to_string(&mut text).ok()?;
    (u64::try_from(read).ok()? <= BYTES_MAX).then_some(text)
}

/// Far above any real `os-release`.
const BYTES_MAX: u64 = 64 * 1024;
