//! Writes metrics as items of their scope, in parts that are no larger than they may be.

use std::marker::PhantomData;

use crate::limits::AttributeLimits;
use crate::payload::SplitLimit;
use crate::wire::attribute::AttributeList;
use crate::wire::value::{Entries, Value};
use crate::wire::writer::{LEN, key, len_field, put_len_header, put_len_non_empty};

use super::exemplar::Exemplar;
use super::points::Point;
use super::{Data, MetricIdentity};

/// Encodes metrics one after the other, and keeps its memory for the next.
///
/// ```
/// use otlp_core::SplitLimit;
/// use otlp_core::metric::{MetricEncoder, MetricIdentity, Number, NumberPoint, Sum, Temporality};
/// use otlp_core::wire::Value;
///
/// let mut encoder = MetricEncoder::new(SplitLimit { bytes: 64 * 1024, ..SplitLimit::NONE });
/// let requests = MetricIdentity { name: "requests", unit: "{request}", ..Default::default() };
/// let sum = Sum { temporality: Temporality::Cumulative, is_monotonic: true };
/// let mut items = Vec::new();
/// encoder.encode(&requests, sum, &mut |item| item.put_item(&mut items), |points| {
///     let attributes: [(&str, Value<'_>); 1] = [("route", "/".into())];
///     points.push(&NumberPoint {
///         time_unix_nano: 1,
///         value: Some(Number::I64(42)),
///         attributes: &attributes,
///         ..NumberPoint::default()
///     });
/// });
/// assert_eq!(items.first(), Some(&0x12)); // field 2 of `ScopeMetrics`
/// ```
#[derive(Debug)]
pub struct MetricEncoder {
    limit: SplitLimit,
    /// Name, description and unit.
    head: Vec<u8>,
    /// The points that have not been handed over yet, as fields of their data.
    points: Vec<u8>,
    /// What the data has behind its points.
    tail: Vec<u8>,
    attributes: AttributeList,
    attributes_field: u8,
    exemplars: Vec<u8>,
    filtered: AttributeList,
}

/// A metric with all of its points, or with some of them, as an item of its scope.
#[derive(Clone, Copy, Debug)]
pub struct MetricItem<'a> {
    head: &'a [u8],
    data_key: u8,
    points: &'a [u8],
    tail: &'a [u8],
    count: u32,
    limited: u32,
}

/// Takes the points of one metric.
pub struct PointWriter<'e, D> {
    encoder: &'e mut MetricEncoder,
    sink: &'e mut dyn FnMut(MetricItem<'_>),
    count: u32,
    limited: u32,
    data: PhantomData<fn(D)>,
}

impl MetricEncoder {
    /// An encoder whose items have `limit.bytes` bytes and `limit.items` points at most. A point that
    /// is larger on its own comes alone in an item over the limit, so that the caller can count it.
    #[must_use]
    pub const fn new(limit: SplitLimit) -> Self {
        Self {
            limit,
            head: Vec::new(),
            points: Vec::new(),
            tail: Vec::new(),
            attributes: AttributeList::new(FIRST_FIELD),
            attributes_field: FIRST_FIELD,
            exemplars: Vec::new(),
            filtered: AttributeList::new(7),
        }
    }

    /// From the next metric on, items keep this limit.
    pub const fn set_limit(&mut self, limit: SplitLimit) {
        self.limit = limit;
    }

