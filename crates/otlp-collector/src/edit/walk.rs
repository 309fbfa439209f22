//! One pass over a request: from resource to scope to record to data point, and what the rules do there.
//!
//! Decisions fall as high up as they can: a resource that no rule is for is not looked into, and what a
//! resource or a scope decides is not asked again for each of its items.

mod group;
mod item;
mod known;

use otlp_core::wire::WireError;
use otlp_core::wire::request::{RopeField, RopeFields, count_in_item};
use otlp_core::{Rope, Signal};

use self::group::{Group, Pieces};
use self::known::Known;
use super::attributes::Attributes;
use super::plan::{Effect, Plan};
use super::run::run;
use super::selector::{Level, Look, Verdict};
use super::tape::Tape;

/// What the walk did beside the bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Items, data points for metrics, that were dropped.
    pub(super) items_dropped: usize,
    pub(super) items_edited: usize,
    pub(super) resources_edited: usize,
    /// Spans, log records, metrics: what scopes hold.
    records_dropped: usize,
    records_kept: usize,
}

pub(super) struct Walk<'a> {
    plan: &'a Plan,
    signal: Signal,
    tape: Tape<'a>,
    counts: Counts,
    known: Known,
    /// Kept for its memory.
    attributes: Attributes<'a>,
}

/// Whether what was looked at stays in the request.
type Stays = bool;

impl<'a> Walk<'a> {
    pub(super) fn new(plan: &'a Plan, request: &'a Rope) -> Self {
        Self {
            plan,
            signal: plan.signal(),
            tape: Tape::new(request),
            counts: Counts::default(),
            known: Known::new(plan.rules()),
            attributes: Attributes::default(),
        }
    }

    /// Walks the whole request. `None` if nothing changed.
    pub(super) fn run(mut self, request: &'a Rope) -> Result<(Option<Rope>, Counts), WireError> {
        for field in RopeFields::new(request) {
            let field = field?;
            if field.number() == 1 {
                self.resource(&field)?;
            }
        }
        let changed = self.tape.is_changed().then(|| self.tape.finish(request.len()));
        Ok((changed, self.counts))
    }

    fn resource(&mut self, field: &RopeField<'a>) -> Result<(), WireError> {
        let before = self.counts;
        self.tape.enter(field);
        let stays = if self.plan.reads(Level::Resource) {
            let pieces = Pieces::read(field)?;
            let mut group = Group::resource(&pieces)?;
            let stays = self.apply_to_resource(&mut group)?;
            self.known.look(self.plan.rules(), Look::Resource(&group.attributes))?;
            self.counts.resources_edited += usize::from(group.attributes.is_changed());
            self.children(field, Level::Resource, Some(&group), stays)?;
            stays
        } else {
            self.known.pass(Level::Resource);
            self.children(field, Level::Resource, None, true)?;
            true
        };
        self.close(before, stays);
        Ok(())
    }

    /// Rules look at what those before them have left.
    fn apply_to_resource<'g>(&self, group: &mut Group<'g>) -> Result<Stays, WireError>
    where
        'a: 'g,
    {
        let plan = self.plan;
        for rule in plan.rules().iter().filter(|rule| rule.target.level() == Level::Resource) {
            let look = Look::Resource(&group.attributes);
            let met = rule.selector.narrow(rule.selector.start(), look)?;
            match (&rule.effect, met.verdict()) {
                (Effect::Edit(actions), Verdict::Selected) => {
                    run(actions, &mut group.attributes)?;
                }
                (Effect::Keep, Verdict::Rejected) => return Ok(false),
                _ => {}
            }
        }
        Ok(true)
    }

    fn scope(&mut self, field: &RopeField<'a>, stays: Stays) -> Result<(), WireError> {
        let before = self.counts;
        self.tape.enter(field);
        let stays = if stays && self.plan.reads(Level::Scope) {
            let pieces = Pieces::read(field)?;
            let mut group = Group::scope(&pieces)?;
            self.known.look(self.plan.rules(), Look::Scope(group.name, group.version))?;
            let stays = self.apply_to_scope(&mut group)?;
            self.children(field, Level::Scope, Some(&group), stays)?;
            stays
        } else {
            self.known.pass(Level::Scope);
            self.children(field, Level::Scope, None, stays)?;
            stays
        };
        self.close(before, stays);
        Ok(())
    }

    fn apply_to_scope<'g>(&self, group: &mut Group<'g>) -> Result<Stays, WireError>
    where
        'a: 'g,
    {
        let plan = self.plan;
        for (rule, met) in plan.rules().iter().zip(self.known.at(Level::Scope)) {
            if rule.target.level() == Level::Scope {
                match (&rule.effect, met.verdict()) {
                    (Effect::Edit(actions), Verdict::Selected) => {
                        run(actions, &mut group.attributes)?;
                    }
                    (Effect::Keep, Verdict::Rejected) => return Ok(false),
                    _ => {}
                }
            }
        }
        Ok(true)
    }

    /// Puts what changed in a group on the tape and goes through its children, in the order of the input.
    fn children(
        &mut self,
        envelope: &RopeField<'a>,
        level: Level,
        group: Option<&Group<'_>>,
        stays: Stays,
    ) -> Result<(), WireError> {
        let goes_on = !stays || self.known.is_any_active(self.plan.rules(), level);
        let changed = group.filter(|group| group.attributes.is_changed());
        if !goes_on {
            // One that is there is enough to know that the envelope has not been emptied.
            self.counts.records_kept += usize::from(has_child(envelope)?);
            if changed.is_none() {
                return Ok(());
            }
        }
        if let Some(group) = changed {
            group.write_if_absent(envelope, &mut self.tape);
        }
        for field in envelope.fields()? {
            let field = field?;
            match (field.number(), changed) {
                (1, Some(group)) => group.write(&field, &mut self.tape),
                (2, _) if goes_on && level == Level::Resource => self.scope(&field, stays)?,
                (2, _) if goes_on => self.record(&field, stays)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Leaves an envelope. One of which items were dropped and that has none left goes with them.
    fn close(&mut self, before: Counts, stays: Stays) {
        let is_emptied = self.counts.records_dropped > before.records_dropped
            && self.counts.records_kept == before.records_kept;
        if is_emptied || !stays { self.tape.remove() } else { self.tape.leave() }
    }

    /// A span, a log record or a metric.
    fn record(&mut self, field: &RopeField<'a>, stays: Stays) -> Result<(), WireError> {
        let stays = match self.signal {
            _ if !stays => {
                self.counts.items_dropped += match self.signal {
                    Signal::Metrics => count_in_item(self.signal, &field.to_rope())?,
                    _ => 1,
                };
                self.remove(field);
                false
            }
            Signal::Traces => self.item(field, 9, Level::Scope)?,
            Signal::Logs => self.item(field, 6, Level::Scope)?,
            Signal::Metrics => self.metric(field)?,
            // A signal that came later than this is passed on.
            _ => true,
        };
        self.counts.records_kept += usize::from(stays);
        self.counts.records_dropped += usize::from(!stays);
        Ok(())
    }
}

fn has_child(envelope: &RopeField<'_>) -> Result<bool, WireError> {
    for field in envelope.fields()? {
        if field?.number() == 2 {
            return Ok(true);
        }
    }
    Ok(false)
}
