//! The three gRPC services, by the generated code of `opentelemetry-proto`.

use std::sync::Arc;

use axum::Router;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tonic::codec::CompressionEncoding::{Gzip, Zstd};
use tonic::service::Routes;
use tonic::{Request, Response, Status, async_trait};

use super::answer::Scripted;
use super::listen::{Arrival, MESSAGE_BYTES_MAX};
use super::reply::Kind;
use super::site::Site;
use crate::oracle::Message;

/// The services as one router.
pub(super) fn router(site: &Arc<Site>) -> Router {
    let receiver = Receiver(Arc::clone(site));
    macro_rules! service {
        ($server:ident) => {{
            let service = $server::new(receiver.clone())
                .accept_compressed(Gzip)
                .accept_compressed(Zstd)
                .max_decoding_message_size(MESSAGE_BYTES_MAX);
            if site.compress { service.send_compressed(Gzip) } else { service }
        }};
    }
    Routes::new(service!(TraceServiceServer))
        .add_service(service!(MetricsServiceServer))
        .add_service(service!(LogsServiceServer))
        .prepare()
        .into_axum_router()
}

/// A partial success without its type: what each signal's response is made from.
pub(super) type Partial = Option<(i64, String)>;

pub(super) fn trace_response(partial: Partial) -> ExportTraceServiceResponse {
    let partial_success = partial.map(|(rejected_spans, error_message)| {
        ExportTracePartialSuccess { rejected_spans, error_message }
    });
    ExportTraceServiceResponse { partial_success }
}

pub(super) fn metrics_response(partial: Partial) -> ExportMetricsServiceResponse {
    let partial_success = partial.map(|(rejected_data_points, error_message)| {
        ExportMetricsPartialSuccess { rejected_data_points, error_message }
    });
    ExportMetricsServiceResponse { partial_success }
}

pub(super) fn logs_response(partial: Partial) -> ExportLogsServiceResponse {
    let partial_success = partial.map(|(rejected_log_records, error_message)| {
        ExportLogsPartialSuccess { rejected_log_records, error_message }
    });
    ExportLogsServiceResponse { partial_success }
}

#[derive(Clone, Debug)]
struct Receiver(Arc<Site>);

impl Receiver {
    async fn export<Q, A>(
        &self,
        request: Request<Q>,
        message: fn(Q) -> Message,
        response: fn(Partial) -> A,
    ) -> Result<Response<A>, Status> {
        let (_, mut extensions, request) = request.into_parts();
        let arrival = extensions.remove::<Arrival>();
        let arrival = arrival.ok_or_else(|| Status::internal("the request has lost its origin"))?;
        let reply = self.0.decide(arrival.received(message(request))).await;
        match reply.kind {
            Kind::Ok => Ok(Response::new(response(None))),
            Kind::Partial { rejected, message } => {
                Ok(Response::new(response(Some((rejected, message)))))
            }
            Kind::Grpc(status) => Err(status.status()),
            kind => {
                let mut scripted = Response::new(response(None));
                scripted.extensions_mut().insert(Scripted(kind));
                Ok(scripted)
            }
        }
    }
}

#[async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        Self::export(self, request, Message::Traces, trace_response).await
    }
}

#[async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        Self::export(self, request, Message::Metrics, metrics_response).await
    }
}

#[async_trait]
impl LogsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        Self::export(self, request, Message::Logs, logs_response).await
    }
}
