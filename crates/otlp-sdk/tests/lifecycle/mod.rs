//! One case of the matrix S3: an exporter, a call, and what must come of it wherever it is made.

use std::time::{Duration, Instant};

use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use otlp_core::export::{ErrorKind, ExportError, Outcome};
use otlp_sdk::trace::{BatchConfig, PipelineError, TracerProvider};
use otlp_testing::{ScriptedExporter, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Ok,
    Error,
    Away,
    Hang,
    Panic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Flush,
    Shutdown,
    ShutdownTwice,
    Drop,
}

/// One exporter and one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) behaviour: Behaviour,
    pub(crate) call: Call,
}

/// Every case.
pub(crate) fn cases() -> impl Iterator<Item = Case> {
    use Behaviour::{Away, Error, Hang, Ok, Panic};
    use Call::{Drop, Flush, Shutdown, ShutdownTwice};
    [Ok, Error, Away, Hang, Panic].into_iter().flat_map(|behaviour| {
        [Flush, Shutdown, ShutdownTwice, Drop].into_iter().map(move |call| Case { behaviour, call })
    })
}

const TIMEOUT: Duration = Duration::from_millis(150);
const SLACK: Duration = Duration::from_millis(250);
const SPANS: u64 = 1_000;
/// The text of panics that are meant.
pub(crate) const MEANT: &str = "meant";

impl Case {
    /// Makes the call in some context. A busy machine may be late once; a deadlock always is.
    pub(crate) fn run_in(self, context: &dyn Fn(Box<dyn FnOnce() + Send>)) {
        let mut taken = Duration::MAX;
        for _ in 0..5 {
            let (sender, receiver) = std::sync::mpsc::channel();
            context(Box::new(move || sender.send(self.run()).unwrap()));
            taken = receiver.recv_timeout(Duration::from_secs(60)).expect("the call ends without a panic");
            if taken <= TIMEOUT + SLACK {
                return;
            }
        }
        panic!("{self:?} took {taken:?}");
    }

    fn run(self) -> Duration {
        let exporter = ScriptedExporter::new();
        exporter.respond_by(move |_| self.behaviour.step());
        let config = BatchConfig::default().with_shutdown_timeout(TIMEOUT);
        let provider = TracerProvider::builder()
            .with_batch_exporter_config(exporter.clone(), config)
            .build();
        let tracer = provider.tracer("case");
        for _ in 0..SPANS {
            tracer.start("span").end();
        }
        drop(tracer);
        let begun = Instant::now();
        let kept = self.call(&provider);
        let (result, taken) = match kept {
            Some(result) => (result, begun.elapsed()),
            None => {
                drop(provider);
                let taken = begun.elapsed();
                assert_eq!(exporter.shutdowns(), 1, "{self:?}");
                let delivered = if self.behaviour == Behaviour::Ok { SPANS as usize } else { 0 };
                assert_eq!(exporter.delivered(), delivered, "{self:?}");
                return taken;
            }
        };
        self.check(&result, &provider);
        // Its own deadline, so that a hanging exporter does not make the next case late.
        let _ = provider.shutdown_with_timeout(Duration::ZERO);
        let ledger = provider.ledger();
        assert_eq!((ledger.held, ledger.unaccounted()), (0, 0), "{self:?} {ledger}");
        taken
    }

    fn call(self, provider: &TracerProvider) -> Option<Result<(), PipelineError>> {
        match self.call {
            Call::Flush => Some(provider.force_flush_with_timeout(TIMEOUT)),
            Call::Shutdown => Some(provider.shutdown_with_timeout(TIMEOUT)),
            Call::ShutdownTwice => {
                let first = provider.shutdown_with_timeout(TIMEOUT);
                let second = provider.shutdown_with_timeout(TIMEOUT);
                assert!(matches!(second, Err(PipelineError::AlreadyShutdown)), "{self:?} {second:?}");
                Some(first)
            }
            Call::Drop => None,
        }
    }

    fn check(self, result: &Result<(), PipelineError>, provider: &TracerProvider) {
        let ledger = provider.ledger();
        assert_eq!((ledger.ended, ledger.unaccounted()), (SPANS, 0), "{self:?} {ledger}");
        match self.behaviour {
            // A flush means that every span that ended before was tried.
            Behaviour::Ok => assert!(result.is_ok() && ledger.delivered == SPANS, "{self:?} {result:?}"),
            Behaviour::Error | Behaviour::Panic => {
                assert!(matches!(result, Err(PipelineError::Lost { lost: SPANS, last_error: Some(_), .. })), "{self:?} {result:?}");
            }
            Behaviour::Away | Behaviour::Hang => {
                assert!(matches!(result, Err(PipelineError::Timeout { held: SPANS, .. })), "{self:?} {result:?}");
            }
        }
    }
}

impl Behaviour {
    fn step(self) -> Step {
        let error = ExportError::new(ErrorKind::HttpStatus(400), "no");
        match self {
            Self::Ok => Outcome::delivered().into(),
            Self::Error => Outcome::permanent(error).into(),
            Self::Away => Outcome::retryable(error).into(),
            Self::Hang => Step::Hang,
            Self::Panic => Step::Panic(MEANT),
        }
    }
}
