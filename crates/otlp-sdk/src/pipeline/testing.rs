//! What the tests of the pipeline share: spans as encoded items, headers, a pipeline whose worker
//! runs on the test's own clock.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;
use otlp_core::Signal;
use otlp_core::wire::Value;
use otlp_core::wire::envelope::{ResourceHeader, ScopeHeader};
use otlp_testing::ScriptedExporter;
use prost::Message;

use super::config::BatchConfig;
use super::handle::{Pipeline, ThreadSlot};
use super::slot::{Item, Segment};

/// An encoded span with its key and length, as it stands in a `ScopeSpans`.
#[derive(Clone, Debug)]
pub(crate) struct TestItem(Vec<u8>, u32);

impl TestItem {
    /// One that counts as several, as a metric with so many points does.
    pub(crate) fn counting(self, count: u32) -> Self {
        Self(self.0, count)
    }

    pub(crate) fn named(name: impl Into<String>) -> Self {
        let span = Span { name: name.into(), ..Span::default() }.encode_to_vec();
        let mut item = vec![0x12];
        prost::encoding::encode_varint(span.len() as u64, &mut item);
        item.extend_from_slice(&span);
        Self(item, 1)
    }

    /// Bytes that are no item.
    pub(crate) fn broken() -> Self {
        Self(vec![0x12, 0xff], 1)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Item for TestItem {
    fn item_len(&self) -> usize {
        self.0.len()
    }

    fn put_item(&self, buf: &mut Vec<u8>) {
        buf.extend_from_slice(&self.0);
    }

    fn count(&self) -> u32 {
        self.1
    }
}

pub(crate) fn scope(name: &str) -> Arc<ScopeHeader> {
    Arc::new(ScopeHeader::encode(name, "1.0", [], ""))
}

pub(crate) fn resource() -> ResourceHeader {
    ResourceHeader::encode([("service.name", Value::from("test"))], "")
}

/// Items of one scope in one piece.
pub(crate) fn segment(
    scope: &Arc<ScopeHeader>,
    names: impl IntoIterator<Item = impl Into<String>>,
) -> Segment<ScopeHeader> {
    let items: Vec<_> = names.into_iter().map(TestItem::named).collect();
    let bytes = items.iter().flat_map(|item| item.bytes().to_vec()).collect::<Vec<_>>();
    // More than the bytes: what is reserved beyond them must not get lost either.
    let reserved = bytes.len() + 1000;
    Segment { scope: Arc::clone(scope), bytes: bytes.into(), items: items.len() as u32, reserved }
}

/// A pipeline with one instrumented thread, and the exporter at its end.
pub(crate) struct Bench {
    pub(crate) pipeline: Pipeline,
    pub(crate) exporter: ScriptedExporter,
    slot: ThreadSlot,
    scope: Arc<ScopeHeader>,
    ended: std::cell::Cell<usize>,
}

impl Bench {
    /// Runs `test` beside the worker, on the caller's runtime and clock.
    pub(crate) async fn run<F: Future<Output = ()>>(
        config: BatchConfig,
        test: impl FnOnce(std::rc::Rc<Self>) -> F,
    ) {
        let exporter = ScriptedExporter::new();
        let (pipeline, mut worker) =
            Pipeline::unstarted(Signal::Traces, resource(), exporter.clone(), config);
        let slot = pipeline.register_thread();
        let ended = std::cell::Cell::new(0);
        let bench =
            std::rc::Rc::new(Self { pipeline, exporter, slot, scope: scope("test"), ended });
        let test = test(std::rc::Rc::clone(&bench));
        tokio::pin!(test);
        let work = async move { worker.run().await };
        tokio::select! {
            biased;
            () = &mut test => {}
            () = work => test.await,
        }
        assert_eq!(bench.pipeline.ledger().unaccounted(), 0, "{}", bench.pipeline.ledger());
    }

    /// Ends `count` items, named by their number.
    pub(crate) fn end(&self, count: usize) {
        for _ in 0..count {
            let number = self.ended.replace(self.ended.get() + 1);
            self.pipeline.append(&self.slot, &TestItem::named(number.to_string()), &self.scope);
        }
    }

    /// An item that no valid request can hold.
    pub(crate) fn end_broken(&self) {
        self.pipeline.append(&self.slot, &TestItem::broken(), &self.scope);
    }

    pub(crate) async fn flush(&self) -> Result<(), super::PipelineError> {
        self.pipeline.force_flush_async(Duration::from_secs(30)).await
    }

    pub(crate) async fn shutdown(&self) -> Result<(), super::PipelineError> {
        self.pipeline.shutdown_async(Duration::from_secs(5)).await
    }

    /// Names of all spans that were delivered, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.exporter.spans().iter().map(|span| span.name().to_owned()).collect()
    }

    /// Items of each export so far.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        self.exporter.payloads().iter().map(otlp_core::Payload::items).collect()
    }

    pub(crate) fn dropped(&self, reason: super::DropReason) -> u64 {
        self.pipeline.ledger().dropped(reason)
    }
}
