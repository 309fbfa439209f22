//! The environment as one snapshot, and typed reading with the specification's rules for bad
//! values. The only file of this crate that reads the process environment.

mod resource;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::secret::{STARS, shown};

/// The environment variables at one moment, and which of them have been looked at.
///
/// Clones share both. Reading goes through a [`reader`](Self::reader), which collects warnings.
///
/// ```
/// use otlp_core::export::Env;
///
/// let env = Env::from_pairs([("OTEL_BSP_MAX_QUEUE_SIZE", "many"), ("OTEL_TYPO", "1")]);
/// let mut reader = env.reader();
/// assert_eq!(reader.usize("OTEL_BSP_MAX_QUEUE_SIZE", 1..=usize::MAX, 2048), 2048);
/// assert_eq!(
///     reader.into_warnings()[0].to_string(),
///     "OTEL_BSP_MAX_QUEUE_SIZE=\"many\" is not a whole number; \
///      accepted: a whole number, 1 or more; using 2048",
/// );
/// assert_eq!(env.unused(), ["OTEL_TYPO"]);
/// ```
#[derive(Clone)]
pub struct Env(Arc<Snapshot>);

struct Snapshot {
    /// `None`: set, but not valid UTF-8.
    variables: BTreeMap<String, Option<String>>,
    /// What was looked for, whether it is set or not.
    read: Mutex<BTreeSet<String>>,
}

impl Env {
    /// A snapshot of this process's environment.
    ///
    /// The specification's rules need text: a value that is not UTF-8 gives a warning when it is
    /// read and counts as unset.
    #[must_use]
    pub fn from_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()))
        };
        Self::new(std::env::vars_os().filter_map(text).collect())
    }

    /// An environment made of these variables; a repeated name counts with its last value.
    #[must_use]
    pub fn from_pairs<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self::new(
            pairs.into_iter().map(|(name, value)| (name.into(), Some(value.into()))).collect(),
        )
    }

    /// An environment without variables: configuration from code alone.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(BTreeMap::new())
    }

    fn new(variables: BTreeMap<String, Option<String>>) -> Self {
        Self(Arc::new(Snapshot { variables, read: Mutex::default() }))
    }

    /// Starts reading; the warnings belong to the reader.
    #[must_use]
    pub fn reader(&self) -> EnvReader<'_> {
        EnvReader { env: self, warnings: Vec::new() }
    }

    /// Names of the `OTEL_*` variables that are set and that nothing has looked at: misspelt, not
    /// supported, or overridden by code or by a more specific variable.
    #[must_use]
    pub fn unused(&self) -> Vec<String> {
        let read = self.0.read.lock().unwrap_or_else(PoisonError::into_inner);
        let is_set = |value: &Option<String>| value.as_ref().is_none_or(|v| !v.trim().is_empty());
        let variables = self.0.variables.iter();
        variables
            .filter(|(name, value)| name.starts_with("OTEL_") && is_set(value))
            .filter(|(name, _)| !read.contains(*name))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The variable that `name` was probably meant for: one that was looked for and differs from it by one
    /// character too few, too many or another, or by two that changed places.
    ///
    /// ```
    /// use otlp_core::export::Env;
    ///
    /// let env = Env::from_pairs([("OTEL_SERVICE_NMAE", "shop")]);
    /// assert_eq!(env.reader().string("OTEL_SERVICE_NAME"), None);
    /// assert_eq!(env.meant_by("OTEL_SERVICE_NMAE").as_deref(), Some("OTEL_SERVICE_NAME"));
    /// ```
    #[must_use]
    pub fn meant_by(&self, name: &str) -> Option<String> {
        let read = self.0.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.iter().find(|known| is_slip(name.as_bytes(), known.as_bytes())).cloned()
    }

    /// Whether the variable is set and not empty. Does not count as reading it.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        matches!(self.0.variables.get(name), Some(Some(value)) if !value.trim().is_empty())
    }

    fn look_up(&self, name: &str) -> Option<&Option<String>> {
        self.0.read.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        self.0.variables.get(name)
    }
}

