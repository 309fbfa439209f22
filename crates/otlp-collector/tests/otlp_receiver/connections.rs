//! Connections that are too many, too slow, idle or too old, and the end of all of them.

use std::time::{Duration, Instant};
#[cfg(target_os = "linux")]
use std::{net::SocketAddr, process::Command};

use otlp_collector::receivers::otlp::{OtlpSettings, Transport};
use otlp_core::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
#[cfg(target_os = "linux")]
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::support::{Grpc, Http1, MIB, PROTOBUF, Site, frame, soon, three_of, until};

pub(crate) const SHORT: Duration = Duration::from_millis(300);

pub(crate) fn request() -> Vec<u8> {
    three_of(Signal::Traces).0
}

/// Waits until the other side closes, and says how long that took.
pub(crate) async fn closed(stream: &mut TcpStream) -> Duration {
    let began = Instant::now();
    let mut rest = Vec::new();
    // A reset is an end too.
    let _ = soon(stream.read_to_end(&mut rest)).await;
    began.elapsed()
}

/// All of 127.0.0.0/8 is this machine, on Linux.
#[cfg(target_os = "linux")]
async fn connect_from(source: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((source, 0))).unwrap();
    socket.connect(to).await.unwrap()
}

#[tokio::test]
async fn headers_that_come_slowly_end_the_connection() {
    let mut settings = OtlpSettings::on_free_ports();
    settings.limits.header_timeout = SHORT;
    let site = Site::with(settings, MIB).await;
    let mut silent = TcpStream::connect(site.http()).await.unwrap();
    let mut slow = TcpStream::connect(site.http()).await.unwrap();
    slow.write_all(b"POST /v1/traces HTTP/1.1\r\nhost:").await.unwrap();
    let mut half_preface = TcpStream::connect(site.http()).await.unwrap();
    half_preface.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    let mut no_preface = TcpStream::connect(site.grpc()).await.unwrap();
    // The second request of a connection is held to the same.
    let mut second = Http1::to(site.http()).await;
    assert_eq!(second.request("POST", "/v1/traces", &[PROTOBUF], &request()).await.status, 200);
    second.0.write_all(b"POST /v1").await.unwrap();
    for stream in [&mut silent, &mut slow, &mut half_preface, &mut no_preface, &mut second.0] {
        assert!(closed(stream).await < Duration::from_secs(3));
    }
    site.end().await;
}

#[tokio::test]
async fn an_idle_connection_is_ended_in_good_order() {
    let mut settings = OtlpSettings::on_free_ports();
    settings.limits.idle_timeout = SHORT;
    let site = Site::with(settings, MIB).await;
    let mut http = Http1::to(site.http()).await;
    assert_eq!(http.request("POST", "/v1/traces", &[PROTOBUF], &request()).await.status, 200);
    assert!(closed(&mut http.0).await < Duration::from_secs(3));

    let stream = TcpStream::connect(site.grpc()).await.unwrap();
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    let client = Grpc(send);
    let driven = tokio::spawn(connection);
    assert_eq!(client.export(Signal::Traces, &[], &frame(0, &request())).await.status(), 0);
    soon(driven).await.unwrap().expect("GOAWAY without an error");
    site.end().await;
}

#[tokio::test]
async fn a_body_that_comes_slowly_is_given_up_with_a_hint() {
    let mut settings = OtlpSettings::on_free_ports();
    settings.limits.min_body_rate_after = SHORT;
    let site = Site::with(settings, MIB).await;
    let mut http = Http1::to(site.http()).await;
    let head = "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
                content-length: 1000\r\n\r\n{";
    http.0.write_all(head.as_bytes()).await.unwrap();
    let reply = http.reply().await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, "1"));
    assert!(closed(&mut http.0).await < Duration::from_secs(5));

    // A body that comes at its pace may take longer than that.
    let mut http = Http1::to(site.http()).await;
    let body = [b"{}".as_slice(), &[b' '; 8192]].concat();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    http.0.write_all(head.as_bytes()).await.unwrap();
    for part in body.chunks(1024) {
        http.0.write_all(part).await.unwrap();
        sleep(SHORT / 4).await;
    }
    assert_eq!(http.reply().await.status, 200);
    drop(http);
    let counts = site.end().await.of(Transport::Http, Signal::Traces);
    assert_eq!((counts.refused_requests, counts.accepted_requests), (1, 1));
}

