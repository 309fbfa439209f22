//! Where our collector's program comes from.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::contestant::Program;
use crate::subject::Failure;

/// Builds our collector as it is published, and says where it is.
///
/// # Errors
///
/// It does not build; what the compiler says is on standard error.
pub fn ours() -> Result<Program, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "-p", NAME, "--bin", NAME])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        let status = output.status;
        return Err(
            format!("{NAME} could not be built ({status}); --ours PATH takes another").into()
        );
    }
    let messages = String::from_utf8(output.stdout)?;
    let program = messages.lines().find_map(executable);
    Ok(Program::Binary(program.ok_or("cargo does not say where it has built the collector")?))
}

/// The program, if this message of cargo's says that it is there.
fn executable(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    if message.get("target")?.get("name")? != NAME {
        return None;
    }
    Some(message.get("executable")?.as_str()?.into())
}

/// Name of the package and of the program.
const NAME: &str = "otlp-collector";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_among_the_messages_of_cargo() {
        let library = r#"{"reason":"compiler-artifact","target":{"name":"otlp-collector"},"executable":null}"#;
        let other =
            r#"{"reason":"compiler-artifact","target":{"name":"other"},"executable":"/t/other"}"#;
        let ours = r#"{"reason":"compiler-artifact","target":{"name":"otlp-collector"},"executable":"/t/otlp-collector"}"#;
        let end = r#"{"reason":"build-finished","success":true}"#;
        let found: Vec<_> =
            [library, other, ours, end].into_iter().filter_map(executable).collect();
        assert_eq!(found, [PathBuf::from("/t/otlp-collector")]);
    }
}
