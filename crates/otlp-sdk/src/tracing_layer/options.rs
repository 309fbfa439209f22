//! What can be set on the layer.

use opentelemetry::InstrumentationScope;
use opentelemetry::logs::LoggerProvider as _;
use tracing_subscriber::filter::Targets;

use super::TracingLayer;
use super::call_site::CallSites;
use crate::logs::LoggerProvider;
use crate::trace::provider::Provider;

/// What becomes of `tracing`'s events. One decision for all of them; see
/// [`TracingLayer::with_event_filter`] to leave some out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventSink {
    /// Events of the span they happen in. What happens in no span is left out. The default without a
    /// logger provider.
    SpanEvents,
    /// Log records, correlated with the span they happen in. The default with a logger provider; without one
    /// they are events of their span.
    Logs,
    /// Both. The values of such an event are formatted twice.
    Both,
    /// Nothing.
    Nothing,
}

/// The settings, as they are used.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) events: Option<EventSink>,
    pub(super) span_fields: bool,
    pub(super) log_location: bool,
    pub(super) location: bool,
    pub(super) target: bool,
    pub(super) level: bool,
    pub(super) threads: bool,
    pub(super) activity: bool,
    pub(super) exceptions: bool,
    pub(super) error_status: bool,
    pub(super) activate: bool,
    pub(super) recording_context: bool,
    pub(super) span_filter: Option<Targets>,
    pub(super) event_filter: Option<Targets>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            events: None,
            span_fields: false,
            log_location: false,
            location: true,
            target: true,
            level: false,
            threads: false,
            activity: false,
            exceptions: true,
            error_status: true,
            activate: true,
            recording_context: false,
            span_filter: None,
            event_filter: None,
        }
    }
}

/// Settings. What is known of a place in the code is encoded once, so they hold from the layer's
/// beginning.
impl TracingLayer {
    /// Sets the instrumentation scope of the spans. Default: `tracing`, without a version.
    ///
    /// ```
    /// use opentelemetry::InstrumentationScope;
    /// use otlp_sdk::trace::TracerProvider;
    /// use otlp_sdk::tracing_layer::TracingLayer;
    ///
    /// let provider = TracerProvider::builder().build();
    /// let scope = InstrumentationScope::builder("checkout").with_version("1.2.0").build();
    /// let layer = TracingLayer::new(&provider).with_scope(scope);
    /// # drop(layer);
    /// ```
    #[must_use]
    pub fn with_scope(mut self, scope: InstrumentationScope) -> Self {
        self.scope = Provider::scope(&self.scope.provider, scope);
        self
    }

    /// Sends events as log records through this provider, unless
    /// [`with_events`](Self::with_events) says otherwise. No other bridge for logs is needed then.
    ///
    /// A record has the event's message as its body, its fields as attributes, its name as event
    /// name, its target as the name of its scope, and ids of its span. An event of level ERROR still
    /// sets the status of its span.
    ///
    /// ```
    /// use otlp_sdk::logs::LoggerProvider;
    /// use otlp_sdk::trace::TracerProvider;
    /// use otlp_sdk::tracing_layer::TracingLayer;
    ///
    /// let (tracers, loggers) =
    ///     (TracerProvider::builder().build(), LoggerProvider::builder().build());
    /// let layer = TracingLayer::new(&tracers).with_logger_provider(&loggers);
    /// # drop(layer);
    /// ```
    #[must_use]
    pub fn with_logger_provider(mut self, provider: &LoggerProvider) -> Self {
        self.logger = Some(provider.logger("tracing"));
        self
    }

    /// Sets what becomes of events. Default: log records if there is a logger provider, else events of
    /// their span.
    #[must_use]
    pub fn with_events(self, events: EventSink) -> Self {
        self.with(|options| options.events = Some(events))
    }

    /// Whether log records have the fields of the spans around them as attributes: those of the event
    /// win over those of the innermost span, and so on outwards. Default: no.
    ///
    /// The spans are those that `tracing` has around the event, entered or not, sampled or not, with what was
    /// recorded in them so far; an event with `parent: None` has none. Attributes that are no fields stay with
    /// the span: those set by [`OtelSpanExt`](super::OtelSpanExt), where it is in the code, its thread,
    /// `exception.*`, and [fields with a meaning](super#fields-with-a-meaning). Costs a copy of each field for
    /// the span and for each record, and allocations for each span.
    #[must_use]
    pub fn with_span_fields(self, span_fields: bool) -> Self {
        self.with(|options| options.span_fields = span_fields)
    }

