//! A test that does its work in a process of its own: for what belongs to a whole process, such as
//! its environment, its globals and its panic hook.

use std::process::Command;

const MARKER: &str = "OTLP_SDK_TEST_CHILD";

/// Runs the test `name` of this binary once more, alone in a new process with these variables and
/// no other `OTEL_*`, and waits for it. There `work` runs, here it does not.
///
/// Returns whether this is the parent, that is whether there is something left to check.
pub(crate) fn run(name: &str, variables: &[(&str, &str)], work: impl FnOnce()) -> bool {
    output(name, variables, work).is_some()
}

/// [`run`], for the parent with what the child has printed to standard output.
#[expect(clippy::unwrap_used, reason = "a child that does not run is a test that fails")]
pub(crate) fn output(
    name: &str,
    variables: &[(&str, &str)],
    work: impl FnOnce(),
) -> Option<String> {
    if std::env::var_os(MARKER).is_some_and(|marker| marker == name) {
        work();
        return None;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("OTEL_") {
            command.env_remove(variable);
        }
    }
    command.args(["--exact", name, "--nocapture"]).env(MARKER, name);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    // A name that is no test's would succeed as well.
    assert!(out.contains("1 passed"), "{out}{err}");
    Some(out.into_owned())
}
