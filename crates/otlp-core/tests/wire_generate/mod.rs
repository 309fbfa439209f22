//! Requests as anybody might send them, and ways to damage them.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exemplar, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use otlp_core::wire::reader::{FieldValue, Reader};
use otlp_core::wire::varint;
use prost::Message;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Random requests and random damage, all from one seed.
pub(crate) struct Generator {
    random: SmallRng,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: SmallRng::seed_from_u64(seed) }
    }

    pub(crate) fn traces(&mut self) -> ExportTraceServiceRequest {
        let resource_spans = self.list(3, |g| ResourceSpans {
            resource: g.maybe(Self::resource),
            scope_spans: g.list(3, |g| ScopeSpans {
                scope: g.maybe(Self::scope),
                spans: g.list(5, Self::span),
                schema_url: g.text(),
            }),
            schema_url: g.text(),
        });
        ExportTraceServiceRequest { resource_spans }
    }

    pub(crate) fn logs(&mut self) -> ExportLogsServiceRequest {
        let resource_logs = self.list(3, |g| ResourceLogs {
            resource: g.maybe(Self::resource),
            scope_logs: g.list(3, |g| ScopeLogs {
                scope: g.maybe(Self::scope),
                log_records: g.list(5, Self::log_record),
                schema_url: g.text(),
            }),
            schema_url: g.text(),
        });
        ExportLogsServiceRequest { resource_logs }
    }

    pub(crate) fn metrics(&mut self) -> ExportMetricsServiceRequest {
        let resource_metrics = self.list(3, |g| ResourceMetrics {
            resource: g.maybe(Self::resource),
            scope_metrics: g.list(3, |g| ScopeMetrics {
                scope: g.maybe(Self::scope),
                metrics: g.list(5, Self::metric),
                schema_url: g.text(),
            }),
            schema_url: g.text(),
        });
        ExportMetricsServiceRequest { resource_metrics }
    }

    /// An encoded request of any signal.
    pub(crate) fn any_request(&mut self) -> Vec<u8> {
        match self.below(4) {
            0 => self.logs().encode_to_vec(),
            1 => self.metrics().encode_to_vec(),
            _ => self.traces().encode_to_vec(),
        }
    }

    /// Changes bytes without regard to what they mean.
    pub(crate) fn damage(&mut self, data: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(data.len() + 1);
            match self.below(5) {
                0 => data.truncate(at),
                1 => data.insert(at, self.random.random()),
                2 => data.splice(at..at, [0xff; 9]).for_each(drop),
                3 if at < data.len() => data[at] ^= 1 << self.below(8),
                _ if at < data.len() => drop(data.remove(at)),
                _ => data.clear(),
            }
        }
    }

    /// Changes fields of the message or of a message within it, so that the framing stays right:
    /// order, repetition, unknown fields, groups, other wire types.
    pub(crate) fn rearrange(&mut self, message: &[u8]) -> Vec<u8> {
        let Ok(mut fields) = Reader::new(message)
            .map(|field| field.map(|field| (field.number, field.value.into())))
            .collect::<Result<Vec<(u32, Owned)>, _>>()
        else {
            return message.to_vec();
        };
        for _ in 0..=self.below(3) {
            self.rearrange_one(&mut fields);
        }
        let mut out = Vec::new();
        for (number, value) in fields {
            value.put(number, &mut out);
        }
        out
    }

    fn rearrange_one(&mut self, fields: &mut Vec<(u32, Owned)>) {
        let at = self.below(fields.len() + 1);
        if at == fields.len() {
            let number = [1, 2, 5, 9, 15, 16, 17, 1000, (1 << 29) - 1][self.below(9)];
            return fields.push((number, self.value(3)));
        }
        match self.below(10) {
            0 => {
                let field = fields[at].clone();
                let to = self.below(fields.len() + 1);
                fields.insert(to, field);
            }
            1 => {
                let to = self.below(fields.len());
                fields.swap(at, to);
            }
            2 => fields[at].1 = self.value(3),
            3 => fields[at].0 = u32::try_from(self.below(17)).unwrap() + 1,
            4 => fields.insert(at, (at as u32 % 20 + 1, self.value(3))),
            _ => {
                if let Owned::Len(content) = &fields[at].1 {
                    let content = self.rearrange(&content.clone());
                    fields[at].1 = Owned::Len(content);
                }
            }
        }
    }

    fn value(&mut self, depth: u32) -> Owned {
        match self.below(if depth == 0 { 4 } else { 5 }) {
            0 => Owned::Varint(self.number()),
            1 => Owned::Fixed64(self.random.random()),
            2 => Owned::Fixed32(self.random.random()),
            3 => Owned::Len(self.bytes()),
            _ => {
                let number = u32::try_from(self.below(20)).unwrap() + 1;
                Owned::Group(number, Box::new(self.value(depth - 1)))
            }
        }
    }

    fn resource(&mut self) -> Resource {
        Resource {
            attributes: self.attributes(),
            dropped_attributes_count: self.count(),
            entity_refs: self.list(2, |g| EntityRef {
                schema_url: g.text(),
                r#type: g.text(),
                id_keys: g.list(3, Self::text),
                description_keys: g.list(3, Self::text),
            }),
        }
    }

    fn scope(&mut self) -> InstrumentationScope {
        InstrumentationScope {
            name: self.text(),
            version: self.text(),
            attributes: self.attributes(),
            dropped_attributes_count: self.count(),
        }
    }

    fn span(&mut self) -> Span {
        Span {
            trace_id: self.id(16),
            span_id: self.id(8),
            trace_state: self.text(),
            parent_span_id: self.id(8),
            flags: self.random.random(),
            name: self.text(),
            kind: self.random.random_range(-2..8),
            start_time_unix_nano: self.random.random(),
            end_time_unix_nano: self.random.random(),
            attributes: self.attributes(),
            dropped_attributes_count: self.count(),
            events: self.list(3, |g| Event {
                time_unix_nano: g.random.random(),
                name: g.text(),
                attributes: g.attributes(),
                dropped_attributes_count: g.count(),
            }),
            dropped_events_count: self.count(),
            links: self.list(3, |g| Link {
                trace_id: g.id(16),
                span_id: g.id(8),
                trace_state: g.text(),
                attributes: g.attributes(),
                dropped_attributes_count: g.count(),
                flags: g.random.random(),
            }),
            dropped_links_count: self.count(),
            status: self
                .maybe(|g| Status { message: g.text(), code: g.random.random_range(-2..5) }),
        }
    }

    fn log_record(&mut self) -> LogRecord {
        LogRecord {
            time_unix_nano: self.random.random(),
            observed_time_unix_nano: self.random.random(),
            severity_number: self.random.random_range(-2..30),
            severity_text: self.text(),
            body: self.maybe(|g| g.any_value(3)),
            attributes: self.attributes(),
            dropped_attributes_count: self.count(),
            flags: self.random.random(),
            trace_id: self.id(16),
            span_id: self.id(8),
            event_name: self.text(),
        }
    }

    fn metric(&mut self) -> Metric {
        Metric {
            name: self.text(),
            description: self.text(),
            unit: self.text(),
            metadata: self.attributes(),
            data: self.maybe(Self::data),
        }
    }

    fn data(&mut self) -> Data {
        let aggregation_temporality = self.random.random_range(-1..4);
        match self.below(5) {
            0 => Data::Gauge(Gauge { data_points: self.list(4, Self::number_data_point) }),
            1 => Data::Sum(Sum {
                data_points: self.list(4, Self::number_data_point),
                aggregation_temporality,
                is_monotonic: self.random.random(),
            }),
            2 => Data::Histogram(Histogram {
                data_points: self.list(4, Self::histogram_data_point),
                aggregation_temporality,
            }),
            3 => Data::ExponentialHistogram(ExponentialHistogram {
                data_points: self.list(4, Self::exponential_histogram_data_point),
                aggregation_temporality,
            }),
            _ => Data::Summary(Summary {
                data_points: self.list(4, |g| SummaryDataPoint {
                    attributes: g.attributes(),
                    start_time_unix_nano: g.random.random(),
                    time_unix_nano: g.random.random(),
                    count: g.number(),
                    sum: g.random.random(),
                    quantile_values: g.list(3, |g| ValueAtQuantile {
                        quantile: g.random.random(),
                        value: g.random.random(),
                    }),
                    flags: g.count(),
                }),
            }),
        }
    }

    fn number_data_point(&mut self) -> NumberDataPoint {
        NumberDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.random.random(),
            time_unix_nano: self.random.random(),
            exemplars: self.list(2, Self::exemplar),
            flags: self.count(),
            value: self.maybe(|g| match g.below(2) {
                0 => number_data_point::Value::AsDouble(g.random.random()),
                _ => number_data_point::Value::AsInt(g.random.random()),
            }),
        }
    }

    fn histogram_data_point(&mut self) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.random.random(),
            time_unix_nano: self.random.random(),
            count: self.number(),
            sum: self.maybe(|g| g.random.random()),
            bucket_counts: self.list(6, Self::number),
            explicit_bounds: self.list(5, |g| g.random.random()),
            exemplars: self.list(2, Self::exemplar),
            flags: self.count(),
            min: self.maybe(|g| g.random.random()),
            max: self.maybe(|g| g.random.random()),
        }
    }

    fn exponential_histogram_data_point(&mut self) -> ExponentialHistogramDataPoint {
        ExponentialHistogramDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.random.random(),
            time_unix_nano: self.random.random(),
            count: self.number(),
            sum: self.maybe(|g| g.random.random()),
            scale: self.random.random(),
            zero_count: self.number(),
            positive: self.maybe(Self::buckets),
            negative: self.maybe(Self::buckets),
            flags: self.count(),
            exemplars: self.list(2, Self::exemplar),
            min: self.maybe(|g| g.random.random()),
            max: self.maybe(|g| g.random.random()),
            zero_threshold: self.random.random(),
        }
    }

    fn buckets(&mut self) -> Buckets {
        Buckets { offset: self.random.random(), bucket_counts: self.list(6, Self::number) }
    }

    fn exemplar(&mut self) -> Exemplar {
        Exemplar {
            filtered_attributes: self.attributes(),
            time_unix_nano: self.random.random(),
            span_id: self.id(8),
            trace_id: self.id(16),
            value: self.maybe(|g| match g.below(2) {
                0 => exemplar::Value::AsDouble(g.random.random()),
                _ => exemplar::Value::AsInt(g.random.random()),
            }),
        }
    }

    fn attributes(&mut self) -> Vec<KeyValue> {
        self.key_values(3)
    }

    fn key_values(&mut self, depth: u32) -> Vec<KeyValue> {
        self.list(4, |g| KeyValue {
            key: g.text(),
            value: g.maybe(|g| g.any_value(depth)),
            key_strindex: if g.below(8) == 0 { g.random.random() } else { 0 },
        })
    }

    fn any_value(&mut self, depth: u32) -> AnyValue {
        let value = match self.below(if depth == 0 { 7 } else { 9 }) {
            0 => return AnyValue::default(),
            1 => Value::BoolValue(self.random.random()),
            2 => Value::IntValue(self.number().cast_signed()),
            3 => Value::DoubleValue(f64::from_bits(self.random.random())),
            4 => Value::BytesValue(self.bytes()),
            5 => Value::StringValueStrindex(self.random.random()),
            6 => Value::StringValue(self.text()),
            7 => Value::ArrayValue(ArrayValue { values: self.list(4, |g| g.any_value(depth - 1)) }),
            _ => Value::KvlistValue(KeyValueList { values: self.key_values(depth - 1) }),
        };
        AnyValue { value: Some(value) }
    }

    /// Mostly a valid id, sometimes none or one of a wrong length.
    fn id(&mut self, len: usize) -> Vec<u8> {
        match self.below(12) {
            0 => self.bytes(),
            1 => Vec::new(),
            _ => (0..len).map(|_| self.random.random()).collect(),
        }
    }

    fn text(&mut self) -> String {
        const LETTERS: [char; 8] = ['a', 'B', '.', ' ', '\0', 'ß', '€', '🦀'];
        match self.below(8) {
            0 => String::new(),
            1 => "x".repeat(self.below(300)),
            _ => (0..self.below(12)).map(|_| LETTERS[self.below(LETTERS.len())]).collect(),
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        (0..self.below(20)).map(|_| self.random.random()).collect()
    }

    /// A number of any magnitude, so that varints of all lengths occur.
    fn number(&mut self) -> u64 {
        self.random.random::<u64>() >> self.below(64)
    }

    fn count(&mut self) -> u32 {
        self.random.random::<u32>() >> self.below(32)
    }

    fn list<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| make(self)).collect()
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(4) > 0).then(|| make(self))
    }

    fn below(&mut self, end: usize) -> usize {
        self.random.random_range(0..end)
    }
}

