//! One fault: set-up from variables as a user does it, spans, and what came of them.

use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use otlp_core::Signal;
use otlp_core::export::retry::RetryPolicy;
use otlp_core::export::{Env, TlsConfig};
use otlp_sdk::trace::TracerProvider;
use otlp_sdk::{BatchConfig, DropReason, Ledger, PipelineError};
use otlp_sdk::{InitError, ShutdownError, TelemetryGuard};

use super::messages::Message;
use super::{Ear, Over, PATIENCE};

/// Settings of a case.
#[derive(Clone, Debug)]
#[must_use]
pub(crate) struct Setup {
    endpoint: String,
    variables: Vec<(String, String)>,
    batch: Option<BatchConfig>,
    tls: Option<TlsConfig>,
}

impl Setup {
    /// Everything as it is without further settings.
    pub(crate) fn to(over: Over, endpoint: impl Into<String>) -> Self {
        let endpoint = endpoint.into();
        let setup = Self { endpoint, variables: Vec::new(), batch: None, tls: None };
        let endpoint = setup.endpoint.clone();
        setup
            .variable("OTEL_EXPORTER_OTLP_PROTOCOL", over.protocol())
            .variable("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    }

    /// One attempt is all there is, so that its outcome is final.
    pub(crate) fn once(over: Over, endpoint: impl Into<String>) -> Self {
        Self::to(over, endpoint).retry(RetryPolicy::never())
    }

    pub(crate) fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn batch(mut self, batch: BatchConfig) -> Self {
        self.batch = Some(batch);
        self
    }

    pub(crate) fn retry(self, retry: RetryPolicy) -> Self {
        let batch = self.batch.clone().unwrap_or_default();
        self.batch(batch.with_retry(retry))
    }

    pub(crate) fn tls(mut self, tls: TlsConfig) -> Self {
        self.tls = Some(tls);
        self
    }

    pub(crate) fn try_start(self) -> Result<Case, InitError> {
        let ear = Ear::of(&self.endpoint);
        let mut builder = otlp_sdk::builder().with_env(Env::from_pairs(self.variables));
        if let Some(batch) = self.batch {
            builder = builder.with_batch_config(batch);
        }
        if let Some(tls) = self.tls {
            builder = builder.with_tls(tls);
        }
        let telemetry = builder.without_globals().init()?;
        let provider = telemetry.tracer_provider().clone();
        Ok(Case { telemetry, provider, ear })
    }

    pub(crate) fn start(self) -> Case {
        self.try_start().unwrap()
    }
}

/// Running telemetry.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) telemetry: TelemetryGuard,
    pub(crate) provider: TracerProvider,
    pub(crate) ear: Ear,
}

impl Case {
    /// Ends so many spans.
    pub(crate) fn spans(&self, count: usize) {
        let tracer = self.provider.tracer("faults");
        for _ in 0..count {
            tracer.start("work").end();
        }
    }

    pub(crate) fn flush(&self) -> Result<(), PipelineError> {
        self.provider.force_flush_with_timeout(PATIENCE)
    }

    /// Flushes, and tells what came of everything.
    pub(crate) fn end(self) -> End {
        let result = self.flush();
        self.shut_down(result)
    }

    /// Flushes `count` spans through and expects that this fails.
    pub(crate) fn end_with(self, count: usize) -> End {
        self.spans(count);
        self.end()
    }

    fn shut_down(self, result: Result<(), PipelineError>) -> End {
        let Self { telemetry, provider, ear } = self;
        // What was lost was told by the flush; nothing is held, so there is nothing more to lose.
        telemetry.shutdown().unwrap();
        let ledger = provider.ledger();
        assert_eq!((ledger.unaccounted(), ledger.held, ledger.panics), (0, 0, 0), "{ledger}");
        End { result, messages: ear.messages(), ledger }
    }
}

/// What came of a case.
#[derive(Debug)]
#[must_use]
pub(crate) struct End {
    /// Of the flush.
    pub(crate) result: Result<(), PipelineError>,
    pub(crate) messages: Vec<Message>,
    pub(crate) ledger: Ledger,
}

impl End {
    /// All was lost for this reason, and nothing else.
    #[track_caller]
    pub(crate) fn lost(self, count: u64, reason: DropReason) -> Self {
        let Ledger { ended, delivered, rejected, .. } = self.ledger;
        assert_eq!((ended, delivered, rejected), (count, 0, 0), "{}", self.ledger);
        assert_eq!(self.ledger.drops().collect::<Vec<_>>(), [(reason, count)]);
        let message = self.only_message();
        let said = ["items", "reason"].map(|field| message.field(field));
        assert_eq!(said, [&*count.to_string(), reason.name()], "{message}");
        self
    }

    /// All was delivered and nothing was said.
    #[track_caller]
    pub(crate) fn delivered_quietly(&self, count: u64) {
        self.delivered(count);
        assert!(self.messages.is_empty(), "{:#?}", self.messages);
    }

    #[track_caller]
    pub(crate) fn delivered(&self, count: u64) {
        self.result.as_ref().unwrap();
        let Ledger { ended, delivered, .. } = self.ledger;
        assert_eq!((ended, delivered), (count, count), "{}", self.ledger);
    }

    /// The only message, and what the flush returned, name each of these.
    #[track_caller]
    pub(crate) fn says(&self, causes: &[&str]) {
        let message = self.only_message();
        let returned = self.result.as_ref().unwrap_err().to_string();
        for text in [message.field("error"), &returned] {
            for cause in causes {
                assert!(text.contains(cause), "{cause:?} is not in: {text}\n{message}");
            }
            assert!(!text.contains(char::is_control) && text.len() < 1200, "{text:?}");
        }
    }

    /// As [`says`](Self::says), with any of the words for a connection that is gone: which of them
    /// it is depends on who of the two was faster.
    #[track_caller]
    pub(crate) fn says_that_the_connection_is_gone(&self, tried: &str) {
        self.says(&[tried]);
        let text = self.only_message().field("error").to_ascii_lowercase();
        let words = ["connection closed", "connection reset", "broken pipe"];
        assert!(words.iter().any(|word| text.contains(word)), "{text}");
    }

    #[track_caller]
    pub(crate) fn only_message(&self) -> &Message {
        let [message] = self.messages.as_slice() else {
            panic!("expected one message: {:#?}", self.messages);
        };
        message
    }
}

/// What a shutdown said of the spans.
pub(crate) fn of_spans(error: &ShutdownError) -> &PipelineError {
    error.error.of_signal(Signal::Traces).unwrap()
}
