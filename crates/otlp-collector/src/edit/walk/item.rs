//! Metrics, and what all signals have at the bottom: spans, log records, data points.

use std::borrow::Cow;
use std::mem::take;

use otlp_core::wire::WireError;
use otlp_core::wire::reader::Field;
use otlp_core::wire::request::{RopeField, count_in_item};
use otlp_core::wire::writer::{LEN, key, put_len};

use super::{Stays, Walk};
use crate::edit::attributes::Attributes;
use crate::edit::fields::each_field;
use crate::edit::plan::Effect;
use crate::edit::record::Record;
use crate::edit::run::run;
use crate::edit::sampling::Sampled;
use crate::edit::selector::{Level, Look, Verdict};

impl<'a> Walk<'a> {
    pub(super) fn remove(&mut self, field: &RopeField<'a>) {
        self.tape.replace(field.start(), field.end());
    }

    pub(super) fn metric(&mut self, field: &RopeField<'a>) -> Result<Stays, WireError> {
        let plan = self.plan;
        if plan.reads(Level::Record) {
            let name = metric_name(field)?;
            let record = Record { name: &name, ..Record::default() };
            self.known.look(plan.rules(), Look::Record(&record))?;
        } else {
            self.known.pass(Level::Record);
        }
        if self.known.is_dropped(plan.rules(), Level::Record, Level::Record) {
            self.counts.items_dropped += count_in_item(self.signal, &field.to_rope())?;
            self.remove(field);
            return Ok(false);
        }
        if !self.known.is_any_active(plan.rules(), Level::Record) {
            return Ok(true);
        }
        self.tape.enter(field);
        let stays = self.data(field)?;
        if stays {
            self.tape.leave();
        } else {
            self.tape.remove();
        }
        Ok(stays)
    }

    /// The points of a metric of any kind. False if all that there were are gone.
    fn data(&mut self, metric: &RopeField<'a>) -> Result<Stays, WireError> {
        let (mut kind, mut kept, mut dropped) = (0, false, false);
        for field in metric.fields()? {
            let data = field?;
            let attributes = match data.number() {
                // Gauge and sum, histogram, exponential histogram, summary.
                5 | 7 => 7,
                9 => 9,
                10 => 1,
                11 => 7,
                _ => continue,
            };
            // Of several kinds the last one counts; pieces of one kind are merged.
            if data.number() != kind {
                (kind, kept, dropped) = (data.number(), false, false);
            }
            self.tape.enter(&data);
            for field in data.fields()? {
                let point = field?;
                if point.number() == 1 {
                    let stays = self.item(&point, attributes, Level::Record)?;
                    (kept, dropped) = (kept || stays, dropped || !stays);
                }
            }
            self.tape.leave();
        }
        Ok(kept || !dropped)
    }

    /// A span, a log record or a data point, with attributes in field `number`; decisions fell down to `above`.
    pub(super) fn item(
        &mut self,
        field: &RopeField<'a>,
        number: u8,
        above: Level,
    ) -> Result<Stays, WireError> {
        let rules = self.plan.rules();
        if self.known.is_dropped(rules, Level::Item, above) {
            self.remove(field);
            self.counts.items_dropped += 1;
            return Ok(false);
        }
        match field.content()? {
            Cow::Borrowed(content) => {
                let mut attributes = take(&mut self.attributes);
                attributes.clear();
                let stays = self.edit(field, content, number, above, &mut attributes);
                self.attributes = attributes;
                stays
            }
            Cow::Owned(content) => {
                self.edit(field, &content, number, above, &mut Attributes::default())
            }
        }
    }

    fn edit<'i>(
        &mut self,
        field: &RopeField<'a>,
        content: &'i [u8],
        number: u8,
        above: Level,
        attributes: &mut Attributes<'i>,
    ) -> Result<Stays, WireError>
    where
        'a: 'i,
    {
        let sampled = self.apply_to_item(field, content, number, above, attributes)?;
        if sampled == Sampled::No {
            self.remove(field);
            self.counts.items_dropped += 1;
        } else if attributes.is_changed() || sampled != Sampled::Yes {
            self.tape.enter(field);
            let start = match &sampled {
                Sampled::WithTraceState(text) => {
                    self.trace_state(field, text, number, attributes)?
                }
                _ => field.content_start(),
            };
            attributes.write(&mut self.tape, (start, field.end()), number, true);
            self.tape.leave();
            self.counts.items_edited += 1;
        }
        Ok(sampled != Sampled::No)
    }

    /// Writes a span up to the end of its trace state, which is another one; says where that is.
    fn trace_state(
        &mut self,
        span: &RopeField<'a>,
        text: &str,
        number: u8,
        attributes: &Attributes<'_>,
    ) -> Result<usize, WireError> {
        let (mut at, mut text) = (span.content_start(), Some(text).filter(|text| !text.is_empty()));
        let put = |out: &mut Vec<u8>, text: Option<&str>| {
            if let Some(text) = text {
                put_len(out, key(3, LEN), text.as_bytes());
            }
        };
        for field in span.fields()? {
            let field = field?;
            if field.number() == 3 {
                attributes.write(&mut self.tape, (at, field.start()), number, false);
                put(self.tape.replace(field.start(), field.end()), text.take());
                at = field.end();
            }
        }
        if text.is_some() {
            put(self.tape.replace(at, at), text);
        }
        Ok(at)
    }

    fn apply_to_item<'i>(
        &self,
        field: &RopeField<'a>,
        content: &'i [u8],
        number: u8,
        above: Level,
        attributes: &mut Attributes<'i>,
    ) -> Result<Sampled, WireError>
    where
        'a: 'i,
    {
        let (plan, signal) = (self.plan, self.signal);
        let mut record = Record::default();
        let start = field.content_start();
        // A point's metric was looked at already.
        let mut wanted = match above == Level::Scope && plan.reads(Level::Record) {
            true => Record::wanted(signal),
            false => 0,
        };
        if plan.samples() {
            wanted |= Record::identity(signal);
        }
        let other = |field: &Field<'i>| record.take(signal, field, content);
        match plan.reads(Level::Item) {
            true => attributes.read(content, start, number, wanted, other)?,
            false => each_field(content, number, wanted, |_, _, _| Ok(()), other)?,
        }
        let mut sampled = Sampled::Yes;
        for (rule, known) in plan.rules().iter().zip(self.known.at(above)) {
            if rule.target.level() != Level::Item {
                continue;
            }
            let mut met = *known;
            if above == Level::Scope {
                met = rule.selector.narrow(met, Look::Record(&record))?;
            }
            met = rule.selector.narrow(met, Look::Item(attributes))?;
            match (&rule.effect, met.verdict()) {
                (Effect::Edit(actions), Verdict::Selected) => run(actions, attributes)?,
                (Effect::Keep, Verdict::Rejected) => return Ok(Sampled::No),
                (Effect::Sample(sampler), Verdict::Selected) => {
                    sampled = sampler.decide(signal, &record.identity, attributes)?;
                    if sampled == Sampled::No {
                        return Ok(Sampled::No);
                    }
                }
                _ => {}
            }
        }
        Ok(sampled)
    }
}

/// The last name counts, as for any field.
fn metric_name<'a>(metric: &RopeField<'a>) -> Result<Cow<'a, [u8]>, WireError> {
    let mut name = Default::default();
    for field in metric.fields()? {
        let field = field?;
        if field.number() == 1 {
            name = field.content()?;
        }
    }
    Ok(name)
}
