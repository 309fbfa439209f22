//! Which reply is given to which request.

use std::collections::VecDeque;
use std::fmt;

use super::{ReceivedRequest, Reply};

/// The replies that a server gives: a queue, one for all, or a decision for each request.
///
/// ```
/// use otlp_testing::{Reply, Script};
///
/// let once_busy = Script::from([Reply::http(503), Reply::ok()]);
/// let down = Script::always(Reply::close());
/// let picky = Script::call(|request| match request.items() {
///     0..=512 => Reply::ok(),
///     _ => Reply::http(413),
/// });
/// # let _ = (once_busy, down, picky);
/// ```
#[derive(Default)]
pub struct Script {
    queue: VecDeque<Reply>,
    then: Then,
}

type Decide = Box<dyn FnMut(&ReceivedRequest) -> Reply + Send>;

#[derive(Default)]
enum Then {
    #[default]
    Ok,
    Always(Box<Reply>),
    Call(Decide),
}

impl Script {
    /// The same reply to every request.
    #[must_use]
    pub fn always(reply: Reply) -> Self {
        Self { queue: VecDeque::new(), then: Then::Always(Box::new(reply)) }
    }

    /// Asks `decide` for each request. It runs under a lock: it must not wait.
    #[must_use]
    pub fn call(decide: impl FnMut(&ReceivedRequest) -> Reply + Send + 'static) -> Self {
        Self { queue: VecDeque::new(), then: Then::Call(Box::new(decide)) }
    }

    /// What is given after the queue is used up, instead of success.
    #[must_use]
    pub fn then_always(mut self, reply: Reply) -> Self {
        self.then = Then::Always(Box::new(reply));
        self
    }

    pub(super) fn next(&mut self, request: &ReceivedRequest) -> Reply {
        if let Some(reply) = self.queue.pop_front() {
            return reply;
        }
        match &mut self.then {
            Then::Ok => Reply::ok(),
            Then::Always(reply) => Reply::clone(reply),
            Then::Call(decide) => decide(request),
        }
    }
}

impl From<Reply> for Script {
    /// This reply once, then success.
    fn from(reply: Reply) -> Self {
        [reply].into()
    }
}

impl<const N: usize> From<[Reply; N]> for Script {
    /// These replies in order, then success.
    fn from(replies: [Reply; N]) -> Self {
        replies.into_iter().collect()
    }
}

impl From<Vec<Reply>> for Script {
    /// These replies in order, then success.
    fn from(replies: Vec<Reply>) -> Self {
        replies.into_iter().collect()
    }
}

impl FromIterator<Reply> for Script {
    fn from_iter<I: IntoIterator<Item = Reply>>(replies: I) -> Self {
        Self { queue: replies.into_iter().collect(), then: Then::Ok }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let then = match &self.then {
            Then::Ok => "ok",
            Then::Always(_) => "always the same",
            Then::Call(_) => "a closure",
        };
        f.debug_struct("Script").field("queue", &self.queue).field("then", &then).finish()
    }
}
