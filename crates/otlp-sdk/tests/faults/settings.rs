//! Settings that cannot be used: told once, by name, and replaced or refused.

use std::time::Duration;

use otlp_sdk::InitError;
use otlp_sdk::{DropReason, PipelineError};
use otlp_testing::{Gate, Reply, Script, Server};

use super::addresses::Nobody;
use super::{Over, PATIENCE, Setup};

#[test]
fn a_bad_header_value_is_told_by_name_and_the_others_are_sent() {
    for &over in Over::ALL {
        let server = Server::start();
        let end = Setup::to(over, over.endpoint(&server))
            .variable("OTEL_EXPORTER_OTLP_HEADERS", "x-key=S3CR3T%0d%0a,x-tenant=blue")
            .start()
            .end_with(1);
        end.delivered(1);
        let text = end.only_message().to_string();
        for said in ["OTEL_EXPORTER_OTLP_HEADERS", "\"x-key\"", "cannot carry"] {
            assert!(text.contains(said), "{said} is not in {text}");
        }
        assert!(!text.contains("S3CR3T"), "{text}");
        let request = &server.requests()[0];
        assert_eq!([request.header("x-key"), request.header("x-tenant")], [None, Some("blue")]);
    }
}

#[test]
fn a_bad_header_in_code_is_an_error_without_its_value() {
    let builder = otlp_sdk::builder().with_header("x-key", "S3CR3T\n").without_globals();
    let text = builder.init().unwrap_err().to_string();
    assert!(text.contains("x-key") && !text.contains("S3CR3T"), "{text}");
}

#[test]
fn a_bad_endpoint_is_an_error_that_names_the_variable_and_the_forms_that_are_accepted() {
    for &over in Over::ALL {
        for endpoint in ["http://", "http://host:99999", "ftp://host", "http://[::1", "http:// a"] {
            let error = Setup::to(over, endpoint).try_start().unwrap_err();
            assert!(matches!(error, InitError::Config(_)), "{error:?}");
            let text = error.to_string();
            for said in ["OTEL_EXPORTER_OTLP_ENDPOINT", endpoint, "accepted: "] {
                assert!(text.contains(said), "{said} is not in {text}");
            }
        }
    }
}

#[test]
fn a_timeout_of_zero_is_no_limit() {
    for &over in Over::ALL {
        let (server, gate) = (Server::start(), Gate::new());
        server.respond_with(Reply::ok().after(&gate));
        let case = Setup::to(over, over.endpoint(&server))
            .variable("OTEL_EXPORTER_OTLP_TIMEOUT", "0")
            .variable("OTEL_BSP_EXPORT_TIMEOUT", "0")
            .start();
        case.spans(2);
        // A flush of zero starts the work and does not wait for it.
        let flushed = case.provider.force_flush_with_timeout(Duration::ZERO);
        assert!(matches!(flushed, Err(PipelineError::Timeout { held: 2, .. })), "{flushed:?}");
        assert!(gate.wait_for_waiting(1, PATIENCE));
        gate.open();
        case.end().delivered_quietly(2);
        assert_eq!(server.counts().items, 2);
    }
}

#[test]
fn a_batch_larger_than_the_queue_is_told_and_made_smaller() {
    // R7
    for &over in Over::ALL {
        let (server, gate) = (Server::start(), Gate::new());
        server.respond_with(Script::always(Reply::ok().after(&gate)));
        let case = Setup::to(over, over.endpoint(&server))
            .variable("OTEL_BSP_MAX_QUEUE_SIZE", "100")
            .variable("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512")
            .start();
        let text = case.ear.messages().iter().map(ToString::to_string).collect::<String>();
        for said in
            ["OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512", "OTEL_BSP_MAX_QUEUE_SIZE", "using 100"]
        {
            assert!(text.contains(said), "{said} is not in {text}");
        }
        // Nothing is answered, so the queue keeps what it took.
        case.spans(250);
        let ledger = case.provider.ledger();
        assert_eq!((ledger.held, ledger.dropped(DropReason::QueueFull)), (100, 150), "{ledger}");
        assert_eq!(ledger.unaccounted(), 0);
        gate.open();
        let end = case.end();
        assert_eq!((end.ledger.ended, end.ledger.delivered), (250, 100), "{}", end.ledger);
        assert_eq!(server.counts().items, 100);
        let [_, full] = end.messages.as_slice() else { panic!("{:#?}", end.messages) };
        assert_eq!(full.field("queue_full"), "150", "{full}");
        assert_eq!(full.field("max_queue_size"), "100", "{full}");
    }
}

