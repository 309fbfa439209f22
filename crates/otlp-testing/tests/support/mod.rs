//! Requests and clients that share no code with ours: generated types, tonic, reqwest.

#![allow(dead_code, reason = "each test file uses its part of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail where the test would")]

use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use otlp_testing::Server;
use prost::Message as _;
use tonic::transport::{Channel, Endpoint};

/// Long enough for a loaded machine; reached only by a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..Default::default() }
}

pub(crate) fn span(id: u8) -> Span {
    Span {
        trace_id: vec![7; 16],
        span_id: vec![id; 8],
        name: format!("span {id}"),
        kind: 1,
        start_time_unix_nano: 1_000 * u64::from(id),
        end_time_unix_nano: 1_000 * u64::from(id) + 500,
        attributes: vec![text("n", &id.to_string())],
        ..Default::default()
    }
}

pub(crate) fn request(ids: impl IntoIterator<Item = u8>) -> ExportTraceServiceRequest {
    request_of(ids.into_iter().map(span).collect())
}

pub(crate) fn request_of(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope = InstrumentationScope { name: "tests".to_owned(), ..Default::default() };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..Default::default() }];
    let resource =
        Resource { attributes: vec![text("service.name", "shop")], ..Default::default() };
    let of_resource = ResourceSpans { resource: Some(resource), scope_spans, ..Default::default() };
    ExportTraceServiceRequest { resource_spans: vec![of_resource] }
}

pub(crate) async fn grpc(endpoint: &str) -> TraceServiceClient<Channel> {
    let channel = Endpoint::from_shared(endpoint.to_owned()).unwrap().connect().await.unwrap();
    TraceServiceClient::new(channel)
}

pub(crate) fn http() -> reqwest::Client {
    install_provider();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// reqwest asks for the process's provider; several tests in one process may come first.
pub(crate) fn install_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

pub(crate) fn post(server: &Server, ids: impl IntoIterator<Item = u8>) -> reqwest::RequestBuilder {
    post_bytes(server, request(ids).encode_to_vec())
}

pub(crate) fn post_bytes(server: &Server, body: Vec<u8>) -> reqwest::RequestBuilder {
    http()
        .post(format!("{}/v1/traces", server.http_endpoint()))
        .header("content-type", "application/x-protobuf")
        .body(body)
}

/// The decoded body of a response.
pub(crate) async fn answer(response: reqwest::Response) -> ExportTraceServiceResponse {
    ExportTraceServiceResponse::decode(response.bytes().await.unwrap()).unwrap()
}

/// A gRPC call with any bytes as its body.
pub(crate) async fn http_2(endpoint: &str, body: &[u8]) -> reqwest::Response {
    install_provider();
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let method = "opentelemetry.proto.collector.trace.v1.TraceService/Export";
    let call = client.post(format!("{endpoint}/{method}")).header("te", "trailers");
    call.header("content-type", "application/grpc").body(body.to_vec()).send().await.unwrap()
}
