//! Which items an edit or a filter is for.

use otlp_core::wire::WireError;

use super::attributes::Attributes;
use super::compare::{AttributeTest, LibraryTest, SeverityTest, Texts, all_match, is_service};
use super::record::Record;
use super::text::text_of;

/// What an item must be, and what it must not be.
///
/// An item is selected if it meets `include`, or there is none, and does not meet `exclude`.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    /// What is selected; everything if it is `None`.
    pub include: Option<Criteria>,
    /// What is not selected after all.
    pub exclude: Option<Criteria>,
}

/// What is looked at. All criteria that are given must be met.
///
/// Of a list of texts, one must match. Of a list of attributes, all must be there and match, as in the Go
/// collector. Of `libraries`, one must match: so Go's documentation has it, while its code asks for all, which
/// two names never meet.
#[derive(Clone, Debug, Default)]
pub struct Criteria {
    /// The resource's `service.name` as text; `<nil-service-name>` if it has none.
    pub services: Option<Texts>,
    /// Attributes of the resource.
    pub resources: Vec<AttributeTest>,
    /// Instrumentation scopes.
    pub libraries: Vec<LibraryTest>,
    /// The name of the span or of the metric.
    pub names: Option<Texts>,
    /// The kind of the span as the protocol names it: `SPAN_KIND_SERVER`.
    pub span_kinds: Option<Texts>,
    /// The status of the span as the protocol names it: `STATUS_CODE_ERROR`.
    pub status_codes: Option<Texts>,
    /// The body of the log record as text.
    pub bodies: Option<Texts>,
    /// The severity of the log record as its source calls it.
    pub severity_texts: Option<Texts>,
    /// The severity of the log record.
    pub severity: Option<SeverityTest>,
    /// Attributes of the item: span, log record or data point.
    pub attributes: Vec<AttributeTest>,
}

/// How far down the envelopes a decision has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Nothing,
    Resource,
    Scope,
    Record,
    Item,
}

/// What is known of an item, or of all items in an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Selected,
    Rejected,
    /// It depends on what stands further down.
    Open,
}

/// What there is to look at on a level.
#[derive(Clone, Copy, Debug)]
pub(super) enum Look<'l, 'a> {
    Resource(&'l Attributes<'a>),
    /// Name and version.
    Scope(&'a [u8], &'a [u8]),
    Record(&'l Record<'a>),
    Item(&'l Attributes<'a>),
}

impl Look<'_, '_> {
    pub(super) const fn level(&self) -> Level {
        match self {
            Self::Resource(_) => Level::Resource,
            Self::Scope(..) => Level::Scope,
            Self::Record(_) => Level::Record,
            Self::Item(_) => Level::Item,
        }
    }
}

impl Selector {
    /// Whether it looks at a level.
    pub(super) fn looks_at(&self, level: Level) -> bool {
        [&self.include, &self.exclude].into_iter().flatten().any(|criteria| criteria.has(level))
    }

    /// What is known after a look at a level, and was before.
    pub(super) fn narrow(&self, before: Both, look: Look<'_, '_>) -> Result<Both, WireError> {
        let narrow = |before: Verdict, criteria: &Option<Criteria>| match (before, criteria) {
            (Verdict::Open, Some(criteria)) => criteria.narrow(look),
            _ => Ok(before),
        };
        Ok(Both {
            include: narrow(before.include, &self.include)?,
            exclude: narrow(before.exclude, &self.exclude)?,
        })
    }

    pub(super) fn start(&self) -> Both {
        let start = |criteria: &Criteria| match criteria.deepest() {
            Level::Nothing => Verdict::Selected,
            _ => Verdict::Open,
        };
        Both {
            include: self.include.as_ref().map_or(Verdict::Selected, start),
            exclude: self.exclude.as_ref().map_or(Verdict::Rejected, start),
        }
    }
}

/// What is known of both sides of a selector: whether each is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Both {
    include: Verdict,
    exclude: Verdict,
}

