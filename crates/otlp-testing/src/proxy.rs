//! A TCP proxy whose line can be cut, stalled and closed.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::background::{Background, GRACE, Phase, reached, started};
use crate::gate::Gate;

/// What is wrong with the line. Takes effect at once, also on open connections.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing: bytes pass.
    #[default]
    None,
    /// New connections are refused by the system, as by a host without that service; open ones are
    /// cut.
    Refuse,
    /// Each connection is cut after so many bytes in one direction, counted from its start.
    CutAfter {
        /// Bytes that still pass.
        bytes: u64,
        /// Which bytes are counted.
        direction: Direction,
    },
    /// Connections are accepted and nothing passes, in either direction, until the fault changes.
    Stall,
    /// As `Stall`, until the gate opens.
    Gated(Gate),
}

/// A direction through the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Request,
    /// From the server to the client.
    Answer,
}

/// A loopback proxy in front of a port, with a [`Fault`] that can be changed while it runs.
///
/// ```
/// use otlp_testing::{Fault, FaultProxy, Server};
///
/// let server = Server::start();
/// let proxy = FaultProxy::start(server.grpc_addr());
/// proxy.set(Fault::Stall);
/// // … export to proxy.endpoint("http") …
/// proxy.set(Fault::None);
/// ```
#[derive(Debug)]
pub struct FaultProxy {
    addr: SocketAddr,
    fault: watch::Sender<Fault>,
    door: Arc<Door>,
    counts: Arc<ProxyCounts>,
    _background: Background,
}

/// The listening socket as a test may wait for it.
#[derive(Debug, Default)]
struct Door {
    state: Mutex<DoorState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct DoorState {
    /// Follows the fault.
    shut: bool,
    connections: u64,
}

#[derive(Debug, Default)]
struct ProxyCounts {
    request_bytes: AtomicU64,
    answer_bytes: AtomicU64,
    cuts: AtomicU64,
}

impl FaultProxy {
    /// Starts on a free port, in front of `target`.
    ///
    /// # Panics
    ///
    /// The machine gives no loopback port or no thread.
    #[must_use]
    pub fn start(target: SocketAddr) -> Self {
        started(Self::try_start(target))
    }

    fn try_start(target: SocketAddr) -> io::Result<Self> {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let fault = watch::Sender::new(Fault::None);
        let door = Arc::new(Door::default());
        let doorman = Arc::clone(&door);
        let counts = Arc::new(ProxyCounts::default());
        let line = Line { target, fault: fault.subscribe(), counts: Arc::clone(&counts) };
        let background = Background::start("otlp-testing-proxy", 0, move |phase| async move {
            run(listener, line, doorman, phase).await;
        })?;
        Ok(Self { addr, fault, door, counts, _background: background })
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

    /// Changes what is wrong with the line. When it returns, connections are refused, or accepted
    /// again, as the fault says.
    pub fn set(&self, fault: Fault) {
        let refuse = matches!(fault, Fault::Refuse);
        self.fault.send_replace(fault);
        // Bounded: a proxy thread that has died must not hang the test.
        let _ = self.door.wait_for(GRACE, |door| door.shut == refuse);
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.door.state.lock().connections
    }

    /// Blocks until at least `count` connections were accepted; `false` when `timeout` passed
    /// first.
    #[must_use]
    pub fn wait_for_connections(&self, count: u64, timeout: Duration) -> bool {
        self.door.wait_for(timeout, |door| door.connections >= count)
    }

    /// Connections that the fault has cut.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.counts.cuts.load(Ordering::Relaxed)
    }

    /// Bytes passed on in a direction.
    #[must_use]
    pub fn bytes(&self, direction: Direction) -> u64 {
        self.counts.bytes(direction).load(Ordering::Relaxed)
    }
}

impl Door {
    fn change(&self, change: impl FnOnce(&mut DoorState)) {
        change(&mut self.state.lock());
        self.changed.notify_all();
    }

