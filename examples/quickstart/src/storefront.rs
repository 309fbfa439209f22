//! The storefront: takes a customer's cart and calls the order service.

use std::net::SocketAddr;

use axum::http::HeaderMap;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{
    FutureExt as _, SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use otlp_sdk::propagation::Propagators;
use otlp_sdk::trace::{Tracer, TracerProvider};

use crate::carrier::Outgoing;

/// The storefront and its client for the order service.
pub(crate) struct Storefront {
    tracer: Tracer,
    client: reqwest::Client,
    orders: SocketAddr,
}

impl Storefront {
    pub(crate) fn new(provider: &TracerProvider, orders: SocketAddr) -> reqwest::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { tracer: provider.tracer("storefront"), client, orders })
    }

    /// A probe, as an orchestrator sends it.
    pub(crate) async fn look_after_the_orders(&self) -> reqwest::Result<()> {
        let url = format!("http://{}/healthz", self.orders);
        self.client.get(url).send().await?.error_for_status().map(drop)
    }

    /// One customer's visit: one trace.
    pub(crate) async fn check_out(&self, customer: u64) {
        let span = self
            .tracer
            .span_builder("check out")
            .with_attributes([KeyValue::new("customer.id", i64::try_from(customer).unwrap_or(0))])
            .start(&self.tracer);
        let cx = Context::current_with_span(span);
        self.visit(customer).with_context(cx).await;
    }

    async fn visit(&self, customer: u64) {
        self.tracer.in_span("validate cart", |cx| {
            let items: Vec<i64> = (1..=3).collect();
            cx.span().set_attribute(KeyValue::new(
                "cart.items",
                opentelemetry::Value::Array(items.into()),
            ));
        });
        self.order(customer).await;
        self.tracer.in_span("show receipt", |_cx| {});
    }

    async fn order(&self, id: u64) {
        let url = format!("http://{}/orders/{id}", self.orders);
        let span = self
            .tracer
            .span_builder("POST")
            .with_kind(SpanKind::Client)
            .with_attributes([
                KeyValue::new("http.request.method", "POST"),
                KeyValue::new("url.full", url.clone()),
            ])
            .start(&self.tracer);
        let cx = Context::current_with_span(span);
        let mut headers = HeaderMap::new();
        Propagators::default().inject_context(&cx, &mut Outgoing(&mut headers));
        match self.client.post(url).headers(headers).send().await {
            Ok(answer) => {
                let status = i64::from(answer.status().as_u16());
                cx.span().set_attribute(KeyValue::new("http.response.status_code", status));
                if !answer.status().is_success() {
                    cx.span().set_status(Status::error(""));
                }
            }
            Err(error) => cx.span().record_error(&error),
        }
    }
}
