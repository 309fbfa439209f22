//! The receivers that a configuration may name.

use crate::component::Receiver;
use crate::receivers::otlp::{OtlpReceiver, OtlpSettings};
use crate::registry::Factory;

pub(crate) const FACTORIES: &[Factory<dyn Receiver>] = &[Factory::new(&["otlp"], |_, node| {
    let settings = node.read::<OtlpSettings>()?;
    settings.check()?;
    Ok(Box::new(OtlpReceiver::new(settings)))
})];