impl fmt::Debug for Env {
    /// Names and values stay out: an environment is full of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Env({} variables)", self.0.variables.len())
    }
}

/// Reads variables by the rules of the specification and collects a warning for each bad value.
///
/// An empty variable is an unset one. A value that cannot be used is reported and then treated as
/// unset; nothing here fails, since a typo in the environment must not stop an application.
#[derive(Debug)]
pub struct EnvReader<'e> {
    env: &'e Env,
    warnings: Vec<ConfigWarning>,
}

impl<'e> EnvReader<'e> {
    /// The text of a variable, without surrounding white space.
    pub fn string(&mut self, name: &str) -> Option<&'e str> {
        match self.env.look_up(name)? {
            Some(value) => Some(value.trim()).filter(|text| !text.is_empty()),
            None => {
                self.warn(ConfigWarning::new(name, "is not valid UTF-8", "text", &"it as unset"));
                None
            }
        }
    }

    /// A switch: on only for `true` in any case. Anything but `false` beside it gives a warning
    /// and means off.
    pub fn bool(&mut self, name: &str) -> Option<bool> {
        let text = self.string(name)?;
        let on = text.eq_ignore_ascii_case("true");
        if !on && !text.eq_ignore_ascii_case("false") {
            let warning = ConfigWarning::new(name, "is not a boolean", "true, false", &"false");
            self.warn(warning.with_value(text));
        }
        Some(on)
    }

    /// A whole number within `accepted`, else `default`.
    pub fn u64(&mut self, name: &str, accepted: RangeInclusive<u64>, default: u64) -> u64 {
        self.u64_or(name, accepted, &default).unwrap_or(default)
    }

    /// A whole number within `accepted`, else `default`.
    pub fn usize(&mut self, name: &str, accepted: RangeInclusive<usize>, default: usize) -> usize {
        let wide = *accepted.start() as u64..=*accepted.end() as u64;
        let number = self.u64_or(name, wide, &default);
        number.and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
    }

    /// A whole number within `accepted`, or `None`. `using` is what the warning says is used
    /// instead.
    pub fn u64_or(
        &mut self,
        name: &str,
        accepted: RangeInclusive<u64>,
        using: &dyn fmt::Display,
    ) -> Option<u64> {
        let text = self.string(name)?;
        let problem = match text.parse::<u64>() {
            Ok(number) if accepted.contains(&number) => return Some(number),
            Ok(_) => "is out of range",
            Err(_) if is_integer(text) => "is out of range",
            Err(_) => "is not a whole number",
        };
        let warning = ConfigWarning::new(name, problem, describe(&accepted, ""), using);
        self.warn(warning.with_value(text));
        None
    }

    /// A duration in whole milliseconds, else `default`. Zero comes back as zero: whether it
    /// means "no limit" or "at once" is the setting's own rule.
    pub fn millis(&mut self, name: &str, default: Duration) -> Duration {
        self.millis_or(name, &format_args!("{} ms", default.as_millis())).unwrap_or(default)
    }

    /// A duration in whole milliseconds, or `None`. `using` is what the warning says is used
    /// instead.
    pub fn millis_or(&mut self, name: &str, using: &dyn fmt::Display) -> Option<Duration> {
        let text = self.string(name)?;
        let problem = match text.parse::<u64>() {
            Ok(millis) => return Some(Duration::from_millis(millis)),
            Err(_) if is_integer(text) => "is out of range",
            Err(_) => "is not a whole number",
        };
        let accepted = describe(&(0..=u64::MAX), " of milliseconds");
        self.warn(ConfigWarning::new(name, problem, accepted, using).with_value(text));
        None
    }

    /// One of a list of names, in any case; an unknown one is reported and ignored. `using` is
    /// what the warning says is used instead.
    pub fn one_of<T: Clone>(
        &mut self,
        name: &str,
        accepted: &[(&str, T)],
        using: &dyn fmt::Display,
    ) -> Option<T> {
        let text = self.string(name)?;
        let known = accepted.iter().find(|(known, _)| known.eq_ignore_ascii_case(text));
        if let Some((_, value)) = known {
            return Some(value.clone());
        }
        let names: Vec<_> = accepted.iter().map(|(known, _)| *known).collect();
        let warning = ConfigWarning::new(name, "is not known", names.join(", "), using);
        self.warn(warning.with_value(text));
        None
    }

    /// The members of a comma-separated list, without white space and empty members.
    pub fn list(&mut self, name: &str) -> Option<Vec<&'e str>> {
        let text = self.string(name)?;
        Some(text.split(',').map(str::trim).filter(|member| !member.is_empty()).collect())
    }

    /// Adds a warning of the caller's own.
    pub fn warn(&mut self, warning: ConfigWarning) {
        self.warnings.push(warning);
    }

    /// Whether the variable is set and not empty. Does not count as reading it.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        self.env.is_set(name)
    }

    /// What was wrong with the variables that were read, in that order.
    #[must_use]
    pub fn into_warnings(self) -> Vec<ConfigWarning> {
        self.warnings
    }
}

