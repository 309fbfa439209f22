//! One case of the matrix S3: an exporter, a call, and what must come of it wherever it is made.

use std::time::{Duration, Instant};

use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use otlp_core::export::{ErrorKind, ExportError, Outcome};
use otlp_sdk::trace::TracerProvider;
use otlp_sdk::{BatchConfig, Ledger, PipelineError};
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

/// Of calls that must use it up.
const TIMEOUT: Duration = Duration::from_millis(150);
/// Of calls that are answered, however busy the machine is.
const AMPLE: Duration = Duration::from_secs(30);
const SLACK: Duration = Duration::from_secs(2);
/// Less than a batch, so that nothing leaves before the call.
const SPANS: u64 = 400;
/// The text of panics that are meant.
pub(crate) const MEANT: &str = "meant";

/// How long the call took, or what was wrong: a context like a panic hook is no place to panic.
type Verdict = Result<Duration, String>;

impl Case {
    /// Makes the call in some context. A busy machine may be late once; a deadlock always is.
    #[expect(clippy::expect_used, clippy::panic, reason = "a case that fails is a test that fails")]
    pub(crate) fn run_in(self, context: &dyn Fn(Box<dyn FnOnce() + Send>)) {
        let mut taken = Duration::MAX;
        for _ in 0..5 {
            let (sender, receiver) = std::sync::mpsc::channel();
            context(Box::new(move || sender.send(self.run()).unwrap_or_default()));
            let verdict = receiver
                .recv_timeout(Duration::from_secs(60))
                .expect("the call ends without a panic");
            taken = verdict.unwrap_or_else(|wrong| panic!("{self:?}: {wrong}"));
            if taken <= self.timeout() + SLACK {
                return;
            }
        }
        panic!("{self:?} took {taken:?}");
    }

    fn run(self) -> Verdict {
        let exporter = ScriptedExporter::new();
        exporter.respond_by(move |_| self.behaviour.step());
        let config = BatchConfig::default().with_shutdown_timeout(self.timeout());
        let provider =
            TracerProvider::builder().with_batch_exporter_config(exporter.clone(), config).build();
        let tracer = provider.tracer("case");
        for _ in 0..SPANS {
            tracer.start("span").end();
        }
        drop(tracer);
        let begun = Instant::now();
        let result = match self.call {
            Call::Flush => provider.force_flush_with_timeout(self.timeout()),
            Call::Shutdown | Call::ShutdownTwice => provider.shutdown_with_timeout(self.timeout()),
            Call::Drop => return self.after_drop(provider, &exporter),
        };
        let taken = begun.elapsed();
        if self.call == Call::ShutdownTwice {
            let second = provider.shutdown_with_timeout(self.timeout());
            is(matches!(second, Err(PipelineError::AlreadyShutdown)), || format!("{second:?}"))?;
        }
        self.check(&result, &provider.ledger())?;
        // Its own deadline, so that a hanging exporter does not make the next case late.
        let _ = provider.shutdown_with_timeout(Duration::ZERO);
        let ledger = provider.ledger();
        is(ledger.held == 0 && ledger.unaccounted() == 0, || ledger.to_string())?;
        Ok(taken)
    }

    fn timeout(self) -> Duration {
        match self.behaviour {
            Behaviour::Away | Behaviour::Hang => TIMEOUT,
            Behaviour::Ok | Behaviour::Error | Behaviour::Panic => AMPLE,
        }
    }

    fn after_drop(self, provider: TracerProvider, exporter: &ScriptedExporter) -> Verdict {
        let begun = Instant::now();
        drop(provider);
        let taken = begun.elapsed();
        let delivered = if self.behaviour == Behaviour::Ok { SPANS as usize } else { 0 };
        let right = exporter.shutdowns() == 1 && exporter.delivered() == delivered;
        is(right, || format!("{exporter:?}"))?;
        Ok(taken)
    }

    fn check(self, result: &Result<(), PipelineError>, ledger: &Ledger) -> Result<(), String> {
        is(ledger.ended == SPANS && ledger.unaccounted() == 0, || ledger.to_string())?;
        let right = match self.behaviour {
            // A flush means that every span that ended before was tried.
            Behaviour::Ok => result.is_ok() && ledger.delivered == SPANS,
            Behaviour::Error | Behaviour::Panic => {
                matches!(result, Err(PipelineError::Lost { lost: SPANS, last_error: Some(_), .. }))
            }
            Behaviour::Away | Behaviour::Hang => {
                matches!(result, Err(PipelineError::Timeout { held: SPANS, .. }))
            }
        };
        is(right, || format!("{result:?} {ledger}"))
    }
}

fn is(right: bool, otherwise: impl Fn() -> String) -> Result<(), String> {
    if right { Ok(()) } else { Err(otherwise()) }
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
