//! Log records against `opentelemetry-proto`: decoded to what was set, and byte for byte what prost
//! writes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod encode_support;

use opentelemetry_proto::tonic::logs::v1::{LogRecord, ScopeLogs};
use otlp_core::log::{LogContext, LogRecordEncoder};
use otlp_core::wire::LogRecordView;
use otlp_core::{AttributeLimits, LogRecordLimits, ValueLimits};
use proptest::option;
use proptest::prelude::*;
use prost::Message;

use crate::encode_support::{Any, ModelList, any_value, attribute_limits, attributes, text};

/// A log record as a test sets it.
#[derive(Clone, Debug)]
struct Script {
    time: u64,
    observed: u64,
    severity: u8,
    severity_text: String,
    body: Option<Any>,
    attributes: Vec<(String, Any)>,
    limits: AttributeLimits,
    context: Option<([u8; 16], [u8; 8], u8)>,
    event_name: String,
}

fn script() -> impl Strategy<Value = Script> {
    let head = (any::<u64>(), any::<u64>(), 0..=24_u8, text(), option::of(any_value()));
    let context = option::of((any::<[u8; 16]>(), any::<[u8; 8]>(), any::<u8>()));
    (head, attributes(), attribute_limits(), context, text()).prop_map(
        |((time, observed, severity, severity_text, body), attributes, limits, context, name)| {
            let event_name = name;
            Script {
                time,
                observed,
                severity,
                severity_text,
                body,
                attributes,
                limits,
                context,
                event_name,
            }
        },
    )
}

impl Script {
    fn record(&self, encoder: &mut LogRecordEncoder) {
        let limits = LogRecordLimits { attributes: self.limits };
        encoder.set_time(self.time);
        encoder.set_observed_time(self.observed);
        encoder.set_severity(self.severity, self.severity_text.clone());
        if let Some(body) = &self.body {
            encoder.set_body(body.value());
        }
        for (key, value) in &self.attributes {
            encoder.set_attribute(key.as_str(), value.value(), &limits);
        }
        if let Some((trace_id, span_id, trace_flags)) = self.context {
            encoder.set_context(LogContext { trace_id, span_id, trace_flags });
        }
        encoder.set_event_name(self.event_name.clone());
    }

    fn has_too_deep(&self) -> bool {
        let limits = &self.limits.value;
        self.attributes.iter().any(|(_, any)| any.loses(limits, 1))
            || self.body.iter().any(|any| any.loses(&ValueLimits::DEFAULT, 1))
    }

    fn expected(&self) -> LogRecord {
        let model = ModelList::of(&self.attributes, &self.limits);
        let context = self.context.filter(|(trace_id, ..)| *trace_id != [0; 16]);
        let (trace_id, span_id, flags) = context.unwrap_or_default();
        let id =
            |id: &[u8]| if id.iter().all(|byte| *byte == 0) { Vec::new() } else { id.to_vec() };
        LogRecord {
            time_unix_nano: self.time,
            observed_time_unix_nano: self.observed,
            severity_number: self.severity.into(),
            severity_text: self.severity_text.clone(),
            // G-L5: limits hold for attributes, not for the body.
            body: self.body.as_ref().map(|body| body.expected(&ValueLimits::DEFAULT, 1)),
            attributes: model.list,
            dropped_attributes_count: model.dropped,
            flags: flags.into(),
            trace_id: id(&trace_id),
            span_id: id(&span_id),
            event_name: self.event_name.clone(),
        }
    }
}

proptest! {
    #[test]
    fn a_record_is_what_prost_encodes_and_decodes_to_what_was_set(script in script()) {
        // W5, F4, F7
        let mut encoder = LogRecordEncoder::default();
        script.record(&mut encoder);
        let (encoded, expected) = (encoder.encode(), script.expected());
        prop_assert_eq!(&LogRecord::decode(&encoded[..]).unwrap(), &expected);
        prop_assert_eq!(encoded, expected.encode_to_vec());
    }

    #[test]
    fn an_item_is_the_record_as_a_field_of_its_scope(script in script()) {
        let mut encoder = LogRecordEncoder::default();
        script.record(&mut encoder);
        let mut item = b"before".to_vec();
        encoder.put_item(&mut item);
        prop_assert_eq!(item.len(), 6 + encoder.sizes().item_len());
        let scope = ScopeLogs { log_records: vec![script.expected()], ..ScopeLogs::default() };
        prop_assert_eq!(&item[6..], &scope.encode_to_vec()[..]);
    }

    #[test]
    fn nothing_of_a_record_is_left_in_the_next(first in script(), second in script()) {
        let mut used = LogRecordEncoder::default();
        first.record(&mut used);
        used.clear();
        second.record(&mut used);
        let mut fresh = LogRecordEncoder::default();
        second.record(&mut fresh);
        prop_assert_eq!(used.encode(), fresh.encode());
    }

    #[test]
    fn what_was_set_is_read_back_from_the_encoder_and_from_the_bytes(script in script()) {
        let mut encoder = LogRecordEncoder::default();
        script.record(&mut encoder);
        let (bytes, expected) = (encoder.encode(), script.expected());
        let view = LogRecordView::parse(&bytes).unwrap();
        prop_assert_eq!(view.body().is_some(), expected.body.is_some());
        prop_assert_eq!(encoder.body().is_some(), expected.body.is_some());
        prop_assert_eq!(encoder.severity(), (script.severity, script.severity_text.as_str()));
        prop_assert_eq!(view.event_name(), encoder.event_name());
        prop_assert_eq!(view.attributes().count(), expected.attributes.len());
        prop_assert_eq!(encoder.attributes().len(), expected.attributes.len());
        prop_assert_eq!(view.valid_trace_id(), encoder.context().map(|context| context.trace_id));
        // What is left out for its depth may stand in an attribute that was dropped whole.
        let dropped = expected.dropped_attributes_count > 0;
        prop_assert!(encoder.is_limited() || !dropped);
        prop_assert!(encoder.is_limited() <= (dropped || script.has_too_deep()));
    }
}
