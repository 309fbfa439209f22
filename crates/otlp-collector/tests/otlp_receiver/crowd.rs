//! Many clients, and one budget: who waits, who is refused, and who is not kept out.

use std::time::{Duration, Instant};

use otlp_collector::receivers::otlp::{OtlpSettings, Transport};
use otlp_core::Signal;
use prost::Message as _;
use tokio::io::AsyncWriteExt as _;

use crate::support::{Http1, JSON, MIB, PROTOBUF, Site, post, soon, three_of, traces};

fn request() -> Vec<u8> {
    traces(1).encode_to_vec()
}

#[tokio::test]
async fn promises_without_bytes_keep_nobody_out() {
    let mut settings = OtlpSettings::on_free_ports();
    // Nobody waits: who is kept out is refused at once.
    settings.limits.max_admission_wait = Duration::ZERO;
    let site = Site::with(settings, 4 * MIB).await;
    let mut promising = Vec::new();
    for _ in 0..64 {
        let mut client = Http1::to(site.http()).await;
        let head = "POST /v1/traces HTTP/1.1\r\nhost: test\r\ncontent-type: application/x-protobuf\r\n\
                    content-length: 4000000\r\n\r\n";
        client.0.write_all(head.as_bytes()).await.unwrap();
        promising.push(client);
    }
    // They have been read when they have taken all that promises may take.
    soon(async {
        while site.budget.used() < MIB {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(site.budget.used(), MIB, "a quarter");
    for _ in 0..10 {
        assert_eq!(post(site.http(), "/v1/traces", &[PROTOBUF], &request()).await.status, 200);
    }
    drop(promising);
    site.recorder.taken.lock().clear();
    site.end().await;
}

#[tokio::test]
async fn who_comes_when_there_is_no_room_waits_a_moment_and_is_refused_then() {
    let mut settings = OtlpSettings::on_free_ports();
    settings.limits.max_admission_wait = Duration::from_secs(20);
    let site = Site::with(settings, MIB).await;
    let others = site.budget.take(MIB).unwrap();
    let (addr, body) = (site.http(), request());
    let waiting =
        tokio::spawn(async move { post(addr, "/v1/traces", &[PROTOBUF], &body).await.status });
    // Long enough for a refusal, had there been one.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    drop(others);
    assert_eq!(soon(waiting).await.unwrap(), 200);
    site.recorder.taken.lock().clear();
    site.end().await;

    let mut settings = OtlpSettings::on_free_ports();
    settings.limits.max_admission_wait = Duration::from_millis(30);
    let site = Site::with(settings, MIB).await;
    let others = site.budget.take(MIB).unwrap();
    let reply = post(site.http(), "/v1/traces", &[PROTOBUF], &request()).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, "1"));
    drop(others);
    site.end().await;
}

#[tokio::test]
async fn answers_come_later_where_much_is_under_way() {
    let site = Site::with(OtlpSettings::on_free_ports(), MIB).await;
    // All but a little: the longest delay is 80 ms.
    let others = site.budget.take(MIB - 10_000).unwrap();
    let begun = Instant::now();
    assert_eq!(post(site.http(), "/v1/traces", &[PROTOBUF], &request()).await.status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(70), "{:?}", begun.elapsed());
    // What is refused is told at once, and counted before.
    let reply = post(site.http(), "/v1/traces", &[PROTOBUF], b"junk").await;
    assert_eq!(reply.status, 400);
    drop(others);
    site.recorder.taken.lock().clear();
    let counters = site.end().await;
    assert_eq!(counters.of(Transport::Http, Signal::Traces).accepted_items, 1);
}

#[tokio::test]
async fn json_pays_for_the_protobuf_that_it_becomes() {
    let (_, json) = three_of(Signal::Traces);
    let mut settings = OtlpSettings::on_free_ports();
    settings.limits.max_admission_wait = Duration::ZERO;
    let site = Site::with(settings, MIB).await;
    // Room for the body, and not for what comes of it.
    let others = site.budget.take(MIB - json.len() - 8).unwrap();
    let reply = post(site.http(), "/v1/traces", &[JSON], &json).await;
    assert_eq!(reply.status, 503, "{reply:?}");
    drop(others);
    assert_eq!(post(site.http(), "/v1/traces", &[JSON], &json).await.status, 200);
    site.recorder.taken.lock().clear();
    site.end().await;
}
