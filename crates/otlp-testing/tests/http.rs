//! The server over HTTP, seen by reqwest, which knows nothing of OTLP.

mod support;

use std::io::Write as _;
use std::time::Duration;

use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use otlp_core::Signal;
use otlp_testing::{Gate, Reply, Script, Server, Transport};
use prost::Message as _;
use reqwest::StatusCode;
use support::{PATIENCE, answer, http, post, post_bytes, request};

#[tokio::test]
async fn a_span_arrives_with_its_headers() {
    let server = Server::start();
    let response = post(&server, [1, 2]).header("x-tenant", "blue").send().await.unwrap();
    // H10, H11
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/x-protobuf");
    assert_eq!(answer(response).await.partial_success, None);
    let spans = server.wait_for_spans(2, PATIENCE).unwrap();
    assert_eq!(spans[1].name(), "span 2");
    assert_eq!(spans[1].request.header("x-tenant"), Some("blue"));
    assert_eq!(spans[1].request.path, "/v1/traces");
    assert_eq!(server.counts_of(Transport::Http).items, 2);
    assert_eq!(server.counts_of(Transport::Grpc).items, 0);
    assert!(server.duplicate_spans().is_empty());
}

#[tokio::test]
async fn gzip_and_zstd_bodies_are_inflated() {
    let server = Server::start();
    let message = request(0..100).encode_to_vec();
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&message).unwrap();
    let zstd = zstd::encode_all(message.as_slice(), 3).unwrap();
    for (name, body) in [("gzip", gzip.finish().unwrap()), ("zstd", zstd)] {
        server.clear();
        let sent = body.len() as u64;
        let response = post_bytes(&server, body).header("content-encoding", name).send().await;
        assert_eq!(response.unwrap().status(), StatusCode::OK, "{name}");
        assert_eq!(server.spans().len(), 100, "{name}");
        let counts = server.counts();
        assert_eq!((counts.wire_bytes, counts.message_bytes), (sent, message.len() as u64));
    }
}