    /// Whether `reached` came true before `timeout` had passed.
    fn wait_for(&self, timeout: Duration, reached: impl Fn(&DoorState) -> bool) -> bool {
        let differs = |state: &mut DoorState| !reached(state);
        let mut state = self.state.lock();
        !self.changed.wait_while_for(&mut state, differs, timeout).timed_out()
    }
}

impl ProxyCounts {
    fn bytes(&self, direction: Direction) -> &AtomicU64 {
        match direction {
            Direction::Request => &self.request_bytes,
            Direction::Answer => &self.answer_bytes,
        }
    }
}

/// What each connection needs to know.
#[derive(Clone)]
struct Line {
    target: SocketAddr,
    fault: watch::Receiver<Fault>,
    counts: Arc<ProxyCounts>,
}

async fn run(
    listener: StdListener,
    mut line: Line,
    door: Arc<Door>,
    mut phase: watch::Receiver<Phase>,
) {
    let Ok(addr) = listener.local_addr() else {
        return;
    };
    let mut listener = listen(listener).ok();
    let mut connections = JoinSet::new();
    loop {
        let refuse = matches!(*line.fault.borrow_and_update(), Fault::Refuse);
        if refuse {
            listener = None;
        } else if listener.is_none() {
            // A port that somebody else took meanwhile stays refused; the test sees that.
            listener = StdListener::bind(addr).and_then(listen).ok();
        }
        door.change(|door| door.shut = refuse);
        tokio::select! {
            () = reached(&mut phase, Phase::Draining) => return,
            changed = line.fault.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next() => {}
            Some(stream) = accept(listener.as_ref()) => {
                door.change(|door| door.connections += 1);
                connections.spawn(connect(stream, line.clone()));
            }
        }
    }
}

fn listen(listener: StdListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

async fn accept(listener: Option<&TcpListener>) -> Option<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.ok().map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

async fn connect(client: TcpStream, line: Line) {
    let Ok(server) = TcpStream::connect(line.target).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (counts, answers) = (Arc::clone(&line.counts), line.clone());
    let requests = pump(&mut from_client, &mut to_server, Direction::Request, line);
    let answers = pump(&mut from_server, &mut to_client, Direction::Answer, answers);
    // A cut in one direction ends both; an ordinary end of one lets the other finish. The cut is
    // counted while the sockets are open: whoever sees it finds it counted.
    if tokio::try_join!(requests, answers).is_err_and(|end| end == End::Cut) {
        counts.cuts.fetch_add(1, Ordering::Relaxed);
    }
}

/// Why a direction ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Cut,
    Broken,
}

async fn pump(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    direction: Direction,
    mut line: Line,
) -> Result<(), End> {
    let mut buffer = vec![0; 16 * 1024];
    let mut passed = 0;
    loop {
        let room = room(&mut line.fault, direction, passed).await?;
        let want = buffer.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        let Some(window) = buffer.get_mut(..want) else {
            return Err(End::Broken);
        };
        let read = tokio::select! {
            read = from.read(window) => read.map_err(|_| End::Broken)?,
            changed = line.fault.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return Err(End::Broken),
            },
        };
        if read == 0 {
            return to.shutdown().await.map_err(|_| End::Broken);
        }
        // What was read before a stall began is held with it.
        let _ = self::room(&mut line.fault, direction, passed).await?;
        passed = passed.saturating_add(count(read));
        let total = line.counts.bytes(direction);
        total.fetch_add(count(read), Ordering::Relaxed);
        let bytes = window.get(..read).unwrap_or_default();
        tokio::select! {
            written = to.write_all(bytes) => written.map_err(|_| End::Broken)?,
            () = refused(line.fault.clone()) => return Err(End::Cut),
        }
    }
}

/// Waits until bytes may pass and says how many: at least one.
async fn room(
    fault: &mut watch::Receiver<Fault>,
    direction: Direction,
    passed: u64,
) -> Result<u64, End> {
    loop {
        let now = fault.borrow_and_update().clone();
        let gate = match now {
            Fault::None => return Ok(u64::MAX),
            Fault::Refuse => return Err(End::Cut),
            Fault::CutAfter { bytes, direction: counted } if counted == direction => {
                let room = bytes.saturating_sub(passed);
                return if room == 0 { Err(End::Cut) } else { Ok(room) };
            }
            Fault::CutAfter { .. } => return Ok(u64::MAX),
            Fault::Stall => None,
            Fault::Gated(gate) if gate.is_open() => return Ok(u64::MAX),
            Fault::Gated(gate) => Some(gate),
        };
        tokio::select! {
            changed = fault.changed() => changed.map_err(|_| End::Broken)?,
            () = opened(gate.as_ref()) => {}
        }
    }
}

/// Resolves when the line is closed: also a peer that does not read must not hold that up.
async fn refused(mut fault: watch::Receiver<Fault>) {
    let _ = fault.wait_for(|fault| matches!(fault, Fault::Refuse)).await;
}

async fn opened(gate: Option<&Gate>) {
    match gate {
        Some(gate) => gate.opened().await,
        None => std::future::pending().await,
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
