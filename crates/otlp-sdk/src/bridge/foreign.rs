//! Exporters that others made for the official SDK, behind our SDK.

use std::any::type_name;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter, SpanLinks};
use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter, Outcome, attempt};
use otlp_core::{Payload, Signal};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::foreign::caught;
use crate::notice::printable;
use crate::pipeline::delivery::by;
use crate::resource::Resource;
use crate::testing::{RecordedSpan, read_spans};

/// Any span exporter of the official SDK as one of ours: for Zipkin, Datadog, standard output.
///
/// It gets what it would get from the official SDK: the resource when it is first seen, then spans, one call
/// at a time, on a thread where it may block and where Tokio is at hand. Spans come with all that the
/// protocol knows of them; values that the API has no type for (bytes, maps, mixed arrays) come as text.
///
/// # Outcomes
///
/// An error is final: row B3 leaves retries to the exporter itself, and what came of its own attempts is not
/// known. So is a call that is not over by the deadline; it is left alone, and calls after it
/// wait for its end, and may be tried again when they have waited in vain. A panic ends here.
///
/// Costs what the official SDK costs: each span is decoded into its `SpanData`.
///
/// ```
/// use otlp_sdk::bridge::ForeignSpanExporter;
/// use otlp_sdk::opentelemetry_sdk::trace::SpanExporter;
/// use otlp_sdk::trace::TracerProvider;
///
/// fn provider(zipkin: impl SpanExporter + 'static) -> TracerProvider {
///     TracerProvider::builder().with_batch_exporter(ForeignSpanExporter::new(zipkin)).build()
/// }
/// ```
pub struct ForeignSpanExporter<E>(Arc<Mutex<Inner<E>>>);

struct Inner<E> {
    exporter: E,
    /// The resource that the exporter was told of.
    resource: Option<Resource>,
    shut_down: bool,
}

impl<E: SpanExporter + 'static> ForeignSpanExporter<E> {
    /// Wraps an exporter.
    #[must_use]
    pub fn new(exporter: E) -> Self {
        Self(Arc::new(Mutex::new(Inner { exporter, resource: None, shut_down: false })))
    }

    /// Waits for the end of the call before and runs `call`, where it may block.
    ///
    /// The mutex is the turn of a call, as the official trait asks for: who waits for it does so without
    /// blocking, and gives up at the deadline.
    async fn in_turn<T: Send + 'static>(
        &self,
        deadline: Deadline,
        call: impl FnOnce(&mut Inner<E>) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let turn = by(deadline, Arc::clone(&self.0).lock_owned()).await.ok_or(Failure::Busy)?;
        let running = tokio::task::spawn_blocking(move || suppressed(turn, call));
        match by(deadline, running).await {
            Some(Ok(result)) => result.map_err(Failure::Panicked),
            // Only a runtime that ends does not begin what it was given.
            Some(Err(_)) => Err(Failure::Unfinished),
            None => Err(Failure::Unfinished),
        }
    }
}

impl<E: SpanExporter + 'static> Exporter for ForeignSpanExporter<E> {
    async fn export(&self, payload: Payload, deadline: Deadline) -> Outcome {
        if payload.signal() != Signal::Traces {
            let problem = format!("it takes spans, and these are {}", payload.signal());
            return attempt::not_sent(type_name::<E>(), problem);
        }
        let result = self.in_turn(deadline, move |inner| inner.export(&payload)).await;
        result.unwrap_or_else(|failure| {
            let busy = matches!(failure, Failure::Busy);
            let error = failure.error();
            if busy { Outcome::retryable(error) } else { Outcome::permanent(error) }
        })
    }

    async fn force_flush(&self, deadline: Deadline) -> Result<(), ExportError> {
        let flush = |inner: &mut Inner<E>| inner.exporter.force_flush();
        settled(self.in_turn(deadline, flush).await)
    }

    async fn shutdown(&self, deadline: Deadline) -> Result<(), ExportError> {
        settled(self.in_turn(deadline, move |inner| inner.shutdown(deadline)).await)
    }

    fn destination(&self) -> String {
        type_name::<E>().to_owned()
    }
}

impl<E> fmt::Debug for ForeignSpanExporter<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ForeignSpanExporter({})", type_name::<E>())
    }
}

/// Why a call has no result.
enum Failure {
    /// The call before has not ended; this one did not begin.
    Busy,
    Unfinished,
    Panicked(String),
}

