//! Responses read as prost decodes them.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use otlp_core::Signal;
use otlp_core::wire::response::{
    MESSAGE_MAX, PartialSuccess, decode_partial_success, decode_status,
};
use prost::Message;

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Any {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub(crate) retry_delay: Option<RpcDuration>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RpcDuration {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}

/// Both kinds of answer are read, or refused, as prost does it.
pub(crate) fn agrees_with_prost(data: &[u8]) {
    let decoded = ExportTraceServiceResponse::decode(data);
    match (decode_partial_success(Signal::Traces, data), &decoded) {
        (Ok(read), Ok(decoded)) => same_partial(read, decoded),
        (read, decoded) => assert_eq!(read.is_ok(), decoded.is_ok(), "{read:?}, {decoded:?}"),
    }
    let decoded = RpcStatus::decode(data);
    match (decode_status(data), &decoded) {
        (Ok(read), Ok(decoded)) => {
            assert_eq!(read.code, decoded.code);
            assert_cut(&read.message, &decoded.message);
            assert_eq!(read.retry_delay.is_some(), has_retry_info(decoded));
        }
        (read, decoded) => assert_eq!(read.is_ok(), decoded.is_ok(), "{read:?}, {decoded:?}"),
    }
}

fn same_partial(read: Option<PartialSuccess>, decoded: &ExportTraceServiceResponse) {
    let decoded = decoded.partial_success.clone().unwrap_or_default();
    let populated = decoded.rejected_spans != 0 || !decoded.error_message.is_empty();
    assert_eq!(read.is_some(), populated, "W10");
    let read = read.unwrap_or_default();
    assert_eq!(read.rejected, decoded.rejected_spans);
    assert_cut(&read.message, &decoded.error_message);
}

fn assert_cut(read: &str, decoded: &str) {
    assert!(decoded.starts_with(read) && read.len() <= MESSAGE_MAX);
    assert!(read.len() == decoded.len() || read.len() > MESSAGE_MAX - 4);
}

fn has_retry_info(status: &RpcStatus) -> bool {
    status.details.iter().any(|detail| {
        detail.type_url.rsplit('/').next() == Some("google.rpc.RetryInfo")
            && RetryInfo::decode(detail.value.as_slice()).is_ok()
    })
}
