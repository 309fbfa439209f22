//! Several propagators as one, and the choice of them by `OTEL_PROPAGATORS`.

use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use otlp_core::export::{ConfigWarning, EnvReader};

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
    /// any case. A repeated name counts once.
    ///
    /// Unset, and where no known name is left, it is [`default`](Self::default). An unknown name,
    /// or one of a propagator that is not in this crate (`b3`, `b3multi`, `jaeger`, `xray`,
    /// `ottrace`), gives a warning and is left out. `none` beside other names gives a warning and
    /// wins, since headers that go out cannot be taken back.
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
}

impl Choice {
    fn add(&mut self, name: &str) {
        let known = match name.to_ascii_lowercase().as_str() {
            "tracecontext" => Known::TraceContext,
            "baggage" => Known::Baggage,
            "none" => {
                self.none = true;
                return;
            }
            other => {
                let problem = match other {
                    "b3" | "b3multi" | "jaeger" | "xray" | "ottrace" => "is not available here",
                    _ => "is not known",
                };
                self.unknown.push((name.to_owned(), problem));
                return;
            }
        };
        if !self.known.contains(&known) {
            self.known.push(known);
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
        self.known.into_iter().fold(Propagators::none(), |list, known| match known {
            Known::TraceContext => list.with(TraceContextPropagator::new()),
            Known::Baggage => list.with(BaggagePropagator::new()),
        })
    }
}

impl Choice {
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
    const fn name(self) -> &'static str {
        match self {
            Self::TraceContext => "tracecontext",
            Self::Baggage => "baggage",
        }
    }
}

fn warn(env: &mut EnvReader<'_>, name: &str, problem: &str, using: &str) {
    env.warn(ConfigWarning::new(VARIABLE, problem, ACCEPTED, &using).with_value(name));
}

const VARIABLE: &str = "OTEL_PROPAGATORS";
const ACCEPTED: &str = "tracecontext, baggage, or none alone (default tracecontext,baggage)";

#[cfg(test)]
mod tests;
