//! A file of whole records.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::backups::Backups;

/// A file that records are added to, and that is renamed when it is full.
#[derive(Debug)]
pub(super) struct RecordFile {
    path: PathBuf,
    /// `None` after a full one was renamed.
    file: Option<File>,
    /// How long it is; `None` if it is no regular file, which has no length.
    length: Option<u64>,
    /// Whether behind that there is a piece of a record that could not be cut off.
    is_torn: bool,
    backups: Option<Backups>,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// What is in it goes.
    Truncate,
    /// What is in it stays.
    Append,
    /// What is in it stays; it consists of lines, and the last one may not have been ended.
    AppendLines,
}

impl RecordFile {
    /// Opens the file, and makes it if it is not there.
    pub(super) fn open(
        path: PathBuf,
        opening: Opening,
        backups: Option<Backups>,
    ) -> io::Result<Self> {
        let (file, length) = open(&path, opening)?;
        if let Some(backups) = &backups {
            backups.prune(&path);
        }
        Ok(Self { path, file: Some(file), length, is_torn: false, backups })
    }

    /// Adds a record, or nothing.
    pub(super) fn add(&mut self, record: &[u8]) -> io::Result<()> {
        self.mend()?;
        if self.is_full_for(record.len()) {
            self.rotate()?;
        }
        self.reopen()?;
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        let written = file.write_all(record);
        let Some(length) = self.length else { return written };
        match &written {
            Ok(()) => self.length = Some(length.saturating_add(record.len() as u64)),
            Err(_) => self.is_torn = file.set_len(length).is_err(),
        }
        written
    }

    /// Waits until everything is on the disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        match (&self.file, self.length) {
            (Some(file), Some(_)) => file.sync_data(),
            _ => Ok(()),
        }
    }

    /// Cuts off a piece of a record.
    fn mend(&mut self) -> io::Result<()> {
        if let (true, Some(file), Some(length)) = (self.is_torn, &self.file, self.length) {
            file.set_len(length)?;
        }
        self.is_torn = false;
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            let (file, length) = open(&self.path, Opening::Append)?;
            (self.file, self.length) = (Some(file), length);
        }
        Ok(())
    }

    fn is_full_for(&self, record: usize) -> bool {
        match (&self.backups, self.length) {
            (Some(backups), Some(length)) => backups.is_full(length, record),
            _ => false,
        }
    }

    /// Gives the file another name; the next record goes into a new one.
    fn rotate(&mut self) -> io::Result<()> {
        let Some(backups) = &self.backups else { return Ok(()) };
        // Some systems do not rename a file that is open.
        self.file = None;
        backups.make_room(&self.path)?;
        backups.prune(&self.path);
        Ok(())
    }
}

fn open(path: &Path, opening: Opening) -> io::Result<(File, Option<u64>)> {
    if std::fs::metadata(path).is_ok_and(|there| is_pipe(&there)) {
        let problem = "it is a pipe; accepted: a file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    if !file.metadata()?.is_file() {
        return Ok((file, None));
    }
    lock(&file)?;
    match opening {
        Opening::Truncate => file.set_len(0)?,
        Opening::AppendLines => end_line(&mut file)?,
        Opening::Append => {}
    }
    let length = file.metadata()?.len();
    Ok((file, Some(length)))
}

/// Two that write to one file would spoil it for both.
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

/// Opening a pipe waits for its reader.
#[cfg(unix)]
fn is_pipe(there: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    there.file_type().is_fifo()
}

#[cfg(not(unix))]
fn is_pipe(_there: &std::fs::Metadata) -> bool {
    false
}
