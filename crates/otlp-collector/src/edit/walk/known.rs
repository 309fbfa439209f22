//! What is known of each rule on the way down to an item.

use otlp_core::wire::WireError;

use crate::edit::plan::{Effect, Rule};
use crate::edit::selector::{Both, Level, Look, Verdict};

/// For each rule, how far its selector is decided: at the start, and within the resource, the scope and the
/// metric that the walk is in.
pub(super) struct Known {
    start: Vec<Both>,
    resource: Vec<Both>,
    scope: Vec<Both>,
    record: Vec<Both>,
}

impl Known {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let start: Vec<_> = rules.iter().map(|rule| rule.selector.start()).collect();
        Self { resource: start.clone(), scope: start.clone(), record: start.clone(), start }
    }

    /// In the order of the rules.
    #[inline]
    pub(super) fn at(&self, level: Level) -> &[Both] {
        match level {
            Level::Nothing => &self.start,
            Level::Resource => &self.resource,
            Level::Scope => &self.scope,
            Level::Record | Level::Item => &self.record,
        }
    }

    /// Takes up what is to be seen on a level.
    pub(super) fn look(&mut self, rules: &[Rule], look: Look<'_, '_>) -> Result<(), WireError> {
        let (above, here) = self.step(look.level());
        for ((rule, above), here) in rules.iter().zip(above).zip(here) {
            *here = rule.selector.narrow(*above, look)?;
        }
        Ok(())
    }

    /// A level on which no rule has anything to look at.
    pub(super) fn pass(&mut self, level: Level) {
        let (above, here) = self.step(level);
        here.copy_from_slice(above);
    }

    fn step(&mut self, level: Level) -> (&[Both], &mut [Both]) {
        match level {
            Level::Nothing | Level::Resource => (&self.start, &mut self.resource),
            Level::Scope => (&self.resource, &mut self.scope),
            Level::Record | Level::Item => (&self.scope, &mut self.record),
        }
    }

    /// Whether anything below a level may still be edited or dropped.
    pub(super) fn is_any_active(&self, rules: &[Rule], level: Level) -> bool {
        let is_active = |(rule, known): (&Rule, &Both)| {
            rule.target.level() > level
                && match rule.effect {
                    Effect::Edit(_) | Effect::Sample(_) => known.verdict() != Verdict::Rejected,
                    Effect::Keep => known.verdict() != Verdict::Selected,
                }
        };
        rules.iter().zip(self.at(level)).any(is_active)
    }

    /// Whether a filter of what stands on the level `target` has decided already, by what is known on `level`.
    #[inline]
    pub(super) fn is_dropped(&self, rules: &[Rule], target: Level, level: Level) -> bool {
        rules.iter().zip(self.at(level)).any(|(rule, known)| {
            matches!(rule.effect, Effect::Keep)
                && rule.target.level() == target
                && known.verdict() == Verdict::Rejected
        })
    }
}
