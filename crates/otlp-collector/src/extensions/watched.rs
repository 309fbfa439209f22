//! Files that hold credentials: read at the start, and again every ten seconds.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use otlp_core::export::Deadline;
use parking_lot::Mutex;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

use crate::component::{BoxError, BoxFuture, Running};

/// What reads files again. Dropped or stopped, it reads no more.
#[derive(Debug, Default)]
pub(super) struct Watched(Mutex<JoinSet<()>>);

impl Watched {
    /// Reads a file and gives its text to `take`, and again whenever it has changed. A change that cannot be read
    /// or taken is said in the log, and what was taken before stays.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or `take` does not take it.
    pub(super) async fn add(
        &self,
        file: &Path,
        mut take: impl FnMut(&str) -> Result<(), String> + Send + 'static,
    ) -> Result<(), BoxError> {
        let file = file.to_owned();
        let mut known = read(&file).await?;
        take(&known).map_err(|error| named(&file, &error))?;
        let mut is_wrong = false;
        self.0.lock().spawn(async move {
            loop {
                sleep(EVERY).await;
                let taken = match read(&file).await {
                    Ok(text) if text == known => Ok(()),
                    Ok(text) => take(&text)
                        .map(|()| known = text)
                        .map_err(|error| named(&file, &error)),
                    Err(error) => Err(error),
                };
                match &taken {
                    Err(error) if !is_wrong => {
                        tracing::warn!(target: "otlp_collector", "{error}; what was read before stays in use");
                    }
                    _ => {}
                }
                is_wrong = taken.is_err();
            }
        });
        Ok(())
    }
}

impl Running for Watched {
    fn stop(&self, _deadline: Deadline) -> BoxFuture<'_, ()> {
        self.0.lock().abort_all();
        Box::pin(std::future::ready(()))
    }
}

async fn read(file: &Path) -> Result<String, String> {
    let path = file.to_owned();
    let read = spawn_blocking(move || {
        let mut text = String::new();
        File::open(path)?.take(LENGTH_MAX + 1).read_to_string(&mut text)?;
        Ok::<_, std::io::Error>(text)
    });
    match read.await {
        Ok(Ok(text)) if text.len() as u64 <= LENGTH_MAX => Ok(text),
        Ok(Ok(_)) => Err(named(file, "it has more than 1 MiB")),
        Ok(Err(error)) => Err(named(file, &error.to_string())),
        Err(_) => Err(named(file, "it could not be read")),
    }
}

fn named(file: &Path, error: &str) -> String {
    format!("\"{}\": {error}", PathBuf::from(file).display())
}

const EVERY: Duration = Duration::from_secs(10);
const LENGTH_MAX: u64 = 1 << 20;
