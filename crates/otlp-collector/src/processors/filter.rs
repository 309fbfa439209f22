//! The processor `filter`: an edit that says what it drops under the names that the Go collector has for it.

use std::sync::Arc;

use otlp_core::Signal;
use otlp_core::export::Deadline;

use super::edit::EditProcessor;
use crate::component::{BoxError, Host, Node, Processor, Running, Tally};
use crate::consumer::{Answer, Batch, Consumer, SharedConsumer};
use crate::edit::{FilterSettings, Plan};
use crate::telemetry::{Instrument, Measurements};

impl Processor for FilterSettings {
    fn start(
        &self,
        _host: &Host,
        signal: Signal,
        next: SharedConsumer,
    ) -> Result<Arc<dyn Node>, BoxError> {
        Ok(Arc::new(Filter(EditProcessor::new(Plan::filter(self, signal), next))))
    }
}

#[derive(Debug)]
struct Filter(EditProcessor);

impl Consumer for Filter {
    fn consume(&self, batch: Batch, deadline: Deadline) -> Answer<'_> {
        self.0.consume(batch, deadline)
    }

    fn holds(&self) -> bool {
        self.0.holds()
    }
}

impl Running for Filter {
    fn measure(&self, measurements: &mut Measurements) {
        self.0.measure(measurements);
        let instrument = match self.0.signal() {
            Signal::Metrics => &POINTS_FILTERED,
            Signal::Logs => &LOGS_FILTERED,
            _ => &SPANS_FILTERED,
        };
        let dropped = self.0.counts().dropped;
        // The Go collector calls the processor by another name here than elsewhere.
        measurements.within_again("processor", "filter", |it| it.set(instrument, dropped));
    }
}

impl Node for Filter {
    fn tally(&self) -> Tally {
        self.0.tally()
    }
}

const SPANS_FILTERED: Instrument = Instrument::counter(
    "otelcol_processor_filter_spans.filtered",
    "1",
    "Number of spans that the filter has dropped.",
);
const LOGS_FILTERED: Instrument = Instrument::counter(
    "otelcol_processor_filter_logs.filtered",
    "1",
    "Number of log records that the filter has dropped.",
);
const POINTS_FILTERED: Instrument = Instrument::counter(
    "otelcol_processor_filter_datapoints.filtered",
    "1",
    "Number of metric data points that the filter has dropped.",
);
