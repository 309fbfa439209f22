//! What ends early: the receiver, a client, a call.

use std::time::{Duration, Instant};

use otlp_collector::receivers::otlp::{OtlpSettings, Transport};
use otlp_core::Signal;
use prost::Message as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::connections::{SHORT, closed, request};
use crate::support::{Grpc, Http1, MIB, PROTOBUF, Site, frame, post, soon, three_of, traces};

#[tokio::test]
async fn a_stop_finishes_what_is_under_way_and_takes_nothing_new() {
    let site = Site::start().await;
    site.hold();
    let (grpc, http) = (site.grpc(), site.http());
    let call = tokio::spawn(async move {
        let client = Grpc::to(grpc).await;
        client.export(Signal::Traces, &[], &frame(0, &request())).await.status()
    });
    let posted =
        tokio::spawn(async move { post(http, "/v1/traces", &[PROTOBUF], &request()).await });
    let mut idle = Http1::to(http).await;
    site.reached(2).await;
    let recorder = std::sync::Arc::clone(&site.recorder);
    let stopped = tokio::spawn(site.end());
    soon(async { while TcpStream::connect(http).await.is_ok() {} }).await;
    assert!(!stopped.is_finished(), "nobody listens, and what was under way goes on");
    assert!(closed(&mut idle.0).await < Duration::from_secs(1));
    recorder.gate.add_permits(2);
    assert_eq!(call.await.unwrap(), 0);
    let reply = posted.await.unwrap();
    assert_eq!((reply.status, reply.header("connection")), (200, "close"));
    let counters = stopped.await.unwrap();
    assert_eq!(counters.of(Transport::Grpc, Signal::Traces).accepted_items, 3);
}

#[tokio::test]
async fn a_stop_ends_by_its_time_whatever_the_pipeline_does() {
    let site = Site::start().await;
    site.hold();
    let (grpc, http) = (site.grpc(), site.http());
    tokio::spawn(async move {
        let client = Grpc::to(grpc).await;
        let call = client.0.clone().ready().await;
        let mut call = call.unwrap();
        let request = http::Request::post(format!("http://a{}", Signal::Logs.grpc_path()))
            .header("content-type", "application/grpc")
            .body(())
            .unwrap();
        let (response, mut body) = call.send_request(request, false).unwrap();
        body.send_data(frame(0, &three_of(Signal::Logs).0).into(), true).unwrap();
        let _ = response.await;
    });
    let mut posted = TcpStream::connect(http).await.unwrap();
    let body = request();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    posted.write_all(head.as_bytes()).await.unwrap();
    posted.write_all(&body).await.unwrap();
    site.reached(2).await;
    let began = Instant::now();
    let counters = site.running.stop(SHORT).await;
    assert!(began.elapsed() < 4 * SHORT, "{:?}", began.elapsed());
    assert_eq!(site.budget.used(), 0);
    assert_eq!(counters.of(Transport::Grpc, Signal::Logs).abandoned_requests, 1);
    assert_eq!(counters.of(Transport::Http, Signal::Traces).abandoned_requests, 1);
}

