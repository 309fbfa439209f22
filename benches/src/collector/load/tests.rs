//! The load generator against the testing server, which gives every kind of answer.

use otlp_testing::{Reply, Script, Server, SpanKey};

use super::*;

const BOTH: [Transport; 2] = [Transport::Grpc, Transport::Http];

fn task(server: &Server, transport: Transport, gzip: bool) -> LoadTask {
    let address = match transport {
        Transport::Grpc => server.grpc_addr(),
        Transport::Http => server.http_addr(),
    };
    LoadTask { transport, port: address.port(), spans: 1_000, gzip, phases: Vec::new() }
}

fn run_phase(task: &LoadTask, phase: Phase) -> LoadReport {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let clients = Client::connect(task).await.unwrap();
        Sending::new(clients, prepare(task).unwrap(), task.spans as u64).run(phase).await
    })
}

#[test]
fn every_request_once_is_every_span_once() {
    for transport in BOTH {
        for gzip in [false, true] {
            // As the Go collector: an answer is compressed if the request was.
            let server = Server::builder().with_compressed_answers().start().unwrap();
            let report = run_phase(&task(&server, transport, gzip), Phase::Once);
            assert_eq!((report.fault, report.refused), (None, 0), "{transport:?} {gzip}");
            let spans = server.wait_for_spans(16_000, Duration::from_secs(30)).unwrap();
            assert_eq!(report.accepted, spans.len() as u64, "{transport:?} {gzip}");
            assert_eq!(server.duplicate_spans(), Vec::<SpanKey>::new());
            assert_eq!(server.problems(), Vec::<String>::new());
        }
    }
}

#[test]
fn what_is_refused_or_rejected_is_not_accepted() {
    for transport in BOTH {
        let server = Server::start();
        let busy = match transport {
            Transport::Grpc => Reply::grpc(14, "busy"),
            Transport::Http => Reply::http(503),
        };
        server.respond_with([busy, Reply::partial_success(30, "bad")]);
        let report = run_phase(&task(&server, transport, false), Phase::Once);
        assert_eq!((report.fault, report.refused), (None, 1_030), "{transport:?}");
        assert_eq!(report.accepted, 16_000 - 1_030, "{transport:?}");
        let refusal = report.refusal.unwrap();
        assert!(refusal.contains("busy") || refusal.contains("503"), "{refusal}");
        assert!(report.p50_micros <= report.p99_micros && report.p99_micros <= report.max_micros);
    }
}

#[test]
fn an_answer_that_should_not_be_is_a_fault() {
    for transport in BOTH {
        for reply in [Reply::close(), Reply::http(404), Reply::garbage()] {
            let server = Server::start();
            server.respond_with(Script::always(reply.clone()));
            let report = run_phase(&task(&server, transport, false), Phase::Once);
            assert!(report.fault.is_some() && report.accepted == 0, "{transport:?} {reply:?}");
        }
    }
    let server = Server::start();
    server.respond_with(Script::always(Reply::grpc(3, "never")));
    let report = run_phase(&task(&server, Transport::Grpc, false), Phase::Once);
    assert_eq!(report.fault.as_deref(), Some("grpc-status 3: never"));
}

#[test]
fn a_pace_bounds_what_is_sent() {
    let server = Server::start();
    let phase = Phase::Paced(Duration::from_millis(100), 50_000);
    let report = run_phase(&task(&server, Transport::Grpc, false), phase);
    // Less if the machine has no time for it.
    assert!((1..=5_000).contains(&report.accepted), "{report:?}");
    let phase = Phase::Closed(Duration::from_millis(50));
    let report = run_phase(&task(&server, Transport::Grpc, false), phase);
    assert!(report.accepted > 0 && report.seconds >= 0.05, "{report:?}");
}
