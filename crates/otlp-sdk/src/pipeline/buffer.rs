//! Byte buffers that come back: a chunk's memory returns here when the last slice of it is gone.

use std::sync::{Arc, Weak};

use bytes::Bytes;

use crate::sync::Mutex;

/// A bounded stock of empty buffers.
///
/// It takes back what a burst has needed, since memory that is new costs a page fault for each page,
/// and gives it to the allocator when it has gone unused for a while.
#[derive(Debug)]
pub(crate) struct BufferPool {
    stock: Mutex<Stock>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Stock {
    free: Vec<Vec<u8>>,
    /// Fewest that were free since the last trim: so many were not needed.
    unused: usize,
}

impl BufferPool {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { stock: Mutex::new(Stock::default()), capacity })
    }

    /// Gives up what has not been used since the last call, down to `kept` buffers.
    pub(crate) fn trim(&self, kept: usize) {
        let mut stock = self.stock.lock();
        let spare = stock.unused.min(stock.free.len().saturating_sub(kept));
        let given_up = stock.free.drain(..spare).collect::<Vec<_>>();
        stock.unused = stock.free.len();
        drop(stock);
        drop(given_up);
    }

    /// An empty buffer; a fresh one without memory when the stock is empty or busy.
    ///
    /// Runs on instrumented threads, so it never waits.
    pub(crate) fn take(&self) -> Vec<u8> {
        let locked = (0..TRIES).find_map(|_| self.stock.try_lock());
        let Some(mut stock) = locked else { return Vec::new() };
        let buf = stock.free.pop();
        stock.unused = stock.unused.min(stock.free.len());
        buf.unwrap_or_default()
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
        // By whoever drops the last slice: the worker or an exporter.
        let mut stock = self.stock.lock();
        if stock.free.len() < self.capacity {
            stock.free.push(buf);
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

/// A lock here is held for some nanoseconds, and a buffer that is made instead costs microseconds.
const TRIES: usize = 8;
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
    fn what_goes_unused_is_given_up_and_the_rest_stays() {
        let pool = BufferPool::new(100);
        let free = || pool.stock.lock().free.len();
        (0..10).for_each(|_| pool.put_back(Vec::with_capacity(64)));
        pool.trim(2);
        assert_eq!(free(), 10, "they have just come");
        let in_use: Vec<_> = (0..7).map(|_| pool.take()).collect();
        in_use.into_iter().for_each(|buf| pool.put_back(buf));
        pool.trim(2);
        assert_eq!(free(), 7, "three were not needed");
        pool.trim(2);
        assert_eq!(free(), 2, "the last ones are kept");
        pool.trim(2);
        assert_eq!(free(), 2);
    }

    #[test]
    fn the_stock_is_bounded_and_outlived_by_its_buffers() {
        let pool = BufferPool::new(1);
        let all: Vec<_> = (0..3u8).map(|byte| pool.freeze(vec![byte; 10])).collect();
        drop(all);
        assert_eq!(pool.stock.lock().free.len(), 1);
        let last = pool.freeze(vec![7; 10]);
        drop(pool);
        assert_eq!(&last[..], [7; 10]);
    }
}
