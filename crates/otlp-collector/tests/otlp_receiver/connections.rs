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
use tokio::time::{sleep, timeout};

use crate::support::{
    Grpc, Http1, MIB, PREFACE, PROTOBUF, Site, frame, h2_frame, h2_head, soon, three_of, until,
};

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
async fn a_call_that_comes_slowly_is_given_up_and_the_others_of_its_connection_go_on() {
    let mut settings = OtlpSettings::on_free_ports();
    settings.limits.min_body_rate_after = 4 * SHORT;
    let site = Site::with(settings, MIB).await;
    let client = Grpc::to(site.grpc()).await;
    let mut send = client.0.clone().ready().await.unwrap();
    let slow = http::Request::post(format!("http://a{}", Signal::Traces.grpc_path()))
        .header("content-type", "application/grpc")
        .body(())
        .unwrap();
    let (response, mut body) = send.send_request(slow, false).unwrap();
    body.send_data(frame(0, &request())[..20].to_vec().into(), false).unwrap();
    let slow = tokio::spawn(response);
    while !slow.is_finished() {
        let reply = client.export(Signal::Traces, &[], &frame(0, &request())).await;
        assert_eq!(reply.status(), 0);
    }
    let response = slow.await.unwrap().unwrap();
    assert_eq!(response.headers()["grpc-status"], "14");
    assert!(response.headers().contains_key("grpc-status-details-bin"), "when to come again");
    drop((client, body, response, send));
    let counts = site.end().await.of(Transport::Grpc, Signal::Traces);
    assert_eq!((counts.refused_requests, counts.abandoned_requests), (1, 0));
}

#[tokio::test]
async fn a_client_that_reads_none_of_its_answers_is_ended() {
    let mut settings = OtlpSettings::on_free_ports();
    settings.limits.idle_timeout = SHORT;
    let site = Site::with(settings, MIB).await;
    let mut deaf = TcpStream::connect(site.http()).await.unwrap();
    let asks = b"POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n".repeat(100);
    // Until the answers have filled all buffers on their way, and the server reads nothing more.
    while timeout(SHORT, deaf.write_all(&asks)).await.is_ok_and(|written| written.is_ok()) {}
    let began = Instant::now();
    until(|| site.running.counters().connections.open == 0).await;
    assert!(began.elapsed() < Duration::from_secs(10));
    drop(deaf);
    site.end().await;
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
async fn a_connection_of_http_1_that_is_too_old_is_said_so_with_an_answer() {
    let mut settings = OtlpSettings::on_free_ports();
    settings.protocols.http.as_mut().unwrap().max_connection_age = 6 * SHORT;
    let site = Site::with(settings, MIB).await;
    let mut http = Http1::to(site.http()).await;
    let reply = http.request("POST", "/v1/traces", &[PROTOBUF], &request()).await;
    assert_eq!((reply.status, reply.header("connection")), (200, ""));
    sleep(7 * SHORT).await;
    // It is idle, and is not closed on a request that may be on its way.
    let reply = http.request("POST", "/v1/traces", &[PROTOBUF], &request()).await;
    assert_eq!((reply.status, reply.header("connection")), (200, "close"));
    assert!(closed(&mut http.0).await < Duration::from_secs(1));
    site.end().await;
}

#[tokio::test]
async fn a_connection_of_http_1_that_is_too_old_and_not_used_ends_after_the_grace() {
    let mut settings = OtlpSettings::on_free_ports();
    let http = settings.protocols.http.as_mut().unwrap();
    (http.max_connection_age, http.max_connection_age_grace) = (SHORT, SHORT);
    let site = Site::with(settings, MIB).await;
    let began = Instant::now();
    let mut http = Http1::to(site.http()).await;
    assert_eq!(http.request("POST", "/v1/traces", &[PROTOBUF], &request()).await.status, 200);
    closed(&mut http.0).await;
    assert!(began.elapsed() > SHORT, "the grace comes on top of the age");
    site.end().await;
}

/// Reads frames of HTTP/2 up to one of this kind; says what it holds.
async fn next_frame(stream: &mut TcpStream, kind: u8) -> Vec<u8> {
    soon(async {
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.unwrap();
            let len = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; len as usize];
            stream.read_exact(&mut payload).await.unwrap();
            if head[3] == kind {
                return payload;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_call_that_crosses_the_end_of_an_idle_connection_is_served_or_safe_to_repeat() {
    let mut settings = OtlpSettings::on_free_ports();
    settings.limits.idle_timeout = SHORT;
    let site = Site::with(settings, MIB).await;
    let mut stream = TcpStream::connect(site.grpc()).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    // The first GOAWAY forbids nothing yet: it gives the client the time of a round trip.
    let first = next_frame(&mut stream, GOAWAY).await;
    assert_eq!(first[..8], [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    let ping = next_frame(&mut stream, PING).await;
    stream.write_all(&call(1, &request())).await.unwrap();
    stream.write_all(&[&[0, 0, 8, PING, 1, 0, 0, 0, 0], &ping[..]].concat()).await.unwrap();
    // The second names the last call that was taken. A client repeats what came after it.
    stream.write_all(&call(3, &request())).await.unwrap();
    let second = next_frame(&mut stream, GOAWAY).await;
    assert_eq!(second[..8], [0, 0, 0, 1, 0, 0, 0, 0]);
    let mut rest = Vec::new();
    soon(stream.read_to_end(&mut rest)).await.unwrap();
    let counts = site.end().await.of(Transport::Grpc, Signal::Traces);
    assert_eq!((counts.accepted_requests, counts.abandoned_requests), (1, 0));
}

#[tokio::test]
async fn a_call_that_crosses_the_end_of_an_idle_connection_has_its_time() {
    let mut settings = OtlpSettings::on_free_ports();
    settings.limits.idle_timeout = SHORT;
    let site = Site::with(settings, MIB).await;
    site.hold();
    let mut stream = TcpStream::connect(site.grpc()).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    next_frame(&mut stream, GOAWAY).await;
    let ping = next_frame(&mut stream, PING).await;
    stream.write_all(&call(1, &request())).await.unwrap();
    stream.write_all(&[&[0, 0, 8, PING, 1, 0, 0, 0, 0], &ping[..]].concat()).await.unwrap();
    site.reached(1).await;
    // Longer than a client has to say good-bye.
    sleep(Duration::from_millis(5500)).await;
    site.recorder.gate.add_permits(1);
    next_frame(&mut stream, DATA).await;
    let counts = site.end().await.of(Transport::Grpc, Signal::Traces);
    assert_eq!((counts.accepted_requests, counts.abandoned_requests), (1, 0));
}

const DATA: u8 = 0;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

/// The frames of a whole call.
fn call(stream: u32, request: &[u8]) -> Vec<u8> {
    [h2_head(stream), h2_frame(DATA, 1, stream, &frame(0, request))].concat()
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
    dead.write_all(PREFACE).await.unwrap();
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
