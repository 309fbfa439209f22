//! Views of what the request of every signal has: items grouped by resource and by scope.
//!
//! The signals differ in names only; those are in [`SignalItem::NAMES`], beside the item's own view.

use std::marker::PhantomData;

use super::WireError;
use super::common::ScopeView;
use super::reader::Reader;
use super::resource::ResourceView;
use super::view::{Merged, Place, View, Views};

/// What the requests of a signal carry.
///
/// Implemented for the views of this crate.
pub trait SignalItem<'a>: View<'a> + sealed::Sealed {
    #[doc(hidden)]
    const NAMES: Names;
}

/// The messages around the items of a signal, with the places of what they hold.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// The request, and its resources.
    pub(super) request: Place,
    /// The resource.
    pub(super) resource: Place,
    /// What is grouped by resource: its scopes.
    pub(super) scopes: Place,
    /// The scope.
    pub(super) scope: Place,
    /// What is grouped by scope: its items.
    pub(super) items: Place,
}

pub(super) mod sealed {
    pub trait Sealed {}
}

/// A view of an `Export<Signal>ServiceRequest`.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a, I> {
    fields: Reader<'a>,
    items: PhantomData<fn() -> I>,
}

impl<'a, I: SignalItem<'a>> RequestView<'a, I> {
    /// Reads an encoded request.
    ///
    /// # Errors
    ///
    /// As [`View::read`].
    pub fn parse(message: &'a [u8]) -> Result<Self, WireError> {
        Self::read(Reader::new(message))
    }

    /// The items, grouped by resource.
    #[must_use]
    pub fn resources(&self) -> Views<'a, ResourceGroupView<'a, I>> {
        Merged::whole(self.fields).views(I::NAMES.request)
    }
}

impl<'a, I: SignalItem<'a>> View<'a> for RequestView<'a, I> {
    /// Reads nothing yet.
    fn read(fields: Reader<'a>) -> Result<Self, WireError> {
        Ok(Self { fields, items: PhantomData })
    }
}

/// A view of a `ResourceSpans`, `ResourceLogs` or `ResourceMetrics`.
#[derive(Clone, Copy, Debug)]
pub struct ResourceGroupView<'a, I> {
    schema_url: &'a str,
    resource: Option<ResourceView<'a>>,
    fields: Reader<'a>,
    items: PhantomData<fn() -> I>,
}

impl<'a, I: SignalItem<'a>> ResourceGroupView<'a, I> {
    /// The schema of the resource, not of the items (row F5); may be empty.
    #[must_use]
    pub const fn schema_url(&self) -> &'a str {
        self.schema_url
    }

    /// What the items are about.
    #[must_use]
    pub const fn resource(&self) -> Option<ResourceView<'a>> {
        self.resource
    }

    /// The items, grouped by scope.
    #[must_use]
    pub fn scopes(&self) -> Views<'a, ScopeGroupView<'a, I>> {
        Merged::whole(self.fields).views(I::NAMES.scopes)
    }
}

impl<'a, I: SignalItem<'a>> View<'a> for ResourceGroupView<'a, I> {
    fn read(fields: Reader<'a>) -> Result<Self, WireError> {
        let (mut schema_url, mut resource) = ("", None);
        for field in fields {
            let field = field?;
            match field.number {
                1 if resource.is_none() => {
                    let pieces = Merged::whole(fields).child(I::NAMES.resource);
                    resource = Some(ResourceView::read_merged(pieces)?);
                }
                3 => schema_url = field.text(I::NAMES.resource.0)?,
                _ => {}
            }
        }
        Ok(Self { schema_url, resource, fields, items: PhantomData })
    }
}

/// A view of a `ScopeSpans`, `ScopeLogs` or `ScopeMetrics`.
#[derive(Clone, Copy, Debug)]
pub struct ScopeGroupView<'a, I> {
    schema_url: &'a str,
    scope: Option<ScopeView<'a>>,
    fields: Reader<'a>,
    items: PhantomData<fn() -> I>,
}

impl<'a, I: SignalItem<'a>> ScopeGroupView<'a, I> {
    /// The schema of the scope and of the items (row F5); may be empty.
    #[must_use]
    pub const fn schema_url(&self) -> &'a str {
        self.schema_url
    }

    /// What made the items.
    #[must_use]
    pub const fn scope(&self) -> Option<ScopeView<'a>> {
        self.scope
    }

    /// The items.
    #[must_use]
    pub fn items(&self) -> Views<'a, I> {
        Merged::whole(self.fields).views(I::NAMES.items)
    }
}

impl<'a, I: SignalItem<'a>> View<'a> for ScopeGroupView<'a, I> {
    fn read(fields: Reader<'a>) -> Result<Self, WireError> {
        let (mut schema_url, mut scope) = ("", None);
        for field in fields {
            let field = field?;
            match field.number {
                1 if scope.is_none() => {
                    let pieces = Merged::whole(fields).child(I::NAMES.scope);
                    scope = Some(ScopeView::read_merged(pieces)?);
                }
                3 => schema_url = field.text(I::NAMES.scope.0)?,
                _ => {}
            }
        }
        Ok(Self { schema_url, scope, fields, items: PhantomData })
    }
}