/// A setting that could not be used as it is; something else is in effect. To be logged once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigWarning {
    /// The variable, or the builder method for a value from code.
    pub setting: String,
    /// The value, escaped and cut; `***` where it may be a secret, `None` where it says nothing.
    pub value: Option<String>,
    /// What is wrong, as the end of a sentence that begins with the setting.
    pub problem: String,
    /// What would be accepted.
    pub accepted: String,
    /// What is in effect instead.
    pub using: String,
}

impl ConfigWarning {
    /// A warning without the value.
    #[must_use]
    pub fn new(
        setting: impl Into<String>,
        problem: impl Into<String>,
        accepted: impl Into<String>,
        using: &dyn fmt::Display,
    ) -> Self {
        Self {
            setting: setting.into(),
            value: None,
            problem: problem.into(),
            accepted: accepted.into(),
            using: using.to_string(),
        }
    }

    /// Shows the value: escaped, cut, and as `***` when the variable's name tells of secrets.
    #[must_use]
    pub fn with_value(mut self, value: &str) -> Self {
        self.value = Some(if is_secret(&self.setting) { STARS.to_owned() } else { shown(value) });
        self
    }
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.setting)?;
        if let Some(value) = &self.value {
            write!(f, "=\"{value}\"")?;
        }
        write!(f, " {}; accepted: {}; using {}", self.problem, self.accepted, self.using)
    }
}

/// Whether a variable of this name may hold a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["HEADERS", "TOKEN", "SECRET", "PASSWORD", "API_KEY"].iter().any(|part| name.contains(part))
}

/// Whether one slip of the fingers makes one of the other.
fn is_slip(one: &[u8], other: &[u8]) -> bool {
    let ahead = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (one.get(ahead..).unwrap_or(&[]), other.get(ahead..).unwrap_or(&[]));
    let behind = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
    let differs = |all: &[u8]| all.get(..all.len() - behind).unwrap_or(&[]).to_vec();
    match (differs(one).as_slice(), differs(other).as_slice()) {
        ([_], []) | ([], [_]) | ([_], [_]) => true,
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}

/// Whether this is a number that is only too large or negative.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn describe(range: &RangeInclusive<u64>, unit: &str) -> String {
    let (start, end) = (range.start(), range.end());
    // Nobody needs to read the largest number of the machine.
    if *end >= usize::MAX as u64 {
        format!("a whole number{unit}, {start} or more")
    } else {
        format!("a whole number{unit} from {start} to {end}")
    }
}

#[cfg(test)]
mod tests;
