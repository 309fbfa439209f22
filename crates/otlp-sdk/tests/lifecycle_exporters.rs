//! Flush, shutdown and drop with the real exporters, over gRPC and over HTTP, to a server that
//! answers and to one that does not, wherever they are called. S3.

#![expect(clippy::panic, reason = "a case that fails is a test that fails")]

mod child;
#[path = "lifecycle/contexts.rs"]
mod contexts;

use std::sync::Mutex;
use std::time::Duration;

use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use otlp_core::Signal;
use otlp_core::export::{BoxedExporter, Env, Exporter as _};
use otlp_exporter_grpc::GrpcExporter;
use otlp_exporter_http::HttpExporter;
use otlp_sdk::trace::TracerProvider;
use otlp_sdk::{BatchConfig, DropReason, Ledger, PipelineError};
use otlp_testing::{Server, Transport};

type Work = Box<dyn FnOnce() + Send>;
/// What was wrong: a context like a panic hook is no place to panic.
type Verdict = Result<(), String>;

/// Less than a batch and without a timer, so that nothing leaves before the call.
const SPANS: u64 = 3;
const NEVER: Duration = Duration::from_secs(3600);
/// A call that has not returned by then never will.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Flush,
    Shutdown,
    Drop,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    over: Transport,
    answers: bool,
    call: Call,
}

fn cases() -> impl Iterator<Item = Case> {
    let calls = [Call::Flush, Call::Shutdown, Call::Drop];
    [Transport::Grpc, Transport::Http].into_iter().flat_map(move |over| {
        [true, false].into_iter().flat_map(move |answers| {
            calls.into_iter().map(move |call| Case { over, answers, call })
        })
    })
}

fn in_every_case(context: impl Fn(Work)) {
    for case in cases() {
        case.run_in(&context);
    }
}

impl Case {
    fn run_in(self, context: &dyn Fn(Work)) {
        let server = Server::start();
        if !self.answers {
            server.pause();
        }
        let endpoint = match self.over {
            Transport::Grpc => server.grpc_endpoint(),
            _ => server.http_endpoint(),
        };
        let (sender, receiver) = std::sync::mpsc::channel();
        context(Box::new(move || sender.send(self.run(endpoint)).unwrap_or_default()));
        let verdict = receiver.recv_timeout(PATIENCE);
        let verdict = verdict.unwrap_or_else(|error| panic!("{self:?} does not end: {error}"));
        verdict.unwrap_or_else(|wrong| panic!("{self:?}: {wrong}"));
        if self.answers {
            assert_eq!(server.counts_of(self.over).items, SPANS, "{self:?}");
            assert!(server.duplicate_spans().is_empty(), "{self:?}");
        }
    }

    fn timeout(self) -> Duration {
        if self.answers { PATIENCE } else { Duration::from_millis(150) }
    }

    fn run(self, endpoint: String) -> Verdict {
        let config =
            BatchConfig::default().with_schedule_delay(NEVER).with_shutdown_timeout(self.timeout());
        let exporter = self.exporter(endpoint)?;
        let provider =
            TracerProvider::builder().with_batch_exporter_config(exporter, config).build();
        let tracer = provider.tracer("case");
        for _ in 0..SPANS {
            tracer.start("span").end();
        }
        drop(tracer);
        let result = match self.call {
            Call::Flush => provider.force_flush_with_timeout(self.timeout()),
            Call::Shutdown => provider.shutdown_with_timeout(self.timeout()),
            Call::Drop => {
                drop(provider);
                return Ok(());
            }
        };
        self.check(&result, &provider.ledger())
    }

    fn exporter(self, endpoint: String) -> Result<BoxedExporter, String> {
        let env = Env::empty();
        let made = match self.over {
            Transport::Grpc => {
                let builder = GrpcExporter::builder(Signal::Traces).with_endpoint(endpoint);
                builder.build_with(&env).map(|exporter| exporter.boxed()).map_err(|e| e.to_string())
            }
            _ => {
                let builder = HttpExporter::builder(Signal::Traces).with_endpoint(endpoint);
                builder.build_with(&env).map(|exporter| exporter.boxed()).map_err(|e| e.to_string())
            }
        };
        made.map_err(|error| format!("the exporter: {error}"))
    }

    fn check(self, result: &Result<(), PipelineError>, ledger: &Ledger) -> Verdict {
        let in_time = match result {
            Ok(()) => self.answers,
            Err(PipelineError::Timeout { held: SPANS, .. }) => !self.answers,
            Err(_) => false,
        };
        let lost = if self.answers { 0 } else { SPANS };
        let (held, dropped) = if self.call == Call::Flush { (lost, 0) } else { (0, lost) };
        let exact = ledger.ended == SPANS
            && ledger.delivered == SPANS - lost
            && ledger.held == held
            && ledger.dropped(DropReason::ShutdownTimeout) == dropped
            && ledger.unaccounted() == 0;
        if in_time && exact { Ok(()) } else { Err(format!("{result:?} {ledger}")) }
    }
}

const CRASH: &str = "the application crashes";

static IN_THE_HOOK: Mutex<Option<Work>> = Mutex::new(None);

#[test]
fn inside_a_panic_hook() {
    // The hook is the process's.
    child::run("inside_a_panic_hook", &[], || {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>().copied() == Some(CRASH) {
                let work = IN_THE_HOOK.lock().unwrap().take();
                work.unwrap()();
            } else {
                before(info);
            }
        }));
        in_every_case(|work| {
            *IN_THE_HOOK.lock().unwrap() = Some(work);
            std::thread::spawn(|| std::panic::panic_any(CRASH)).join().unwrap_err();
        });
    });
}