/// A field value that can be written again.
#[derive(Clone)]
enum Owned {
    Varint(u64),
    Fixed64(u64),
    Len(Vec<u8>),
    Fixed32(u32),
    Group(u32, Box<Self>),
}

impl Owned {
    fn put(&self, number: u32, out: &mut Vec<u8>) {
        let key = u64::from(number) << 3;
        match self {
            Self::Varint(value) => {
                varint::put(out, key);
                varint::put(out, *value);
            }
            Self::Fixed64(value) => {
                varint::put(out, key | 1);
                out.extend_from_slice(&value.to_le_bytes());
            }
            Self::Len(content) => {
                varint::put(out, key | 2);
                varint::put(out, content.len() as u64);
                out.extend_from_slice(content);
            }
            Self::Fixed32(value) => {
                varint::put(out, key | 5);
                out.extend_from_slice(&value.to_le_bytes());
            }
            Self::Group(inner, value) => {
                varint::put(out, key | 3);
                value.put(*inner, out);
                varint::put(out, key | 4);
            }
        }
    }
}

impl From<FieldValue<'_>> for Owned {
    fn from(value: FieldValue<'_>) -> Self {
        match value {
            FieldValue::Varint(value) => Self::Varint(value),
            FieldValue::Fixed64(value) => Self::Fixed64(value),
            FieldValue::Len(content) => Self::Len(content.to_vec()),
            FieldValue::Fixed32(value) => Self::Fixed32(value),
            FieldValue::Group => Self::Group(1, Box::new(Self::Varint(1))),
        }
    }
}
