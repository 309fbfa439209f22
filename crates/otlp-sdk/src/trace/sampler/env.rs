//! `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`.

use otlp_core::export::{ConfigWarning, EnvReader};

use super::{Sampler, TraceIdRatioBased};

impl Sampler {
    /// The sampler that the environment asks for; `None` if it asks for none, or for one that is
    /// not there, which leaves a warning.
    ///
    /// `OTEL_TRACES_SAMPLER` is, in any case, one of `always_on`, `always_off`, `traceidratio` or
    /// the same with `parentbased_` in front. `OTEL_TRACES_SAMPLER_ARG` is the ratio of the two
    /// ratio samplers, 0 to 1; unset or not a ratio, it is 1. It is read only for these two.
    ///
    /// ```
    /// use otlp_core::export::Env;
    /// use otlp_sdk::trace::sampler::Sampler;
    ///
    /// let env = Env::from_pairs([
    ///     ("OTEL_TRACES_SAMPLER", "traceidratio"),
    ///     ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
    /// ]);
    /// let sampler = Sampler::from_env(&mut env.reader()).unwrap_or_default();
    /// assert_eq!(sampler.description(), "TraceIdRatioBased{0.250000}");
    /// ```
    pub fn from_env(env: &mut EnvReader<'_>) -> Option<Self> {
        let (kind, parent_based) = named(env)?;
        let sampler = match kind {
            Kind::AlwaysOn => Self::AlwaysOn,
            Kind::AlwaysOff => Self::AlwaysOff,
            Kind::Ratio => ratio(env).into(),
        };
        Some(if parent_based { Self::parent_based(sampler) } else { sampler })
    }
}

#[derive(Clone, Copy)]
enum Kind {
    AlwaysOn,
    AlwaysOff,
    Ratio,
}

const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";

/// Each name, its sampler, and whether it is the root of a parent-based one.
const NAMES: [(&str, (Kind, bool)); 6] = [
    ("always_on", (Kind::AlwaysOn, false)),
    ("always_off", (Kind::AlwaysOff, false)),
    ("traceidratio", (Kind::Ratio, false)),
    ("parentbased_always_on", (Kind::AlwaysOn, true)),
    ("parentbased_always_off", (Kind::AlwaysOff, true)),
    ("parentbased_traceidratio", (Kind::Ratio, true)),
];

/// Names of the specification for samplers that need a server of their own.
const NOT_AVAILABLE: [&str; 3] = ["jaeger_remote", "parentbased_jaeger_remote", "xray"];

const DEFAULT: &str = "parentbased_always_on";

fn named(env: &mut EnvReader<'_>) -> Option<(Kind, bool)> {
    let name = env.string(SAMPLER)?;
    if !NOT_AVAILABLE.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return env.one_of(SAMPLER, &NAMES, &DEFAULT);
    }
    let accepted = NAMES.map(|(name, _)| name).join(", ");
    let warning = ConfigWarning::new(SAMPLER, "is not available in this SDK", accepted, &DEFAULT);
    env.warn(warning.with_value(name));
    None
}

fn ratio(env: &mut EnvReader<'_>) -> TraceIdRatioBased {
    env.string(ARGUMENT)
        .and_then(|text| parsed(env, text))
        .unwrap_or_else(|| TraceIdRatioBased::clamped(1.0))
}

fn parsed(env: &mut EnvReader<'_>, text: &str) -> Option<TraceIdRatioBased> {
    let (sampler, problem) = match text.parse() {
        Ok(ratio) => (TraceIdRatioBased::new(ratio).ok(), "is out of range"),
        Err(_) => (None, "is not a number"),
    };
    if sampler.is_none() {
        let warning = ConfigWarning::new(ARGUMENT, problem, "a number from 0 to 1", &"1");
        env.warn(warning.with_value(text));
    }
    sampler
}

#[cfg(test)]
mod tests {
    use otlp_core::export::Env;

    use super::*;

    /// The description of the sampler and the warnings.
    fn read<const N: usize>(pairs: [(&str, &str); N]) -> (Option<String>, Vec<String>) {
        let env = Env::from_pairs(pairs);
        let mut reader = env.reader();
        let sampler = Sampler::from_env(&mut reader).map(|s| s.description().into_owned());
        (sampler, reader.into_warnings().iter().map(ToString::to_string).collect())
    }