#[test]
fn a_name_that_is_not_known_is_told_with_those_that_are() {
    let server = Server::start();
    for (variable, accepted) in [
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_TRACES_SAMPLER", "parentbased_always_on"),
        ("OTEL_TRACES_EXPORTER", "otlp"),
        ("OTEL_PROPAGATORS", "tracecontext"),
        ("OTEL_SDK_DISABLED", "true"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "milliseconds"),
        ("OTEL_BSP_SCHEDULE_DELAY", "milliseconds"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "whole number"),
    ] {
        let setup = Setup::to(Over::Http, server.http_endpoint());
        let end = setup.variable(variable, "pigeon").start().end_with(1);
        end.delivered(1);
        let text = end.only_message().to_string();
        for said in [variable, "\"pigeon\"", accepted, "using "] {
            assert!(text.contains(said), "{said} is not in {text}");
        }
    }
    assert_eq!(server.counts().items, 8);
}

#[test]
fn a_protocol_that_is_not_known_is_told_and_the_default_is_spoken() {
    let server = Server::start();
    let setup = Setup::to(Over::Http, server.http_endpoint());
    // A later pair of the same name counts.
    let end = setup.variable("OTEL_EXPORTER_OTLP_PROTOCOL", "pigeon").start().end_with(1);
    end.delivered(1);
    let text = end.only_message().to_string();
    for said in ["OTEL_EXPORTER_OTLP_PROTOCOL", "\"pigeon\"", "http/protobuf", "using "] {
        assert!(text.contains(said), "{said} is not in {text}");
    }
    assert_eq!(server.counts().items, 1);
}

fn ends_an_attempt(variable: &str) {
    for &over in Over::ALL {
        let server = Server::start();
        server.respond_with(Script::always(Reply::never()));
        let endpoint = over.endpoint(&server);
        let case = Setup::to(over, endpoint.clone()).variable(variable, "200").start();
        case.spans(2);
        let flushed = case.provider.force_flush_with_timeout(Duration::ZERO);
        assert!(matches!(flushed, Err(PipelineError::Timeout { held: 2, .. })), "{flushed:?}");
        case.ear.wait();
        server.respond_with(Script::default());
        let end = case.end();
        end.delivered(2);
        assert_eq!((server.counts().items, server.duplicate_spans().len()), (2, 0));
        let said = end.only_message().field("error");
        let reason = "the deadline passed before the server had answered";
        assert!(said.contains(&over.tried(&endpoint)) && said.contains(reason), "{said}");
    }
}

#[test]
fn the_batch_processors_timeout_ends_an_attempt_that_nobody_answers() {
    ends_an_attempt("OTEL_BSP_EXPORT_TIMEOUT");
}

#[test]
fn the_exporters_timeout_ends_an_attempt_that_nobody_answers() {
    ends_an_attempt("OTEL_EXPORTER_OTLP_TIMEOUT");
}

#[test]
fn the_destination_in_messages_holds_no_password() {
    let nobody = Nobody::new();
    let endpoint = nobody.endpoint().replace("http://", "http://user:S3CR3T@");
    let end = Setup::once(Over::Http, nobody.endpoint())
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .start()
        .end_with(1)
        .lost(1, DropReason::RetriesExhausted);
    end.says(&["Connection refused"]);
    assert!(!format!("{end:?}").contains("S3CR3T"), "{end:?}");
}
