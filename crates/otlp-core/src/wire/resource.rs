//! A view of `opentelemetry.proto.resource.v1.Resource`.

use super::WireError;
use super::common::Attributes;
use super::reader::Reader;
use super::view::{Merged, View};

/// A view of a `Resource`: what the telemetry is about.
#[derive(Clone, Copy, Debug)]
pub struct ResourceView<'a> {
    dropped_attributes_count: u32,
    fields: Merged<'a>,
}

impl<'a> ResourceView<'a> {
    /// Reads an encoded `Resource`.
    ///
    /// # Errors
    ///
    /// As [`View::read`].
    pub fn parse(message: &'a [u8]) -> Result<Self, WireError> {
        Self::read(Reader::new(message))
    }

    /// How many attributes were discarded.
    #[must_use]
    pub const fn dropped_attributes_count(&self) -> u32 {
        self.dropped_attributes_count
    }

    /// The resource's attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        self.fields.views(&(Self::NAME, 1))
    }

    const NAME: &'static str = "Resource";

    pub(super) fn read_merged(fields: Merged<'a>) -> Result<Self, WireError> {
        let mut resource = Self { dropped_attributes_count: 0, fields };
        for field in fields {
            let field = field?;
            if field.number == 2 {
                resource.dropped_attributes_count = field.uint32(Self::NAME)?;
            }
        }
        Ok(resource)
    }
}

impl<'a> View<'a> for ResourceView<'a> {
    fn read(fields: Reader<'a>) -> Result<Self, WireError> {
        Self::read_merged(Merged::whole(fields))
    }
}
