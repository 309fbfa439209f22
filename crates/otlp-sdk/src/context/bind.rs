//! Closures that run in a context, on whatever thread.

use std::thread::{self, JoinHandle};

use opentelemetry::Context;

/// A closure that runs `work` with `cx` as the current context.
///
/// For everything that takes a closure and runs it elsewhere: `thread::Builder`, scoped threads,
/// thread pools, `JoinSet::spawn_blocking`.
///
/// ```
/// use opentelemetry::Context;
/// use otlp_sdk::context::bind;
///
/// # fn resize() {}
/// let cx = Context::current();
/// let worker = std::thread::Builder::new().name("resize".to_owned()).spawn(bind(cx, resize))?;
/// # worker.join().unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn bind<R>(cx: Context, work: impl FnOnce() -> R) -> impl FnOnce() -> R {
    move || {
        let _guard = cx.attach();
        work()
    }
}

/// [`bind`] with the context that is current now.
///
/// ```
/// use otlp_sdk::context::bind_current;
///
/// let chunks = [1..3, 3..6];
/// let sums = std::thread::scope(|scope| {
///     let sum = |chunk: &std::ops::Range<i32>| chunk.clone().sum::<i32>();
///     let workers = chunks.each_ref().map(|chunk| scope.spawn(bind_current(move || sum(chunk))));
///     workers.map(|worker| worker.join().unwrap())
/// });
/// assert_eq!(sums, [3, 12]);
/// ```
pub fn bind_current<R>(work: impl FnOnce() -> R) -> impl FnOnce() -> R {
    bind(Context::current(), work)
}

/// A closure that runs `work` with `cx` as the current context each time it is called.
///
/// For callbacks, and for the closures of iterators that work on other threads.
///
/// ```
/// use opentelemetry::Context;
/// use otlp_sdk::context::bind_fn;
///
/// let double = bind_fn(Context::current(), |n: i32| n * 2);
/// assert_eq!([1, 2].map(double), [2, 4]);
/// ```
pub fn bind_fn<A, R>(cx: Context, work: impl Fn(A) -> R) -> impl Fn(A) -> R {
    move |argument| {
        let _guard = cx.clone().attach();
        work(argument)
    }
}

/// [`std::thread::spawn`], with the current context going along.
///
/// # Panics
///
/// As `std::thread::spawn`: when the operating system has no thread to give. With
/// [`std::thread::Builder`] and [`bind_current`] that is an error.
pub fn spawn_thread<F, R>(work: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    thread::spawn(bind_current(work))
}