    fn parent_based(root: &str) -> String {
        format!(
            "ParentBased{{root:{root},remoteParentSampled:AlwaysOnSampler,\
             remoteParentNotSampled:AlwaysOffSampler,localParentSampled:AlwaysOnSampler,\
             localParentNotSampled:AlwaysOffSampler}}"
        )
    }

    #[test]
    fn every_name_is_accepted_in_any_case() {
        let table = [
            ("always_on", "AlwaysOnSampler".to_owned()),
            ("always_off", "AlwaysOffSampler".to_owned()),
            ("traceidratio", "TraceIdRatioBased{0.125000}".to_owned()),
            ("parentbased_always_on", parent_based("AlwaysOnSampler")),
            ("parentbased_always_off", parent_based("AlwaysOffSampler")),
            ("parentbased_traceidratio", parent_based("TraceIdRatioBased{0.125000}")),
        ];
        for (name, expected) in table {
            for name in [name.to_owned(), name.to_uppercase(), format!(" {name} ")] {
                let read = read([(SAMPLER, &name), (ARGUMENT, "0.125")]);
                assert_eq!(read, (Some(expected.clone()), vec![]), "{name}");
            }
        }
    }

    #[test]
    fn an_unset_or_empty_sampler_leaves_the_default_and_the_argument_unread() {
        assert_eq!(read([]), (None, vec![]));
        assert_eq!(read([(SAMPLER, ""), (ARGUMENT, "nonsense")]), (None, vec![]));

        let env = Env::from_pairs([(ARGUMENT, "0.5")]);
        assert!(Sampler::from_env(&mut env.reader()).is_none());
        assert_eq!(env.unused(), [ARGUMENT]);
    }

    #[test]
    fn the_argument_is_not_read_for_a_sampler_without_one() {
        let read = read([(SAMPLER, "always_on"), (ARGUMENT, "nonsense")]);
        assert_eq!(read, (Some("AlwaysOnSampler".to_owned()), vec![]));
    }

    #[test]
    fn a_missing_or_bad_ratio_is_one() {
        let everything = Some("TraceIdRatioBased{1.000000}".to_owned());
        assert_eq!(read([(SAMPLER, "traceidratio")]), (everything.clone(), vec![]));
        for (bad, problem) in [
            ("1.5", "is out of range"),
            ("-0.1", "is out of range"),
            ("NaN", "is out of range"),
            ("inf", "is out of range"),
            ("10%", "is not a number"),
            ("0,5", "is not a number"),
        ] {
            let (sampler, warnings) = read([(SAMPLER, "traceidratio"), (ARGUMENT, bad)]);
            assert_eq!(sampler, everything);
            let expected =
                format!("{ARGUMENT}=\"{bad}\" {problem}; accepted: a number from 0 to 1; using 1");
            assert_eq!(warnings, [expected]);
        }
    }

    #[test]
    fn a_ratio_may_be_written_in_any_usual_way() {
        for (text, expected) in
            [("0", "0.000000"), ("1", "1.000000"), (".5", "0.500000"), ("1e-3", "0.001000")]
        {
            let (sampler, warnings) = read([(SAMPLER, "traceidratio"), (ARGUMENT, text)]);
            assert_eq!(sampler, Some(format!("TraceIdRatioBased{{{expected}}}")));
            assert!(warnings.is_empty());
        }
    }

    #[test]
    fn a_sampler_that_is_not_there_gives_a_warning_that_names_those_that_are() {
        let accepted = "accepted: always_on, always_off, traceidratio, parentbased_always_on, \
            parentbased_always_off, parentbased_traceidratio; using parentbased_always_on";
        for (name, problem) in [
            ("jaeger_remote", "is not available in this SDK"),
            ("ParentBased_Jaeger_Remote", "is not available in this SDK"),
            ("xray", "is not available in this SDK"),
            ("ratio", "is not known"),
        ] {
            let (sampler, warnings) = read([(SAMPLER, name), (ARGUMENT, "nonsense")]);
            assert_eq!(sampler, None);
            assert_eq!(warnings, [format!("{SAMPLER}=\"{name}\" {problem}; {accepted}")]);
        }
    }
}
