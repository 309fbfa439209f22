//! Servers that go away, for a while or for good.

use std::time::{Duration, Instant};

use otlp_core::export::retry::RetryPolicy;
use otlp_sdk::{BatchConfig, DropReason, Ledger, PipelineError};
use otlp_testing::{RawAnswer, RawServer, Reply, Script, Server};

use super::addresses::Nobody;
use super::{Over, PATIENCE, Setup, of_spans};

fn quick() -> RetryPolicy {
    let delay = Duration::from_millis(20);
    RetryPolicy::default().with_initial_backoff(delay).with_max_backoff(delay)
}

/// A shutdown that waits 300 ms, and a second attempt that would come later than that.
fn brief() -> BatchConfig {
    let policy = RetryPolicy::default().with_initial_backoff(Duration::from_secs(5));
    BatchConfig::default().with_shutdown_timeout(Duration::from_millis(300)).with_retry(policy)
}

/// What such a shutdown may take on a machine that is busy; waiting for the server takes 30 s.
const AT_MOST: Duration = Duration::from_secs(10);

#[track_caller]
fn lost_at_shutdown(ledger: &Ledger, count: u64) {
    assert_eq!(ledger.drops().collect::<Vec<_>>(), [(DropReason::ShutdownTimeout, count)]);
    assert_eq!((ledger.ended, ledger.held, ledger.unaccounted()), (count, 0, 0), "{ledger}");
}

#[test]
fn nothing_is_lost_while_the_server_is_away() {
    for &over in Over::ALL {
        let server = Server::start();
        let case = Setup::to(over, over.endpoint(&server)).retry(quick()).start();
        case.spans(10);
        case.flush().unwrap();

        server.kill();
        case.spans(1000);
        let flushed = case.provider.force_flush_with_timeout(Duration::ZERO);
        assert!(flushed.is_err(), "nobody is there");
        case.ear.wait();
        let ledger = case.provider.ledger();
        assert_eq!((ledger.held, ledger.delivered), (1000, 10), "{ledger}");

        server.restart().unwrap();
        let end = case.end();
        end.delivered(1010);
        assert_eq!((server.counts().items, server.duplicate_spans().len()), (1010, 0));
        // The attempts during the outage may be many or one.
        let [first, more @ ..] = end.messages.as_slice() else { panic!("nothing was said") };
        assert_eq!(first.field("message"), "export failed and will be tried again");
        assert!(more.len() <= 1, "{more:#?}");
        for message in more {
            assert!(message.field("message").starts_with("more exports failed"), "{message}");
        }
    }
}

#[test]
fn shutdown_while_the_server_is_away_ends_in_time_and_says_why() {
    for &over in Over::ALL {
        let nobody = Nobody::new();
        let case = Setup::to(over, nobody.endpoint()).batch(brief()).start();
        case.spans(5);
        let begun = Instant::now();
        let error = case.telemetry.shutdown().unwrap_err();
        assert!(begun.elapsed() < AT_MOST, "{:?}", begun.elapsed());
        assert!(matches!(of_spans(&error), PipelineError::Timeout { held: 5, .. }), "{error:?}");
        let text = error.to_string();
        for said in ["5 items", &over.tried(&nobody.endpoint()), "Connection refused"] {
            assert!(text.contains(said), "{said} is not in {text}");
        }
        lost_at_shutdown(&case.provider.ledger(), 5);
    }
}

#[test]
fn shutdown_while_the_server_is_silent_ends_in_time_and_says_why() {
    for &over in Over::ALL {
        let silent = RawServer::start(RawAnswer::Silent);
        let endpoint = silent.endpoint("http");
        let case = Setup::to(over, endpoint.clone()).batch(brief()).start();
        case.spans(5);
        let begun = Instant::now();
        let error = case.telemetry.shutdown().unwrap_err();
        assert!(begun.elapsed() < AT_MOST, "{:?}", begun.elapsed());
        assert!(matches!(of_spans(&error), PipelineError::Timeout { held: 5, .. }), "{error:?}");
        let text = error.to_string();
        for said in ["5 items", &over.tried(&endpoint), "the deadline passed before the server"] {
            assert!(text.contains(said), "{said} is not in {text}");
        }
        lost_at_shutdown(&case.provider.ledger(), 5);
    }
}

/// Each of its heads is one more reason to read on, and keeps the thread that exports busy.
#[test]
fn a_server_that_floods_us_with_interim_answers_ends_with_the_shutdown() {
    let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(1000);
    let flood = RawServer::start(RawAnswer::Endless(interim.into()));
    let case = Setup::to(Over::Http, flood.endpoint("http")).batch(brief()).start();
    case.spans(5);
    case.telemetry.shutdown().unwrap_err();
    let until = Instant::now() + PATIENCE;
    while case.provider.ledger().held > 0 {
        assert!(Instant::now() < until, "{}", case.provider.ledger());
        std::thread::yield_now();
    }
    lost_at_shutdown(&case.provider.ledger(), 5);
}

