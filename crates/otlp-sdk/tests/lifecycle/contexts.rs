//! The places of an application from which flush and shutdown are called (S3). A test file that
//! includes this says in `in_every_case` what is called there.

use tokio::runtime::{Builder, Runtime};

use super::{Work, in_every_case};

#[expect(clippy::unwrap_used, reason = "without a runtime there is no test")]
fn multi_thread(workers: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap()
}

#[expect(clippy::unwrap_used, reason = "without a runtime there is no test")]
fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn without_a_runtime() {
    in_every_case(|work| work());
}

#[test]
fn in_a_task_of_a_runtime_with_four_workers() {
    let runtime = multi_thread(4);
    in_every_case(|work| runtime.block_on(runtime.spawn(async { work() })).unwrap());
}

#[test]
fn on_the_only_worker_of_a_runtime() {
    let runtime = multi_thread(1);
    in_every_case(|work| runtime.block_on(runtime.spawn(async { work() })).unwrap());
}

#[test]
fn inside_block_on_of_a_current_thread_runtime() {
    let runtime = current_thread();
    in_every_case(|work| runtime.block_on(async { work() }));
}

#[test]
fn on_the_blocking_pool() {
    let runtime = current_thread();
    in_every_case(|work| runtime.block_on(runtime.spawn_blocking(work)).unwrap());
}

/// Does its work when it is dropped.
struct OnDrop(Option<Work>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            work();
        }
    }
}

#[test]
fn inside_drop_in_a_task() {
    let runtime = current_thread();
    in_every_case(|work| {
        let task = runtime.spawn(async {
            let _guard = OnDrop(Some(work));
            tokio::task::yield_now().await;
        });
        runtime.block_on(task).unwrap();
    });
}

#[test]
fn inside_drop_of_a_task_that_is_cancelled_with_its_runtime() {
    in_every_case(|work| {
        let runtime = multi_thread(1);
        let (started, running) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            let _guard = OnDrop(Some(work));
            started.send(()).unwrap();
            std::future::pending::<()>().await;
        });
        running.recv().unwrap();
        drop(runtime);
    });
}

#[test]
fn inside_drop_while_a_panic_unwinds() {
    in_every_case(|work| {
        let thread = std::thread::spawn(|| {
            let _guard = OnDrop(Some(work));
            std::panic::resume_unwind(Box::new("meant"));
        });
        thread.join().unwrap_err();
    });
}
