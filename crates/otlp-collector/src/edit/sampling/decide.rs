//! The decision about one item.

use otlp_core::Signal;
use otlp_core::wire::{AnyValueView, WireError};

use super::carrier::{Carrier, LogCarrier};
use super::counts::Policy;
use super::probability::{Randomness, Threshold};
use super::trace_state::TraceState;
use super::{Method, Sampler};
use crate::edit::attributes::Attributes;
use crate::edit::run::number_of;
use crate::edit::text::text_of;

/// What an item is decided by, beside its attributes.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::edit) struct Identity<'a> {
    pub(in crate::edit) trace_id: &'a [u8],
    pub(in crate::edit) trace_state: &'a [u8],
}

/// What was decided.
#[derive(Debug, PartialEq)]
pub(in crate::edit) enum Sampled {
    No,
    Yes,
    /// And the span's trace state is another one now.
    WithTraceState(String),
}

/// What an item brings to its decision.
struct Brought<C> {
    randomness: Option<Randomness>,
    policy: Policy,
    /// `None` where what it carries is to be left alone.
    carrier: Option<C>,
    /// Whether what it carries was well-formed, and fits to the way in which it is sampled.
    is_ok: bool,
}

impl Identity<'_> {
    /// The trace ID, unless it is absent or all zeros.
    fn trace_id(&self) -> Option<&[u8; 16]> {
        let id: Option<&[u8; 16]> = self.trace_id.try_into().ok();
        id.filter(|id| **id != [0; 16])
    }
}

impl Sampler {
    /// Decides about a span or a log record.
    pub(in crate::edit) fn decide(
        &self,
        signal: Signal,
        identity: &Identity<'_>,
        attributes: &mut Attributes<'_>,
    ) -> Result<Sampled, WireError> {
        match signal {
            Signal::Traces => self.decide_span(identity, attributes),
            Signal::Logs => self.decide_log(identity, attributes),
            _ => Ok(Sampled::Yes),
        }
    }

    fn decide_span(
        &self,
        identity: &Identity<'_>,
        attributes: &Attributes<'_>,
    ) -> Result<Sampled, WireError> {
        let (state, is_ok) = TraceState::read(identity.trace_state);
        let hashed = match &self.method {
            Method::Hash(source, _) => {
                let hash = |id: &[u8; 16]| Randomness::of_hash(id, source.seed);
                let hashed = identity.trace_id().map(hash);
                hashed.map(|randomness| (randomness, Policy::TraceIdHash))
            }
            _ => None,
        };
        let mut brought = self.brought(identity, hashed, state, is_ok);
        if let (Method::Hash(..), true, None, Some(state)) =
            (&self.method, brought.is_ok, hashed, &mut brought.carrier)
        {
            // A span without a trace ID is marked too, with what every threshold samples.
            state.set_randomness(Randomness::MAX);
        }
        let wanted = wanted_of_span(attributes)?;
        let (is_sampled, carrier) = self.finish(brought, wanted);
        Ok(match carrier {
            _ if !is_sampled => Sampled::No,
            Some(state) => match state.text() {
                text if text.as_bytes() == identity.trace_state => Sampled::Yes,
                text => Sampled::WithTraceState(text),
            },
            None => Sampled::Yes,
        })
    }

    fn decide_log(
        &self,
        identity: &Identity<'_>,
        attributes: &mut Attributes<'_>,
    ) -> Result<Sampled, WireError> {
        let wanted = match &self.priority {
            Some(key) => self.wanted_of_log(attributes, key)?,
            None => None,
        };
        let hashed = self.hash_log(identity, attributes)?;
        let (carrier, is_ok) = LogCarrier::read(attributes)?;
        let brought = self.brought(identity, hashed, carrier, is_ok);
        let (is_sampled, _) = self.finish(brought, wanted);
        Ok(if is_sampled { Sampled::Yes } else { Sampled::No })
    }

    /// The randomness that is made of what a log record has.
    fn hash_log(
        &self,
        identity: &Identity<'_>,
        attributes: &Attributes<'_>,
    ) -> Result<Option<(Randomness, Policy)>, WireError> {
        let Method::Hash(source, _) = &self.method else { return Ok(None) };
        if let (true, Some(id)) = (source.is_trace_id, identity.trace_id()) {
            return Ok(Some((Randomness::of_hash(id, source.seed), Policy::TraceIdHash)));
        }
        let place = source.attribute.as_deref().and_then(|key| attributes.find(key));
        let Some(place) = place else { return Ok(None) };
        let bytes = match AnyValueView::parse(attributes.bytes(attributes.value(place)))? {
            AnyValueView::Bytes(bytes) => bytes.into(),
            other => text_of(other)?,
        };
        let hash = || (Randomness::of_hash(&bytes, source.seed), Policy::Attribute);
        Ok((!bytes.is_empty()).then(hash))
    }

