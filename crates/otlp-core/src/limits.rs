//! How much one span, event, link, log record or value may hold (specification rows L1 to L7).

/// Limits of one attribute collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttributeLimits {
    /// Most attributes at the top level; what comes after is discarded and counted. Default 128.
    pub count: u32,
    /// How long and how deep a value may be.
    pub value: ValueLimits,
}

impl AttributeLimits {
    /// No limit but the depth: what resources and scopes are held to (row L5).
    pub const EXEMPT: Self = Self { count: u32::MAX, value: ValueLimits::DEFAULT };
}

impl Default for AttributeLimits {
    fn default() -> Self {
        Self { count: DEFAULT_COUNT, value: ValueLimits::DEFAULT }
    }
}

/// Limits of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueLimits {
    /// Most **characters** of a string and bytes of a byte array, at every level of nesting;
    /// longer ones are cut. `u32::MAX`, the default, means no limit.
    pub length: u32,
    /// Deepest level at which an array or map keeps its content; the value itself is level 1.
    /// Deeper ones become empty. Default 64, the specification's.
    ///
    /// Whatever is set here, nothing is kept beyond 45 levels of arrays or 30 of maps (47 and 31 in the body
    /// of a log record): receivers made with a common protobuf library read 100 levels of
    /// messages, and refuse the whole request beyond.
    pub depth: u8,
}

impl ValueLimits {
    /// Any length, depth 64.
    pub const DEFAULT: Self = Self { length: u32::MAX, depth: 64 };
}

impl Default for ValueLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Limits of one span. Every default is the specification's: 128 each, no value length limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanLimits {
    /// Of the span's own attributes; its value limits hold for events and links too.
    pub attributes: AttributeLimits,
    /// Most events.
    pub events: u32,
    /// Most links.
    pub links: u32,
    /// Most attributes per event.
    pub attributes_per_event: u32,
    /// Most attributes per link.
    pub attributes_per_link: u32,
}

impl SpanLimits {
    /// The limits of an event's attributes.
    #[must_use]
    pub const fn event_attributes(&self) -> AttributeLimits {
        AttributeLimits { count: self.attributes_per_event, value: self.attributes.value }
    }

    /// The limits of a link's attributes.
    #[must_use]
    pub const fn link_attributes(&self) -> AttributeLimits {
        AttributeLimits { count: self.attributes_per_link, value: self.attributes.value }
    }
}

impl Default for SpanLimits {
    fn default() -> Self {
        Self {
            attributes: AttributeLimits::default(),
            events: DEFAULT_COUNT,
            links: DEFAULT_COUNT,
            attributes_per_event: DEFAULT_COUNT,
            attributes_per_link: DEFAULT_COUNT,
        }
    }
}

/// Limits of one log record. The default is the specification's: 128 attributes, no value length
/// limit. They hold for attributes; a body is not cut (row G-L5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogRecordLimits {
    /// Of the record's attributes.
    pub attributes: AttributeLimits,
}

/// The specification's default for every count limit (row L7).
const DEFAULT_COUNT: u32 = 128;
