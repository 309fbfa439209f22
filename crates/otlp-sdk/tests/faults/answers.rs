//! Servers that answer wrongly, without end, far too late or not at all.

use std::time::Duration;

use otlp_core::export::retry::RetryPolicy;
use otlp_sdk::{BatchConfig, DropReason, PipelineError};
use otlp_testing::{Direction, FaultProxy, RawAnswer, RawServer, Reply, Script, Server};

use super::{End, Over, Setup, of_spans};

/// Sends two spans to a server that always answers like this, once.
fn answered(over: Over, reply: Reply) -> (End, String, Server) {
    let server = Server::start();
    server.respond_with(Script::always(reply));
    let endpoint = over.endpoint(&server);
    let end = Setup::once(over, endpoint.clone()).start().end_with(2);
    (end, over.tried(&endpoint), server)
}

#[test]
fn garbage_beside_a_success_costs_nothing_and_is_told() {
    for &over in Over::ALL {
        let (end, _, server) = answered(over, Reply::garbage());
        end.delivered(2);
        let said = end.only_message().field("server_message");
        for text in ["that all was taken", "cannot be read", "varint longer than 64 bits"] {
            assert!(said.contains(text), "{said}");
        }
        assert_eq!(server.counts_of_all(), (1, 0));
    }
}

#[test]
fn what_is_no_http_is_named_as_that() {
    for &over in Over::ALL {
        let ssh = RawServer::start(RawAnswer::OnFirstBytes("SSH-2.0-OpenSSH_9.6\r\n".into()));
        let endpoint = ssh.endpoint("http");
        let end = Setup::once(over, endpoint.clone()).start().end_with(2);
        end.lost(2, DropReason::RetriesExhausted)
            .says(&[&over.tried(&endpoint), "hint: the server does not speak HTTP/"]);
    }
}

#[test]
fn a_server_that_says_nothing_is_a_deadline_that_passed() {
    for &over in Over::ALL {
        let silent = RawServer::start(RawAnswer::Silent);
        let endpoint = silent.endpoint("http");
        let batch = BatchConfig::default().with_export_timeout(Duration::from_millis(200));
        let setup = Setup::to(over, endpoint.clone()).batch(batch).retry(RetryPolicy::never());
        let end = setup.start().end_with(2);
        end.lost(2, DropReason::RetriesExhausted)
            .says(&[&over.tried(&endpoint), "the deadline passed before the server had answered"]);
    }
}

#[test]
fn an_answer_of_ten_gigabytes_is_cut_at_the_limit() {
    for &over in Over::ALL {
        let server = Server::start();
        server.respond_with(Script::always(Reply::endless_body(10 << 30)));
        let proxy = FaultProxy::start(over.addr(&server));
        let endpoint = proxy.endpoint("http");
        let end = Setup::once(over, endpoint.clone()).start().end_with(2);
        let limit = "the limit for answers is 4194304 bytes";
        end.lost(2, DropReason::PermanentError).says(&[&over.tried(&endpoint), limit]);
        let read = proxy.bytes(Direction::Answer);
        assert!(read < 32 << 20, "{read}");
    }
}

#[test]
fn a_connection_that_closes_inside_the_answer_is_named_as_that() {
    for &over in Over::ALL {
        let (end, tried, _) = answered(over, Reply::cut_body());
        end.lost(2, DropReason::RetriesExhausted).says(&[&tried, "the answer broke off"]);
    }
}

#[test]
fn a_connection_that_closes_instead_of_an_answer_is_named_as_that() {
    for &over in Over::ALL {
        let (end, tried, _) = answered(over, Reply::close());
        end.lost(2, DropReason::RetriesExhausted).says_that_the_connection_is_gone(&tried);
    }
}

#[test]
fn a_port_that_hangs_up_is_named_as_that() {
    for &over in Over::ALL {
        for answer in [RawAnswer::CloseAtOnce, RawAnswer::Reset] {
            let server = RawServer::start(answer);
            let endpoint = server.endpoint("http");
            let end = Setup::once(over, endpoint.clone()).start().end_with(2);
            end.lost(2, DropReason::RetriesExhausted)
                .says_that_the_connection_is_gone(&over.tried(&endpoint));
        }
    }
}

#[test]
fn a_lost_acknowledgement_is_counted_as_lost_and_never_as_delivered() {
    // W9
    for &over in Over::ALL {
        let (end, tried, server) = answered(over, Reply::close().with_data_taken());
        end.lost(2, DropReason::RetriesExhausted).says(&[&tried]);
        assert_eq!(server.counts().items, 2);
    }
}

