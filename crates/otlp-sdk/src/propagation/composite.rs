//! Several propagators as one, and the choice of them by `OTEL_PROPAGATORS`.

use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use otlp_core::export::{ConfigWarning, EnvReader};

#[cfg(feature = "b3")]
use super::B3Propagator;
#[cfg(feature = "jaeger")]
use super::JaegerPropagator;
use super::{BaggagePropagator, TraceContextPropagator};

/// The propagators of an application, to install with
/// [`opentelemetry::global::set_text_map_propagator`].
///
/// [`default`](Self::default) is W3C Trace Context and W3C Baggage. They run in the order in which
/// they were added.
///
/// Unlike `opentelemetry`'s composite, the thread's current context is not borrowed while headers
/// are read or written, so a carrier or a log layer may attach a context there; and
/// [`fields`](TextMapPropagator::fields) keeps its order.
///
/// ```
/// use otlp_sdk::propagation::{Propagators, TraceContextPropagator};
///
/// // No baggage: it would carry our keys to whomever we call.
/// let propagators = Propagators::none().with(TraceContextPropagator::new());
/// opentelemetry::global::set_text_map_propagator(propagators);
/// ```
#[derive(Debug)]
pub struct Propagators {
    list: Vec<Box<dyn TextMapPropagator + Send + Sync>>,
    fields: Vec<String>,
}

impl Propagators {
    /// No propagator: nothing is sent, nothing is read.
    #[must_use]
    pub const fn none() -> Self {
        Self { list: Vec::new(), fields: Vec::new() }
    }

    /// Adds a propagator behind the others.
    #[must_use]
    pub fn with(mut self, propagator: impl TextMapPropagator + Send + Sync + 'static) -> Self {
        for field in propagator.fields() {
            if !self.fields.iter().any(|known| known == field) {
                self.fields.push(field.to_owned());
            }
        }
        self.list.push(Box::new(propagator));
        self
    }

    /// Reads `OTEL_PROPAGATORS`, a comma-separated list of `tracecontext`, `baggage` and `none` in
    /// any case; with the feature `b3` also `b3` and `b3multi`, with the feature `jaeger` also `jaeger`.
    /// A repeated name counts once.
    ///
    /// Unset, and where no known name is left, it is [`default`](Self::default). An unknown name,
    /// or one of a propagator that is not compiled in or not in this crate (`xray`, `ottrace`), gives
    /// a warning and is left out. `none` beside other names gives a warning and wins, since headers
    /// that go out cannot be taken back.
    pub fn from_env(env: &mut EnvReader<'_>) -> Self {
        let mut choice = Choice::default();
        for name in env.list(VARIABLE).unwrap_or_default() {
            choice.add(name);
        }
        choice.propagators(env)
    }

    /// Whether there is no propagator.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl Default for Propagators {
    fn default() -> Self {
        Self::none().with(TraceContextPropagator::new()).with(BaggagePropagator::new())
    }
}

impl TextMapPropagator for Propagators {
    fn inject(&self, injector: &mut dyn Injector) {
        self.inject_context(&Context::current(), injector);
    }

    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        for propagator in &self.list {
            propagator.inject_context(cx, injector);
        }
    }

    fn extract(&self, extractor: &dyn Extractor) -> Context {
        self.extract_with_context(&Context::current(), extractor)
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        self.list
            .iter()
            .fold(cx.clone(), |cx, propagator| propagator.extract_with_context(&cx, extractor))
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&self.fields)
    }
}

/// What the variable's members add up to.
#[derive(Debug, Default)]
struct Choice {
    none: bool,
    known: Vec<Known>,
    /// Names that we do not have, and why.
    unknown: Vec<(String, &'static str)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    TraceContext,
    Baggage,
    #[cfg(feature = "b3")]
    B3,
    #[cfg(feature = "b3")]
    B3Multi,
    #[cfg(feature = "jaeger")]
    Jaeger,
}

impl Choice {
    fn add(&mut self, name: &str) {
        let lower_case = name.to_ascii_lowercase();
        match Known::named(&lower_case) {
            _ if lower_case == "none" => self.none = true,
            Some(known) if self.known.contains(&known) => {}
            Some(known) => self.known.push(known),
            None => self.unknown.push((name.to_owned(), problem(&lower_case))),
        }
    }

    fn propagators(self, env: &mut EnvReader<'_>) -> Propagators {
        let using = self.using();
        for (name, problem) in &self.unknown {
            warn(env, name, problem, &using);
        }
        if self.none {
            if !self.known.is_empty() {
                warn(env, "none", "stands beside other names", "none");
            }
            return Propagators::none();
        }
        if self.known.is_empty() {
            return Propagators::default();
        }
        self.known.into_iter().fold(Propagators::none(), |list, known| known.add_to(list))
    }

    /// What is used, as the variable would name it.
    fn using(&self) -> String {
        let names: Vec<_> = self.known.iter().map(|known| known.name()).collect();
        match names.as_slice() {
            _ if self.none => "none".to_owned(),
            [] => "the default tracecontext,baggage".to_owned(),
            names => names.join(","),
        }
    }
}

impl Known {
    /// What is compiled in.
    const ALL: &[Self] = &[
        Self::TraceContext,
        Self::Baggage,
        #[cfg(feature = "b3")]
        Self::B3,
        #[cfg(feature = "b3")]
        Self::B3Multi,
        #[cfg(feature = "jaeger")]
        Self::Jaeger,
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::TraceContext => "tracecontext",
            Self::Baggage => "baggage",
            #[cfg(feature = "b3")]
            Self::B3 => "b3",
            #[cfg(feature = "b3")]
            Self::B3Multi => "b3multi",
            #[cfg(feature = "jaeger")]
            Self::Jaeger => "jaeger",
        }
    }

    fn add_to(self, list: Propagators) -> Propagators {
        match self {
            Self::TraceContext => list.with(TraceContextPropagator::new()),
            Self::Baggage => list.with(BaggagePropagator::new()),
            #[cfg(feature = "b3")]
            Self::B3 => list.with(B3Propagator::single_header()),
            #[cfg(feature = "b3")]
            Self::B3Multi => list.with(B3Propagator::multi_header()),
            #[cfg(feature = "jaeger")]
            Self::Jaeger => list.with(JaegerPropagator::new()),
        }
    }
}

/// Why a name stands for no propagator of this build.
fn problem(name: &str) -> &'static str {
    match name {
        "b3" | "b3multi" => "needs the feature `b3` of otlp-sdk, which is not compiled in",
        "jaeger" => "needs the feature `jaeger` of otlp-sdk, which is not compiled in",
        "xray" | "ottrace" => "is not available here",
        _ => "is not known",
    }
}

fn warn(env: &mut EnvReader<'_>, name: &str, problem: &str, using: &str) {
    let names: Vec<_> = Known::ALL.iter().map(|known| known.name()).collect();
    let accepted = format!("{}, or none alone (default tracecontext,baggage)", names.join(", "));
    env.warn(ConfigWarning::new(VARIABLE, problem, accepted, &using).with_value(name));
}

const VARIABLE: &str = "OTEL_PROPAGATORS";

#[cfg(test)]
mod tests;
