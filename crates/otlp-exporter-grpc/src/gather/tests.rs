use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use super::*;

/// A socket that takes up to `room` bytes and notes each write.
#[derive(Debug, Default)]
struct Socket {
    writes: Vec<Vec<u8>>,
    room: usize,
    is_shut_down: bool,
}

impl Write for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = bytes.len().min(self.room);
        if taken == 0 {
            return Poll::Pending;
        }
        self.room -= taken;
        self.writes.push(bytes[..taken].to_vec());
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_shut_down = true;
        Poll::Ready(Ok(()))
    }
}

impl Read for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A gathering socket and the task that drives it.
struct Driven {
    gather: Gather<Socket>,
    wakes: Arc<Wakes>,
    waker: Waker,
}

impl Driven {
    fn new(room: usize) -> Self {
        let wakes = Arc::new(Wakes::default());
        let socket = Socket { room, ..Socket::default() };
        Self {
            gather: Gather::new(socket, Arc::default()),
            waker: Arc::clone(&wakes).into(),
            wakes,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Poll<usize> {
        let mut cx = Context::from_waker(&self.waker);
        let (head, tail) = bytes.split_at(bytes.len() / 2);
        let pieces = [IoSlice::new(head), IoSlice::new(tail)];
        Pin::new(&mut self.gather).poll_write_vectored(&mut cx, &pieces).map(Result::unwrap)
    }

    fn flush(&mut self) -> Poll<()> {
        let mut cx = Context::from_waker(&self.waker);
        Pin::new(&mut self.gather).poll_flush(&mut cx).map(Result::unwrap)
    }

    fn read(&mut self) {
        let mut cx = Context::from_waker(&self.waker);
        let mut buffer = [0; 8];
        let mut buffer = hyper::rt::ReadBuf::new(&mut buffer);
        assert!(Pin::new(&mut self.gather).poll_read(&mut cx, buffer.unfilled()).is_pending());
    }

    fn writes(&self) -> &[Vec<u8>] {
        &self.gather.io.writes
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }
}

const FRAME: [u8; 16 * 1024] = [7; 16 * 1024];

#[test]
fn frames_that_are_flushed_one_by_one_leave_in_one_write() {
    let mut driven = Driven::new(usize::MAX);
    for _ in 0..4 {
        assert_eq!(driven.write(&FRAME), Poll::Ready(FRAME.len()));
        assert_eq!(driven.flush(), Poll::Ready(()));
    }
    assert!(driven.writes().is_empty());
    // The task was woken, and the first thing that it does is to read.
    assert!(driven.wakes() > 0);
    driven.read();
    assert_eq!(driven.writes().iter().map(Vec::len).collect::<Vec<_>>(), [4 * FRAME.len()]);
}

#[test]
fn headers_wait_for_the_body_but_not_for_ever() {
    let mut driven = Driven::new(usize::MAX);
    assert_eq!(driven.write(b"headers"), Poll::Ready(7));
    assert_eq!(driven.flush(), Poll::Ready(()));
    driven.read();
    assert_eq!(driven.write(&FRAME), Poll::Ready(FRAME.len()));
    assert_eq!(driven.flush(), Poll::Ready(()));
    driven.read();
    assert_eq!(driven.writes().iter().map(Vec::len).collect::<Vec<_>>(), [7 + FRAME.len()]);

    // Whoever only reads, as in a handshake, is woken for another read, which sends.
    assert_eq!(driven.write(b"hello"), Poll::Ready(5));
    assert_eq!(driven.flush(), Poll::Ready(()));
    let wakes = driven.wakes();
    driven.read();
    assert_eq!((driven.wakes(), driven.writes().len()), (wakes + 1, 1));
    driven.read();
    assert_eq!((driven.wakes(), driven.writes().len()), (wakes + 1, 2));
}

#[test]
fn a_second_flush_without_a_write_is_a_flush() {
    let mut driven = Driven::new(usize::MAX);
    assert_eq!(driven.write(b"ping"), Poll::Ready(4));
    assert_eq!(driven.flush(), Poll::Ready(()));
    assert_eq!(driven.flush(), Poll::Ready(()));
    assert_eq!(driven.writes(), [b"ping".to_vec()]);
    // Nothing is left, so nothing wakes the task for ever.
    let wakes = driven.wakes();
    assert_eq!(driven.flush(), Poll::Ready(()));
    driven.read();
    assert_eq!((driven.wakes(), driven.writes().len()), (wakes, 1));
}

#[test]
fn reading_does_not_send_what_was_not_flushed() {
    let mut driven = Driven::new(usize::MAX);
    assert_eq!(driven.write(b"half a frame"), Poll::Ready(12));
    driven.read();
    assert!(driven.writes().is_empty());
}

#[test]
fn the_buffer_is_bounded_and_a_full_socket_holds_the_writer() {
    let mut driven = Driven::new(0);
    let mut taken = 0;
    while let Poll::Ready(written) = driven.write(&FRAME) {
        taken += written;
        assert!(taken <= BUFFER_MAX);
    }
    assert_eq!(taken, BUFFER_MAX);
    assert_eq!(driven.gather.buffer.len(), BUFFER_MAX);
    assert_eq!(driven.flush(), Poll::Ready(()));
    assert!(driven.flush().is_pending());

    driven.gather.io.room = usize::MAX;
    assert_eq!(driven.write(&FRAME), Poll::Ready(FRAME.len()));
    assert_eq!(driven.writes().concat().len(), BUFFER_MAX);
}

#[test]
fn a_large_write_is_not_copied_but_keeps_its_place() {
    let mut driven = Driven::new(usize::MAX);
    assert_eq!(driven.write(b"before"), Poll::Ready(6));
    let large = vec![9; 2 * DIRECT_MIN];
    let mut left = large.as_slice();
    while !left.is_empty() {
        let Poll::Ready(written) = driven.write(left) else { panic!("the socket has room") };
        left = &left[written..];
    }
    assert_eq!(driven.flush(), Poll::Ready(()));
    assert_eq!(driven.flush(), Poll::Ready(()));
    assert_eq!(driven.writes().concat(), [b"before".as_slice(), &large].concat());
}

#[test]
fn shutting_down_sends_the_rest_first() {
    let mut driven = Driven::new(usize::MAX);
    assert_eq!(driven.write(b"bye"), Poll::Ready(3));
    let mut cx = Context::from_waker(&driven.waker);
    assert!(Pin::new(&mut driven.gather).poll_shutdown(&mut cx).is_ready());
    assert_eq!(driven.writes(), [b"bye".to_vec()]);
    assert!(driven.gather.io.is_shut_down);
}

#[test]
fn whatever_the_order_of_calls_all_bytes_leave_in_order() {
    // A small generator with fixed seeds: each failure can be repeated.
    for seed in 1..200u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut next = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below).unwrap()
        };
        let mut driven = Driven::new(0);
        let mut sent = Vec::new();
        for step in 0..100u8 {
            match next(4) {
                0 | 1 => {
                    let len = if next(10) == 0 { next(200_000) } else { next(20_000) } + 1;
                    let bytes = vec![step; len];
                    if let Poll::Ready(written) = driven.write(&bytes) {
                        assert!(written > 0);
                        sent.extend_from_slice(&bytes[..written]);
                    }
                }
                2 => drop(driven.flush()),
                _ => driven.read(),
            }
            driven.gather.io.room = next(50_000);
        }
        driven.gather.io.room = usize::MAX;
        let _ = driven.flush();
        assert!(driven.flush().is_ready());
        assert!(driven.writes().concat() == sent, "seed {seed}");
    }
}