    /// Encodes a metric: `fill` pushes its points, `sink` gets the items that become of it. A metric
    /// without points becomes none (row W3).
    pub fn encode<D: Data>(
        &mut self,
        identity: &MetricIdentity<'_>,
        data: D,
        sink: &mut dyn FnMut(MetricItem<'_>),
        fill: impl FnOnce(&mut PointWriter<'_, D>),
    ) {
        self.begin(identity, &data);
        let mut writer =
            PointWriter { encoder: self, sink, count: 0, limited: 0, data: PhantomData };
        fill(&mut writer);
        let end = writer.encoder.points.len();
        writer.hand_over(end);
        self.points.shrink_to(POINTS_BYTES_KEPT);
    }

    fn begin<D: Data>(&mut self, identity: &MetricIdentity<'_>, data: &D) {
        for buf in [&mut self.head, &mut self.points, &mut self.tail] {
            buf.clear();
        }
        put_len_non_empty(&mut self.head, key(1, LEN), identity.name.as_bytes());
        put_len_non_empty(&mut self.head, key(2, LEN), identity.description.as_bytes());
        put_len_non_empty(&mut self.head, key(3, LEN), identity.unit.as_bytes());
        data.put_tail(&mut self.tail);
        let field = <D::Point<'_> as Point>::ATTRIBUTES;
        if self.attributes_field != field {
            self.attributes = AttributeList::new(field);
            self.attributes_field = field;
        }
    }

    /// Writes a point behind the others. Says whether something of it was left out.
    fn put_point(&mut self, point: &impl Point) -> bool {
        let mut is_limited = fill(&mut self.attributes, point.attributes());
        self.exemplars.clear();
        for exemplar in point.exemplars() {
            is_limited |= self.put_exemplar(point.exemplars_key(), exemplar);
        }
        let (attributes, exemplars) = (self.attributes.as_bytes(), self.exemplars.as_slice());
        let len = point.message_len(attributes.len() + exemplars.len());
        self.points.reserve(len_field(len));
        put_len_header(&mut self.points, POINT, len);
        let start = self.points.len();
        point.put_message(attributes, exemplars, &mut self.points);
        debug_assert_eq!(self.points.len() - start, len, "a point knows its length");
        is_limited
    }

    fn put_exemplar(&mut self, field_key: u8, exemplar: &Exemplar<'_>) -> bool {
        let is_limited = fill(&mut self.filtered, exemplar.filtered_attributes);
        let attributes = self.filtered.as_bytes();
        put_len_header(&mut self.exemplars, field_key, exemplar.message_len(attributes.len()));
        exemplar.put_message(attributes, &mut self.exemplars);
        is_limited
    }
}

impl<'e, D: Data> PointWriter<'e, D> {
    /// Adds a point. Its attributes have unique keys, the last value of a key wins (row W5); nothing
    /// is cut, since attributes of metrics are exempt from limits (row L5). What [`AttributeList`]
    /// refuses all the same (an empty key, more than 64 MiB) is left out, and the item says so.
    pub fn push(&mut self, point: &D::Point<'_>) {
        let start = self.encoder.points.len();
        let is_limited = self.encoder.put_point(point);
        if self.count > 0 && self.is_full() {
            self.hand_over(start);
        }
        self.count += 1;
        self.limited += u32::from(is_limited);
    }

    /// Whether the last point is one too many for the item.
    fn is_full(&self) -> bool {
        let limit = self.encoder.limit;
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        let end = self.encoder.points.len();
        count >= limit.items || self.item(end).item_len() > limit.bytes
    }

    /// Hands the points before `end` over; those behind it are the first of the next item.
    fn hand_over(&mut self, end: usize) {
        if self.count == 0 {
            return;
        }
        let encoder = &*self.encoder;
        (self.sink)(item::<D>(encoder, end, self.count, self.limited));
        self.encoder.points.drain(..end.min(self.encoder.points.len()));
        (self.count, self.limited) = (0, 0);
    }

    fn item(&self, end: usize) -> MetricItem<'_> {
        item::<D>(self.encoder, end, self.count, self.limited)
    }
}

fn item<D: Data>(encoder: &MetricEncoder, end: usize, count: u32, limited: u32) -> MetricItem<'_> {
    MetricItem {
        head: &encoder.head,
        data_key: key(D::FIELD, LEN),
        points: encoder.points.get(..end).unwrap_or_default(),
        tail: &encoder.tail,
        count,
        limited,
    }
}

impl MetricItem<'_> {
    /// How many points it has: what the protocol counts and rejects.
    #[must_use]
    pub const fn points(&self) -> u32 {
        self.count
    }

    /// How many of them lack an attribute, for its key was empty or it was larger than any request.
    #[must_use]
    pub const fn limited(&self) -> u32 {
        self.limited
    }

    /// Exact length of what [`put_item`](Self::put_item) appends.
    #[inline]
    #[must_use]
    pub const fn item_len(&self) -> usize {
        len_field(self.message_len())
    }

    /// Appends the metric as an item of its scope: field key, length, message.
    pub fn put_item(&self, buf: &mut Vec<u8>) {
        buf.reserve(self.item_len());
        put_len_header(buf, ITEM, self.message_len());
        buf.extend_from_slice(self.head);
        put_len_header(buf, self.data_key, self.points.len() + self.tail.len());
        buf.extend_from_slice(self.points);
        buf.extend_from_slice(self.tail);
    }

    const fn message_len(&self) -> usize {
        self.head.len() + len_field(self.points.len() + self.tail.len())
    }
}

fn fill(list: &mut AttributeList, entries: &dyn Entries) -> bool {
    list.clear();
    entries.for_each(&mut |key: &str, value: Value<'_>| {
        list.set(key, value, &AttributeLimits::EXEMPT);
    });
    list.has_lost()
}

const ITEM: u8 = key(2, LEN);
const POINT: u8 = key(1, LEN);
/// Where most points have their attributes.
const FIRST_FIELD: u8 = 7;
/// What an encoder keeps for the next metric: one huge point must not keep its memory for ever.
const POINTS_BYTES_KEPT: usize = 256 * 1024;