#[tokio::test]
async fn a_connection_that_is_too_old_ends_once_its_calls_have_ended() {
    let mut settings = OtlpSettings::on_free_ports();
    let grpc = settings.protocols.grpc.as_mut().unwrap();
    grpc.keepalive.server_parameters.max_connection_age = SHORT;
    let site = Site::with(settings, MIB).await;
    site.hold();
    let stream = TcpStream::connect(site.grpc()).await.unwrap();
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    let driven = tokio::spawn(connection);
    let client = Grpc(send);
    let call = tokio::spawn(async move {
        client.export(Signal::Traces, &[], &frame(0, &request())).await.status()
    });
    site.reached(1).await;
    sleep(2 * SHORT).await;
    assert!(!driven.is_finished(), "the call is under way");
    site.recorder.gate.add_permits(1);
    assert_eq!(call.await.unwrap(), 0);
    soon(driven).await.unwrap().expect("GOAWAY without an error");
    site.end().await;
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_given_up() {
    let mut settings = OtlpSettings::on_free_ports();
    let grpc = settings.protocols.grpc.as_mut().unwrap();
    grpc.keepalive.server_parameters.time = SHORT;
    grpc.keepalive.server_parameters.timeout = SHORT;
    let site = Site::with(settings, MIB).await;
    let alive = Grpc::to(site.grpc()).await;
    let mut dead = TcpStream::connect(site.grpc()).await.unwrap();
    // The preface and empty SETTINGS, and then nothing.
    dead.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    assert!(closed(&mut dead).await < Duration::from_secs(3));
    assert_eq!(alive.export(Signal::Traces, &[], &frame(0, &request())).await.status(), 0);
    drop(alive);
    site.end().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn connections_over_the_number_are_closed_and_the_others_go_on() {
    let mut settings = OtlpSettings::on_free_ports();
    settings.limits.max_connections = 3;
    settings.limits.max_connections_per_peer = 2;
    let site = Site::with(settings, MIB).await;
    let mut first = Http1(connect_from([127, 0, 0, 1], site.http()).await);
    assert_eq!(first.request("POST", "/v1/traces", &[PROTOBUF], &request()).await.status, 200);
    let second = connect_from([127, 0, 0, 1], site.http()).await;
    let mut third = connect_from([127, 0, 0, 1], site.http()).await;
    assert!(closed(&mut third).await < Duration::from_secs(2), "two for each peer");
    let mut other = Http1(connect_from([127, 0, 0, 2], site.http()).await);
    assert_eq!(other.request("POST", "/v1/traces", &[PROTOBUF], &request()).await.status, 200);
    let mut fourth = connect_from([127, 0, 0, 3], site.http()).await;
    assert!(closed(&mut fourth).await < Duration::from_secs(2), "three in all");
    assert_eq!(first.request("POST", "/v1/traces", &[PROTOBUF], &request()).await.status, 200);
    drop(second);
    sleep(SHORT).await;
    let mut again = Http1(connect_from([127, 0, 0, 1], site.http()).await);
    assert_eq!(again.request("POST", "/v1/traces", &[PROTOBUF], &request()).await.status, 200);
    drop((first, other, again));
    assert_eq!(site.end().await.connections.refused, 2);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn five_thousand_idle_connections_leave_room_for_an_honest_client() {
    let site = Site::start().await;
    let mut idle = Vec::new();
    for _ in 0..5000 {
        // Of those that are one too many, the end is seen later.
        idle.push(connect_from([127, 0, 0, 66], site.grpc()).await);
    }
    let began = Instant::now();
    let honest = Grpc::over(connect_from([127, 0, 0, 1], site.grpc()).await).await;
    assert_eq!(honest.export(Signal::Traces, &[], &frame(0, &request())).await.status(), 0);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    drop((idle, honest));
    let counts = site.end().await.connections;
    assert_eq!(counts.accepted + counts.refused, 5001);
    // One address has 256; those above that have taken the places of older ones.
    assert!(counts.accepted <= 257 + counts.evicted, "{counts:?}");
}

#[tokio::test]
async fn idle_connections_make_room_and_those_with_requests_stay() {
    let mut settings = OtlpSettings::on_free_ports();
    settings.limits.max_connections_per_peer = 2;
    let site = Site::with(settings, MIB).await;
    let mut used = Http1::to(site.http()).await;
    assert_eq!(used.request("POST", "/v1/traces", &[PROTOBUF], &request()).await.status, 200);
    let mut idle = TcpStream::connect(site.grpc()).await.unwrap();
    let mut early = TcpStream::connect(site.http()).await.unwrap();
    assert!(closed(&mut early).await < Duration::from_secs(1), "the idle one has a second");
    sleep(Duration::from_millis(1100)).await;
    let newcomer = Grpc::to(site.grpc()).await;
    assert_eq!(newcomer.export(Signal::Traces, &[], &frame(0, &request())).await.status(), 0);
    assert!(closed(&mut idle).await < Duration::from_secs(1));
    assert_eq!(used.request("POST", "/v1/traces", &[PROTOBUF], &request()).await.status, 200);
    drop((used, newcomer));
    let counts = site.end().await.connections;
    assert_eq!((counts.accepted, counts.refused, counts.evicted), (3, 1, 1));
}

#[cfg(target_os = "linux")]
#[test]
fn the_accept_loop_survives_a_want_of_file_handles() {
    // In a process of its own, since the limit is the process's.
    let script = "ulimit -n 80; exec \"$0\" --exact connections::without_file_handles --ignored";
    let test = std::env::current_exe().unwrap();
    let run = Command::new("sh").arg("-c").arg(script).arg(test).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "run by the test above, with few file handles"]
async fn without_file_handles() {
    let site = Site::start().await;
    let mut files = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        files.push(file);
    }
    // A handle for the client's side, none for the server's.
    files.pop();
    let waiting = TcpStream::connect(site.http()).await.unwrap();
    let began = Instant::now();
    until(|| site.running.counters().connections.accept_errors >= 8).await;
    // Pauses of 5, 10, 20 … 320 ms lie between eight of them.
    assert!(began.elapsed() > Duration::from_millis(500), "it spins: {:?}", began.elapsed());
    drop(files);
    let began = Instant::now();
    let mut waiting = Http1(waiting);
    let reply = waiting.request("POST", "/v1/traces", &[PROTOBUF], &request()).await;
    assert_eq!(reply.status, 200);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());

    // Where idle connections have the handles, one of them is ended.
    let mut idle = Vec::new();
    for _ in 0..5 {
        idle.push(TcpStream::connect(site.http()).await.unwrap());
    }
    sleep(Duration::from_millis(1200)).await;
    let mut files = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        files.push(file);
    }
    files.pop();
    let mut honest = Http1::to(site.http()).await;
    let began = Instant::now();
    let reply = honest.request("POST", "/v1/traces", &[PROTOBUF], &request()).await;
    assert_eq!(reply.status, 200);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(site.running.counters().connections.evicted > 0);
    drop((waiting, honest, idle, files));
    site.end().await;
}
