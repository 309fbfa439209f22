//! Clients that send more of something than anybody needs: the process lives, its memory stays within bounds,
//! and the others are served. In a process of their own, so that its memory is what they have made of it.

use std::io::Read as _;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use flate2::bufread::GzEncoder;
use otlp_collector::receivers::otlp::Transport;
use otlp_core::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::connections::request;
use crate::support::{
    Grpc, Http1, MIB, PREFACE, Site, frame, h2_frame as h2, h2_head as head, soon,
};

#[test]
fn floods_of_frames_are_met_within_bounds() {
    alone("floods::frames");
}

#[test]
fn sixty_four_bombs_of_ten_gigabytes_stay_within_the_budget() {
    alone("floods::bombs");
}

/// Runs a test that is ignored otherwise, in a process of its own.
pub(crate) fn alone(name: &str) {
    let mut run = Command::new(std::env::current_exe().unwrap());
    // What is asked here is how much is in use. By itself, the allocator of glibc gives back large pieces only
    // until it has seen the first of them freed, and holds up to twice as much after a while of this.
    run.env("MALLOC_MMAP_THRESHOLD_", "65536");
    let run = run.args(["--exact", name, "--ignored", "--nocapture"]).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.contains("1 passed"), "{said}{errors}");
}

#[tokio::test]
#[ignore = "run by a test above, in a process of its own"]
async fn frames() {
    let site = Site::start().await;
    let before = peak();
    for flood in floods() {
        for reads in [true, false] {
            for addr in [site.grpc(), site.http()] {
                others_are_served_meanwhile(&site, &flood, addr, reads).await;
            }
        }
    }
    let grown = peak() - before;
    assert!(grown < 24 * MIB, "{} MiB", grown / MIB);
    site.recorder.taken.lock().clear();
    site.end().await;
}

async fn others_are_served_meanwhile(site: &Site, flood: &Flood, addr: SocketAddr, reads: bool) {
    let attacker = TcpStream::connect(addr).await.unwrap();
    let units = (flood.units)();
    let attack = tokio::spawn(attack(attacker, units, reads));
    let honest = Grpc::to(site.grpc()).await;
    let mut calls = 0;
    while calls < 5 || !attack.is_finished() {
        let reply = honest.export(Signal::Traces, &[], &frame(0, &request())).await;
        assert_eq!(reply.status(), 0, "{} {reads}: {reply:?}", flood.what);
        site.recorder.taken.lock().clear();
        calls += 1;
    }
    let ended = attack.await.unwrap();
    assert!(ended || !flood.is_fatal, "{}: the connection goes on", flood.what);
}

/// Sends all of it, or until the server ends the connection or takes no more; says whether it has ended it.
async fn attack(stream: TcpStream, units: impl Iterator<Item = Vec<u8>>, reads: bool) -> bool {
    let (mut read, mut write) = stream.into_split();
    let reader = tokio::spawn(async move {
        let mut space = vec![0; 64 << 10];
        if reads {
            while read.read(&mut space).await.is_ok_and(|len| len > 0) {}
            return true;
        }
        // Whoever does not read fills the server's side.
        std::future::pending().await
    });
    if write.write_all(PREFACE).await.is_err() {
        return true;
    }
    let mut units = units.peekable();
    while units.peek().is_some() {
        let mut some = Vec::with_capacity(80 << 10);
        while some.len() < 64 << 10
            && let Some(unit) = units.next()
        {
            some.extend(unit);
        }
        match timeout(Duration::from_millis(500), write.write_all(&some)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return true,
            Err(_) => break,
        }
    }
    let _ = write.shutdown().await;
    let ended = timeout(Duration::from_millis(500), reader).await;
    !reads || ended.is_ok_and(|ended| ended.unwrap())
}

struct Flood {
    what: &'static str,
    /// Whether the connection must end for it.
    is_fatal: bool,
    units: fn() -> Box<dyn Iterator<Item = Vec<u8>> + Send>,
}

