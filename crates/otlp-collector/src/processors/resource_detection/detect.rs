//! What the detectors find.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use otlp_core::export::Env;

use super::settings::HostnameSource;
use crate::component::BoxError;
use crate::edit::Literal;

/// An attribute.
pub(super) type Found = (String, Literal);

/// Where the detectors look; tests can put it elsewhere.
#[derive(Debug)]
pub(super) struct Surroundings {
    env: Env,
    root: PathBuf,
}

impl Surroundings {
    pub(super) fn new(env: Env, root: &Path) -> Self {
        Self { env, root: root.to_owned() }
    }

    /// What the environment says, or what is wrong with it.
    pub(super) fn env(&self) -> Result<Vec<Found>, BoxError> {
        let mut reader = self.env.reader();
        let attributes = reader.resource_attributes();
        if let Some(warning) = reader.into_warnings().first() {
            return Err(warning.to_string().into());
        }
        // Of a key that is there twice the last one counts.
        let mut found: Vec<Found> = Vec::new();
        for (key, value) in attributes {
            found.retain(|(before, _)| *before != key);
            found.push((key, Literal::String(value)));
        }
        Ok(found)
    }

    pub(super) fn system(&self, sources: &[HostnameSource]) -> Vec<Found> {
        let release = self.read("etc/os-release").or_else(|| self.read("usr/lib/os-release"));
        let release = release.unwrap_or_default();
        let all = [
            ("host.name", self.host_name(sources)),
            ("host.arch", Some(arch(std::env::consts::ARCH).to_owned())),
            ("host.id", self.host_id()),
            ("os.type", Some(os_type(std::env::consts::OS).to_owned())),
            ("os.name", of_release(&release, "NAME")),
            ("os.version", of_release(&release, "VERSION_ID")),
            ("os.description", of_release(&release, "PRETTY_NAME")),
        ];
        let found = all.into_iter().filter_map(|(key, value)| Some((key, value?)));
        found.map(|(key, value)| (key.to_owned(), Literal::String(value))).collect()
    }

    pub(super) fn process(&self) -> Vec<Found> {
        let pid = ("process.pid".to_owned(), Literal::Int(i64::from(std::process::id())));
        let path = std::env::current_exe().ok();
        let name = path.as_ref().and_then(|path| path.file_name().map(Path::new));
        let name = name.map(|it| ("process.executable.name".to_owned(), text(it)));
        let path = path.as_deref().map(|it| ("process.executable.path".to_owned(), text(it)));
        [pid].into_iter().chain(name).chain(path).collect()
    }

    fn host_name(&self, sources: &[HostnameSource]) -> Option<String> {
        let own = self.own_name();
        sources.iter().find_map(|source| match source {
            HostnameSource::Os => own.clone(),
            HostnameSource::Dns => self.full_name(own.as_deref()?),
        })
    }

    fn own_name(&self) -> Option<String> {
        if cfg!(windows) {
            return std::env::var("COMPUTERNAME").ok().filter(|name| !name.is_empty());
        }
        ["proc/sys/kernel/hostname", "etc/hostname"].iter().find_map(|path| {
            let name = self.read(path)?.lines().next()?.trim().to_owned();
            (!name.is_empty()).then_some(name)
        })
    }

    /// The first name in the line of `/etc/hosts` that has this one, if it has a domain.
    fn full_name(&self, own: &str) -> Option<String> {
        let hosts = self.read("etc/hosts")?;
        hosts.lines().find_map(|line| {
            let line = line.split('#').next()?;
            let mut names = line.split_whitespace().skip(1);
            let first = names.next()?;
            let is_own = first == own || names.any(|name| name == own);
            (is_own && first.contains('.')).then(|| first.trim_end_matches('.').to_owned())
        })
    }

    /// The machine id of systemd or D-Bus, once the first boot has made one.
    fn host_id(&self) -> Option<String> {
        ["etc/machine-id", "var/lib/dbus/machine-id"].iter().find_map(|path| {
            let id = self.read(path)?.trim().to_owned();
            (id.len() == 32 && id.bytes().all(|it| it.is_ascii_hexdigit())).then_some(id)
        })
    }

    /// UTF-8 text of bounded length.
    fn read(&self, path: &str) -> Option<String> {
        let mut text = String::new();
        let file = File::open(self.root.join(path)).ok()?;
        file.take(BYTES_MAX).read_to_string(&mut text).ok()?;
        Some(text)
    }
}

fn text(path: &Path) -> Literal {
    Literal::String(path.to_string_lossy().into_owned())
}

/// The value of a variable in `os-release`; the last one counts. Values with escapes, which no distribution
/// has in these, keep them.
fn of_release(release: &str, variable: &str) -> Option<String> {
    let mut values = release.lines().filter_map(|line| {
        let (name, value) = line.trim().split_once('=')?;
        (name == variable).then(|| value.trim_matches(['"', '\'']))
    });
    values.next_back().filter(|value| !value.is_empty()).map(str::to_owned)
}

/// As semantic conventions name architectures.
fn arch(name: &str) -> &str {
    match name {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm32",
        "powerpc" => "ppc32",
        "powerpc64" => "ppc64",
        other => other,
    }
}

/// As semantic conventions name operating systems.
fn os_type(name: &str) -> &str {
    match name {
        "macos" | "ios" => "darwin",
        "android" => "linux",
        "dragonfly" => "dragonflybsd",
        other => other,
    }
}

/// Far above any real one of these files, but for a list of hosts, of which the start is read.
const BYTES_MAX: u64 = 64 * 1024;
