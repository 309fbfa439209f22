//! The order service: an `axum` server that continues the storefront's traces.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{
    FutureExt as _, Span as _, SpanContext, SpanKind, Status, TraceContextExt as _, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use otlp_sdk::propagation::Propagators;
use otlp_sdk::trace::{Tracer, TracerProvider};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::carrier::Incoming;

/// A running order service.
pub(crate) struct OrderService {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

/// Starts the service on a free loopback port.
pub(crate) async fn serve(provider: &TracerProvider) -> std::io::Result<OrderService> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let app = Router::new()
        .route("/orders/{id}", post(place_order))
        .route("/healthz", get(health))
        .with_state(provider.tracer("orders"));
    let (stop, stopped) = oneshot::channel();
    let server = axum::serve(listener, app).with_graceful_shutdown(async { drop(stopped.await) });
    Ok(OrderService { address, stop, server: tokio::spawn(server.into_future()) })
}

impl OrderService {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn stop(self) -> Result<(), Box<dyn Error>> {
        // The receiver lives in the server; if it is gone already, so is the server.
        let _ = self.stop.send(());
        Ok(self.server.await??)
    }
}

/// Probes come all the time, and nobody wants to see their spans.
async fn health(State(tracer): State<Tracer>) -> StatusCode {
    tracer.span_builder("GET /healthz").with_kind(SpanKind::Server).start(&tracer).end();
    StatusCode::OK
}

async fn place_order(
    State(tracer): State<Tracer>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> StatusCode {
    let parent = Propagators::default().extract(&Incoming(&headers));
    let span = tracer
        .span_builder("POST /orders/{id}")
        .with_kind(SpanKind::Server)
        .with_attributes([
            KeyValue::new("http.request.method", "POST"),
            KeyValue::new("http.route", "/orders/{id}"),
            KeyValue::new("url.path", format!("/orders/{id}")),
        ])
        .start_with_context(&tracer, &parent);
    let cx = parent.with_span(span);
    let status = handle(&tracer, id).with_context(cx.clone()).await;
    cx.span().set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
    if status.is_server_error() {
        cx.span().set_status(Status::error(""));
    }
    status
}

async fn handle(tracer: &Tracer, id: u64) -> StatusCode {
    let reserved = reserve_stock(tracer, id).await;
    match reserved {
        Ok(stock) => {
            charge(tracer, id, stock).await;
            StatusCode::CREATED
        }
        Err(_) => StatusCode::CONFLICT,
    }
}

/// A database call. Every fourth order finds the shelf empty.
async fn reserve_stock(tracer: &Tracer, id: u64) -> Result<SpanContext, SoldOut> {
    let mut span = tracer
        .span_builder("UPDATE stock")
        .with_kind(SpanKind::Client)
        .with_attributes([
            KeyValue::new("db.system.name", "postgresql"),
            KeyValue::new(
                "db.query.text",
                "UPDATE stock SET reserved = reserved + $1 WHERE sku = $2",
            ),
        ])
        .start(tracer);
    tokio::task::yield_now().await;
    if id.is_multiple_of(4) {
        let error = SoldOut { order: id };
        span.record_error(&error);
        span.set_status(Status::error("sold out"));
        return Err(error);
    }
    span.set_attribute(KeyValue::new("db.response.returned_rows", 1));
    Ok(span.span_context().clone())
}

/// Two attempts, the second linked to what it pays for.
async fn charge(tracer: &Tracer, id: u64, stock: SpanContext) {
    let mut span = tracer.start("charge card");
    span.add_event("card declined, trying again", vec![KeyValue::new("attempt", 1)]);
    tokio::task::yield_now().await;
    span.add_link(stock, vec![KeyValue::new("why", "pays for")]);
    span.set_attribute(KeyValue::new("amount.cents", i64::try_from(id * 995).unwrap_or(i64::MAX)));
    span.set_status(Status::Ok);
    let cx = Context::current_with_span(span);
    tracer.start_with_context("write ledger", &cx).end();
}

/// Nothing is left.
#[derive(Debug)]
struct SoldOut {
    order: u64,
}

impl fmt::Display for SoldOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "order {}: the item is sold out", self.order)
    }
}

impl Error for SoldOut {}
