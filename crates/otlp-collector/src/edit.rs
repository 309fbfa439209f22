//! Edits and filters on encoded requests.
//!
//! A [`Plan`] is a list of [`Rule`]s: what they are for ([`Target`]), which of those ([`Selector`]), and what is
//! done ([`Effect`]). It is applied to the bytes of a request; what it does not touch is passed on as it came.
//!
//! The plans of the processors `attributes`, `resource` and `filter` come from their settings, and mean what they
//! mean in the Go collector (compared with 0.158), but for this:
//!
//! - `delete` and `hash` by key reach every attribute with the key, where Go takes the first of several;
//! - removing an attribute leaves the order of the others, and envelopes that came without items stay;
//! - of several `libraries` one must match, as Go documents it, and not all, as its code has it;
//! - `services` are compared for logs too, and `resources`, `libraries` and `attributes` for metrics;
//! - doubles beyond the range of integers become the nearest one, and hexadecimal fractions are not read;
//! - `from_context`, conditions in OTTL and `match_type: expr` are refused.

mod action;
mod attributes;
mod compare;
mod fields;
mod literal;
mod pattern;
mod plan;
mod record;
mod run;
mod sampling;
mod selector;
mod settings;
mod tape;
mod text;
mod walk;

pub use self::action::{Action, ConvertedType, Source};
pub use self::compare::{AttributeTest, LibraryTest, SeverityTest, Texts, ValueTest};
pub use self::literal::Literal;
pub use self::pattern::{Pattern, PatternError};
pub use self::plan::{Edited, Effect, Plan, Rule, Target};
pub use self::sampling::Sampler;
pub(crate) use self::sampling::{HashSource, MIN_PROBABILITY, SamplerCounts, SamplerMode};
pub use self::selector::{Criteria, Selector};
pub use self::settings::{
    ActionSettings, AttributesSettings, FilterSettings, LogFilterSettings, LogMatchSettings,
    MatchSettings, MetricFilterSettings, MetricMatchSettings, ResourceSettings, SpanFilterSettings,
    SpanMatchSettings,
};