#[test]
fn a_lost_acknowledgement_is_sent_again_and_counted_once() {
    // W9: at least once; nobody can tell the two apart from here.
    for &over in Over::ALL {
        let server = Server::start();
        server.respond_with(Reply::close().with_data_taken());
        let policy = RetryPolicy::default().with_initial_backoff(Duration::from_millis(1));
        let end = Setup::to(over, over.endpoint(&server)).retry(policy).start().end_with(2);
        end.delivered(2);
        assert_eq!((server.counts().items, server.duplicate_spans().len()), (4, 2));
        assert_eq!(end.only_message().field("message"), "export failed and will be tried again");
    }
}

/// `google.rpc.Status` with a `RetryInfo` of the most seconds that it can hold.
#[cfg(feature = "grpc")]
fn status_of_longest_delay() -> Vec<u8> {
    let delay = [&[0x08][..], &[0xff; 8], &[0x7f]].concat();
    let info = field(0x0a, &delay);
    let any = [field(0x0a, b"type.googleapis.com/google.rpc.RetryInfo"), field(0x12, &info)];
    [&[0x08, 14][..], &field(0x1a, &any.concat())].concat()
}

#[cfg(feature = "grpc")]
fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(content.len()).unwrap()][..], content].concat()
}

/// "Unavailable, come back in 2^63 seconds."
fn for_ever(over: Over) -> Reply {
    let reply = Reply::grpc(14, "come back later");
    match over {
        Over::Http => reply.with_retry_info(Duration::from_secs(1 << 63)),
        #[cfg(feature = "grpc")]
        Over::Grpc => reply.with_details(status_of_longest_delay()),
    }
}

#[test]
fn a_delay_beyond_our_patience_ends_the_retries_at_once() {
    // B2: more than the policy waits, so waiting would only keep the memory.
    for &over in Over::ALL {
        let server = Server::start();
        server.respond_with(Script::always(for_ever(over)));
        let endpoint = over.endpoint(&server);
        let policy = RetryPolicy::default().with_max_elapsed(Some(Duration::from_secs(299)));
        let end = Setup::to(over, endpoint.clone()).retry(policy).start().end_with(2);
        end.lost(2, DropReason::RetriesExhausted).says(&[
            "the server asked to wait",
            &over.tried(&endpoint),
            "come back later",
        ]);
        assert_eq!(server.counts_of_all(), (1, 0));
    }
}

#[test]
fn a_hostile_delay_is_capped_and_holds_up_no_shutdown() {
    for &over in Over::ALL {
        let server = Server::start();
        server.respond_with(Script::always(for_ever(over)));
        let policy = RetryPolicy::default().with_max_elapsed(None);
        let case = Setup::to(over, over.endpoint(&server)).retry(policy).start();
        case.spans(2);
        let flushed = case.provider.force_flush_with_timeout(Duration::ZERO);
        assert!(matches!(flushed, Err(PipelineError::Timeout { held: 2, .. })), "{flushed:?}");
        case.ear.wait();

        let error = case.telemetry.shutdown().unwrap_err();
        assert!(matches!(of_spans(&error), PipelineError::Timeout { held: 2, .. }), "{error:?}");
        assert!(error.to_string().contains("come back later"), "{error}");
        let ledger = case.provider.ledger();
        assert_eq!(ledger.drops().collect::<Vec<_>>(), [(DropReason::ShutdownTimeout, 2)]);
        assert_eq!((ledger.unaccounted(), ledger.held), (0, 0), "{ledger}");

        let messages = case.ear.messages();
        assert_eq!(messages.len(), 1, "{messages:#?}");
        let wait = messages[0].field("wait");
        assert!(wait.starts_with("299.") || wait == "300s", "{wait}");
    }
}

#[test]
fn a_partial_rejection_is_counted_and_told_in_the_servers_words() {
    // W10
    for &over in Over::ALL {
        let server = Server::start();
        server.respond_with(Reply::partial_success(1, "no\nservice name"));
        let end = Setup::to(over, over.endpoint(&server)).start().end_with(3);
        assert_eq!((end.ledger.delivered, end.ledger.rejected), (2, 1), "{}", end.ledger);
        assert_eq!(server.counts().items, 2);
        let message = end.only_message();
        let said = ["rejected", "server_message"].map(|field| message.field(field));
        assert_eq!(said, ["1", "no\\nservice name"], "{message}");
        let words = end.result.as_ref().unwrap_err().to_string();
        assert!(words.contains("no\\nservice name"), "{words}");
    }
}

#[test]
fn a_warning_of_the_server_is_told_in_its_words() {
    // W11
    for &over in Over::ALL {
        let server = Server::start();
        server.respond_with(Reply::partial_success(0, "old \"schema\""));
        let end = Setup::to(over, over.endpoint(&server)).start().end_with(3);
        end.delivered(3);
        assert_eq!(end.only_message().field("server_message"), "old \"schema\"");
    }
}

trait Seen {
    /// Requests that arrived, and items that were taken.
    fn counts_of_all(&self) -> (u64, u64);
}

impl Seen for Server {
    fn counts_of_all(&self) -> (u64, u64) {
        let counts = self.counts();
        (counts.arrived, counts.items)
    }
}
