//! The SDK's own variables: batching, limits, which exporter.
//!
//! Rules of conformance §1.9: empty is unset; what cannot be used is reported and the default
//! holds; a model-specific limit beats the general one (row L4).

use std::num::NonZeroUsize;
use std::time::Duration;

use otlp_core::export::{ConfigWarning, EnvReader};
use otlp_core::{AttributeLimits, LogRecordLimits, Signal, SpanLimits, ValueLimits};

use crate::pipeline::BatchConfig;

impl BatchConfig {
    /// What the variables say, over the defaults: to change one setting in code and leave the others to
    /// the environment. They are `OTEL_BSP_*` for spans and `OTEL_BLRP_*` for log records. Metrics have
    /// none: see [`ReaderConfig::from_env`](crate::metrics::ReaderConfig::from_env).
    ///
    /// ```
    /// use otlp_core::Signal;
    /// use otlp_core::export::Env;
    /// use otlp_sdk::BatchConfig;
    ///
    /// let env = Env::from_pairs([("OTEL_BSP_SCHEDULE_DELAY", "100")]);
    /// let config = BatchConfig::from_env(Signal::Traces, &mut env.reader());
    /// assert_eq!(config.schedule_delay.as_millis(), 100);
    /// ```
    #[must_use]
    pub fn from_env(signal: Signal, env: &mut EnvReader<'_>) -> Self {
        let names = match signal {
            Signal::Traces => &BSP,
            Signal::Logs => &BLRP,
            _ => return Self::for_signal(signal),
        };
        batch(env, names, Self::for_signal(signal))
    }
}

/// The variables of a batch processor.
struct BatchVariables {
    schedule_delay: &'static str,
    export_timeout: &'static str,
    max_queue_size: &'static str,
    max_export_batch_size: &'static str,
}

const BSP: BatchVariables = BatchVariables {
    schedule_delay: "OTEL_BSP_SCHEDULE_DELAY",
    export_timeout: "OTEL_BSP_EXPORT_TIMEOUT",
    max_queue_size: "OTEL_BSP_MAX_QUEUE_SIZE",
    max_export_batch_size: "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
};

const BLRP: BatchVariables = BatchVariables {
    schedule_delay: "OTEL_BLRP_SCHEDULE_DELAY",
    export_timeout: "OTEL_BLRP_EXPORT_TIMEOUT",
    max_queue_size: "OTEL_BLRP_MAX_QUEUE_SIZE",
    max_export_batch_size: "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
};

/// The variables over the defaults.
fn batch(env: &mut EnvReader<'_>, names: &BatchVariables, mut config: BatchConfig) -> BatchConfig {
    let default_size = config.max_export_batch_size.get();
    config.schedule_delay = env.millis(names.schedule_delay, config.schedule_delay);
    config.export_timeout = env.millis(names.export_timeout, config.export_timeout);
    let queue = env.u64_or(names.max_queue_size, 1..=COUNT_MAX, &"a bound in bytes only");
    if let Some(queue) = queue {
        config = config.with_max_queue_size(usize::try_from(queue).unwrap_or(usize::MAX));
    }
    let size = env.usize(names.max_export_batch_size, 1..=COUNT_MAX as usize, default_size);
    let in_force = config.max_queue_size.map_or(size, |queue| size.min(queue.get()));
    if in_force < size && env.is_set(names.max_export_batch_size) {
        env.warn(ConfigWarning::new(
            names.max_export_batch_size,
            format!("{size} is more than {} holds", names.max_queue_size),
            format!("1 to {in_force}"),
            &in_force,
        ));
    }
    config.max_export_batch_size = NonZeroUsize::new(in_force).unwrap_or(NonZeroUsize::MIN);
    config
}

