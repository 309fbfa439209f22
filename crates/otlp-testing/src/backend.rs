//! Where an example sends, and what arrived there.

use std::io::{self, Write};

use otlp_core::Signal;

use crate::oracle::{SpanRecord, TraceTree};
use crate::server::Server;

/// The server that an example sends to: one of its own on this machine, or the one that
/// `OTEL_EXPORTER_OTLP_ENDPOINT` or its like of a signal names.
///
/// ```no_run
/// use otlp_testing::Backend;
///
/// let backend = Backend::from_env();
/// // … send to backend.server().http_endpoint(), or where the environment says …
/// assert!(backend.report(3)?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Backend {
    server: Option<Server>,
}

impl Backend {
    /// Starts a server, unless the environment names one.
    ///
    /// # Panics
    ///
    /// As [`Server::start`].
    #[must_use]
    pub fn from_env() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let of_signal =
            |signal: Signal| format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.env_infix());
        let elsewhere =
            is_set(ENDPOINT) || Signal::ALL.into_iter().any(|signal| is_set(&of_signal(signal)));
        Self { server: (!elsewhere).then(Server::start) }
    }

    /// The server, if it is ours.
    #[must_use]
    pub fn server(&self) -> Option<&Server> {
        self.server.as_ref()
    }

    /// Prints the traces that arrived; whether exactly `expected` spans did, each once, none without
    /// its parent.
    ///
    /// Of a server that is not ours nothing can be seen, and nothing is wrong.
    ///
    /// # Errors
    ///
    /// The output cannot be written.
    pub fn report(&self, expected: u64) -> io::Result<bool> {
        let mut out = io::stdout().lock();
        let Some(server) = &self.server else {
            writeln!(out, "server      not ours: it knows which of {expected} spans arrived")?;
            return Ok(true);
        };
        let spans: Vec<SpanRecord> = server.spans().into_iter().map(|span| span.record).collect();
        let trees = TraceTree::all(&spans);
        for tree in &trees {
            writeln!(out, "{tree}")?;
        }
        let (duplicates, problems) = (server.duplicate_spans().len(), server.problems());
        let orphans: usize = trees.iter().map(TraceTree::orphans).sum();
        writeln!(
            out,
            "server      {} of {expected} spans arrived, {duplicates} twice, {orphans} without \
             their parent",
            spans.len(),
        )?;
        for problem in &problems {
            writeln!(out, "server      {problem}")?;
        }
        let whole = u64::try_from(spans.len()) == Ok(expected) && orphans == 0;
        Ok(whole && duplicates == 0 && problems.is_empty())
    }
}

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