impl Failure {
    fn error(self) -> ExportError {
        match self {
            Self::Busy => {
                let text = "the exporter was still at work on an earlier call";
                ExportError::new(ErrorKind::Timeout, text)
            }
            Self::Unfinished => {
                ExportError::new(ErrorKind::Timeout, "the exporter did not finish in time")
            }
            Self::Panicked(text) => {
                let text = format!("the exporter panicked: {}", printable(&text));
                ExportError::new(ErrorKind::Panic, text)
            }
        }
    }
}

impl<E: SpanExporter> Inner<E> {
    fn export(&mut self, payload: &Payload) -> Outcome {
        if self.shut_down {
            return attempt::already_shutdown();
        }
        let spans = match read_spans(payload) {
            Ok(spans) => spans,
            Err(broken) => return attempt::not_sent(type_name::<E>(), broken),
        };
        let all = spans.len();
        let (mut lost, mut first) = (0, None);
        for of_resource in by_resource(spans) {
            let items = of_resource.len();
            if let Err(error) = self.export_of_resource(of_resource) {
                lost += items;
                first.get_or_insert(error);
            }
        }
        match first {
            None => Outcome::delivered(),
            Some(error) if lost == all => Outcome::permanent(export_error(error)),
            Some(error) => {
                let message = export_error(error).to_string();
                Outcome::partly_rejected(lost as u64, message)
            }
        }
    }

    fn export_of_resource(&mut self, spans: Vec<RecordedSpan>) -> OTelSdkResult {
        let Some(first) = spans.first() else { return Ok(()) };
        if self.resource.as_ref() != Some(&first.resource) {
            self.exporter.set_resource(&(&first.resource).into());
            self.resource = Some(first.resource.clone());
        }
        let batch = spans.into_iter().map(span_data).collect();
        futures_executor::block_on(self.exporter.export(batch))
    }

    fn shutdown(&mut self, deadline: Deadline) -> OTelSdkResult {
        if std::mem::replace(&mut self.shut_down, true) {
            return Ok(());
        }
        let left = deadline.remaining(Instant::now()).unwrap_or(SHUTDOWN_TIMEOUT);
        self.exporter.shutdown_with_timeout(left)
    }
}

/// Runs a call as the official processors do: what it does makes no telemetry. Its panic ends here.
fn suppressed<E, T>(
    mut turn: OwnedMutexGuard<Inner<E>>,
    call: impl FnOnce(&mut Inner<E>) -> T,
) -> Result<T, String> {
    let _suppressed = Context::enter_telemetry_suppressed_scope();
    caught(|| call(&mut turn))
}

/// Runs of spans that share a resource: usually one.
fn by_resource(spans: Vec<RecordedSpan>) -> Vec<Vec<RecordedSpan>> {
    let mut groups: Vec<Vec<RecordedSpan>> = Vec::new();
    for span in spans {
        match groups.last_mut() {
            Some(group) if group.first().is_some_and(|it| it.resource == span.resource) => {
                group.push(span);
            }
            _ => groups.push(vec![span]),
        }
    }
    groups
}

fn span_data(span: RecordedSpan) -> SpanData {
    let span_context = span.span_context();
    let mut events = SpanEvents::default();
    (events.events, events.dropped_count) = (span.events, span.dropped_events);
    let mut links = SpanLinks::default();
    (links.links, links.dropped_count) = (span.links, span.dropped_links);
    SpanData {
        span_context,
        parent_span_id: span.parent_span_id.unwrap_or(opentelemetry::trace::SpanId::INVALID),
        parent_span_is_remote: span.parent_is_remote,
        span_kind: span.kind,
        name: span.name.into(),
        start_time: span.start_time,
        end_time: span.end_time,
        attributes: span.attributes,
        dropped_attributes_count: span.dropped_attributes,
        events,
        links,
        status: span.status,
        instrumentation_scope: span.scope,
    }
}

fn settled(result: Result<OTelSdkResult, Failure>) -> Result<(), ExportError> {
    result.map_err(Failure::error)?.map_err(export_error)
}

fn export_error(error: OTelSdkError) -> ExportError {
    match error {
        OTelSdkError::AlreadyShutdown => {
            ExportError::new(ErrorKind::AlreadyShutdown, "the exporter was shut down")
        }
        OTelSdkError::Timeout(after) => {
            ExportError::new(ErrorKind::Timeout, format!("the exporter gave up after {after:?}"))
        }
        OTelSdkError::InternalFailure(text) => ExportError::new(ErrorKind::Other, printable(&text)),
    }
}

/// What the official SDK gives an exporter when nobody says otherwise.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
