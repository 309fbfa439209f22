//! `os.*`: the operating system.

use std::path::PathBuf;

use opentelemetry::KeyValue;

use super::files::SystemFiles;
use super::{Resource, ResourceDetector, SCHEMA_URL};

/// Finds `os.type` and, where there is an `os-release` file, `os.name`, `os.version` and
/// `os.description`. What is not found is left out. No process is started.
#[derive(Clone, Debug, Default)]
pub struct OsDetector {
    files: SystemFiles,
}

impl OsDetector {
    /// Looks at this machine.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at the file system under `root`, for instance the host's, mounted in a container.
    #[must_use]
    pub fn with_root(root: impl Into<PathBuf>) -> Self {
        Self { files: SystemFiles::at(root) }
    }
}

impl ResourceDetector for OsDetector {
    fn detect(&self) -> Resource {
        let release = self.files.first(&["etc/os-release", "usr/lib/os-release"]);
        let release = release.unwrap_or_default();
        let found = FROM_RELEASE.into_iter().filter_map(|(attribute, variable)| {
            Some(KeyValue::new(attribute, variable_of(&release, variable)?))
        });
        let os_type = KeyValue::new("os.type", os_type(std::env::consts::OS));
        Resource::new(found.chain([os_type])).with_schema_url(SCHEMA_URL)
    }
}

/// The value of a variable in an `os-release` file: shell assignments, the last one counts.
fn variable_of(release: &str, variable: &str) -> Option<String> {
    let mut values = release.lines().filter_map(|line| {
        let (name, value) = line.trim().split_once('=')?;
        (name == variable).then(|| unquote(value))
    });
    values.next_back().filter(|value| !value.is_empty())
}

/// Takes the shell's quotes off: single quotes are verbatim, elsewhere a backslash escapes.
fn unquote(value: &str) -> String {
    let verbatim = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    if let Some(verbatim) = verbatim {
        return verbatim.to_owned();
    }
    let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let mut characters = quoted.unwrap_or(value).chars();
    let mut text = String::new();
    while let Some(character) = characters.next() {
        let escaped = if character == '\\' { characters.next() } else { None };
        text.push(escaped.unwrap_or(character));
    }
    text
}

/// The conventions' name of an operating system.
fn os_type(rust: &'static str) -> &'static str {
    match rust {
        "macos" | "ios" | "tvos" | "watchos" | "visionos" => "darwin",
        "android" => "linux",
        "dragonfly" => "dragonflybsd",
        // `linux`, `windows`, `freebsd`, `netbsd`, `openbsd`, `solaris` and `aix` have the same
        // name; others may be named freely.
        other => other,
    }
}

const FROM_RELEASE: [(&str, &str); 3] =
    [("os.name", "NAME"), ("os.version", "VERSION_ID"), ("os.description", "PRETTY_NAME")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_values_lose_their_quotes_and_escapes() {
        for (line, value) in [
            ("NAME=Fedora", Some("Fedora")),
            ("NAME=\"Debian GNU/Linux\"", Some("Debian GNU/Linux")),
            ("NAME='it \\ stays'", Some("it \\ stays")),
            ("NAME=\"a \\\"b\\\" \\$c \\\\\"", Some("a \"b\" $c \\")),
            ("  NAME=x\r", Some("x")),
            ("NAME=one\nNAME=two", Some("two")),
            ("NAME=", None),
            ("NAME=\"\"", None),
            ("#NAME=x", None),
            ("NAMES=x", None),
            ("", None),
        ] {
            assert_eq!(variable_of(line, "NAME").as_deref(), value, "{line:?}");
        }
    }

    #[test]
    fn systems_have_the_names_of_the_conventions() {
        for (rust, convention) in
            [("linux", "linux"), ("macos", "darwin"), ("dragonfly", "dragonflybsd")]
        {
            assert_eq!(os_type(rust), convention);
        }
    }
}