impl Both {
    #[inline]
    pub(super) fn verdict(self) -> Verdict {
        match (self.include, self.exclude) {
            (Verdict::Rejected, _) | (_, Verdict::Selected) => Verdict::Rejected,
            (Verdict::Selected, Verdict::Rejected) => Verdict::Selected,
            _ => Verdict::Open,
        }
    }
}

impl Criteria {
    /// The criteria that are given, by the keys of the Go collector.
    pub(super) fn given(&self) -> impl Iterator<Item = &'static str> {
        [
            ("services", self.services.is_some()),
            ("resources", !self.resources.is_empty()),
            ("libraries", !self.libraries.is_empty()),
            ("names", self.names.is_some()),
            ("span_kinds", self.span_kinds.is_some()),
            ("status_codes", self.status_codes.is_some()),
            ("log_bodies", self.bodies.is_some()),
            ("log_severity_texts", self.severity_texts.is_some()),
            ("log_severity_number", self.severity.is_some()),
            ("attributes", !self.attributes.is_empty()),
        ]
        .into_iter()
        .filter_map(|(key, is_given)| is_given.then_some(key))
    }

    fn has(&self, level: Level) -> bool {
        match level {
            Level::Nothing => false,
            Level::Resource => self.services.is_some() || !self.resources.is_empty(),
            Level::Scope => !self.libraries.is_empty(),
            Level::Record => {
                self.names.is_some()
                    || self.span_kinds.is_some()
                    || self.status_codes.is_some()
                    || self.bodies.is_some()
                    || self.severity_texts.is_some()
                    || self.severity.is_some()
            }
            Level::Item => !self.attributes.is_empty(),
        }
    }

    fn deepest(&self) -> Level {
        let levels = [Level::Item, Level::Record, Level::Scope, Level::Resource];
        levels.into_iter().find(|level| self.has(*level)).unwrap_or(Level::Nothing)
    }

    fn narrow(&self, look: Look<'_, '_>) -> Result<Verdict, WireError> {
        let is_met = match look {
            Look::Resource(attributes) => {
                let services = self.services.as_ref();
                services.map_or(Ok(true), |texts| is_service(texts, attributes))?
                    && all_match(&self.resources, attributes)?
            }
            Look::Scope(name, version) => {
                let mut libraries = self.libraries.iter();
                self.libraries.is_empty()
                    || libraries.any(|library| library.is_match(name, version))
            }
            Look::Record(record) => self.is_record(record)?,
            Look::Item(attributes) => all_match(&self.attributes, attributes)?,
        };
        Ok(match is_met {
            false => Verdict::Rejected,
            true if look.level() >= self.deepest() => Verdict::Selected,
            true => Verdict::Open,
        })
    }

    fn is_record(&self, record: &Record<'_>) -> Result<bool, WireError> {
        let is_text = |texts: &Option<Texts>, text: &[u8]| {
            texts.as_ref().is_none_or(|texts| texts.is_match(text))
        };
        let is_met = is_text(&self.names, record.name)
            && is_text(&self.span_kinds, span_kind(record.kind))
            && is_text(&self.status_codes, status_code(record.status))
            && is_text(&self.severity_texts, record.severity_text)
            && self.severity.is_none_or(|test| test.is_match(record.severity));
        match &self.bodies {
            Some(texts) if is_met => record.body.with(|body| Ok(texts.is_match(&text_of(body)?))),
            _ => Ok(is_met),
        }
    }
}

/// The kinds of spans as the protocol names them.
pub(super) const SPAN_KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

/// The status codes of spans as the protocol names them.
pub(super) const STATUS_CODES: [&str; 3] =
    ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

fn span_kind(kind: i32) -> &'static [u8] {
    name_of(kind, &SPAN_KINDS)
}

fn status_code(code: i32) -> &'static [u8] {
    name_of(code, &STATUS_CODES)
}

/// Empty for what has no name.
fn name_of(number: i32, names: &[&'static str]) -> &'static [u8] {
    let at = usize::try_from(number).ok();
    at.and_then(|at| names.get(at)).map_or(b"", |name| name.as_bytes())
}
