//! The receivers that a configuration may name.

use crate::component::Receiver;
use crate::config::ConfigError;
use crate::receivers::otlp::{OtlpReceiver, OtlpSettings};
use crate::registry::Factory;

pub(crate) const FACTORIES: &[Factory<dyn Receiver>] = &[Factory::new(&["otlp"], |_, node| {
    let settings = node.read::<OtlpSettings>()?;
    let protocols = &settings.protocols;
    if protocols.grpc.is_none() && protocols.http.is_none() {
        let error = ConfigError::new("there is no protocol; one at least is needed: grpc, http");
        let origin = node.get("protocols").unwrap_or(node).origin();
        return Err(error.under("protocols").at(origin));
    }
    settings.check()?;
    Ok(Box::new(OtlpReceiver::new(settings)))
})];