#[tokio::test]
async fn a_body_that_inflates_past_64_mib_is_413() {
    let server = Server::start();
    let bomb = zstd::encode_all(vec![0; (64 << 20) + 1].as_slice(), 1).unwrap();
    let response = post_bytes(&server, bomb).header("content-encoding", "zstd").send().await;
    // Z3
    assert_eq!(response.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(server.counts().arrived, 0);
}

#[tokio::test]
async fn what_is_not_otlp_is_refused_and_noted() {
    let server = Server::start();
    let at = |path: &str| format!("{}{path}", server.http_endpoint());
    let protobuf = ("content-type", "application/x-protobuf");
    let requests = [
        (http().post(at("/v1/spans")).header(protobuf.0, protobuf.1), StatusCode::NOT_FOUND),
        (http().get(at("/v1/traces")), StatusCode::METHOD_NOT_ALLOWED),
        (
            http().post(at("/v1/traces")).header("content-type", "text/html"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (
            post_bytes(&server, vec![]).header("content-encoding", "br"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (post_bytes(&server, vec![0xff; 9]), StatusCode::BAD_REQUEST),
        (
            post_bytes(&server, vec![1, 2, 3]).header("content-encoding", "gzip"),
            StatusCode::BAD_REQUEST,
        ),
    ];
    let count = requests.len();
    for (request, expected) in requests {
        assert_eq!(request.send().await.unwrap().status(), expected);
    }
    assert_eq!(server.problems().len(), count);
    assert_eq!(server.counts().arrived, 0);
}

#[tokio::test]
async fn an_empty_request_succeeds_and_parameters_of_the_media_type_are_tolerated() {
    let server = Server::start();
    let url = format!("{}/v1/logs", server.http_endpoint());
    let media_type = "application/x-protobuf; charset=utf-8";
    let response = http().post(url).header("content-type", media_type).send().await.unwrap();
    // W4
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(server.requests()[0].signal, Signal::Logs);
}

#[tokio::test]
async fn other_paths_can_be_given_a_signal() {
    let server = Server::builder().with_http_path("/", Signal::Traces).start().unwrap();
    let root = http().post(server.http_endpoint()).body(request([1]).encode_to_vec());
    root.header("content-type", "application/x-protobuf").send().await.unwrap();
    assert_eq!(server.spans()[0].request.path, "/");
}

#[tokio::test]
async fn statuses_headers_and_partial_success_follow_the_script() {
    let server = Server::start();
    server.respond_with([
        Reply::http(503).with_header("retry-after", "7"),
        Reply::http(429).with_header("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT"),
        Reply::partial_success(1, "too old"),
        Reply::grpc(14, "busy").with_retry_info(Duration::from_millis(1_200)),
        Reply::redirect("http://127.0.0.1:9/elsewhere"),
    ]);
    let send = || async { post(&server, [1, 2]).send().await.unwrap() };
    let busy = send().await;
    assert_eq!(
        (busy.status().as_u16(), &busy.headers()["retry-after"]),
        (503, &"7".parse().unwrap())
    );
    let dated = send().await;
    assert_eq!((dated.status().as_u16(), dated.headers().contains_key("retry-after")), (429, true));
    let partial = answer(send().await).await.partial_success.unwrap();
    assert_eq!((partial.rejected_spans, partial.error_message.as_str()), (1, "too old"));
    let mapped = send().await;
    // H12, H14
    assert_eq!(
        (mapped.status().as_u16(), &mapped.headers()["retry-after"]),
        (503, &"2".parse().unwrap())
    );
    let status = tonic_types::Status::decode(mapped.bytes().await.unwrap()).unwrap();
    assert_eq!((status.code, status.message.as_str()), (14, "busy"));
    // reqwest follows the redirect to a port where nobody listens.
    post(&server, [1]).send().await.unwrap_err();
    assert_eq!(server.spans().len(), 1);
}

#[tokio::test]
async fn a_script_can_give_one_reply_for_ever() {
    let server = Server::start();
    server.respond_with(Script::from([Reply::ok()]).then_always(Reply::http(500)));
    assert_eq!(post(&server, [1]).send().await.unwrap().status(), 200);
    assert_eq!(post(&server, [2]).send().await.unwrap().status(), 500);
    assert_eq!(post(&server, [3]).send().await.unwrap().status(), 500);
}

#[tokio::test]
async fn a_closed_connection_has_no_answer() {
    let server = Server::start();
    server.respond_with(Script::always(Reply::close()));
    let error = post(&server, [1]).send().await.unwrap_err();
    assert!(error.is_request() && !error.is_connect(), "{error:?}");
    assert!(server.spans().is_empty());
}

#[tokio::test]
async fn a_cut_body_begins_and_breaks() {
    let server = Server::start();
    server.respond_with(Reply::cut_body());
    let mut response = post(&server, [1]).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.chunk().await.unwrap().unwrap().len(), 4);
    response.chunk().await.unwrap_err();
}

#[tokio::test]
async fn garbage_does_not_decode() {
    let server = Server::start();
    server.respond_with(Reply::garbage());
    let response = post(&server, [1]).send().await.unwrap();
    assert_eq!(response.status(), 200);
    ExportTraceServiceResponse::decode(response.bytes().await.unwrap()).unwrap_err();
}

#[tokio::test]
async fn an_endless_body_is_made_as_it_is_read_and_ends_with_its_reader() {
    let server = Server::start();
    server.respond_with(Reply::http(503).with_endless_body(10 << 30));
    let mut response = post(&server, [1]).send().await.unwrap();
    assert_eq!(response.status(), 503);
    let mut read = 0;
    while read < 5 << 20 {
        read += response.chunk().await.unwrap().unwrap().len();
    }
    drop(response);
    assert_eq!(post(&server, [2]).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_endless_body_ends_at_its_total() {
    let server = Server::start();
    server.respond_with(Reply::endless_body(200_000));
    let response = post(&server, [1]).send().await.unwrap();
    assert_eq!(response.bytes().await.unwrap().len(), 200_000);
}

#[tokio::test]
async fn a_gzip_bomb_is_valid_gzip_and_small() {
    let server = Server::start();
    server.respond_with(Reply::gzip_bomb(8 << 20));
    let response = post(&server, [1]).send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let bomb = response.bytes().await.unwrap();
    assert!(bomb.len() < 32 << 10, "{}", bomb.len());
    let mut inflated = flate2::read::GzDecoder::new(bomb.as_ref());
    // Reads to the end, so checksum and length are right.
    assert_eq!(std::io::copy(&mut inflated, &mut std::io::sink()).unwrap(), 8 << 20);
}

#[tokio::test]
async fn trailers_are_headers_over_http_1() {
    let server = Server::start();
    server.respond_with(Reply::huge_trailers(10_000));
    let response = post(&server, [1]).send().await.unwrap();
    assert_eq!(response.headers()["x-filler"].len(), 10_000);
}

#[tokio::test]
async fn a_gate_holds_many_requests_at_once() {
    let server = Server::start();
    let gate = Gate::new();
    server.respond_with(Script::always(Reply::ok().after(&gate)));
    let exports: Vec<_> = (1..=4).map(|id| tokio::spawn(post(&server, [id]).send())).collect();
    assert!(gate.waiting_reaches(4, PATIENCE).await);
    gate.open();
    for export in exports {
        assert_eq!(export.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(
        (server.in_flight_max(), server.spans_arrive(4, PATIENCE).await.unwrap().len()),
        (4, 4)
    );
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_its_data_untaken() {
    let server = Server::start();
    let gate = Gate::new();
    server.respond_with(Reply::ok().after(&gate));
    let export = tokio::spawn(post(&server, [1]).send());
    assert!(gate.waiting_reaches(1, PATIENCE).await);
    export.abort();
    server.until(PATIENCE, |log| log.in_flight() == 0).await.unwrap();
    gate.open();
    assert_eq!((server.counts().arrived, server.counts().answered), (1, 0));
}

#[tokio::test]
async fn answers_are_compressed_when_asked_and_accepted() {
    let server = Server::builder().with_compressed_answers().start().unwrap();
    server.respond_with(Script::always(Reply::partial_success(1, "old")));
    assert!(!post(&server, [1]).send().await.unwrap().headers().contains_key("content-encoding"));
    let sent = post(&server, [1]).header("accept-encoding", "br, gzip;q=0.5").send().await;
    // H16
    assert_eq!(sent.unwrap().headers()["content-encoding"], "gzip");
}

#[tokio::test]
async fn a_server_that_only_counts_keeps_nothing() {
    let server = Server::builder().counts_only().with_worker_threads(2).start().unwrap();
    post(&server, 0..50).send().await.unwrap();
    assert_eq!(server.items(Signal::Traces), 50);
    assert!(server.requests().is_empty());
}

#[test]
fn a_synchronous_test_can_wait_for_spans() {
    let server = Server::start();
    let sent = post(&server, [1]);
    let client = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(sent.send()).unwrap().status()
    });
    assert_eq!(server.wait_for_spans(1, PATIENCE).unwrap().len(), 1);
    assert_eq!(client.join().unwrap(), 200);
}

#[tokio::test]
async fn json_is_read_and_answered_in_json() {
    let server = Server::start();
    server.respond_with([
        Reply::partial_success(0, "a warning"),
        Reply::grpc(3, "bad \"name\""),
        Reply::http(503),
    ]);
    let body = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{
        "traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174","name":"json",
        "startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000",
        "kind":2,"attributes":[{"key":"n","value":{"intValue":"7"}}]}]}]}]}"#;
    let url = format!("{}/v1/traces", server.http_endpoint());
    let post = || http().post(&url).header("content-type", "application/json").body(body);
    let warned = post().send().await.unwrap();
    // H10, J1, J6
    assert_eq!(warned.headers()["content-type"], "application/json");
    let warned: serde_json::Value = serde_json::from_slice(&warned.bytes().await.unwrap()).unwrap();
    assert_eq!(warned["partialSuccess"]["errorMessage"], "a warning");
    let spans = server.spans();
    assert_eq!(spans[0].trace_id(), "5b8efff798038103d269b633813fc60c");
    assert_eq!(spans[0].attribute_text("n").as_deref(), Some("7"));
    let refused = post().send().await.unwrap();
    // J8
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert_eq!(refused.text().await.unwrap(), r#"{"code":3,"message":"bad \"name\""}"#);
    let busy = post().send().await.unwrap();
    assert_eq!(busy.headers()["content-type"], "application/json");
    let broken =
        http().post(&url).header("content-type", "application/json").body("{").send().await;
    assert_eq!(broken.unwrap().status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn connections_are_kept_counted_and_closed() {
    let server = Server::start();
    let client = http();
    for id in 1..=3 {
        let post = client.post(format!("{}/v1/traces", server.http_endpoint()));
        let post = post.header("content-type", "application/x-protobuf");
        let response = post.body(request([id]).encode_to_vec()).send().await.unwrap();
        response.bytes().await.unwrap();
    }
    assert_eq!((server.connections(), server.connections_open()), (1, 1));
    drop(client);
    server.until(PATIENCE, |log| log.connections_open() == 0).await.unwrap();
}

#[test]
fn a_bomb_of_10_gib_is_planned_without_being_made() {
    // S4: 10 MiB at most are ever held, one block of it at a time.
    let reply = Reply::http(400).with_gzip_bomb(10 << 30);
    let server = Server::start();
    server.respond_with(reply);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let wire = runtime.block_on(async {
        let response = post(&server, [1]).send().await.unwrap();
        response.bytes().await.unwrap().len()
    });
    assert!((1 << 20..12 << 20).contains(&wire), "{wire}");
}
