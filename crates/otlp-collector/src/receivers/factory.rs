//! The receivers that a configuration may name.

use crate::component::Receiver;
use crate::receivers::otlp::{OtlpReceiver, OtlpSettings};
use crate::registry::Factory;

pub(crate) const FACTORIES: &[Factory<dyn Receiver>] = &[Factory::new(&["otlp"], |_, node| {
    Ok(Box::new(OtlpReceiver::new(node.read::<OtlpSettings>()?)))
})];
