//! What the export thread tells people, while nothing else that happens on it is heard.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use otlp_core::Signal;
use otlp_core::export::ExportError;

use super::account::Account;
use super::config::ExportConfig;
use crate::foreign::caught;
use crate::hush::{aloud, hush_for_good};
use crate::notice::{Notices, Refused};
use crate::pipeline::DropReason;
use crate::pipeline::thread::suppress_for_good;

/// The official SDK knows nothing of our export thread, and `tracing` spans that a transport starts here
/// would come back as more to export. So no subscriber hears of what happens on the calling thread, but for
/// what a [`Voice`] says.
pub(super) fn hush() {
    suppress_for_good();
    hush_for_good();
}

/// Speaks for one exporter, on its thread: the rate-limited messages that a pipeline has too.
#[derive(Debug)]
pub(super) struct Voice {
    /// Out of its place while it speaks: the subscriber and the texts of errors are the user's code.
    notices: RefCell<Option<Box<Notices>>>,
    account: Account,
    max_held_bytes: usize,
    max_request_bytes: usize,
    /// Refused items of which people were told.
    refused_told: Cell<u64>,
}

impl Voice {
    pub(super) fn new(
        signal: Signal,
        destination: Arc<str>,
        account: Account,
        config: &ExportConfig,
    ) -> Self {
        Self {
            notices: RefCell::new(Some(Box::new(Notices::new(signal, destination)))),
            account,
            max_held_bytes: config.max_held_bytes,
            max_request_bytes: config.max_request_bytes,
            refused_told: Cell::new(0),
        }
    }

    pub(super) fn will_retry(&self, items: usize, error: &ExportError, wait: Duration) {
        self.tell(|notices| notices.will_retry(items, error, wait));
    }

    pub(super) fn succeeded(&self) {
        if self.asks(Notices::has_failures) {
            self.tell(Notices::succeeded);
        }
    }

    pub(super) fn server_warning(&self, message: &str) {
        self.tell(|notices| notices.server_warning(message));
    }

    pub(super) fn rejected(&self, rejected: u64, message: &str) {
        self.tell(|notices| notices.rejected(rejected, message));
    }

    pub(super) fn dropped(&self, items: usize, reason: DropReason, error: &ExportError) {
        self.tell(|notices| notices.dropped(items, reason, error));
    }

    /// Tells what is due by now.
    pub(super) fn overdue(&self) {
        self.refused();
        if self.holds_back() {
            self.tell(Notices::overdue);
        }
    }

    pub(super) fn last_words(&self) {
        self.tell(Notices::last_words);
        self.refused();
    }

    /// Whether something waits to be told.
    pub(super) fn holds_back(&self) -> bool {
        self.asks(Notices::holds_back)
    }

    /// Batches are refused on the threads that hand them in, which may not speak.
    fn refused(&self) {
        let refused = self.account.refused();
        let [queue_full, too_large] =
            [DropReason::QueueFull, DropReason::TooLarge].map(|reason| refused.of(reason));
        let sum = queue_full.saturating_add(too_large);
        if sum == self.refused_told.get() {
            return;
        }
        let refused = Refused {
            queue_full,
            too_large,
            max_queue_size: None,
            max_queue_bytes: self.max_held_bytes,
            max_request_bytes: self.max_request_bytes,
        };
        let last_error = self.account.last_error();
        self.tell(|notices| {
            if notices.refused(refused, last_error.as_ref()) {
                self.refused_told.set(sum);
            }
        });
    }

    fn asks(&self, question: impl Fn(&Notices) -> bool) -> bool {
        self.notices.borrow().as_deref().is_some_and(question)
    }

    fn tell(&self, say: impl FnOnce(&mut Notices)) {
        let Some(mut notices) = self.notices.take() else { return };
        if caught(|| aloud(|| say(&mut notices))).is_err() {
            self.account.count_panic();
        }
        self.notices.replace(Some(notices));
    }
}
