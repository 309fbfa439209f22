//! What is to be done to requests, compiled.

use otlp_core::wire::{WireError, request};
use otlp_core::{Payload, Signal};

use super::action::Action;
use super::sampling::Sampler;
use super::selector::{Level, Selector};
use super::walk::Walk;

/// Rules for the requests of one signal, compiled: expressions, keys and values are ready to be compared and
/// written.
///
/// Applying it takes one pass over the envelopes. Only items that a rule may be for are read, and of those
/// only what the rule looks at. What is not changed is not copied, or copied in one go beside what is.
///
/// Rules for resources come first, then those for scopes, for metrics and for items; on each level they run in
/// order, and each looks at what those before it have left.
///
/// ```
/// use otlp_collector::edit::{Action, Effect, Literal, Plan, Rule, Selector, Source, Target};
/// use otlp_core::{Payload, Signal};
///
/// let action = Action::upsert("env", Source::value(&Literal::from("test")));
/// let rule = Rule {
///     target: Target::Resource,
///     selector: Selector::default(),
///     effect: Effect::Edit(vec![action]),
/// };
/// let plan = Plan::new(Signal::Traces, vec![rule]);
/// // One resource that says nothing of itself, one scope, one span named "hi".
/// let request = b"\x0a\x08\x12\x06\x12\x04\x2a\x02hi".to_vec();
/// let edited = plan.apply(&Payload::from_request(Signal::Traces, request)?)?;
/// assert_eq!((edited.resources_edited, edited.payload.items()), (1, 1));
/// # Ok::<(), otlp_core::wire::WireError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    signal: Signal,
    rules: Vec<Rule>,
    /// Whether resources, scopes, records beside their attributes, and attributes of items must be read.
    reads: [bool; 4],
    samples: bool,
}

/// One thing that is done, and to what.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What it is for.
    pub target: Target,
    /// Which of them. Criteria for what stands below the target are never met.
    pub selector: Selector,
    /// What is done.
    pub effect: Effect,
}

/// What a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// Resources.
    Resource,
    /// Instrumentation scopes.
    Scope,
    /// Metrics, as a whole. They have no attributes: an edit does nothing.
    Metric,
    /// Spans, log records, data points.
    Item,
}

/// What is done to what a rule selects.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Effect {
    /// Its attributes are edited.
    Edit(Vec<Action>),
    /// It is kept, and what is not selected is dropped with all that it holds.
    Keep,
    /// A share of it is kept: for spans and log records.
    Sample(Sampler),
}

/// What came out of a [`Plan`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Edited {
    /// The request: the same payload if nothing changed.
    pub payload: Payload,
    /// Whether anything did.
    pub is_changed: bool,
    /// How many spans, log records or data points were dropped.
    pub items_dropped: usize,
    /// How many spans, log records or data points have other attributes than before.
    pub items_edited: usize,
    /// How many resources have other attributes than before.
    pub resources_edited: usize,
}

impl Target {
    pub(super) const fn level(self) -> Level {
        match self {
            Self::Resource => Level::Resource,
            Self::Scope => Level::Scope,
            Self::Metric => Level::Record,
            Self::Item => Level::Item,
        }
    }
}

impl Plan {
    /// A plan of these rules, in this order.
    #[must_use]
    pub fn new(signal: Signal, rules: Vec<Rule>) -> Self {
        let levels = [Level::Resource, Level::Scope, Level::Record, Level::Item];
        let reads = levels.map(|level| {
            rules.iter().any(|rule| {
                let is_edited = matches!(rule.effect, Effect::Edit(_) | Effect::Sample(_))
                    && rule.target.level() == level;
                // What a resource or a scope has decided is carried out where it is read.
                let is_kept = level < Level::Record && rule.target.level() == level;
                is_edited || is_kept || rule.selector.looks_at(level)
            })
        });
        let samples = rules.iter().any(|rule| matches!(rule.effect, Effect::Sample(_)));
        Self { signal, rules, reads, samples }
    }

    /// The signal of the requests that it is for.
    #[must_use]
    pub const fn signal(&self) -> Signal {
        self.signal
    }

    /// Whether it does nothing to any request.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    pub(super) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether it looks at what identifies items.
    pub(super) const fn samples(&self) -> bool {
        self.samples
    }

    #[inline]
    pub(super) fn reads(&self, level: Level) -> bool {
        let [resource, scope, record, item] = self.reads;
        match level {
            Level::Nothing => false,
            Level::Resource => resource,
            Level::Scope => scope,
            Level::Record => record,
            Level::Item => item,
        }
    }

    /// Applies the plan to a request. One of another signal comes back as it is.
    ///
    /// Resources and scopes from which items were dropped go with the last of them; those that came without
    /// items stay. Fields that are not known here keep their bytes, and so does everything that is not
    /// edited. Repeated pieces of a resource, a scope or a value are read as one, as protobuf has it.
    ///
    /// # Errors
    ///
    /// The envelopes are not well-formed, or a message or a value that a rule had to read is not. What no rule
    /// looks at is not checked: that is for the receiver to do, with [`scan`](otlp_core::wire::scan::scan).
    pub fn apply(&self, payload: &Payload) -> Result<Edited, WireError> {
        let unchanged = Edited {
            payload: payload.clone(),
            is_changed: false,
            items_dropped: 0,
            items_edited: 0,
            resources_edited: 0,
        };
        if self.is_empty() || payload.signal() != self.signal {
            return Ok(unchanged);
        }
        let request = payload.rope();
        let (changed, counts) = Walk::new(self, request).run(request)?;
        let Some(rope) = changed else { return Ok(unchanged) };
        // The points of a metric that holds two kinds of data count for the last kind only.
        let items = match counts.items_dropped {
            dropped if dropped > 0 && self.signal == Signal::Metrics => {
                request::count_items(self.signal, &rope)?
            }
            dropped => payload.items().saturating_sub(dropped),
        };
        Ok(Edited {
            payload: Payload::from_parts(self.signal, rope, items),
            is_changed: true,
            items_dropped: payload.items().saturating_sub(items),
            items_edited: counts.items_edited,
            resources_edited: counts.resources_edited,
        })
    }
}

#[cfg(test)]
mod tests;