#[tokio::test]
async fn a_client_that_leaves_gives_its_bytes_back() {
    let site = Site::start().await;
    site.hold();
    let half = frame(0, &request());
    let mut http = TcpStream::connect(site.http()).await.unwrap();
    let head = "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\n\
                content-length: 100000\r\n\r\n";
    http.write_all(head.as_bytes()).await.unwrap();
    http.write_all(&half).await.unwrap();
    let stream = TcpStream::connect(site.grpc()).await.unwrap();
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    let driven = tokio::spawn(connection);
    let client = Grpc(send);
    let call = tokio::spawn(async move {
        client.export(Signal::Traces, &[], &frame(0, &traces(1).encode_to_vec())).await.status()
    });
    site.reached(1).await;
    assert!(site.budget.used() > 0);
    drop(http);
    call.abort();
    driven.abort();
    soon(async {
        while site.budget.used() > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let counters = site.end().await;
    assert_eq!(counters.of(Transport::Grpc, Signal::Traces).abandoned_requests, 1);
}

#[tokio::test]
async fn what_is_answered_early_arrives_though_the_client_still_sends() {
    let site = Site::start().await;
    let body = vec![0; 20 * MIB];
    for _ in 0..3 {
        let mut client = Http1::to(site.http()).await;
        let reply = client.request("POST", "/v1/unknown", &[PROTOBUF], &body).await;
        assert_eq!(reply.status, 404);
        // Its rest is not read, so nothing may come behind it.
        assert_eq!(reply.header("connection"), "close");
    }
    let mut client = Http1::to(site.http()).await;
    for _ in 0..2 {
        let reply = client.request("POST", "/v1/traces", &[PROTOBUF], &[]).await;
        assert_eq!((reply.status, reply.header("connection")), (200, ""));
    }
    site.end().await;
}

#[tokio::test]
async fn garbage_ends_its_connection_and_nothing_else() {
    let site = Site::start().await;
    for garbage in
        [&b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"[..], b"\r\n\r\n\r\n", &[0xff; 3000]]
    {
        for addr in [site.grpc(), site.http()] {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            let _ = stream.write_all(garbage).await;
            let _ = stream.shutdown().await;
            closed(&mut stream).await;
        }
    }
    let many = "x: y\r\n".repeat(200);
    let large = format!("x: {}\r\n", "y".repeat(200_000));
    for headers in [many, large] {
        let mut client = Http1::to(site.http()).await;
        let head = format!("POST /v1/traces HTTP/1.1\r\nhost: a\r\n{headers}\r\n");
        let _ = client.0.write_all(head.as_bytes()).await;
        assert_eq!(client.reply().await.status, 431);
    }
    let client = Grpc::to(site.grpc()).await;
    let long = "y".repeat(20_000);
    let reply = client.export(Signal::Traces, &[("x", &long)], &frame(0, &request())).await;
    assert_eq!(reply.http_status, 431);
    assert_eq!(client.export(Signal::Traces, &[], &frame(0, &request())).await.status(), 0);
    drop(client);
    site.end().await;
}

#[tokio::test]
async fn calls_that_are_reset_at_once_end_the_connection_that_makes_them() {
    let site = Site::start().await;
    site.hold();
    let stream = TcpStream::connect(site.grpc()).await.unwrap();
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    let driven = tokio::spawn(connection);
    let client = Grpc(send);
    // So many are served and wait, though the client has forgotten them; no more than their bound.
    for _ in 0..2000 {
        let Ok(mut send) = client.0.clone().ready().await else { break };
        let request = http::Request::post(format!("http://a{}", Signal::Traces.grpc_path()))
            .header("content-type", "application/grpc")
            .body(())
            .unwrap();
        let Ok((_, mut body)) = send.send_request(request, false) else { break };
        let _ = body.send_data(frame(0, &traces(1).encode_to_vec()).into(), true);
        body.send_reset(h2::Reason::CANCEL);
        tokio::task::yield_now().await;
    }
    sleep(SHORT).await;
    let waiting = site.recorder.waiting.load(std::sync::atomic::Ordering::SeqCst);
    assert!(waiting <= 256, "{waiting}");
    driven.abort();
    site.recorder.gate.add_permits(3000);
    let other = Grpc::to(site.grpc()).await;
    assert_eq!(other.export(Signal::Traces, &[], &frame(0, &request())).await.status(), 0);
    drop((client, other));
    site.end().await;
}

#[tokio::test]
async fn a_receiver_that_is_dropped_closes_everything_at_once() {
    let site = Site::start().await;
    site.hold();
    let mut idle = TcpStream::connect(site.http()).await.unwrap();
    let (grpc, http) = (site.grpc(), site.http());
    let client = Grpc::to(grpc).await;
    let call = async move {
        let mut send = client.0.clone().ready().await.unwrap();
        let request = http::Request::post(format!("http://a{}", Signal::Logs.grpc_path()))
            .header("content-type", "application/grpc")
            .body(())
            .unwrap();
        let (response, mut body) = send.send_request(request, false).unwrap();
        body.send_data(frame(0, &three_of(Signal::Logs).0).into(), true).unwrap();
        response.await.is_err()
    };
    let call = tokio::spawn(call);
    site.reached(1).await;
    let Site { running, budget, .. } = site;
    drop(running);
    assert!(soon(call).await.unwrap());
    assert!(closed(&mut idle).await < Duration::from_secs(1));
    assert!(TcpStream::connect(http).await.is_err());
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn a_client_that_reads_no_answer_is_ended_when_it_is_idle() {
    let mut settings = OtlpSettings::on_free_ports();
    settings.limits.idle_timeout = SHORT;
    let site = Site::with(settings, MIB).await;
    let stream = TcpStream::connect(site.grpc()).await.unwrap();
    let (send, connection) =
        h2::client::Builder::new().initial_window_size(0).handshake(stream).await.unwrap();
    let driven = tokio::spawn(connection);
    let call = tokio::spawn(async move {
        let mut send: h2::client::SendRequest<bytes::Bytes> = send.ready().await.unwrap();
        let request = http::Request::post(format!("http://a{}", Signal::Traces.grpc_path()))
            .header("content-type", "application/grpc")
            .body(())
            .unwrap();
        let (response, mut body) = send.send_request(request, false).unwrap();
        body.send_data(frame(0, &traces(1).encode_to_vec()).into(), true).unwrap();
        let mut body = response.await.unwrap().into_body();
        // The message waits for a window that never comes.
        body.data().await.unwrap().is_err()
    });
    assert!(soon(call).await.unwrap());
    let _ = soon(driven).await;
    site.end().await;
}
