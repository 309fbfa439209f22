//! Servers that go away, for a while or for good.

use std::time::{Duration, Instant};

use otlp_core::export::retry::RetryPolicy;
use otlp_sdk::trace::{BatchConfig, DropReason, PipelineError};
use otlp_testing::{Reply, Script, Server};

use super::addresses::Nobody;
use super::{Over, Setup};

fn quick() -> RetryPolicy {
    let delay = Duration::from_millis(20);
    RetryPolicy::default().with_initial_backoff(delay).with_max_backoff(delay)
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
        let message = end.only_message();
        assert_eq!(message.field("message"), "export failed and will be tried again");
    }
}

#[test]
fn shutdown_while_the_server_is_away_ends_in_time_and_says_why() {
    for &over in Over::ALL {
        let nobody = Nobody::new();
        let batch = BatchConfig::default().with_shutdown_timeout(Duration::from_millis(300));
        let case = Setup::to(over, nobody.endpoint()).batch(batch).start();
        case.spans(5);
        let begun = Instant::now();
        let error = case.telemetry.shutdown().unwrap_err();
        // The timeout, the grace, and a machine that is busy.
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        assert!(matches!(error, PipelineError::Timeout { held: 5, .. }), "{error:?}");
        let text = error.to_string();
        for said in ["5 items", &over.tried(&nobody.endpoint()), "Connection refused"] {
            assert!(text.contains(said), "{said} is not in {text}");
        }
        let ledger = case.provider.ledger();
        assert_eq!(ledger.drops().collect::<Vec<_>>(), [(DropReason::ShutdownTimeout, 5)]);
        assert_eq!((ledger.unaccounted(), ledger.held), (0, 0), "{ledger}");
    }
}

#[test]
fn a_dropped_guard_says_what_was_lost_and_why() {
    for &over in Over::ALL {
        let nobody = Nobody::new();
        let batch = BatchConfig::default().with_shutdown_timeout(Duration::from_millis(300));
        let case = Setup::to(over, nobody.endpoint()).batch(batch).start();
        case.spans(5);
        drop(case.telemetry);
        let messages = case.ear.messages();
        let [retry, last] = messages.as_slice() else { panic!("{messages:#?}") };
        assert_eq!(retry.field("message"), "export failed and will be tried again");
        let text = last.to_string();
        for said in ["5 items were not delivered", "Connection refused", "shutdown_timeout 5"] {
            assert!(text.contains(said), "{said} is not in {text}");
        }
    }
}

#[test]
fn a_server_that_refuses_everything_gives_one_message_per_kind() {
    for &over in Over::ALL {
        let server = Server::start();
        server.respond_with(Script::always(Reply::grpc(3, "no")));
        let batch = BatchConfig::default().with_max_export_batch_size(1);
        let end = Setup::to(over, over.endpoint(&server)).batch(batch).start().end_with(100);
        let ledger = end.ledger;
        assert_eq!(ledger.dropped(DropReason::PermanentError), 100, "{ledger}");
        assert_eq!((server.counts().arrived, server.counts().items), (100, 0));
        let message = end.only_message();
        assert_eq!([message.field("items"), message.field("repeated")], ["1", "0"], "{message}");
    }
}
