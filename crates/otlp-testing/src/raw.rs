//! A TCP server that answers bytes, not a protocol.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::{Condvar, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::background::{Background, Phase, reached, started};

/// What a [`RawServer`] does with each connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RawAnswer {
    /// Writes these bytes as soon as the client is connected, then closes its side.
    OnAccept(Bytes),
    /// Reads the client's first bytes, writes these, then closes its side.
    OnFirstBytes(Bytes),
    /// Reads up to and with the end of an HTTP/1 head and a `content-length` body, writes these,
    /// then closes its side.
    OnRequest(Bytes),
    /// Reads as [`OnRequest`](Self::OnRequest), and writes these again and again, as long as the client is
    /// there.
    Endless(Bytes),
    /// Closes the connection at once.
    CloseAtOnce,
    /// Resets the connection at once (RST instead of FIN).
    Reset,
    /// Reads and never writes: a black hole.
    Silent,
}

/// A loopback TCP server with one [`RawAnswer`] for all connections.
///
/// ```
/// use otlp_testing::{RawAnswer, RawServer};
///
/// // What a client sees that speaks TLS to a plain-text port, or HTTP to something else:
/// let ssh = RawServer::start(RawAnswer::OnAccept("SSH-2.0-OpenSSH_9.6\r\n".into()));
/// assert!(ssh.endpoint("https").starts_with("https://127.0.0.1:"));
/// ```
#[derive(Debug)]
pub struct RawServer {
    addr: SocketAddr,
    seen: Arc<Seen>,
    _background: Background,
}

#[derive(Debug, Default)]
struct Seen {
    log: Mutex<SeenLog>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct SeenLog {
    connections: u64,
    received: BytesMut,
}

impl RawServer {
    /// Starts on a free port.
    ///
    /// # Panics
    ///
    /// The machine gives no loopback port or no thread.
    #[must_use]
    pub fn start(answer: RawAnswer) -> Self {
        started(Self::try_start(answer))
    }

    fn try_start(answer: RawAnswer) -> io::Result<Self> {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let seen = Arc::new(Seen::default());
        let noting = Arc::clone(&seen);
        let background = Background::start("otlp-testing-raw", 0, move |phase| {
            accept(listener, answer, noting, phase)
        })?;
        Ok(Self { addr, seen, _background: background })
    }

    /// `scheme://127.0.0.1:port`.
    #[must_use]
    pub fn endpoint(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.addr)
    }

    /// The address it listens at.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.seen.log.lock().connections
    }

    /// What clients wrote so far, all connections in one, the first MiB of it.
    #[must_use]
    pub fn received(&self) -> Bytes {
        self.seen.log.lock().received.clone().freeze()
    }

    /// Blocks until at least `count` connections were accepted; `false` when `timeout` passed
    /// first.
    #[must_use]
    pub fn wait_for_connections(&self, count: u64, timeout: Duration) -> bool {
        let mut log = self.seen.log.lock();
        let waiting = |log: &mut SeenLog| log.connections < count;
        !self.seen.changed.wait_while_for(&mut log, waiting, timeout).timed_out()
    }
}

impl Seen {
    fn connection(&self) {
        self.log.lock().connections += 1;
        self.changed.notify_all();
    }

    fn bytes(&self, bytes: &[u8]) {
        let mut log = self.log.lock();
        let room = RECEIVED_BYTES_MAX.saturating_sub(log.received.len());
        let kept = bytes.get(..room).unwrap_or(bytes);
        log.received.extend_from_slice(kept);
        self.changed.notify_all();
    }
}

/// How many received bytes are kept.
const RECEIVED_BYTES_MAX: usize = 1 << 20;

async fn accept(
    listener: StdListener,
    answer: RawAnswer,
    seen: Arc<Seen>,
    mut phase: watch::Receiver<Phase>,
) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = reached(&mut phase, Phase::Draining) => return,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                seen.connection();
                connections.spawn(serve(stream, answer.clone(), Arc::clone(&seen)));
            },
        }
    }
}

async fn serve(mut stream: TcpStream, answer: RawAnswer, seen: Arc<Seen>) {
    // A client that is gone is no fault of the server: errors end the connection.
    let _ = match answer {
        RawAnswer::CloseAtOnce => Ok(()),
        RawAnswer::Reset => stream.set_zero_linger(),
        RawAnswer::Silent => read_on(&mut stream, &seen).await,
        RawAnswer::OnAccept(bytes) => write(&mut stream, &bytes, &seen).await,
        RawAnswer::OnFirstBytes(bytes) => match read_some(&mut stream, &seen).await {
            Ok(_) => write(&mut stream, &bytes, &seen).await,
            Err(error) => Err(error),
        },
        RawAnswer::Endless(bytes) => match read_request(&mut stream, &seen).await {
            Ok(()) => loop {
                if let Err(error) = stream.write_all(&bytes).await {
                    break Err(error);
                }
            },
            Err(error) => Err(error),
        },
        RawAnswer::OnRequest(bytes) => match read_request(&mut stream, &seen).await {
            Ok(()) => write(&mut stream, &bytes, &seen).await,
            Err(error) => Err(error),
        },
    };
}

/// Writes, ends the sending side, and reads on until the client closes: closing with unread bytes
/// would reset the connection and could take the answer with it.
async fn write(stream: &mut TcpStream, bytes: &[u8], seen: &Seen) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.shutdown().await?;
    read_on(stream, seen).await
}

async fn read_on(stream: &mut TcpStream, seen: &Seen) -> io::Result<()> {
    while !read_some(stream, seen).await?.is_empty() {}
    Ok(())
}

async fn read_some(stream: &mut TcpStream, seen: &Seen) -> io::Result<Bytes> {
    let mut bytes = BytesMut::with_capacity(16 * 1024);
    stream.read_buf(&mut bytes).await?;
    seen.bytes(&bytes);
    Ok(bytes.freeze())
}

async fn read_request(stream: &mut TcpStream, seen: &Seen) -> io::Result<()> {
    let mut request = BytesMut::new();
    while missing(&request) {
        let more = read_some(stream, seen).await?;
        if more.is_empty() || request.len() > RECEIVED_BYTES_MAX {
            return Ok(());
        }
        request.extend_from_slice(&more);
    }
    Ok(())
}

/// Whether head or body are not complete yet.
fn missing(request: &[u8]) -> bool {
    let head = request.windows(4).position(|window| window == b"\r\n\r\n");
    let Some(head) = head else { return true };
    let text = String::from_utf8_lossy(request.get(..head).unwrap_or_default());
    let length = text.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    request.len() < head.saturating_add(4).saturating_add(length.unwrap_or(0))
}
