//! Binds, and accepts connections: what goes wrong with one of them never ends the loop.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::connection::{Door, open};
use super::lifetime::Phase;
use super::pulse::Pulse;
use super::seldom::Seldom;
use super::settings::SocketKind;

/// Listens at an endpoint such as `localhost:4317` or `:4317`.
pub(super) async fn bind(endpoint: &str, transport: SocketKind) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "it names no address");
    for address in addresses(endpoint, transport).await? {
        match listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn addresses(endpoint: &str, transport: SocketKind) -> io::Result<Vec<SocketAddr>> {
    let port = endpoint.strip_prefix(':').map(str::parse::<u16>);
    let mut addresses: Vec<SocketAddr> = match port {
        Some(Ok(port)) => {
            vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()]
        }
        _ => {
            let mut found: Vec<_> = lookup_host(endpoint).await?.collect();
            // As Go does: `localhost` is 127.0.0.1 where it can be.
            found.sort_by_key(SocketAddr::is_ipv6);
            found
        }
    };
    addresses.retain(|address| match transport {
        SocketKind::Tcp => true,
        SocketKind::Tcp4 => address.is_ipv4(),
        SocketKind::Tcp6 => address.is_ipv6(),
    });
    Ok(addresses)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address.ip() {
        IpAddr::V4(_) => TcpSocket::new_v4(),
        IpAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A restart must not wait for the connections of the last run to be forgotten.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts until the receiver drains, then waits for the connections.
pub(super) async fn run(listener: TcpListener, door: Arc<Door>, mut phase: watch::Receiver<Phase>) {
    let mut connections = JoinSet::new();
    let mut pause = PAUSE_MIN;
    loop {
        let accepted = tokio::select! {
            _ = phase.wait_for(|phase| *phase != Phase::Running) => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                pause = PAUSE_MIN;
                admit(stream, peer, &door, &phase, &mut connections);
            }
            Err(error) if is_of_client(&error) => {}
            Err(error) => {
                door.counters().accept_errors.add(1);
                REFUSED.warn(|| format!("no connection can be accepted: {error}"));
                door.slots.relieve();
                // Whatever is missing, file handles most likely, is not there sooner for being asked for
                // again at once. A connection that ends gives its handle back.
                tokio::select! {
                    () = sleep(pause) => {}
                    Some(_) = connections.join_next() => {}
                }
                pause = pause.saturating_mul(2).min(PAUSE_MAX);
            }
        }
    }
    drop(listener);
    tokio::select! {
        () = async { while connections.join_next().await.is_some() {} } => {}
        _ = phase.wait_for(|phase| *phase == Phase::Cut) => {}
    }
    connections.shutdown().await;
}

fn admit(
    stream: TcpStream,
    peer: SocketAddr,
    door: &Arc<Door>,
    phase: &watch::Receiver<Phase>,
    connections: &mut JoinSet<()>,
) {
    let pulse = Arc::new(Pulse::new(Instant::now()));
    let Some(slot) = door.slots.take(peer.ip(), Arc::clone(&pulse)) else {
        door.counters().refused.add(1);
        REFUSED.warn(|| format!("a connection from {} is one too many", peer.ip()));
        return;
    };
    door.counters().accepted.add(1);
    let (door, phase) = (Arc::clone(door), phase.clone());
    connections.spawn(async move {
        tokio::select! {
            () = open(stream, peer, pulse, &door, phase) => {}
            () = slot.evicted() => door.counters().evicted.add(1),
        }
    });
}

/// Whether the connection was gone before it was taken: the next one may be good.
fn is_of_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    let kinds = [ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted];
    kinds.contains(&error.kind())
}

static REFUSED: Seldom = Seldom::new();

const BACKLOG: u32 = 1024;
const PAUSE_MIN: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_millis(500);
