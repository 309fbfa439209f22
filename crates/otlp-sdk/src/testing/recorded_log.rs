//! A log record read back from its bytes into the API's own types.

use std::time::SystemTime;

use opentelemetry::logs::{AnyValue, Severity};
use opentelemetry::{InstrumentationScope, Key, SpanId, TraceFlags, TraceId};
use otlp_core::Payload;
use otlp_core::wire::{AnyValueView, LogRecordView, WireError};

use super::recorded::{flags, for_each_item, time};
use crate::resource::Resource;

/// A log record as a value of the API's types, for assertions.
///
/// Read from the bytes that were exported, so it shows what a server gets: times in whole
/// nanoseconds since 1970, the last value of a repeated key, what the limits left.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[doc(alias = "LogData")]
pub struct RecordedLogRecord {
    /// When it happened, if that was said.
    pub time: Option<SystemTime>,
    /// When it was observed.
    pub observed_time: SystemTime,
    /// The number of the severity, if it has one.
    pub severity_number: Option<Severity>,
    /// What its source calls the severity; may be empty.
    pub severity_text: String,
    /// What it says.
    pub body: Option<AnyValue>,
    /// The attributes in the order in which their keys were first set.
    pub attributes: Vec<(Key, AnyValue)>,
    /// Attributes discarded for the limits.
    pub dropped_attributes: u32,
    /// The trace that it belongs to.
    pub trace_id: Option<TraceId>,
    /// The span that it belongs to.
    pub span_id: Option<SpanId>,
    /// The W3C trace flags of that span.
    pub trace_flags: TraceFlags,
    /// The name of the event, if it is one; else empty.
    pub event_name: String,
    /// The scope of the logger, named as its target if it has one.
    pub scope: InstrumentationScope,
    /// The provider's resource; all records of a request share it.
    pub resource: Resource,
}

impl RecordedLogRecord {
    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&AnyValue> {
        self.attributes.iter().find(|(name, _)| name.as_str() == key).map(|(_, value)| value)
    }

    fn read(
        view: &LogRecordView<'_>,
        scope: &InstrumentationScope,
        resource: &Resource,
    ) -> Result<Self, WireError> {
        let attribute = |view: Result<otlp_core::wire::KeyValueView<'_>, WireError>| {
            let view = view?;
            let value = value(view.value())?.unwrap_or_else(|| AnyValue::from(""));
            Ok((Key::new(view.key().to_owned()), value))
        };
        Ok(Self {
            time: (view.time_unix_nano() != 0).then(|| time(view.time_unix_nano())),
            observed_time: time(view.observed_time_unix_nano()),
            severity_number: severity(view.severity_number()),
            severity_text: view.severity_text().to_owned(),
            body: view.body().map(value).transpose()?.flatten(),
            attributes: view.attributes().map(attribute).collect::<Result<_, _>>()?,
            dropped_attributes: view.dropped_attributes_count(),
            trace_id: view.valid_trace_id().map(TraceId::from_bytes),
            span_id: view.valid_span_id().map(SpanId::from_bytes),
            trace_flags: flags(view.flags()),
            event_name: view.event_name().to_owned(),
            scope: scope.clone(),
            resource: resource.clone(),
        })
    }
}

/// The records of a request for logs.
pub(super) fn read(payload: &Payload) -> Result<Vec<RecordedLogRecord>, WireError> {
    let mut records = Vec::with_capacity(payload.items());
    for_each_item::<LogRecordView<'_>>(&payload.rope().to_bytes(), |record, scope, resource| {
        records.push(RecordedLogRecord::read(&record, scope, resource)?);
        Ok(())
    })?;
    Ok(records)
}

/// The API's form of a value; it has none for a value of no type.
fn value(view: AnyValueView<'_>) -> Result<Option<AnyValue>, WireError> {
    Ok(Some(match view {
        AnyValueView::String(text) => AnyValue::from(text.to_owned()),
        AnyValueView::Bool(value) => value.into(),
        AnyValueView::Int(value) => value.into(),
        AnyValueView::Double(value) => value.into(),
        AnyValueView::Bytes(bytes) => bytes.into(),
        AnyValueView::Array(elements) => {
            let elements: Vec<_> = elements.map(|it| value(it?)).collect::<Result<_, _>>()?;
            AnyValue::ListAny(Box::new(elements.into_iter().flatten().collect()))
        }
        AnyValueView::KeyValueList(entries) => {
            let entry = |view: Result<otlp_core::wire::KeyValueView<'_>, WireError>| {
                let view = view?;
                Ok((Key::new(view.key().to_owned()), value(view.value())?))
            };
            let entries: Vec<_> = entries.map(entry).collect::<Result<_, WireError>>()?;
            let kept = entries.into_iter().filter_map(|(key, value)| Some((key, value?)));
            AnyValue::Map(Box::new(kept.collect()))
        }
        _ => return Ok(None),
    }))
}

fn severity(number: i32) -> Option<Severity> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    SEVERITIES.get(index).copied()
}

/// In the order of their numbers, from 1.
const SEVERITIES: [Severity; 24] = {
    use Severity::{
        Debug, Debug2, Debug3, Debug4, Error, Error2, Error3, Error4, Fatal, Fatal2, Fatal3,
        Fatal4, Info, Info2, Info3, Info4, Trace, Trace2, Trace3, Trace4, Warn, Warn2, Warn3,
        Warn4,
    };
    [
        Trace, Trace2, Trace3, Trace4, Debug, Debug2, Debug3, Debug4, Info, Info2, Info3, Info4,
        Warn, Warn2, Warn3, Warn4, Error, Error2, Error3, Error4, Fatal, Fatal2, Fatal3, Fatal4,
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_a_severity_is_read_as_the_api_writes_it() {
        for number in 1..=24 {
            assert_eq!(severity(number).map(|severity| severity as i32), Some(number));
        }
        assert_eq!([severity(0), severity(25), severity(-1)], [None; 3]);
    }
}
