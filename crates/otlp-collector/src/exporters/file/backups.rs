//! Files that are full: when that is, what they are called then, and which of them are kept.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use otlp_core::time::UtcTime;

/// `rotation`, in other units.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backups {
    /// How large a file may become. A record that is larger by itself stands alone in its file.
    pub(super) bytes_max: u64,
    /// How long full files are kept.
    pub(super) age_max: Option<Duration>,
    /// How many full files are kept.
    pub(super) count_max: Option<usize>,
}

impl Backups {
    /// Whether a file of this length is full for a record.
    pub(super) const fn is_full(&self, length: u64, record: usize) -> bool {
        length > 0 && length.saturating_add(record as u64) > self.bytes_max
    }

    /// Makes the name of the file free: `data.json` becomes `data-2025-01-02T15-04-05.000-size.json`. If that is
    /// taken the next thousandth of a second is.
    pub(super) fn make_room(&self, path: &Path) -> io::Result<()> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let mut name = backup(path, millis);
        while name.exists() {
            millis = millis.saturating_add(1);
            name = backup(path, millis);
        }
        std::fs::rename(path, name)
    }

    /// Deletes full files that are too old or too many. One that cannot be deleted is tried again the next time.
    pub(super) fn prune(&self, path: &Path) {
        let oldest = self.age_max.and_then(|age| SystemTime::now().checked_sub(age));
        let oldest = oldest.map(|at| stamp(millis_of(at)));
        let mut found = backups_of(path);
        // The stamp sorts as time does.
        found.sort_by(|a, b| b.0.cmp(&a.0));
        for (at, (time, path)) in found.iter().enumerate() {
            let is_many = self.count_max.is_some_and(|most| at >= most);
            let is_old = oldest.as_ref().is_some_and(|oldest| time < oldest);
            if (is_many || is_old)
                && let Err(error) = std::fs::remove_file(path)
            {
                let path = otlp_core::export::text::printable(&path.to_string_lossy());
                tracing::warn!(target: "otlp_collector", "{path} cannot be deleted: {error}");
            }
        }
    }
}

/// Full files, with the stamps in their names. Those that older collectors wrote have no reason behind it.
fn backups_of(path: &Path) -> Vec<(String, PathBuf)> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let Ok(entries) = std::fs::read_dir(folder.unwrap_or(Path::new("."))) else {
        return Vec::new();
    };
    let named = |entry: io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        let stamp = stamp_in(path, &entry.file_name())?;
        Some((stamp, entry.path()))
    };
    entries.filter_map(named).collect()
}

fn stamp_in(path: &Path, name: &OsStr) -> Option<String> {
    let (stem, extension) = parts(path);
    let middle = name.to_str()?.strip_prefix(&stem)?.strip_suffix(&extension)?.strip_prefix('-')?;
    let stamp = middle.strip_suffix("-size").unwrap_or(middle);
    let is_like = stamp.len() == PATTERN.len()
        && stamp.bytes().zip(PATTERN.bytes()).all(|(byte, pattern)| match pattern {
            b'0' => byte.is_ascii_digit(),
            sign => byte == sign,
        });
    is_like.then(|| stamp.to_owned())
}

fn backup(path: &Path, unix_millis: u64) -> PathBuf {
    let (stem, extension) = parts(path);
    path.with_file_name(format!("{stem}-{}-size{extension}", stamp(unix_millis)))
}

/// `data` and `.json`.
fn parts(path: &Path) -> (String, String) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match name.rfind('.') {
        Some(dot) => {
            let (stem, extension) = name.split_at(dot);
            (stem.to_owned(), extension.to_owned())
        }
        None => (name, String::new()),
    }
}

/// `2025-01-02T15-04-05.000`, in UTC.
fn stamp(unix_millis: u64) -> String {
    let UtcTime { year, month, day, hour, minute, second, nano, .. } =
        UtcTime::of_unix_nano(unix_millis.saturating_mul(1_000_000));
    let millis = nano / 1_000_000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}-{minute:02}-{second:02}.{millis:03}")
}

fn millis_of(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

const PATTERN: &str = "0000-00-00T00-00-00.000";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_named_by_the_time_and_known_by_its_name() {
        let name = backup(Path::new("/var/data.json"), 1_735_830_245_007);
        assert_eq!(name, Path::new("/var/data-2025-01-02T15-04-05.007-size.json"));
        let known = |path, name: &str| stamp_in(Path::new(path), OsStr::new(name));
        let stamp = Some("2025-01-02T15-04-05.007".to_owned());
        assert_eq!(known("data.json", "data-2025-01-02T15-04-05.007-size.json"), stamp);
        assert_eq!(known("data.json", "data-2025-01-02T15-04-05.007.json"), stamp);
        assert_eq!(known("data", "data-2025-01-02T15-04-05.007-size"), stamp);
        for other in [
            "data.json",
            "data-.json",
            "data-2025-01-02T15-04-05.007-size.txt",
            "data-2025-01-02T15-04-05.0x7-size.json",
            "data-old-2025-01-02T15-04-05.007-size.json",
            "other-2025-01-02T15-04-05.007-size.json",
        ] {
            assert_eq!(known("data.json", other), None, "{other}");
        }
    }
}
