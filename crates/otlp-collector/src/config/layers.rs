//! Lays trees over each other, in time that grows with what is laid, however large what lies below is.

use std::collections::HashMap;

use super::node::{Entry, Node, Origin, Value};

/// A tree over which others are laid: mappings are merged key by key, anything else is replaced.
pub(super) enum Layers {
    /// As it was given.
    Whole(Node),
    /// A mapping over which another was laid.
    Merged(Merged),
}

/// The entries of a mapping, in order, and where each key stands among them.
pub(super) struct Merged {
    origin: Origin,
    entries: Vec<(String, Origin, Layers)>,
    places: HashMap<String, usize>,
}

impl Layers {
    pub(super) const fn new(node: Node) -> Self {
        Self::Whole(node)
    }

    /// Lays a tree over all that is there.
    pub(super) fn lay(&mut self, over: Node) {
        match (self.opened(), over.value) {
            (Some(merged), Value::Mapping(entries)) => {
                for entry in entries {
                    merged.lay(entry);
                }
            }
            (_, value) => *self = Self::Whole(Node { value, ..over }),
        }
    }

    /// The mapping that this is.
    fn opened(&mut self) -> Option<&mut Merged> {
        if let Self::Whole(Node { value: Value::Mapping(entries), origin, .. }) = self {
            *self = Self::Merged(Merged::new(std::mem::take(entries), origin.clone()));
        }
        match self {
            Self::Whole(_) => None,
            Self::Merged(merged) => Some(merged),
        }
    }

    pub(super) fn into_node(self) -> Node {
        match self {
            Self::Whole(node) => node,
            Self::Merged(Merged { origin, entries, .. }) => {
                let entries = entries.into_iter().map(|(key, origin, layers)| Entry {
                    key,
                    origin,
                    node: layers.into_node(),
                    is_inherited: false,
                });
                Node::new(Value::Mapping(entries.collect()), origin)
            }
        }
    }
}

impl Merged {
    fn new(below: Vec<Entry>, origin: Origin) -> Self {
        let mut merged = Self {
            origin,
            entries: Vec::with_capacity(below.len()),
            places: HashMap::with_capacity(below.len()),
        };
        for entry in below {
            merged.lay(entry);
        }
        merged
    }

    fn lay(&mut self, Entry { key, origin, node, .. }: Entry) {
        match self.places.get(&key).and_then(|at| self.entries.get_mut(*at)) {
            Some((_, before, layers)) => {
                *before = origin;
                layers.lay(node);
            }
            None => {
                self.places.insert(key.clone(), self.entries.len());
                self.entries.push((key, origin, Layers::new(node)));
            }
        }
    }
}
