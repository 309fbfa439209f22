//! `process.*`: the running program.

use std::ffi::OsString;
use std::path::PathBuf;

use opentelemetry::{Array, KeyValue, StringValue, Value};

use super::{Resource, ResourceDetector, SCHEMA_URL};

/// Finds `process.pid`, `process.executable.name` and `process.executable.path`; the command line
/// only on request.
///
/// `process.runtime.*` is not set: compiled Rust has no runtime to name, and the compiler's
/// version is not known when the program runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessDetector {
    command_args: bool,
}

impl ProcessDetector {
    /// Looks at this process, without its command line.
    #[must_use]
    pub const fn new() -> Self {
        Self { command_args: false }
    }

    /// Adds `process.command_args`: up to 64 arguments of up to 1024 characters each.
    ///
    /// Off by default, because command lines hold passwords and tokens, and everybody who can read
    /// the telemetry would read them.
    #[must_use]
    pub const fn with_command_args(mut self) -> Self {
        self.command_args = true;
        self
    }
}

impl ResourceDetector for ProcessDetector {
    fn detect(&self) -> Resource {
        let pid = KeyValue::new("process.pid", i64::from(std::process::id()));
        let name = executable_name().map(|name| KeyValue::new("process.executable.name", name));
        let path = executable().map(|path| {
            KeyValue::new("process.executable.path", path.to_string_lossy().into_owned())
        });
        let args = self
            .command_args
            .then(|| KeyValue::new("process.command_args", command_args(std::env::args_os())));
        Resource::new([pid].into_iter().chain(name).chain(path).chain(args))
            .with_schema_url(SCHEMA_URL)
    }
}

/// File name of the running program.
pub(super) fn executable_name() -> Option<String> {
    let path = executable()?;
    Some(path.file_name()?.to_string_lossy().into_owned())
}

fn executable() -> Option<PathBuf> {
    std::env::current_exe().ok().map(undeleted)
}

/// Linux marks the path of a program whose file was replaced while it runs, as each deployment
/// in place does; the mark is not part of the name.
fn undeleted(path: PathBuf) -> PathBuf {
    match path.to_str().and_then(|text| text.strip_suffix(" (deleted)")) {
        Some(text) if cfg!(target_os = "linux") => text.into(),
        _ => path,
    }
}

fn command_args(args: impl Iterator<Item = OsString>) -> Value {
    let cut = |arg: OsString| -> StringValue {
        arg.to_string_lossy().chars().take(ARG_CHARS_MAX).collect::<String>().into()
    };
    Value::Array(Array::String(args.take(ARGS_MAX).map(cut).collect()))
}

const ARGS_MAX: usize = 64;
const ARG_CHARS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_executable_keeps_its_name() {
        let path = undeleted("/opt/app/server (deleted)".into());

        let name = if cfg!(target_os = "linux") { "server" } else { "server (deleted)" };
        assert_eq!(path.file_name().unwrap(), name);
        assert_eq!(undeleted("/opt/app/server".into()), PathBuf::from("/opt/app/server"));
    }

    #[test]
    fn command_arguments_are_bounded_in_number_and_length() {
        let args = iter_args(ARGS_MAX + 1, "ä".repeat(ARG_CHARS_MAX + 1));

        let Value::Array(Array::String(kept)) = command_args(args) else { panic!("an array") };

        assert_eq!(kept.len(), ARGS_MAX);
        assert!(kept.iter().all(|arg| arg.as_str().chars().count() == ARG_CHARS_MAX));
    }

    fn iter_args(count: usize, arg: String) -> impl Iterator<Item = OsString> {
        std::iter::repeat_n(arg.into(), count)
    }
}
