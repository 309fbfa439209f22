//! Environment variables as the carrier of a context: from a process to those that it starts.

use std::collections::{BTreeMap, btree_map};
use std::ffi::OsString;
use std::fmt;
use std::process::Command;

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};

use super::notice::Notice;

/// Environment variables that carry a context (row C5): `TRACEPARENT`, `TRACESTATE`, `BAGGAGE`, and
/// whatever else the propagators write.
///
/// A propagator's key becomes a variable's name: letters in upper case, all but letters, digits and
/// `_` as `_`, and a `_` in front of a digit at the start. Only names that have this form are read.
/// Values go through as they are; what they mean is the propagators' business.
///
/// Reading, at the start of a process:
///
/// ```
/// use opentelemetry::global;
/// use otlp_sdk::propagation::EnvCarrier;
///
/// // The context of whoever started us; an empty one if nobody told.
/// let environment = EnvCarrier::from_process();
/// let parent = global::get_text_map_propagator(|propagator| propagator.extract(&environment));
/// ```
///
/// Writing: [`inject_command`], or for anything that takes pairs (a container, a job's manifest):
///
/// ```
/// use opentelemetry::Context;
/// use opentelemetry::propagation::TextMapPropagator;
/// use otlp_sdk::propagation::{EnvCarrier, Propagators};
///
/// let mut environment = EnvCarrier::default();
/// Propagators::default().inject_context(&Context::current(), &mut environment);
/// let pairs: Vec<(String, String)> = environment.into_iter().collect();
/// ```
///
/// Every process of the same user can usually read them: no secrets in baggage. Jaeger's baggage, whose
/// names are data, cannot be found again by the form that they have here.
#[derive(Clone, Default)]
pub struct EnvCarrier {
    variables: BTreeMap<String, String>,
}

impl EnvCarrier {
    /// What this process was started with. Variables that are not UTF-8 are passed over: no
    /// propagator writes them.
    ///
    /// Take it once, at the start: a process should treat these variables as fixed.
    #[must_use]
    pub fn from_process() -> Self {
        std::env::vars_os().collect()
    }
}

/// Of any environment, what can be a propagator's.
impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for EnvCarrier {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(variables: T) -> Self {
        let text = |(name, value): (K, V)| {
            let mut name = name.into().into_string().ok()?;
            if cfg!(windows) {
                // Windows finds a variable in any case.
                name.make_ascii_uppercase();
            }
            let value = value.into().into_string().ok()?;
            is_normal(&name).then_some((name, value))
        };
        Self { variables: variables.into_iter().filter_map(text).collect() }
    }
}

impl Extractor for EnvCarrier {
    fn get(&self, key: &str) -> Option<&str> {
        self.variables.get(&variable(key)).map(String::as_str)
    }

    fn keys(&self) -> Vec<&str> {
        self.variables.keys().map(String::as_str).collect()
    }
}

impl Injector for EnvCarrier {
    /// Leaves out what no process could be started with: a NUL, or more than 32,767 characters.
    fn set(&mut self, key: &str, value: String) {
        let name = variable(key);
        if value.contains('\0') || name.len().saturating_add(value.len()) >= PAIR_MAX {
            IMPOSSIBLE.ignored("environment", "a value has a NUL or is above 32,767 characters");
            return;
        }
        self.variables.insert(name, value);
    }
}

impl IntoIterator for EnvCarrier {
    type Item = (String, String);
    type IntoIter = btree_map::IntoIter<String, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.variables.into_iter()
    }
}

impl fmt::Debug for EnvCarrier {
    /// Names and values stay out: an environment is full of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnvCarrier({} variables)", self.variables.len())
    }
}

/// Gives the process that `command` will start the context `cx`.
///
/// What the command would inherit under the names of the propagator's
/// [`fields`](TextMapPropagator::fields) is taken away: our own caller's `TRACESTATE` or `BAGGAGE` does
/// not belong beside our `TRACEPARENT`. For `tokio::process::Command` there is `as_std_mut()`.
///
/// ```
/// use std::process::Command;
///
/// use opentelemetry::{Context, global};
/// use otlp_sdk::propagation::inject_command;
///
/// let mut command = Command::new("convert");
/// let cx = Context::current();
/// global::get_text_map_propagator(|propagator| inject_command(propagator, &cx, &mut command));
/// ```
pub fn inject_command(propagator: &dyn TextMapPropagator, cx: &Context, command: &mut Command) {
    let mut carrier = EnvCarrier::default();
    propagator.inject_context(cx, &mut carrier);
    for field in propagator.fields() {
        command.env_remove(variable(field));
    }
    command.envs(carrier);
}

