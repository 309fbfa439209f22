//! Hears what the SDK says through `tracing`, on whatever thread it says it.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::thread::ThreadId;

use parking_lot::{Condvar, Mutex};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use super::PATIENCE;

/// One warning or error.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) level: Level,
    thread: ThreadId,
    fields: Vec<(&'static str, String)>,
}

impl Message {
    /// A field's value; empty where there is none.
    pub(crate) fn field(&self, name: &str) -> &str {
        let field = self.fields.iter().find(|(field, _)| *field == name);
        field.map_or("", |(_, value)| value)
    }

    /// Host and port of the destination that it is about.
    fn authority(&self) -> Option<&str> {
        self.field("destination").split('/').nth(2)
    }
}

impl fmt::Display for Message {
    /// As a user reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.level, self.field("message"))?;
        let others = self.fields.iter().filter(|(name, _)| *name != "message");
        others.into_iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

/// Listens for one case: to the case's own thread, and to the worker that sends to its server.
#[derive(Clone, Debug)]
pub(crate) struct Ear {
    log: Arc<Log>,
    from: usize,
    thread: ThreadId,
    authority: String,
}

impl Ear {
    /// Hears everything from now on that is about `endpoint`, a URL.
    pub(crate) fn of(endpoint: &str) -> Self {
        let log = Arc::clone(log());
        let from = log.messages.lock().len();
        let authority = endpoint.split('/').nth(2).unwrap_or(endpoint).to_owned();
        Self { log, from, thread: std::thread::current().id(), authority }
    }

    pub(crate) fn messages(&self) -> Vec<Message> {
        self.hears(&self.log.messages.lock())
    }

    /// Waits until there is a message.
    pub(crate) fn wait(&self) {
        let mut messages = self.log.messages.lock();
        let deaf = |messages: &mut Vec<Message>| self.hears(messages).is_empty();
        let waited = self.log.changed.wait_while_for(&mut messages, deaf, PATIENCE);
        assert!(!waited.timed_out(), "no message about {}", self.authority);
    }

    fn hears(&self, messages: &[Message]) -> Vec<Message> {
        let mine = |message: &&Message| match message.authority() {
            Some(authority) => authority == self.authority,
            None => message.thread == self.thread,
        };
        messages.iter().skip(self.from).filter(mine).cloned().collect()
    }
}

#[derive(Debug, Default)]
struct Log {
    messages: Mutex<Vec<Message>>,
    changed: Condvar,
}

/// The log of this process. The worker has a thread of its own, so the subscriber must be global.
fn log() -> &'static Arc<Log> {
    static LOG: OnceLock<Arc<Log>> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Arc::<Log>::default();
        let subscriber = tracing_subscriber::registry().with(Recorder(Arc::clone(&log)));
        tracing::subscriber::set_global_default(subscriber).unwrap();
        log
    })
}

struct Recorder(Arc<Log>);

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        if level > Level::WARN || !event.metadata().target().starts_with("otlp") {
            return;
        }
        let mut fields = Fields(Vec::new());
        event.record(&mut fields);
        let message = Message { level, thread: std::thread::current().id(), fields: fields.0 };
        self.0.messages.lock().push(message);
        self.0.changed.notify_all();
    }
}

struct Fields(Vec<(&'static str, String)>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }
}
