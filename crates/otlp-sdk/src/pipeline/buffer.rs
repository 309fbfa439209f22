//! Byte buffers that come back: a chunk's memory returns here when the last slice of it is gone.

use std::sync::{Arc, Weak};

use bytes::Bytes;

use crate::sync::Mutex;

/// A bounded stock of empty buffers.
#[derive(Debug)]
pub(crate) struct BufferPool {
    free: Mutex<Vec<Vec<u8>>>,
    capacity: usize,
}

impl BufferPool {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { free: Mutex::new(Vec::with_capacity(capacity)), capacity })
    }

    /// An empty buffer; a fresh one without memory when the stock is empty or busy.
    ///
    /// Runs on instrumented threads, so it never waits.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.free.try_lock().and_then(|mut free| free.pop()).unwrap_or_default()
    }

    /// Freezes a buffer; its memory comes back when the last clone and slice is dropped.
    ///
    /// A buffer that is not nearly full is copied into one of its own size: what waits for a server
    /// that is away must not hold much more memory than the bytes that the budget counts.
    pub(crate) fn freeze(self: &Arc<Self>, buf: Vec<u8>) -> Bytes {
        if buf.len() < buf.capacity() / 8 * 7 {
            let bytes = Bytes::copy_from_slice(&buf);
            self.put_back(buf);
            return bytes;
        }
        if buf.capacity() > KEPT_BYTES {
            return buf.into();
        }
        Bytes::from_owner(Returning { buf, pool: Arc::downgrade(self) })
    }

    /// Takes a buffer's memory back, unless it is out of the ordinary or the stock is full.
    pub(crate) fn put_back(&self, mut buf: Vec<u8>) {
        if buf.capacity() > KEPT_BYTES {
            return;
        }
        buf.clear();
        if let Some(mut free) = self.free.try_lock()
            && free.len() < self.capacity
        {
            free.push(buf);
        }
    }
}

/// A buffer on loan. Readers see exactly what was written: the old content is cleared on return.
struct Returning {
    buf: Vec<u8>,
    pool: Weak<BufferPool>,
}

impl AsRef<[u8]> for Returning {
    fn as_ref(&self) -> &[u8] {
        &self.buf
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.put_back(std::mem::take(&mut self.buf));
        }
    }
}

/// Larger buffers are given to the allocator: one huge span must not keep its memory for ever.
const KEPT_BYTES: usize = 128 * 1024;

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_empty_when_the_last_slice_is_gone() {
        let pool = BufferPool::new(1);
        let mut buf = Vec::with_capacity(24);
        buf.extend_from_slice(b"secret of the first user");
        let capacity = buf.capacity();
        let bytes = pool.freeze(buf);
        let slice = bytes.slice(3..6);
        drop(bytes);
        assert_eq!(pool.take().capacity(), 0);
        drop(slice);
        let again = pool.take();
        assert_eq!((again.len(), again.capacity()), (0, capacity));
    }

    #[test]
    fn a_buffer_that_is_half_empty_is_copied_and_comes_back_at_once() {
        let pool = BufferPool::new(1);
        let mut buf = Vec::with_capacity(64 * 1024);
        buf.extend_from_slice(b"a lonely span");
        let bytes = pool.freeze(buf);
        assert_eq!(pool.take().capacity(), 64 * 1024);
        assert_eq!(&bytes[..], b"a lonely span");
    }

    #[test]
    fn the_stock_is_bounded_and_outlived_by_its_buffers() {
        let pool = BufferPool::new(1);
        let all: Vec<_> = (0..3u8).map(|byte| pool.freeze(vec![byte; 10])).collect();
        drop(all);
        assert_eq!(pool.free.lock().len(), 1);
        let last = pool.freeze(vec![7; 10]);
        drop(pool);
        assert_eq!(&last[..], [7; 10]);
    }
}
