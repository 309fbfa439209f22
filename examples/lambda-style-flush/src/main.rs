//! A function on demand, as AWS Lambda and its relatives run it.
//!
//! Such a platform freezes the process as soon as it has answered, thaws it for the next event, and
//! ends it one day without a word. A batch that waits for its timer waits until then. So each
//! [`Function::invoke`] ends with a flush, before the answer, within what is left of the event's time.
//! What a server that is away does not take in that time is kept for the next event.
//!
//! This program is both sides. With the argument `function` it is the function, which reads an event
//! per line and answers with a line. Without, it is the platform: it starts the function, freezes it
//! after every answer, looks what has arrived while it is frozen, and ends it by force. It exits with 1
//! if a single span is missing.

mod platform;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use opentelemetry::trace::{
    SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use otlp_sdk::TelemetryGuard;
use otlp_sdk::context::ContextExt as _;
use otlp_sdk::trace::Tracer;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    match std::env::args().nth(1).as_deref() {
        None => platform::run(),
        Some("function") => serve(),
        Some(other) => Err(format!("{other:?} is no role; accepted: function, or none").into()),
    }
}

/// The function: set up at the cold start, then an event at a time.
#[tokio::main(flavor = "current_thread")]
async fn serve() -> Result<ExitCode, Box<dyn Error>> {
    show_messages();
    let mut function = Function::cold_start(otlp_sdk::init()?);
    for event in io::stdin().lines() {
        let deadline = Instant::now() + TIME_OF_AN_EVENT;
        let answer = function.invoke(&event?, deadline).await;
        writeln!(io::stdout(), "{answer}")?;
    }
    Ok(ExitCode::SUCCESS)
}

struct Function {
    telemetry: TelemetryGuard,
    tracer: Tracer,
    is_cold: bool,
}

impl Function {
    fn cold_start(telemetry: TelemetryGuard) -> Self {
        let tracer = telemetry.tracer_provider().tracer("function");
        Self { telemetry, tracer, is_cold: true }
    }

    /// Handles an event in a span of its own, and sends everything before it answers.
    async fn invoke(&mut self, event: &str, deadline: Instant) -> String {
        let span = self
            .tracer
            .span_builder("invoke")
            .with_kind(SpanKind::Server)
            .with_attributes([
                KeyValue::new("faas.trigger", "http"),
                KeyValue::new("faas.coldstart", std::mem::take(&mut self.is_cold)),
            ])
            .start(&self.tracer);
        let cx = Context::current_with_span(span);
        let outcome = handle(&self.tracer, event).in_context(cx.clone()).await;
        if let Err(error) = &outcome {
            cx.span().set_status(Status::error(error.clone()));
        }
        // A flush sends what has ended.
        cx.span().end();
        self.flush(deadline).await;
        outcome.unwrap_or_else(|error| error)
    }

    /// An event is answered whether or not telemetry could be sent in time.
    async fn flush(&self, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        if let Err(error) = self.telemetry.force_flush_async(left.min(TIME_OF_A_FLUSH)).await {
            tracing::warn!("not everything was sent before the answer: {error}");
        }
        tracing::info!("{}", self.telemetry.ledger());
    }
}

async fn handle(tracer: &Tracer, event: &str) -> Result<String, String> {
    let order = tracer.in_span("parse", |_| event.parse::<u32>());
    let order = order.map_err(|error| format!("{event:?} is no order: {error}"))?;
    let cx = Context::current_with_span(tracer.start("charge card"));
    tokio::time::sleep(Duration::from_millis(2)).in_context(cx).await;
    Ok(format!("order {order} is paid"))
}

/// The SDK tells what it does through `tracing`; a program shows that where it shows its own.
fn show_messages() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        tracing_subscriber::EnvFilter::new("otlp_sdk=warn,lambda_style_flush=info")
    });
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).compact().init();
}

/// What the platform allows for one event.
const TIME_OF_AN_EVENT: Duration = Duration::from_secs(3);
/// What of it telemetry may take where the server is away.
const TIME_OF_A_FLUSH: Duration = Duration::from_secs(2);