/// Shuts down while a request is on its way to a server that says nothing.
fn shut_down_in_flight(over: Over) -> (PipelineError, String) {
    let silent = RawServer::start(RawAnswer::Silent);
    let endpoint = silent.endpoint("http");
    let case = Setup::to(over, endpoint.clone()).batch(brief()).start();
    case.spans(5);
    let begun = Instant::now();
    let flushed = case.provider.force_flush_with_timeout(Duration::from_millis(100));
    assert!(matches!(flushed, Err(PipelineError::Timeout { held: 5, .. })), "{flushed:?}");
    let ledger = case.provider.ledger();
    assert_eq!((ledger.held, ledger.unaccounted()), (5, 0), "{ledger}");
    assert!(silent.wait_for_connections(1, PATIENCE));
    let error = case.telemetry.shutdown().unwrap_err();
    assert!(begun.elapsed() < AT_MOST, "{:?}", begun.elapsed());
    lost_at_shutdown(&case.provider.ledger(), 5);
    assert_eq!(error.ledgers.traces, case.provider.ledger());
    (of_spans(&error).clone(), endpoint)
}

#[test]
fn flush_and_shutdown_are_not_held_up_by_a_request_that_nobody_answers() {
    for &over in Over::ALL {
        let (error, _) = shut_down_in_flight(over);
        assert!(matches!(error, PipelineError::Timeout { held: 5, .. }), "{error:?}");
    }
}

#[test]
fn a_request_that_nobody_answers_is_the_reason_that_shutdown_gives() {
    for &over in Over::ALL {
        let (error, endpoint) = shut_down_in_flight(over);
        let said = format!("no answer from {endpoint}");
        assert!(error.to_string().contains(&said), "{error}");
    }
}

#[test]
fn a_dropped_guard_says_what_was_lost_and_why() {
    for &over in Over::ALL {
        let nobody = Nobody::new();
        let case = Setup::to(over, nobody.endpoint()).batch(brief()).start();
        case.spans(5);
        drop(case.telemetry);
        let messages = case.ear.messages();
        let [failed, last] = messages.as_slice() else { panic!("{messages:#?}") };
        assert_eq!(
            failed.field("message"),
            "export failed and shutdown leaves no time for another attempt"
        );
        let text = last.to_string();
        for said in ["5 items were not delivered", "Connection refused", "shutdown_timeout 5"] {
            assert!(text.contains(said), "{said} is not in {text}");
        }
    }
}

#[test]
fn a_server_that_refuses_everything_gives_one_message_and_the_sum_of_the_rest() {
    for &over in Over::ALL {
        let server = Server::start();
        server.respond_with(Script::always(Reply::grpc(3, "no")));
        let batch = BatchConfig::default().with_max_export_batch_size(1);
        let end = Setup::to(over, over.endpoint(&server)).batch(batch).start().end_with(100);
        let ledger = end.ledger;
        assert_eq!(ledger.dropped(DropReason::PermanentError), 100, "{ledger}");
        assert_eq!((server.counts().arrived, server.counts().items), (100, 0));
        let [first, rest] = end.messages.as_slice() else { panic!("{:#?}", end.messages) };
        assert_eq!([first.field("items"), first.field("repeated")], ["1", "0"], "{first}");
        assert_eq!([rest.field("items"), rest.field("messages")], ["99", "99"], "{rest}");
    }
}

#[test]
fn a_server_that_stays_busy_gives_one_message_per_kind_and_the_sum_of_the_rest() {
    for &over in Over::ALL {
        let server = Server::start();
        server.respond_with(Script::always(Reply::grpc(14, "busy")));
        let policy = RetryPolicy::default()
            .with_initial_backoff(Duration::from_millis(1))
            .with_max_backoff(Duration::from_millis(1))
            .with_max_elapsed(Some(Duration::from_millis(50)));
        let batch = BatchConfig::default().with_max_export_batch_size(1).with_retry(policy);
        let end = Setup::to(over, over.endpoint(&server)).batch(batch).start().end_with(5);
        let ledger = end.ledger;
        assert_eq!(ledger.drops().collect::<Vec<_>>(), [(DropReason::RetriesExhausted, 5)]);
        assert!(server.counts().arrived > 5 && server.counts().items == 0);
        let [retry, dropped, more_retries, more_dropped] = end.messages.as_slice() else {
            panic!("{:#?}", end.messages)
        };
        assert_eq!(retry.field("message"), "export failed and will be tried again");
        assert_eq!(dropped.field("reason"), "retries_exhausted");
        let retried = server.counts().arrived - 5;
        assert_eq!(more_retries.field("messages"), (retried - 1).to_string(), "{more_retries}");
        assert_eq!([more_dropped.field("items"), more_dropped.field("messages")], ["4", "4"]);
        for message in &end.messages {
            assert!(message.field("error").contains("busy"), "{message}");
        }
    }
}
