//! What ends one pipeline and begins another.

mod forward;

pub use self::forward::ForwardSettings;
use crate::component::Connector;
use crate::registry::Factory;

pub(crate) const FACTORIES: &[Factory<dyn Connector>] =
    &[Factory::new(&["forward"], |_, node| Ok(Box::new(node.read::<ForwardSettings>()?)))];