    /// Whether log records say where in the code they are, as
    /// [`with_location`](Self::with_location) has it for spans and their events. Default: no.
    #[must_use]
    pub fn with_log_location(self, location: bool) -> Self {
        self.with(|options| options.log_location = location)
    }

    /// Whether spans and events say where in the code they are, as `code.file.path`,
    /// `code.line.number` and `code.module.name`. Default: yes. Encoded once per place.
    #[must_use]
    pub fn with_location(self, location: bool) -> Self {
        self.with(|options| options.location = location)
    }

    /// Whether spans and events have their target as the attribute `target`. Default: yes.
    #[must_use]
    pub fn with_target(self, target: bool) -> Self {
        self.with(|options| options.target = target)
    }

    /// Whether spans have their level as the attribute `level`. Default: no. Events have it always.
    #[must_use]
    pub fn with_level(self, level: bool) -> Self {
        self.with(|options| options.level = level)
    }

    /// Whether spans say on which thread they were started, as `thread.id` and `thread.name`.
    /// Default: no.
    #[must_use]
    pub fn with_threads(self, threads: bool) -> Self {
        self.with(|options| options.threads = threads)
    }

    /// Whether spans say for how many nanoseconds they were entered and for how many they were not,
    /// as `busy_ns` and `idle_ns`. Default: no. Costs two clock reads for each time a span is
    /// entered, and a second allocation per span.
    #[must_use]
    pub fn with_tracked_inactivity(self, tracked: bool) -> Self {
        self.with(|options| options.activity = tracked)
    }

    /// Whether errors also become `exception.message` and `exception.stacktrace`. Default: yes.
    ///
    /// An error recorded as `&dyn Error` always becomes its text, and the list of its causes as
    /// `<field>.chain`. With this setting it also sets those two attributes, `exception.stacktrace`
    /// to the causes; on an event, the event's span gets them as well. An event without a message
    /// and with a field `error`, as `#[instrument(err)]` makes it, is named `exception`.
    #[must_use]
    pub fn with_exceptions(self, exceptions: bool) -> Self {
        self.with(|options| options.exceptions = exceptions)
    }

    /// Whether an event sets the status of its span to an error: one of level ERROR, without a
    /// description, and one without a message and with a field `error`, with that as the
    /// description. Default: yes. A status `Ok` stays.
    #[must_use]
    pub fn with_error_status(self, error_status: bool) -> Self {
        self.with(|options| options.error_status = error_status)
    }

    /// Whether the API's current `Context` is the span's while the span is entered. Default: yes.
    ///
    /// Propagators, spans of the API, correlated logs and, in a metrics SDK that samples
    /// them, exemplars depend on it.
    #[must_use]
    pub fn with_context_activation(self, activate: bool) -> Self {
        self.with(|options| options.activate = activate)
    }

    /// Whether the API's current span inside an entered span records: whether attributes, events, links,
    /// name and status that are set through `Context::current().span()` are the span's. Default: no, it
    /// then has the ids and ignores the rest. Costs a second allocation per span, and a lock of the
    /// API's for each use.
    #[must_use]
    pub fn with_recording_context(self, recording: bool) -> Self {
        self.with(|options| options.recording_context = recording)
    }

    /// Which spans become ours, by target and level. Default: all that reach the layer.
    ///
    /// Decided once per place in the code. Other layers still see the span: it is the children and
    /// events in it that belong to the next span outside. To have a span not be made at all, filter
    /// the subscriber, or this layer with its `with_filter`.
    ///
    /// ```
    /// use otlp_sdk::trace::TracerProvider;
    /// use otlp_sdk::tracing_layer::TracingLayer;
    ///
    /// let provider = TracerProvider::builder().build();
    /// let layer = TracingLayer::new(&provider)
    ///     .with_span_filter("info,hyper=off".parse()?)
    ///     .with_event_filter("warn".parse()?);
    /// # drop(layer);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_span_filter(self, filter: Targets) -> Self {
        self.with(|options| options.span_filter = Some(filter))
    }

    /// Which events are taken, by target and level. Default: all that reach the layer. Decided once
    /// per place in the code.
    #[must_use]
    pub fn with_event_filter(self, filter: Targets) -> Self {
        self.with(|options| options.event_filter = Some(filter))
    }

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        // Nothing was encoded under the old settings, unless somebody changes a layer in use.
        self.call_sites = CallSites::new();
        self
    }
}
