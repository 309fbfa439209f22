//! The resource in OTLP bytes.

use bytes::Bytes;
use otlp_core::AttributeLimits;
use otlp_core::wire::AttributeList;

use super::Resource;
use crate::value::with_wire;

impl Resource {
    /// The body of the OTLP message `opentelemetry.proto.resource.v1.Resource`.
    ///
    /// The schema URL is not in it: in OTLP it stands beside the resource.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut attributes = AttributeList::new(ATTRIBUTES);
        for (key, value) in self.iter() {
            // Row L5: the limits on span attributes do not hold for resources.
            with_wire(value, |value| {
                attributes.set(key.as_str(), value, &AttributeLimits::EXEMPT);
            });
        }
        Bytes::copy_from_slice(attributes.as_bytes())
    }
}

impl Resource {
    /// The resource as the header of every request.
    pub(crate) fn header(&self) -> otlp_core::wire::envelope::ResourceHeader {
        let schema_url = self.schema_url().unwrap_or_default();
        otlp_core::wire::envelope::ResourceHeader::from_message(&self.encode(), schema_url)
    }
}

/// Field number of `Resource.attributes`.
const ATTRIBUTES: u8 = 1;
