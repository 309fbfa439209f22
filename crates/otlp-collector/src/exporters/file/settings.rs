//! The settings of `file`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use otlp_core::Signal;
use otlp_core::export::{BoxedExporter, Compression, Exporter as _};
use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::backups::Backups;
use super::record::Format;
use super::record_file::{Opening, RecordFile};
use super::{FileExporter, State};
use crate::component::{BoxError, Destination, Host};
use crate::config::{ConfigError, Ignored, Unsupported, duration};
use crate::exporters::desk::{Desk, SharedDesk};
use crate::exporters::otlp::{CompressionParams, CompressionType};
use crate::exporters::told::Told;
use crate::sending::{QueueSettings, RetrySettings, SendingSettings};

/// Writes requests to a file: what stands under `exporters::file`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct FileSettings {
    /// The file. Needed.
    pub path: PathBuf,
    /// Whether what is in it stays. Default false; with `rotation` it always does.
    pub append: bool,
    /// When it is full, and what becomes of it then. Default never.
    pub rotation: Option<RotationSettings>,
    /// How requests stand in it. Default json.
    pub format: FileFormat,
    /// Whether each request is compressed with zstd, which makes it a message with its length in front. Default not.
    #[serde(deserialize_with = "zstd")]
    pub compression: Option<CompressionType>,
    /// How hard.
    pub compression_params: CompressionParams,
    /// Whether the folder is made, with those above it. Default false.
    pub create_directory: bool,
    /// Who may enter a folder that is made: an octal number in quotes. Default 0755.
    pub directory_permissions: String,
    group_by: GroupBy,
    encoding: Option<Unsupported>,
    /// Every request is written at once.
    #[serde(deserialize_with = "duration")]
    flush_interval: Duration,
    #[serde(skip)]
    told: Told,
    #[serde(skip)]
    desk: SharedDesk<State>,
}

/// `format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FileFormat {
    /// A line of OTLP/JSON for each request (rows X1, X2).
    #[default]
    Json,
    /// For each request four bytes of length, the highest first, and the request in protobuf.
    Proto,
}

/// `rotation`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RotationSettings {
    /// How large a file may become, in MiB. Default 0: 100.
    pub max_megabytes: u64,
    /// For how many days full files are kept. Default 0: for ever.
    pub max_days: u64,
    /// How many full files are kept. Default 100; 0 keeps all.
    pub max_backups: usize,
    localtime: Ignored,
}

/// `group_by`: a file for each value of an attribute, which is not supported.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct GroupBy {
    enabled: bool,
    #[serde(rename = "resource_attribute")]
    _resource_attribute: Ignored,
    #[serde(rename = "max_open_files")]
    _max_open_files: Ignored,
}

impl Default for RotationSettings {
    fn default() -> Self {
        Self { max_megabytes: 0, max_days: 0, max_backups: 100, localtime: None }
    }
}

impl Default for FileSettings {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            append: false,
            rotation: None,
            format: FileFormat::Json,
            compression: None,
            compression_params: CompressionParams::default(),
            create_directory: false,
            directory_permissions: String::new(),
            group_by: GroupBy::default(),
            encoding: None,
            flush_interval: Duration::from_secs(1),
            told: Told::default(),
            desk: SharedDesk::default(),
        }
    }
}

impl FileSettings {
    /// To this file, with the default of everything else.
    #[must_use]
    pub fn to(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }

    /// Whether the settings go together.
    ///
    /// # Errors
    ///
    /// Names the key, what is wrong with it, and what is accepted.
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key: &str, problem: &str| Err(ConfigError::new(problem).under(key));
        if self.path.as_os_str().is_empty() {
            return wrong("path", "it is empty; accepted: the path of a file");
        }
        if self.append && self.rotation.is_some() {
            return wrong("append", "it does not go with rotation, which always appends");
        }
        if self.group_by.enabled {
            let problem = "the Go collector knows this, and it is not supported here; accepted: \
                           enabled: false";
            return wrong("group_by", problem);
        }
        self.permissions()?;
        self.record_format().map(drop)
    }

    fn record_format(&self) -> Result<Format, ConfigError> {
        let compression = match self.compression {
            None => Compression::None,
            Some(compression) => compression.at(self.compression_params)?,
        };
        Ok(Format { encoding: self.format, compression })
    }

    fn permissions(&self) -> Result<u32, ConfigError> {
        let text = self.directory_permissions.as_str();
        if text.is_empty() {
            return Ok(0o755);
        }
        let read = u32::from_str_radix(text, 8).ok().filter(|mode| mode & !0o777 == 0);
        let problem = match read {
            Some(mode) if self.create_directory => return Ok(mode),
            Some(_) => "it has no effect unless create_directory is true",
            None => "it is no octal number of permissions; accepted: such as \"0755\"",
        };
        Err(ConfigError::new(problem).under("directory_permissions"))
    }

    fn file(&self, is_lines: bool) -> std::io::Result<RecordFile> {
        if let (true, Some(folder)) = (self.create_directory, self.path.parent()) {
            create_folders(folder, self.permissions().unwrap_or(0o755))?;
        }
        let opening = match (self.append || self.rotation.is_some(), is_lines) {
            (false, _) => Opening::Truncate,
            (true, true) => Opening::AppendLines,
            (true, false) => Opening::Append,
        };
        RecordFile::open(self.path.clone(), opening, self.rotation.map(RotationSettings::backups))
    }

    fn warnings(&self) -> Vec<String> {
        let localtime = self.rotation.is_some_and(|rotation| rotation.localtime.is_some());
        let text =
            "rotation::localtime has no effect here: full files are named by the time in UTC";
        localtime.then(|| text.to_owned()).into_iter().collect()
    }
}

impl RotationSettings {
    fn backups(self) -> Backups {
        let megabytes = if self.max_megabytes == 0 { 100 } else { self.max_megabytes };
        let days = Some(self.max_days).filter(|days| *days > 0);
        Backups {
            bytes_max: megabytes.saturating_mul(1 << 20),
            age_max: days.map(|days| Duration::from_secs(days.saturating_mul(86_400))),
            count_max: Some(self.max_backups).filter(|most| *most > 0),
        }
    }
}

impl Destination for FileSettings {
    fn open(&self, host: &Host, _signal: Signal) -> Result<BoxedExporter, BoxError> {
        self.told.warn(host, || self.warnings());
        let format = self.record_format()?;
        let start = || Desk::start("otlp-file", State::new(self.file(format.is_lines())?));
        let desk = self.desk.open(start).map_err(|error| {
            let path = otlp_core::export::text::printable(&self.path.to_string_lossy());
            format!("path: {path}: {error}")
        })?;
        Ok(FileExporter::new(desk, format, self.path.clone()).boxed())
    }

    fn sending(&self) -> SendingSettings {
        // As the Go collector has it: no queue, and whoever brings a request hears that it was not written.
        SendingSettings::default()
            .with_retry(RetrySettings { enabled: false, ..RetrySettings::default() })
            .with_queue(QueueSettings { enabled: false, ..QueueSettings::default() })
    }
}

#[cfg(unix)]
fn create_folders(folder: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(mode).create(folder)
}

#[cfg(not(unix))]
fn create_folders(folder: &Path, _mode: u32) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)
}

fn zstd<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<CompressionType>, D::Error> {
    let name = String::deserialize(deserializer)?;
    match name.as_str() {
        "" => Ok(None),
        "zstd" => Ok(Some(CompressionType::Zstd)),
        _ => Err(de::Error::unknown_variant(&name, &["zstd"])),
    }
}
