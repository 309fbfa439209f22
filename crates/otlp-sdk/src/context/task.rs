//! tokio's two ways to start work, with the context going along.

use tokio::task::JoinHandle;

use super::{ContextExt as _, bind_current};

/// [`tokio::spawn`], with the current context going along.
///
/// # Panics
///
/// As `tokio::spawn`: outside of a runtime.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future.in_current_context())
}

/// [`tokio::task::spawn_blocking`], with the current context going along.
///
/// # Panics
///
/// As `tokio::task::spawn_blocking`: outside of a runtime.
#[track_caller]
pub fn spawn_blocking<F, R>(work: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    tokio::task::spawn_blocking(bind_current(work))
}
