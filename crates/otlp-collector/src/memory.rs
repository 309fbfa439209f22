//! How much memory this process has, and how much there is for it.

use std::fmt::Debug;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where the figures come from.
pub(crate) trait Memory: Debug + Send + Sync {
    /// Resident bytes of this process.
    fn used(&self) -> io::Result<u64>;

    /// Bytes that there are for it.
    fn total(&self) -> io::Result<u64>;
}

/// The files of a Linux system, under a root that tests can put elsewhere.
#[derive(Debug)]
pub(crate) struct Linux {
    root: PathBuf,
}

impl Default for Linux {
    fn default() -> Self {
        Self { root: PathBuf::from("/") }
    }
}

impl Memory for Linux {
    fn used(&self) -> io::Result<u64> {
        let path = self.root.join("proc/self/status");
        kib(&read(&path)?, "VmRSS:").ok_or_else(|| without(&path, "VmRSS"))
    }

    /// The smallest limit of its control group and those around it, of version 2 or 1, or else what the machine
    /// has.
    fn total(&self) -> io::Result<u64> {
        let path = self.root.join("proc/meminfo");
        let machine = kib(&read(&path)?, "MemTotal:").ok_or_else(|| without(&path, "MemTotal"))?;
        Ok(self.group_limit().map_or(machine, |limit| limit.min(machine)))
    }
}

impl Linux {
    #[cfg(test)]
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn group_limit(&self) -> Option<u64> {
        let groups = read(&self.root.join("proc/self/cgroup")).ok()?;
        let mounts = self.root.join("sys/fs/cgroup");
        let of_line = |line: &str| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, group) = rest.split_once(':')?;
            if controllers.is_empty() {
                smallest(&mounts, group, "memory.max")
            } else if controllers.split(',').any(|it| it == "memory") {
                smallest(&mounts.join("memory"), group, "memory.limit_in_bytes")
            } else {
                None
            }
        };
        groups.lines().filter_map(of_line).min()
    }
}

/// The smallest limit from a group up to the mount. Within a container the group may not be visible: then it is
/// the mount itself.
fn smallest(mount: &Path, group: &str, file: &str) -> Option<u64> {
    let group = mount.join(group.trim_start_matches('/'));
    let limit = |group: &Path| read(&group.join(file)).ok()?.trim().parse().ok();
    let around = group.ancestors().take_while(|it| it.starts_with(mount));
    // "max" is no number, and what version 1 says in its place is more than there is.
    around.filter_map(limit).min()
}

/// The value of a line such as `VmRSS:     2192 kB`, in bytes.
fn kib(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let count: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    count.checked_mul(1024)
}

fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn without(path: &Path, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: no {what} in it", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A system with these files, and a machine of 1 GiB.
    fn system(files: &[(&str, &str)]) -> (tempfile::TempDir, Linux) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files.iter().chain(&[("proc/meminfo", "MemTotal: 1048576 kB\n")]) {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let linux = Linux::at(root.path());
        (root, linux)
    }

    const GIB: u64 = 1 << 30;

    #[test]
    fn the_smallest_limit_around_the_process_counts() {
        let (_root, linux) = system(&[
            ("proc/self/cgroup", "0::/pod/app\n"),
            ("sys/fs/cgroup/pod/app/memory.max", "max\n"),
            ("sys/fs/cgroup/pod/memory.max", "104857600\n"),
            ("sys/fs/cgroup/memory.max", "209715200\n"),
        ]);
        assert_eq!(linux.total().unwrap(), 100 << 20);
        let (_root, linux) = system(&[
            ("proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/elsewhere/app\n0::/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "52428800\n"),
        ]);
        assert_eq!(linux.total().unwrap(), 50 << 20, "the group itself is not visible");
    }

    #[test]
    fn without_a_limit_the_machine_counts() {
        let (_root, linux) = system(&[]);
        assert_eq!(linux.total().unwrap(), GIB);
        let (_root, linux) = system(&[
            ("proc/self/cgroup", "4:memory:/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ]);
        assert_eq!(linux.total().unwrap(), GIB);
    }

    #[test]
    fn what_the_process_has_is_read_or_the_error_names_the_file() {
        let (_root, linux) = system(&[("proc/self/status", "Name: x\nVmRSS:\t    2192 kB\n")]);
        assert_eq!(linux.used().unwrap(), 2192 << 10);
        let (_root, linux) = system(&[]);
        assert!(linux.used().unwrap_err().to_string().contains("proc/self/status"));
        let (_root, linux) = system(&[("proc/self/status", "VmRSS: many kB\n")]);
        assert!(linux.used().unwrap_err().to_string().contains("VmRSS"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_memory_and_less_than_there_is() {
        let linux = Linux::default();
        let (used, total) = (linux.used().unwrap(), linux.total().unwrap());
        assert!(used > 1 << 16 && used < total, "{used} of {total}");
    }
}
