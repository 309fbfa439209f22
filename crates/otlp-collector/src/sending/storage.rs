//! Where what waits is kept.

use std::fmt::Debug;
use std::future::{Future, ready};
use std::pin::Pin;

use otlp_core::export::ExportError;

use crate::consumer::Batch;

/// Where a sending queue keeps what waits. In [memory](MemoryStorage) it is gone with the process; another one may
/// put it on a disk.
///
/// The queue decides about order and room, the storage about what a batch is kept as: a queue asks it to keep a batch
/// before it answers for it, and to bring it back when its turn has come. What was kept and is dropped is given up.
pub trait Storage: Debug + Send + Sync + 'static {
    /// Keeps a batch. When it has answered, the batch is as safe as the storage makes it.
    ///
    /// # Errors
    ///
    /// It cannot be kept, now or ever: the batch is refused with this error, and may be brought again.
    fn keep(&self, batch: Batch) -> StorageFuture<'_, Result<Box<dyn Kept>, ExportError>>;
}

/// A batch that is kept.
pub trait Kept: Debug + Send + 'static {
    /// Brings it back, to be sent.
    ///
    /// # Errors
    ///
    /// It is there no more: its items count as failed.
    fn bring(self: Box<Self>) -> StorageFuture<'static, Result<Batch, ExportError>>;
}

/// What a storage does, in time.
pub type StorageFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Keeps what waits in memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryStorage;

impl Storage for MemoryStorage {
    fn keep(&self, batch: Batch) -> StorageFuture<'_, Result<Box<dyn Kept>, ExportError>> {
        Box::pin(ready(Ok(Box::new(batch) as Box<dyn Kept>)))
    }
}

impl Kept for Batch {
    fn bring(self: Box<Self>) -> StorageFuture<'static, Result<Batch, ExportError>> {
        Box::pin(ready(Ok(*self)))
    }
}