    /// What an item brings, as the method sees it.
    fn brought<C: Carrier>(
        &self,
        identity: &Identity<'_>,
        hashed: Option<(Randomness, Policy)>,
        mut carrier: C,
        is_ok: bool,
    ) -> Brought<C> {
        let carried = carrier.randomness();
        match self.method {
            Method::Never => {
                let (randomness, policy) = (Some(Randomness::MAX), Policy::SamplingPriority);
                Brought { randomness, policy, carrier: Some(carrier), is_ok }
            }
            Method::Hash(..) => {
                let (randomness, policy) =
                    hashed.map_or((None, Policy::MissingRandomness), |(it, by)| (Some(it), by));
                // Who marks items for the other modes is left alone.
                let is_ok = is_ok && carried.is_none() && carrier.threshold().is_none();
                if let (true, Some(randomness)) = (is_ok, randomness) {
                    carrier.set_randomness(randomness);
                }
                Brought { randomness, policy, carrier: is_ok.then_some(carrier), is_ok }
            }
            Method::Equalizing(_) | Method::Proportional(_) => {
                let of_id = identity.trace_id().map(Randomness::of_trace_id);
                let (randomness, policy) = match (carried, of_id) {
                    _ if !is_ok => (None, Policy::MissingRandomness),
                    (Some(carried), _) => (Some(carried), Policy::SamplingRandomness),
                    (None, Some(of_id)) => (Some(of_id), Policy::TraceIdW3c),
                    (None, None) => (None, Policy::MissingRandomness),
                };
                Brought { randomness, policy, carrier: is_ok.then_some(carrier), is_ok }
            }
        }
    }

    /// Decides, and marks what is sampled. `wanted` is what the item asks for itself.
    fn finish<C: Carrier>(
        &self,
        brought: Brought<C>,
        wanted: Option<Threshold>,
    ) -> (bool, Option<C>) {
        let Brought { randomness, mut policy, mut carrier, is_ok } = brought;
        let threshold = match is_ok && is_consistent(randomness, carrier.as_mut()) {
            true => self.threshold(carrier.as_ref()),
            false if self.fail_closed => Threshold::NEVER,
            false => Threshold::ALWAYS,
        };
        if wanted.is_some() {
            policy = Policy::SamplingPriority;
        }
        let threshold = wanted.unwrap_or(threshold);
        let is_sampled = threshold.samples(randomness.unwrap_or(Randomness::MAX));
        if let (true, Some(carrier)) = (is_sampled, &mut carrier)
            // What was sampled less before has not become more.
            && carrier.threshold().is_none_or(|before| before <= threshold)
        {
            carrier.set_threshold(threshold);
        }
        self.counts.note(policy, is_sampled);
        (is_sampled, carrier)
    }

    fn threshold<C: Carrier>(&self, carrier: Option<&C>) -> Threshold {
        let before = carrier.and_then(Carrier::threshold);
        match &self.method {
            Method::Never => Threshold::NEVER,
            Method::Hash(_, threshold) => *threshold,
            Method::Equalizing(threshold) => before.map_or(*threshold, |it| it.max(*threshold)),
            Method::Proportional(ratio) => {
                let probability = before.map_or(1.0, Threshold::probability) * ratio;
                Threshold::of_probability(probability, self.precision).unwrap_or(Threshold::NEVER)
            }
        }
    }

    /// A log record's own percentage.
    fn wanted_of_log(
        &self,
        attributes: &Attributes<'_>,
        key: &[u8],
    ) -> Result<Option<Threshold>, WireError> {
        let Some(place) = attributes.find(key) else { return Ok(None) };
        let percentage = match AnyValueView::parse(attributes.bytes(attributes.value(place)))? {
            AnyValueView::Double(number) => number,
            AnyValueView::Int(number) => number as f64,
            _ => return Ok(None),
        };
        Ok(Threshold::of_probability(percentage / 100.0, self.precision))
    }
}

/// Whether there is randomness, and the item would have been sampled with the threshold that it carries. One
/// that it could not have is taken away.
fn is_consistent<C: Carrier>(randomness: Option<Randomness>, carrier: Option<&mut C>) -> bool {
    let Some(randomness) = randomness else { return false };
    let Some(carrier) = carrier else { return true };
    let is_consistent = carrier.threshold().is_none_or(|it| it.samples(randomness));
    if !is_consistent {
        carrier.clear_threshold();
    }
    is_consistent
}

/// What OpenTracing's `sampling.priority` asks for: never with 0, always with more.
fn wanted_of_span(attributes: &Attributes<'_>) -> Result<Option<Threshold>, WireError> {
    let Some(place) = attributes.find(b"sampling.priority") else { return Ok(None) };
    let number = match AnyValueView::parse(attributes.bytes(attributes.value(place)))? {
        AnyValueView::Int(number) => Some(number as f64),
        AnyValueView::Double(number) => Some(number),
        AnyValueView::String(text) => number_of(text),
        _ => None,
    };
    Ok(number.and_then(|number| match number {
        0.0 => Some(Threshold::NEVER),
        _ if number > 0.0 => Some(Threshold::ALWAYS),
        _ => None,
    }))
}
