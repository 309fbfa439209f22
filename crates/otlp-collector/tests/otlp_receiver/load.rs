//! What a request costs the receiver: its thread's time, with the client on another.
//!
//! `cargo test --release -p otlp-collector --test otlp_receiver load -- --ignored --nocapture`

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use otlp_collector::admission::Budget;
use otlp_collector::consumer::{Answer, Batch, Consumer};
use otlp_collector::receivers::otlp::{Consumers, OtlpReceiver, OtlpSettings, Transport};
use otlp_core::Signal;
use otlp_core::export::{Deadline, Outcome};
use prost::Message as _;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::support::{Grpc, Http1, MIB, PROTOBUF, frame, traces};

#[derive(Debug)]
struct Discard;

impl Consumer for Discard {
    fn consume(&self, _batch: Batch, _deadline: Deadline) -> Answer<'_> {
        Box::pin(async { Outcome::delivered() })
    }
}

/// Ticks of 10 ms that this thread has run.
fn thread_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(10 * ticks)
}

/// Runs a load against a receiver on a thread of its own; prints the time that this thread took.
fn measure<F>(what: &str, transport: Transport, load: impl FnOnce(std::net::SocketAddr) -> F)
where
    F: Future<Output = ()>,
{
    let (started, addr) = mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = std::thread::Builder::new().name("receiver".to_owned()).spawn(move || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let receiver = OtlpReceiver::new(OtlpSettings::on_free_ports());
            let consumers = Consumers::all(Arc::new(Discard));
            let running = receiver.start(consumers, Budget::new(64 * MIB)).await.unwrap();
            let addr = match transport {
                Transport::Grpc => running.grpc_addr(),
                _ => running.http_addr(),
            };
            started.send(addr.unwrap()).unwrap();
            let before = thread_time();
            let _ = stopped.await;
            let took = thread_time() - before;
            (running.stop(Duration::ZERO).await, took)
        })
    });
    let server = server.unwrap();
    let addr = addr.recv().unwrap();
    let began = Instant::now();
    Builder::new_current_thread().enable_all().build().unwrap().block_on(load(addr));
    let wall = began.elapsed();
    let _ = stop.send(());
    let (counters, took) = server.join().unwrap();
    let counts = counters.of(transport, Signal::Traces);
    let requests = counts.accepted_requests as f64;
    let spans = counts.accepted_items as f64;
    println!(
        "{what}: {:.2} us/request, {:.3} CPU s per M spans, {:.0} k spans/s",
        took.as_secs_f64() * 1e6 / requests,
        took.as_secs_f64() * 1e6 / spans,
        spans / wall.as_secs_f64() / 1e3,
    );
}

async fn grpc_load(addr: std::net::SocketAddr, spans: usize, streams: usize) {
    let request = frame(0, &traces(spans).encode_to_vec());
    let until = Instant::now() + LENGTH;
    let clients = (0..4).map(|_| async {
        let client = Grpc::to(addr).await;
        let call = async || {
            while Instant::now() < until {
                let reply = call(&client, &request).await;
                assert!(reply);
            }
        };
        let mut calls: FuturesUnordered<_> = (0..streams).map(|_| call()).collect();
        while calls.next().await.is_some() {}
    });
    futures_util::future::join_all(clients).await;
}

/// A call with as little work as possible on the client's side.
async fn call(client: &Grpc, request: &[u8]) -> bool {
    let mut send = client.0.clone().ready().await.unwrap();
    let head = http::Request::post(format!("http://a{}", Signal::Traces.grpc_path()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap();
    let (response, mut body) = send.send_request(head, false).unwrap();
    body.send_data(Bytes::copy_from_slice(request), true).unwrap();
    let mut body = response.await.unwrap().into_body();
    while let Some(data) = body.data().await {
        let len = data.unwrap().len();
        let _ = body.flow_control().release_capacity(len);
    }
    let trailers = body.trailers().await.unwrap().unwrap();
    trailers["grpc-status"] == "0"
}

async fn http_load(addr: std::net::SocketAddr, spans: usize) {
    let request = traces(spans).encode_to_vec();
    let until = Instant::now() + LENGTH;
    let clients = (0..8).map(|_| async {
        let mut client = Http1::to(addr).await;
        while Instant::now() < until {
            let reply = client.request("POST", "/v1/traces", &[PROTOBUF], &request).await;
            assert_eq!(reply.status, 200);
        }
    });
    futures_util::future::join_all(clients).await;
}

const LENGTH: Duration = Duration::from_secs(4);

#[test]
#[ignore = "measures, and needs a release build"]
fn load() {
    for spans in [10, 100, 1000] {
        measure(&format!("gRPC 4x4, {spans} spans"), Transport::Grpc, |addr| {
            grpc_load(addr, spans, 4)
        });
    }
    for spans in [10, 100] {
        measure(&format!("HTTP 8, {spans} spans"), Transport::Http, |addr| http_load(addr, spans));
    }
}
