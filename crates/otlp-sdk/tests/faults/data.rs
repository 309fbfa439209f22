//! Spans that are unusually large, many-sided or not ASCII.

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use otlp_core::SpanLimits;
use otlp_sdk::DropReason;
use otlp_testing::{Reply, Script, Server};

use super::case::Case;
use super::{Over, Setup};

/// Ends a span with these attributes.
fn span_with(case: &Case, attributes: impl IntoIterator<Item = KeyValue>) {
    let mut span = case.provider.tracer("faults").start("large");
    for attribute in attributes {
        span.set_attribute(attribute);
    }
    span.end();
}

#[test]
fn an_attribute_larger_than_a_request_costs_its_own_span_only() {
    // Z1
    for &over in Over::ALL {
        let server = Server::start();
        let case = Setup::to(over, over.endpoint(&server)).start();
        case.spans(2);
        span_with(&case, [KeyValue::new("huge", "x".repeat(5 << 20))]);
        case.spans(2);
        let end = case.end();
        assert_eq!((end.ledger.ended, end.ledger.delivered), (5, 4), "{}", end.ledger);
        assert_eq!(end.ledger.drops().collect::<Vec<_>>(), [(DropReason::TooLarge, 1)]);
        assert_eq!(server.counts().items, 4);
        let message = end.only_message();
        let said = ["too_large", "queue_full", "max_request_bytes"].map(|name| message.field(name));
        assert_eq!(said, ["1", "0", "4194304"], "{message}");
    }
}

/// "That is too large", as servers of this transport say it.
fn too_large(over: Over) -> Reply {
    match over {
        Over::Http => Reply::http(413).with_body("at most 10 bytes"),
        #[cfg(feature = "grpc")]
        Over::Grpc => Reply::grpc(8, "received message larger than max (99 vs. 10 bytes)"),
    }
}

#[test]
fn requests_that_the_server_finds_too_large_are_halved_until_they_fit() {
    for &over in Over::ALL {
        let server = Server::start();
        server.respond_with(Script::call(move |request| match request.items() {
            0..=3 => Reply::ok(),
            _ => too_large(over),
        }));
        let end = Setup::to(over, over.endpoint(&server)).start().end_with(10);
        end.delivered_quietly(10);
        assert_eq!((server.counts().items, server.duplicate_spans().len()), (10, 0));
    }
}

#[test]
fn a_single_span_that_the_server_finds_too_large_is_told_with_its_words() {
    for &over in Over::ALL {
        let server = Server::start();
        server.respond_with(Script::always(too_large(over)));
        let endpoint = over.endpoint(&server);
        let end = Setup::to(over, endpoint.clone()).start().end_with(1);
        end.lost(1, DropReason::TooLarge).says(&[&over.tried(&endpoint), "10 bytes"]);
        assert_eq!(server.counts().items, 0);
    }
}

#[test]
fn a_value_is_cut_at_a_character() {
    // L1
    for &over in Over::ALL {
        let server = Server::start();
        let case = Setup::to(over, over.endpoint(&server))
            .variable("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5")
            .start();
        let texts = ["äöüßéø", "日本語日本語", "👩‍🚀👩‍🚀", "ab", "abcdeä"];
        let attributes = texts.map(|text| KeyValue::new(text, text));
        span_with(&case, attributes);
        case.end().delivered_quietly(1);
        let spans = server.spans();
        for text in texts {
            let cut: String = text.chars().take(5).collect();
            assert_eq!(spans[0].record.attribute_text(text), Some(cut));
        }
    }
}

fn many() -> impl Iterator<Item = KeyValue> {
    (0..200_000).map(|at| KeyValue::new(format!("{at:x}"), at))
}

#[test]
fn two_hundred_thousand_attributes_are_cut_and_counted() {
    // L2
    for &over in Over::ALL {
        let server = Server::start();
        let case = Setup::to(over, over.endpoint(&server)).start();
        span_with(&case, many());
        let end = case.end();
        end.delivered(1);
        let said = end.only_message();
        assert_eq!(said.field("limited"), "1", "{said}");
        assert!(said.field("message").contains("beyond the limits"), "{said}");
        let spans = server.spans();
        let span = &spans[0].record.span;
        assert_eq!((span.attributes.len(), span.dropped_attributes_count), (128, 199_872));
    }
}

#[test]
fn two_hundred_thousand_attributes_without_a_limit_all_arrive() {
    let server = Server::start();
    let case = Setup::to(Over::Http, server.http_endpoint())
        .variable("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", u32::MAX.to_string())
        .start();
    assert_ne!(SpanLimits::default().attributes.count, u32::MAX);
    span_with(&case, many());
    case.end().delivered_quietly(1);
    let spans = server.spans();
    let span = &spans[0].record.span;
    assert_eq!((span.attributes.len(), span.dropped_attributes_count), (200_000, 0));
    assert!(spans[0].record.repeated_keys().is_empty());
}
