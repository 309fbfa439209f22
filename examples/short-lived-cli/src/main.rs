//! A command that runs for milliseconds, as part of a larger trace.
//!
//! Three things go wrong here as a rule: the last spans are lost, since the process is gone before they are
//! sent; they are lost whenever the command fails; and a child process starts a trace of its own. What
//! it takes is in [`main`], [`telemetry`] and [`step`]:
//!
//! - the guard outlives the work, and `main` returns a code instead of calling `exit`, which would
//!   run no destructor;
//! - a panic unwinds through the guard, which delivers what is held;
//! - child processes get the context in `TRACEPARENT` and its siblings, and read it at their start.
//!
//! Without a command it runs each of its commands in a process of its own against a server on this
//! machine, prints what arrived, and exits with 1 if a single span is missing.

mod demo;

use std::error::Error;
use std::process::{Command, ExitCode};
use std::time::Duration;

use opentelemetry::trace::{Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, global};
use otlp_sdk::BatchConfig;
use otlp_sdk::TelemetryGuard;
use otlp_sdk::otlp_core::Signal;
use otlp_sdk::otlp_core::export::Env;
use otlp_sdk::propagation::{EnvCarrier, inject_command};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let Some(command) = std::env::args().nth(1) else {
        return demo::run();
    };
    show_messages();
    let telemetry = telemetry();
    // Whoever started us may have told its context.
    let environment = EnvCarrier::from_process();
    let caller = global::get_text_map_propagator(|propagator| propagator.extract(&environment));

    let outcome = {
        let _caller = caller.attach();
        run(&command)
    };

    match telemetry.shutdown() {
        Ok(ledger) => tracing::info!("{command}: {ledger}"),
        Err(error) => tracing::warn!("{command}: {error}"),
    }
    Ok(match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{command}: {error}");
            ExitCode::FAILURE
        }
    })
}

/// A tool does its work also where telemetry cannot be set up, and does not wait long for a server that is
/// away.
fn telemetry() -> TelemetryGuard {
    let env = Env::from_process();
    let batch = BatchConfig::from_env(Signal::Traces, &mut env.reader())
        .with_shutdown_timeout(Duration::from_secs(2));
    let telemetry = otlp_sdk::builder().with_env(env).with_batch_config(batch).init();
    telemetry.unwrap_or_else(|error| {
        tracing::warn!("no telemetry: {error}");
        TelemetryGuard::disabled()
    })
}

/// One command: one span, with what went wrong in it.
fn run(command: &str) -> Result<(), Box<dyn Error>> {
    global::tracer("cli").in_span(command.to_owned(), |cx| {
        let outcome = execute(command);
        if let Err(error) = &outcome {
            cx.span().record_error(&**error);
            cx.span().set_status(Status::error(error.to_string()));
        }
        outcome
    })
}

fn execute(command: &str) -> Result<(), Box<dyn Error>> {
    match command {
        "build" => {
            step("compile")?;
            step("link")
        }
        "compile" | "link" => Ok(()),
        "fail" => Err("nothing to do".into()),
        "panic" => give_up(),
        other => {
            Err(format!("{other:?} is not a command; accepted: build, compile, link, fail, panic")
                .into())
        }
    }
}

#[expect(clippy::panic, reason = "what this command is there for")]
fn give_up() -> ! {
    panic!("the command gives up")
}

/// Runs a command in a process of its own, in this trace.
fn step(command: &str) -> Result<(), Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?);
    child.arg(command);
    let cx = Context::current();
    global::get_text_map_propagator(|propagator| inject_command(propagator, &cx, &mut child));
    let status = child.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command}: {status}").into()) }
}

/// The SDK tells what it does through `tracing`; a program shows that where it shows its own.
fn show_messages() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        tracing_subscriber::EnvFilter::new("otlp_sdk=warn,short_lived_cli=info")
    });
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).compact().init();
}
