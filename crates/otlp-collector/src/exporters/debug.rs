//! The exporter `debug`: prints what passes, as the Go collector does.
//!
//! Text is made and written by a thread of the exporter's own, so that a terminal or a pipe that hangs holds up no
//! runtime. A request counts as delivered when the system has taken its text.

mod detailed;
mod normal;
mod number;
mod page;
mod print;
mod settings;
mod value;

use std::sync::Arc;

use otlp_core::Payload;
use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter, Outcome, attempt};
use parking_lot::Mutex;

use self::print::{Form, Outputs, Sampling};
pub use self::settings::{DebugSettings, Verbosity};
use super::desk::{Awaited, Desk};
use crate::clock::now;

/// Prints the requests of one signal.
#[derive(Debug)]
struct DebugExporter {
    /// `None` after the shutdown.
    desk: Mutex<Option<Arc<Desk<Outputs>>>>,
    form: Form,
    sampling: Mutex<Sampling>,
}

impl DebugExporter {
    fn new(desk: Arc<Desk<Outputs>>, form: Form, sampling: Sampling) -> Self {
        Self { desk: Mutex::new(Some(desk)), form, sampling: Mutex::new(sampling) }
    }

    fn desk(&self) -> Option<Arc<Desk<Outputs>>> {
        self.desk.lock().clone()
    }
}

impl Exporter for DebugExporter {
    async fn export(&self, payload: Payload, deadline: Deadline) -> Outcome {
        let Some(desk) = self.desk() else { return attempt::already_shutdown() };
        let Some(skipped) = self.sampling.lock().take(now()) else { return Outcome::delivered() };
        let form = self.form.clone();
        let printed = desk.ask(deadline, move |outputs, awaited| {
            print(&form, &payload, skipped, outputs, awaited)
        });
        match printed.await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::permanent(error),
        }
    }

    async fn shutdown(&self, deadline: Deadline) -> Result<(), ExportError> {
        let Some(desk) = self.desk.lock().take() else { return Ok(()) };
        desk.close(deadline).await
    }

    fn component_type(&self) -> &'static str {
        "debug"
    }
}

fn print(
    form: &Form,
    payload: &Payload,
    skipped: u64,
    outputs: &mut Outputs,
    awaited: Awaited<'_>,
) -> Outcome {
    let text = match form.text(payload, skipped) {
        Ok(text) => text,
        Err(error) => {
            return attempt::not_sent(
                "text",
                format_args!("the request is not valid OTLP: {error}"),
            );
        }
    };
    match outputs.write(&text, awaited) {
        Ok(()) => Outcome::delivered(),
        Err(error) => {
            let failed = ExportError::new(ErrorKind::Other, "the text cannot be written");
            Outcome::permanent(failed.with_source(error))
        }
    }
}
