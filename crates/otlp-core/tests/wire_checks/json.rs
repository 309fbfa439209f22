//! JSON and protobuf say the same, both ways.

use std::fmt::Debug;

use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use otlp_core::Signal;
use otlp_core::wire::json::{
    Message, WriteError, read, read_partial_success, read_status, write, write_within,
};

/// Any text is read or refused; what is read can be written, and reads back to the same bytes.
pub(crate) fn reads_back(text: &[u8]) {
    for message in MESSAGES {
        if let Ok(bytes) = read(message, text) {
            let written = written(message, &bytes);
            let again = read(message, &written).unwrap();
            assert_eq!(again, bytes, "{message:?}: {}", String::from_utf8_lossy(&written));
        }
    }
    for signal in Signal::ALL {
        let _ = read_partial_success(signal, text);
    }
    let _ = read_status(text);
}

/// What prost decodes can be written, and means the same when it is read again; other bytes give errors,
/// not panics.
pub(crate) fn agrees_with_prost(bytes: &[u8]) {
    meaning_is_kept::<ExportTraceServiceRequest>(Message::Request(Signal::Traces), bytes);
    meaning_is_kept::<ExportMetricsServiceRequest>(Message::Request(Signal::Metrics), bytes);
    meaning_is_kept::<ExportLogsServiceRequest>(Message::Request(Signal::Logs), bytes);
    meaning_is_kept::<ExportTraceServiceResponse>(Message::Response(Signal::Traces), bytes);
    meaning_is_kept::<ExportMetricsServiceResponse>(Message::Response(Signal::Metrics), bytes);
    meaning_is_kept::<ExportLogsServiceResponse>(Message::Response(Signal::Logs), bytes);
}

fn meaning_is_kept<T: prost::Message + Default + Debug>(message: Message, bytes: &[u8]) {
    let Ok(decoded) = T::decode(bytes) else {
        let _ = write(message, bytes, &mut Vec::new());
        return;
    };
    let text = written(message, bytes);
    let again = read(message, &text);
    let again = again.map(|again| T::decode(again.as_slice()).unwrap());
    // As text: one NaN equals another there.
    let again = again.map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&text)));
    assert_eq!(format!("{:?}", again.unwrap()), format!("{decoded:?}"));
}

/// The text of `bytes`, which keeps the bound that it is given.
fn written(message: Message, bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    write(message, bytes, &mut text).unwrap();
    let short = write_within(message, bytes, text.len() - 1, &mut Vec::new());
    assert_eq!(short, Err(WriteError::TooLarge { max: text.len() - 1 }));
    assert_eq!(write_within(message, bytes, text.len(), &mut Vec::new()), Ok(()));
    text
}

const MESSAGES: [Message; 7] = [
    Message::Request(Signal::Traces),
    Message::Request(Signal::Metrics),
    Message::Request(Signal::Logs),
    Message::Response(Signal::Traces),
    Message::Response(Signal::Metrics),
    Message::Response(Signal::Logs),
    Message::Status,
];
