//! What the log hears of: once, and not for each request. In a process of their own, since what was said is
//! remembered for all of it.

use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use otlp_core::Signal;
use otlp_core::export::{ErrorKind, ExportError, Outcome};
use parking_lot::Mutex;
use prost::Message as _;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

use crate::floods::alone;
use crate::support::{Grpc, PROTOBUF, Site, frame, post, three_of, traces};

#[test]
fn requests_that_are_refused_are_said_once_for_load_and_once_for_good() {
    alone("said::refusals");
}

#[test]
fn references_to_a_dictionary_are_said_and_count_as_absent() {
    alone("said::indexes");
}

#[tokio::test]
#[ignore = "run by a test above, in a process of its own"]
async fn refusals() {
    let said = Said::default();
    let _guard = tracing::subscriber::set_default(said.clone());
    let site = Site::start().await;
    for _ in 0..5 {
        assert_eq!(post(site.http(), "/v1/traces", &[PROTOBUF], b"\xff").await.status, 400);
    }
    let line = said.only();
    assert!(
        line.contains("a request with traces over HTTP is refused") && line.contains("400"),
        "{line}"
    );

    site.answer_with(|| Outcome::retryable(ExportError::new(ErrorKind::Connect, "no\nroute")));
    let client = Grpc::to(site.grpc()).await;
    for _ in 0..5 {
        let reply = client.export(Signal::Logs, &[], &frame(0, &three_of(Signal::Logs).0)).await;
        assert_eq!(reply.status(), 14);
    }
    let line = said.only();
    assert!(line.contains("a request with logs over gRPC is refused"), "{line}");
    assert!(line.contains(r"no\nroute"), "text from elsewhere is escaped: {line}");
    drop(client);
    site.end().await;
}

#[tokio::test]
#[ignore = "run by a test above, in a process of its own"]
async fn indexes() {
    // W7
    let said = Said::default();
    let _guard = tracing::subscriber::set_default(said.clone());
    let site = Site::start().await;
    let mut request = traces(1);
    assert_eq!(
        post(site.http(), "/v1/traces", &[PROTOBUF], &request.encode_to_vec()).await.status,
        200
    );
    assert!(said.0.lock().is_empty());
    let index = KeyValue { key_strindex: 7, ..Default::default() };
    request.resource_spans[0].scope_spans[0].spans[0].attributes.push(index);
    for _ in 0..3 {
        let reply = post(site.http(), "/v1/traces", &[PROTOBUF], &request.encode_to_vec()).await;
        assert_eq!(reply.status, 200);
    }
    let line = said.only();
    assert!(line.contains("1 references to a dictionary, which traces do not have"), "{line}");
    site.recorder.taken.lock().clear();
    site.end().await;
}

/// Remembers warnings of the receiver.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

impl Said {
    /// The one thing that was said since the last time.
    fn only(&self) -> String {
        let mut said = std::mem::take(&mut *self.0.lock());
        assert_eq!(said.len(), 1, "{said:?}");
        said.remove(0)
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0.lock().push(format!("{value:?}"));
        }
    }
}

impl Subscriber for Said {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "otlp_collector" && *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}