fn floods() -> [Flood; 9] {
    [
        Flood { what: "PING", is_fatal: false, units: || many(h2(6, 0, 0, b"12345678")) },
        Flood {
            what: "SETTINGS",
            is_fatal: false,
            units: || many(h2(4, 0, 0, &[0, 4, 0, 1, 0, 0])),
        },
        Flood {
            what: "WINDOW_UPDATE",
            is_fatal: true,
            units: || many(h2(8, 0, 0, &0x00ff_ffff_u32.to_be_bytes())),
        },
        Flood { what: "PRIORITY", is_fatal: false, units: || many(h2(2, 0, 1, &[0, 0, 0, 3, 7])) },
        Flood { what: "unknown frames", is_fatal: false, units: || many(h2(0xfa, 0, 0, b"what")) },
        Flood {
            what: "empty DATA",
            is_fatal: true,
            units: || Box::new(std::iter::once(head(1)).chain(many(h2(0, 0, 1, b"")))),
        },
        Flood {
            what: "CONTINUATION",
            is_fatal: true,
            units: || {
                let begun = h2(1, 0, 1, &[0x83, 0x86]);
                Box::new(std::iter::once(begun).chain(many(h2(9, 0, 1, b""))))
            },
        },
        Flood {
            what: "resets",
            is_fatal: true,
            units: || {
                let streams = (0..100_000).map(|at| 2 * at + 1);
                Box::new(streams.map(|id| [head(id), h2(3, 0, id, &[0, 0, 0, 8])].concat()))
            },
        },
        Flood {
            what: "one header many times",
            is_fatal: false,
            units: || {
                // A header of 3 KiB, and in each request then 8,000 bytes that refer to it: 24 MB of headers.
                let long = [&[0x40, 1, b'x', 0x7f, 0x81, 0x17][..], &[b'y'; 3072]].concat();
                let first = h2(1, 5, 1, &[b"\x83\x86\x84", &long[..]].concat());
                let again = |id| h2(1, 5, id, &[b"\x83\x86\x84", &[0xbe; 8000][..]].concat());
                let streams = (1..200).map(|at| 2 * at + 1);
                Box::new(std::iter::once(first).chain(streams.map(again)))
            },
        },
    ]
}

/// A quarter of a million of them: enough to see what grows.
fn many(unit: Vec<u8>) -> Box<dyn Iterator<Item = Vec<u8>> + Send> {
    Box::new(std::iter::repeat_n(unit, 250_000))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by a test above, in a process of its own"]
async fn bombs() {
    // Z3
    let site = Site::start().await;
    let mut member = Vec::new();
    let zeros = std::io::BufReader::new(std::io::repeat(0).take(64 << 20));
    GzEncoder::new(zeros, flate2::Compression::best()).read_to_end(&mut member).unwrap();
    let bomb: Arc<[u8]> = member.repeat(160).into();
    let before = peak();
    let posts: Vec<_> =
        (0..64).map(|_| tokio::spawn(throw(site.http(), Arc::clone(&bomb)))).collect();
    for post in posts {
        let status = post.await.unwrap();
        assert!(matches!(status, 413 | 503), "{status}");
    }
    let grown = peak() - before;
    let most = site.budget.capacity() + 32 * MIB;
    assert!(grown < most, "{} MiB", grown / MIB);
    let mut honest = Http1::to(site.http()).await;
    let media = [("content-type", "application/x-protobuf")];
    assert_eq!(honest.request("POST", "/v1/traces", &media, &request()).await.status, 200);
    drop(honest);
    let counts = site.end().await.of(Transport::Http, Signal::Traces);
    assert_eq!(counts.refused_requests + counts.failed_requests, 64);
}

/// Sends it without a copy.
async fn throw(addr: SocketAddr, bomb: Arc<[u8]>) -> u16 {
    let mut client = Http1::to(addr).await;
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\n\
         content-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        bomb.len()
    );
    client.0.write_all(head.as_bytes()).await.unwrap();
    // The answer may come before all is sent.
    let _ = soon(client.0.write_all(&bomb)).await;
    client.reply().await.status
}

/// The most memory that this process has had at once.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}
