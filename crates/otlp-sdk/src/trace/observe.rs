//! Metrics about spans (semantic conventions, `otel.sdk.span.*`).

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::counts;
use super::provider::Provider;
use crate::pipeline::Pipeline;
use crate::provider::Core;

/// Has `meter` tell how many spans there were and are, as long as the provider is there.
pub(super) fn spans(meter: &Meter, provider: &Arc<Provider>) {
    let there = Arc::downgrade(provider);
    let _ = meter
        .u64_observable_counter("otel.sdk.span.started")
        .with_unit("{span}")
        .with_callback(move |it| {
            let Some(provider) = there.upgrade() else { return };
            let counts = provider.core.counts();
            for (origin, result, count) in counts::started(&counts).filter(|(.., it)| *it > 0) {
                let origin = KeyValue::new("otel.span.parent.origin", origin);
                it.observe(count, &[origin, KeyValue::new(SAMPLING_RESULT, result)]);
            }
        })
        .build();
    let there = Arc::downgrade(provider);
    let _ = meter
        .i64_observable_up_down_counter("otel.sdk.span.live")
        .with_unit("{span}")
        .with_callback(move |it| {
            let Some(provider) = there.upgrade() else { return };
            for (result, count) in live(&provider.core) {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                it.observe(count, &[KeyValue::new(SAMPLING_RESULT, result)]);
            }
        })
        .build();
}

/// How many recorded spans are open, by what the sampler said.
pub(super) fn live(core: &Core) -> impl Iterator<Item = (&'static str, u64)> {
    // Ends before starts: a span that ends meanwhile must not make the difference negative.
    let ended = core.pipelines.first().map(Pipeline::ledger).map(|ledger| ledger.ended);
    let ended = ended.filter(|_| !core.has_processors);
    let counts = core.counts();
    counts::live(&counts, ended).collect::<Vec<_>>().into_iter()
}

const SAMPLING_RESULT: &str = "otel.span.sampling_result";
