//! How many connections there are, in all and of each peer. Where there is no room, one that has asked for
//! nothing makes it: idle connections, however many, keep nobody out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::pulse::Pulse;

/// Places for connections. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    max: usize,
    max_per_peer: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// The oldest first. Only peers with connections, so there are no more of them than connections.
    peers: HashMap<IpAddr, Vec<Arc<Seat>>>,
}

#[derive(Debug)]
struct Seat {
    pulse: Arc<Pulse>,
    evicted: Notify,
}

impl Seat {
    /// Whether it has had its time and was not asked for anything.
    fn is_unused(&self, now: Instant) -> bool {
        !self.pulse.has_served() && now.saturating_duration_since(self.pulse.born()) >= PATIENCE
    }

    /// Whether it was not asked for anything for long.
    fn is_quiet(&self, now: Instant) -> bool {
        let quiet = now.saturating_duration_since(self.pulse.quiet_since());
        self.pulse.has_served() && !self.pulse.is_serving() && quiet >= QUIET
    }
}

impl Slots {
    pub(super) fn new(max: usize, max_per_peer: usize) -> Self {
        Self { max, max_per_peer, taken: Arc::default() }
    }

    /// A place for a connection from this address.
    pub(super) fn take(&self, peer: IpAddr, pulse: Arc<Pulse>) -> Option<Slot> {
        let peer = network(peer);
        let mut taken = self.taken.lock();
        let of_peer = taken.peers.get(&peer).map_or(0, Vec::len);
        if of_peer >= self.max_per_peer {
            taken.evict(peer, pulse.born())?;
        } else if taken.all >= self.max {
            taken.evict_from_crowd(pulse.born())?;
        }
        let seat = Arc::new(Seat { pulse, evicted: Notify::new() });
        taken.peers.entry(peer).or_default().push(Arc::clone(&seat));
        taken.all = taken.all.saturating_add(1);
        Some(Slot { slots: self.clone(), peer, seat })
    }

    /// Ends a connection that has asked for nothing, if there is one: something else is short than places.
    pub(super) fn relieve(&self) {
        let _ = self.taken.lock().evict_from_crowd(Instant::now());
    }
}

impl Taken {
    /// Makes room at the cost of the peer that has the most connections.
    fn evict_from_crowd(&mut self, now: Instant) -> Option<()> {
        let crowd = self.peers.iter().max_by_key(|(_, seats)| seats.len());
        let crowd = crowd.map(|(peer, _)| *peer)?;
        self.evict(crowd, now)
    }

    /// Ends the peer's oldest connection that has had its time and has not asked for anything yet, or for long.
    fn evict(&mut self, peer: IpAddr, now: Instant) -> Option<()> {
        let seats = self.peers.get(&peer)?;
        let unused = seats.iter().find(|seat| seat.is_unused(now));
        let seat = Arc::clone(unused.or_else(|| seats.iter().find(|seat| seat.is_quiet(now)))?);
        seat.evicted.notify_one();
        self.leave(peer, &seat);
        Some(())
    }

    fn leave(&mut self, peer: IpAddr, seat: &Arc<Seat>) {
        let Some(seats) = self.peers.get_mut(&peer) else { return };
        let Some(at) = seats.iter().position(|other| Arc::ptr_eq(other, seat)) else { return };
        seats.remove(at);
        if seats.is_empty() {
            self.peers.remove(&peer);
        }
        self.all = self.all.saturating_sub(1);
    }
}

/// The place of a connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Slots,
    peer: IpAddr,
    seat: Arc<Seat>,
}

impl Slot {
    /// Resolves when another has taken the place.
    pub(super) async fn evicted(&self) {
        self.seat.evicted.notified().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // Of a place that another has, nothing is left to give back.
        self.slots.taken.lock().leave(self.peer, &self.seat);
    }
}

/// Who counts as one: an address of IPv4, a network of 64 bits of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

/// How long a connection has for its first request before another may take its place.
const PATIENCE: Duration = Duration::from_secs(1);

/// The same for one that has made requests, since the last of them. Its client most likely has gone.
const QUIET: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn pulse(born: Instant) -> Arc<Pulse> {
        Arc::new(Pulse::new(born))
    }

    #[test]
    fn a_peer_has_its_share_and_gives_it_back() {
        let slots = Slots::new(3, 2);
        let now = Instant::now();
        let of = |text: &str| slots.take(text.parse().unwrap(), pulse(now));
        let first = of("10.0.0.1");
        let second = of("::ffff:10.0.0.1");
        assert!(first.is_some() && second.is_some());
        assert!(of("10.0.0.1").is_none(), "two are its share, however they are written");
        let other = of("2001:db8::1");
        assert!(other.is_some());
        assert!(of("10.0.0.9").is_none(), "three are all");
        drop((first, other));
        let again = (of("2001:db8::1"), of("2001:db8::ffff"));
        assert!(again.0.is_some() && again.1.is_some());
        drop((second, again));
        assert!(slots.taken.lock().peers.is_empty() && slots.taken.lock().all == 0);
        assert!(Slots::new(0, 0).take([1, 2, 3, 4].into(), pulse(now)).is_none());
    }

    #[tokio::test]
    async fn who_has_asked_for_nothing_makes_room_and_nobody_else() {
        let slots = Slots::new(3, 2);
        let born = Instant::now();
        let later = born + PATIENCE;
        let peer = IpAddr::from([10, 0, 0, 1]);
        let busy = pulse(born);
        busy.on_request();
        let busy = slots.take(peer, busy).unwrap();
        let idle = slots.take(peer, pulse(born)).unwrap();
        let other = slots.take([10, 0, 0, 2].into(), pulse(born)).unwrap();
        assert!(slots.take(peer, pulse(born)).is_none(), "it has its time first");
        let next = slots.take(peer, pulse(later)).unwrap();
        idle.evicted().await;
        assert!(slots.take(peer, pulse(later)).is_none());
        drop(idle);
        assert_eq!(slots.taken.lock().all, 3);
        // In all there are three: the peer with the most makes room for another.
        let third = slots.take([10, 0, 0, 3].into(), pulse(later + PATIENCE)).unwrap();
        next.evicted().await;
        drop((busy, next, other, third));
        assert!(slots.taken.lock().peers.is_empty() && slots.taken.lock().all == 0);
    }

    #[tokio::test]
    async fn who_has_asked_for_nothing_for_a_minute_makes_room_too() {
        let slots = Slots::new(3, 1);
        let (born, peer) = (Instant::now(), IpAddr::from([10, 0, 0, 1]));
        let used = pulse(born);
        used.on_request();
        let seat = slots.take(peer, Arc::clone(&used)).unwrap();
        let late = || pulse(born + QUIET + PATIENCE);
        assert!(slots.take(peer, late()).is_none(), "a request is under way");
        used.on_answer();
        assert!(slots.take(peer, pulse(born + PATIENCE)).is_none(), "it may be used again");
        let next = slots.take(peer, late()).unwrap();
        seat.evicted().await;
        drop((seat, next));
        assert_eq!(slots.taken.lock().all, 0);
    }
}
