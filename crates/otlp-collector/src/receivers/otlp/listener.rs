//! Accepts connections: what goes wrong with one of them never ends the loop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::bind::Listener;
use super::connection::{Door, open};
use super::lifetime::Phase;
use super::pulse::Pulse;
use super::stream::Stream;
use crate::seldom::Seldom;

/// Accepts until the receiver drains, then waits for the connections.
pub(super) async fn run(listener: Listener, door: Arc<Door>, mut phase: watch::Receiver<Phase>) {
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
    stream: Stream,
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
    let (opened, phase) = (Opened::count(Arc::clone(door)), phase.clone());
    connections.spawn(async move {
        let door = &opened.0;
        tokio::select! {
            () = open(stream, peer, pulse, door, phase) => {}
            () = slot.evicted() => door.counters().evicted.add(1),
        }
    });
}

/// A connection in the numbers, however it ends.
struct Opened(Arc<Door>);

impl Opened {
    fn count(door: Arc<Door>) -> Self {
        door.counters().accepted.add(1);
        Self(door)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.counters().closed.add(1);
    }
}

/// Whether the connection was gone before it was taken: the next one may be good.
fn is_of_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    let kinds = [ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted];
    kinds.contains(&error.kind())
}

static REFUSED: Seldom = Seldom::new();

const PAUSE_MIN: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_millis(500);