/// The variable for a propagator's key.
fn variable(key: &str) -> String {
    let starts_well = key.chars().next().is_some_and(|first| !first.is_ascii_digit());
    let mut name = if starts_well { String::new() } else { "_".to_owned() };
    name.extend(key.chars().map(|character| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' => character.to_ascii_uppercase(),
        _ => '_',
    }));
    name
}

/// Whether a variable's name is one that [`variable`] makes.
fn is_normal(name: &str) -> bool {
    let normal = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_');
    name.bytes().all(normal) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

/// Windows holds 32,767 characters of `name=value`; of the systems that set a limit it is the lowest.
const PAIR_MAX: usize = 32_767;

static IMPOSSIBLE: Notice = Notice::new();

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_becomes_a_variable() {
        // row C5
        for (key, name) in [
            ("traceparent", "TRACEPARENT"),
            ("tracestate", "TRACESTATE"),
            ("baggage", "BAGGAGE"),
            ("X-B3-TraceId", "X_B3_TRACEID"),
            ("uber-trace-id", "UBER_TRACE_ID"),
            ("with_underscore.and dot", "WITH_UNDERSCORE_AND_DOT"),
            ("3scale", "_3SCALE"),
            ("größe", "GR__E"),
            ("=", "_"),
            ("a\0b", "A_B"),
            ("", "_"),
        ] {
            assert_eq!(variable(key), name, "{key:?}");
        }
    }

    #[test]
    fn only_variables_of_that_form_are_read() {
        let carrier = EnvCarrier::from_iter([
            ("TRACEPARENT", "one"),
            ("trace-state", "two"),
            ("1ST", "three"),
            ("", "four"),
            ("EMPTY", ""),
        ]);
        assert_eq!(carrier.keys(), ["EMPTY", "TRACEPARENT"]);
        assert_eq!(carrier.get("traceparent"), Some("one"));
        assert_eq!(carrier.get("TraceParent"), Some("one"));
        assert_eq!(carrier.get("empty"), Some(""));
        assert_eq!(carrier.get("trace-state"), None);
        assert_eq!(carrier.get("1st"), None);
        assert_eq!(format!("{carrier:?}"), "EnvCarrier(2 variables)");
    }

    #[cfg(not(windows))]
    #[test]
    fn a_name_in_lower_case_is_another_variable() {
        let carrier = EnvCarrier::from_iter([("traceparent", "one")]);
        assert!(carrier.keys().is_empty());
        assert_eq!(carrier.get("traceparent"), None);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_text_is_passed_over() {
        use std::os::unix::ffi::OsStringExt;
        let bytes = || OsString::from_vec(vec![b'A', 0xff]);
        let pairs = [(bytes(), "value".into()), ("NAME".into(), bytes())];
        assert!(EnvCarrier::from_iter(pairs).keys().is_empty());
    }

    #[test]
    fn what_no_process_could_be_started_with_is_left_out() {
        let mut carrier = EnvCarrier::default();
        carrier.set("nul", "a\0b".to_owned());
        carrier.set("long", "x".repeat(PAIR_MAX));
        carrier.set("fits", "opaque = \t \"anything\"".to_owned());
        let pairs: Vec<_> = carrier.into_iter().collect();
        assert_eq!(pairs, [("FITS".to_owned(), "opaque = \t \"anything\"".to_owned())]);
    }

    proptest! {
        #[test]
        fn every_key_is_found_again_under_a_name_of_that_form(key in ".*", value in "[^\0]*") {
            let mut carrier = EnvCarrier::default();
            carrier.set(&key, value.clone());
            let carrier = EnvCarrier::from_iter(carrier);
            prop_assert_eq!(carrier.get(&key), Some(value.as_str()));
        }
    }
}
