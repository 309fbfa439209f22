//! A file of whole lines.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::Rotation;

/// A file that is added to line by line, found again when it was moved away, and renamed when it is full.
#[derive(Debug)]
pub(super) struct LineFile {
    path: PathBuf,
    rotation: Option<Rotation>,
    /// Of a file that is rotated, whose own lock goes with each file that is full.
    _lock: Option<File>,
    /// `None` while it cannot be opened.
    file: Option<File>,
    /// Where the last line ended, if behind that there is a piece that could not be cut off.
    torn_at: Option<u64>,
}

impl LineFile {
    /// Opens the file, and makes it if it is not there.
    pub(super) fn open(path: PathBuf, rotation: Option<Rotation>) -> io::Result<Self> {
        let lock = rotation.map(|_| lock_beside(&path)).transpose()?;
        let file = open(&path)?;
        Ok(Self { path, rotation, _lock: lock, file: Some(file), torn_at: None })
    }

    /// Adds a line, `\n` included, or nothing.
    pub(super) fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        let (mut file, mut length) = self.whole()?;
        if let Some(rotation) = self.rotation.filter(|it| it.is_due(length, line.len())) {
            // Some systems do not rename a file that is open.
            drop(file);
            rotation.make_room(&self.path)?;
            (file, length) = self.whole()?;
        }
        let written = file.write_all(line);
        if written.is_err() && file.set_len(length).is_err() {
            self.torn_at = Some(length);
        }
        self.file = Some(file);
        written
    }

    /// Waits until everything is on the disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }

    /// The file that has the path, taken out, and its length, which ends with a whole line.
    fn whole(&mut self) -> io::Result<(File, u64)> {
        let file = match self.file.take() {
            Some(file) if is_at(&file, &self.path) => file,
            _ => {
                self.torn_at = None;
                open(&self.path)?
            }
        };
        if let Some(length) = self.torn_at {
            let cut = file.set_len(length);
            if let Err(error) = cut {
                self.file = Some(file);
                return Err(error);
            }
            self.torn_at = None;
        }
        let length = file.metadata()?.len();
        Ok((file, length))
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    if !file.metadata()?.is_file() {
        let problem = "it is not a regular file; hand it over with `with_writer`";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    }
    lock(&file)?;
    end_line(&mut file)?;
    Ok(file)
}

/// A lock that stays while the file that has the path changes. It is left behind empty: to remove it would
/// take it from whoever has opened it meanwhile.
fn lock_beside(path: &Path) -> io::Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(name)?;
    lock(&file)?;
    Ok(file)
}

fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        // A file system without locks is no reason to write nothing.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let problem = "another exporter writes to it";
            Err(io::Error::new(io::ErrorKind::ResourceBusy, problem))
        }
    }
}

/// Ends the last line, if whoever wrote it did not come to that.
fn end_line(file: &mut File) -> io::Result<()> {
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
}

/// Whether the path still leads to this file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Whether the path still leads to a file. Which one it is, is not known here.
#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}
