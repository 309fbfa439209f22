//! A provider whose spans can be read back through `opentelemetry-proto`.

#![allow(dead_code, reason = "each test file uses its own part")]

use opentelemetry::trace::{
    SpanContext, SpanId, TraceFlags, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry::{Context, trace::TraceContextExt as _};
use otlp_sdk::Ledger;
use otlp_sdk::resource::Resource;
use otlp_sdk::testing::InMemoryExporter;
use otlp_sdk::trace::{Tracer, TracerProvider, TracerProviderBuilder};
use otlp_testing::{Message, SpanRecord};

/// A provider with one batch pipeline into memory.
pub(crate) struct Bench {
    pub(crate) exporter: InMemoryExporter,
    pub(crate) provider: TracerProvider,
    pub(crate) tracer: Tracer,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// What `configure` adds stands in front of the pipeline.
    pub(crate) fn with(
        configure: impl FnOnce(TracerProviderBuilder) -> TracerProviderBuilder,
    ) -> Self {
        let exporter = InMemoryExporter::default();
        let builder = TracerProvider::builder().with_resource(Resource::empty());
        let provider = configure(builder).with_batch_exporter(exporter.clone()).build();
        let tracer = provider.tracer("bench");
        Self { exporter, provider, tracer }
    }

    /// All spans exported so far, in order.
    pub(crate) fn spans(&self) -> Vec<SpanRecord> {
        self.provider.force_flush().unwrap();
        let payloads = self.exporter.payloads();
        payloads.iter().flat_map(|payload| Message::of(payload).unwrap().spans()).collect()
    }

    /// The only span.
    pub(crate) fn span(&self) -> SpanRecord {
        let mut spans = self.spans();
        assert_eq!(spans.len(), 1, "{spans:?}");
        spans.remove(0)
    }

    pub(crate) fn find(&self, name: &str) -> SpanRecord {
        self.spans().into_iter().find(|span| span.name() == name).unwrap()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.spans().iter().map(|span| span.name().to_owned()).collect()
    }

    /// The ledger, which must balance.
    pub(crate) fn ledger(&self) -> Ledger {
        let ledger = self.provider.ledger();
        assert_eq!(ledger.unaccounted(), 0, "{ledger}");
        ledger
    }
}

/// A context whose parent came from another process.
pub(crate) fn remote_parent(flags: u8, trace_state: &str) -> (Context, SpanContext) {
    let parent = SpanContext::new(
        TraceId::from(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736),
        SpanId::from(0x00f0_67aa_0ba9_02b7),
        TraceFlags::new(flags),
        true,
        trace_state.parse::<TraceState>().unwrap(),
    );
    (Context::new().with_remote_span_context(parent.clone()), parent)
}
