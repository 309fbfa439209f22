//! `host.*`: the machine, virtual machine or container.

use std::path::PathBuf;

use opentelemetry::KeyValue;

use super::files::SystemFiles;
use super::{Resource, ResourceDetector, SCHEMA_URL};

/// Finds `host.name`, `host.id` and `host.arch`.
///
/// The name is the kernel's (`/proc/sys/kernel/hostname`) or that of `/etc/hostname`, or
/// `COMPUTERNAME` on Windows. The id is the machine id of systemd or D-Bus, so on Linux only; in a
/// container it is the image's, if any. What is not found is left out. No process is started.
#[derive(Clone, Debug, Default)]
pub struct HostDetector {
    files: SystemFiles,
}

impl HostDetector {
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

    fn name(&self) -> Option<String> {
        if cfg!(windows) {
            return std::env::var("COMPUTERNAME").ok().filter(|name| !name.is_empty());
        }
        self.files.first_line(&["proc/sys/kernel/hostname", "etc/hostname"])
    }

    fn id(&self) -> Option<String> {
        // Before its first boot has ended a machine's file says "uninitialized".
        let is_id = |id: &String| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
        MACHINE_ID.iter().find_map(|path| self.files.first_line(&[path]).filter(is_id))
    }
}

impl ResourceDetector for HostDetector {
    fn detect(&self) -> Resource {
        let name = self.name().map(|name| KeyValue::new("host.name", name));
        let id = self.id().map(|id| KeyValue::new("host.id", id));
        let arch = KeyValue::new("host.arch", arch(std::env::consts::ARCH));
        Resource::new(name.into_iter().chain(id).chain([arch])).with_schema_url(SCHEMA_URL)
    }
}

/// The conventions' name of an architecture.
fn arch(rust: &'static str) -> &'static str {
    match rust {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm32",
        "powerpc" => "ppc32",
        "powerpc64" => "ppc64",
        // `x86` and `s390x` have the same name; others may be named freely.
        other => other,
    }
}

/// Where the conventions look for `host.id` on Linux.
const MACHINE_ID: [&str; 2] = ["etc/machine-id", "var/lib/dbus/machine-id"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architectures_have_the_names_of_the_conventions() {
        for (rust, convention) in [
            ("x86_64", "amd64"),
            ("aarch64", "arm64"),
            ("arm", "arm32"),
            ("x86", "x86"),
            ("s390x", "s390x"),
            ("riscv64", "riscv64"),
        ] {
            assert_eq!(arch(rust), convention);
        }
    }
}
