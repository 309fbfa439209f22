//! OTLP in protobuf: what is written and read here is what goes over the wire.
//!
//! The reading half has three strengths, each for another need:
//!
//! - [`request`] walks only the envelopes of a request, to count and to split;
//! - the views ([`TracesRequestView`] and below) read single messages where they stand;
//! - [`scan`] checks a whole request as strictly as prost would, without decoding it.

pub mod attribute;
mod common;
mod definitions;
pub mod envelope;
mod error;
mod groups;
#[cfg(feature = "json")]
pub mod json;
pub mod logs;
pub mod metrics;
pub mod reader;
pub mod request;
mod resource;
pub mod response;
mod room;
pub mod scan;
mod short;
pub mod trace;
pub mod value;
pub mod varint;
mod view;
pub mod writer;

pub use self::attribute::{AttributeList, Key};
pub use self::common::{AnyValueView, Attributes, KeyValueView, ScopeView};
pub use self::error::WireError;
pub use self::groups::{RequestView, ResourceGroupView, ScopeGroupView, SignalItem};
pub use self::logs::{LogRecordView, LogsRequestView};
pub use self::metrics::{MetricView, MetricsRequestView};
pub use self::resource::ResourceView;
pub use self::trace::{SpanView, TracesRequestView};
pub use self::value::{Elements, Entries, Value};
pub use self::view::{View, Views};