/// The limits that the variables ask for, specific over general over default (row L4): to change one
/// in code and leave the others to the environment.
#[must_use]
pub fn span_limits(env: &mut EnvReader<'_>) -> SpanLimits {
    let defaults = SpanLimits::default();
    let length = limit(env, "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", u32::MAX);
    let count = limit(env, "OTEL_ATTRIBUTE_COUNT_LIMIT", defaults.attributes.count);
    let value = ValueLimits {
        length: limit(env, "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", length),
        ..ValueLimits::DEFAULT
    };
    let attributes =
        AttributeLimits { count: limit(env, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", count), value };
    SpanLimits {
        attributes,
        events: limit(env, "OTEL_SPAN_EVENT_COUNT_LIMIT", defaults.events),
        links: limit(env, "OTEL_SPAN_LINK_COUNT_LIMIT", defaults.links),
        attributes_per_event: limit(env, "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", count),
        attributes_per_link: limit(env, "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", count),
    }
}

/// The limits of log records that the variables ask for, specific over general over default (row L4).
#[must_use]
pub fn log_record_limits(env: &mut EnvReader<'_>) -> LogRecordLimits {
    let defaults = LogRecordLimits::default();
    let length = limit(env, "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", u32::MAX);
    let count = limit(env, "OTEL_ATTRIBUTE_COUNT_LIMIT", defaults.attributes.count);
    let value = ValueLimits {
        length: limit(env, "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", length),
        ..ValueLimits::DEFAULT
    };
    let count = limit(env, "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", count);
    LogRecordLimits { attributes: AttributeLimits { count, value } }
}

fn limit(env: &mut EnvReader<'_>, name: &str, default: u32) -> u32 {
    let using = if default == u32::MAX { "no limit".to_owned() } else { default.to_string() };
    env.u64_or(name, 0..=u64::from(u32::MAX), &using)
        .and_then(|value| u32::try_from(value).ok())
        .unwrap_or(default)
}

/// What `OTEL_TRACES_EXPORTER` can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExporterKind {
    Otlp,
    /// `otlp/stdout`: OTLP/JSON lines on standard output (row X3).
    #[cfg(feature = "file")]
    OtlpStdout,
    Console,
    None,
}

/// `OTEL_TRACES_EXPORTER`: a list of exporters, `otlp` by default. `none` beside others loses.
pub(crate) fn exporters(env: &mut EnvReader<'_>, variable: &str) -> Vec<ExporterKind> {
    let Some(names) = env.list(variable) else { return vec![ExporterKind::Otlp] };
    let (mut kinds, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        match exporter(name) {
            Some(kind) if !kinds.contains(&kind) => kinds.push(kind),
            Some(_) => {}
            None => unknown.push(name),
        }
    }
    if kinds.len() > 1 {
        kinds.retain(|kind| *kind != ExporterKind::None);
    } else if kinds.is_empty() {
        kinds.push(ExporterKind::Otlp);
    }
    let using: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
    for name in unknown {
        let reason = match name.eq_ignore_ascii_case(OTLP_STDOUT) {
            true => "this exporter needs the feature `file` of `otlp-sdk`",
            false => "no exporter has this name",
        };
        let warning = ConfigWarning::new(variable, reason, EXPORTERS, &using.join(","));
        env.warn(warning.with_value(name));
    }
    kinds
}

impl ExporterKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Otlp => "otlp",
            #[cfg(feature = "file")]
            Self::OtlpStdout => OTLP_STDOUT,
            Self::Console => "console",
            Self::None => "none",
        }
    }
}

fn exporter(name: &str) -> Option<ExporterKind> {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    match () {
        () if is("otlp") => Some(ExporterKind::Otlp),
        #[cfg(feature = "file")]
        () if is(OTLP_STDOUT) => Some(ExporterKind::OtlpStdout),
        () if is("console") => Some(ExporterKind::Console),
        () if is("none") => Some(ExporterKind::None),
        () => None,
    }
}

/// The console prints at once: it is for somebody who is looking (row R11).
pub(crate) fn console_batch() -> BatchConfig {
    BatchConfig { shutdown_timeout: Duration::from_secs(1), ..BatchConfig::simple() }
}

const OTLP_STDOUT: &str = "otlp/stdout";

/// What is accepted where an exporter is asked for.
#[cfg(feature = "file")]
const EXPORTERS: &str = "otlp, otlp/stdout, console, none";
#[cfg(not(feature = "file"))]
const EXPORTERS: &str = "otlp, console, none";

const COUNT_MAX: u64 = 1 << 30;

#[cfg(test)]
mod tests;
