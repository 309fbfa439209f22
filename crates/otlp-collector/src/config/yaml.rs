//! From YAML to nodes.
//!
//! What comes from a file or a variable is bounded: in depth, since the tree is walked by recursion, and in
//! the number of nodes, since an alias repeats what its anchor holds.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

use super::error::ConfigError;
use super::node::{Entry, Node, Origin, Value, quoted};

/// The one document of a text; an empty mapping if it is empty.
pub(super) fn parse(text: &str, source: &str) -> Result<Node, ConfigError> {
    let mut builder = Builder::new(source);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            ConfigError::new(format!("not valid YAML: {}", error.info()))
                .at(&builder.origin(error.marker()))
        })?;
        builder.take(event, span)?;
    }
    Ok(builder.document.unwrap_or_else(|| Node::empty(source)))
}

/// Makes a tree of the events.
struct Builder {
    source: Arc<str>,
    /// The collections that are open, the innermost last.
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    document: Option<Node>,
    nodes: usize,
    /// Bytes that aliases have repeated.
    repeated: usize,
}

/// A collection whose end has not come yet.
struct Open {
    value: Collection,
    origin: Origin,
    anchor: usize,
}

enum Collection {
    Sequence(Vec<Node>),
    Mapping { own: Entries, key: Option<(String, Origin)> },
}

/// The entries of a mapping, in order, and where each key stands among them.
#[derive(Default)]
struct Entries {
    entries: Vec<Entry>,
    places: HashMap<String, usize>,
}

impl Builder {
    fn new(source: &str) -> Self {
        Self {
            source: source.into(),
            open: Vec::new(),
            anchors: HashMap::new(),
            document: None,
            nodes: 0,
            repeated: 0,
        }
    }

    fn origin(&self, marker: &Marker) -> Origin {
        Origin::new(Arc::clone(&self.source), marker.line(), marker.col() + 1)
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), ConfigError> {
        let origin = self.origin(&span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(text.into_owned(), style, tag.as_deref());
                self.end(Node::new(value, origin), anchor)
            }
            Event::SequenceStart(anchor, _) => {
                self.begin(Collection::Sequence(Vec::new()), origin, anchor)
            }
            Event::MappingStart(anchor, _) => self.begin(
                Collection::Mapping { own: Entries::default(), key: None },
                origin,
                anchor,
            ),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.repeat(anchor, &origin),
            Event::DocumentStart(_) if self.document.is_some() => {
                Err(ConfigError::new("a second document begins; one is accepted").at(&origin))
            }
            _ => Ok(()),
        }
    }

    fn begin(
        &mut self,
        value: Collection,
        origin: Origin,
        anchor: usize,
    ) -> Result<(), ConfigError> {
        if self.open.len() >= DEPTH_MAX {
            let message = format!("more than {DEPTH_MAX} collections stand within each other");
            return Err(ConfigError::new(message).at(&origin));
        }
        self.open.push(Open { value, origin, anchor });
        Ok(())
    }

    fn close(&mut self) -> Result<(), ConfigError> {
        let Some(Open { value, origin, anchor }) = self.open.pop() else { return Ok(()) };
        let value = match value {
            Collection::Sequence(nodes) => Value::Sequence(nodes),
            Collection::Mapping { own, .. } => Value::Mapping(own.entries),
        };
        self.end(Node::new(value, origin), anchor)
    }

    fn repeat(&mut self, anchor: usize, origin: &Origin) -> Result<(), ConfigError> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(ConfigError::new("the alias stands within its own anchor").at(origin));
        };
        self.count(size(&node), origin)?;
        self.repeated = self.repeated.saturating_add(bytes(&node));
        if self.repeated > REPEATED_MAX {
            let message = format!("aliases repeat more than {REPEATED_MAX} bytes");
            return Err(ConfigError::new(message).at(origin));
        }
        if self.open.len() + depth(&node) > DEPTH_MAX {
            let message = format!("more than {DEPTH_MAX} collections stand within each other");
            return Err(ConfigError::new(message).at(origin));
        }
        self.place(node)
    }

    /// A node is complete.
    fn end(&mut self, node: Node, anchor: usize) -> Result<(), ConfigError> {
        self.count(1, &node.origin)?;
        if anchor != 0 {
            // Its size is counted where an alias repeats it.
            self.count(size(&node), &node.origin)?;
            self.anchors.insert(anchor, node.clone());
        }
        self.place(node)
    }

    fn count(&mut self, nodes: usize, origin: &Origin) -> Result<(), ConfigError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= NODES_MAX {
            return Ok(());
        }
        Err(ConfigError::new(format!("more than {NODES_MAX} values")).at(origin))
    }

    /// Puts a node into the collection that is open.
    fn place(&mut self, node: Node) -> Result<(), ConfigError> {
        match self.open.last_mut().map(|open| &mut open.value) {
            None => self.document = Some(node),
            Some(Collection::Sequence(nodes)) => nodes.push(node),
            Some(Collection::Mapping { own, key }) => match key.take() {
                None => *key = Some(as_key(node)?),
                Some((name, _)) if name == MERGE => own.merge(&node)?,
                Some((key, origin)) => {
                    own.insert(Entry { key, origin, node, is_inherited: false })?;
                }
            },
        }
        Ok(())
    }
}

fn scalar(text: String, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
    match style {
        ScalarStyle::Plain if !is_text => Value::Plain(text),
        _ => Value::Text(text),
    }
}

fn as_key(node: Node) -> Result<(String, Origin), ConfigError> {
    match node.value {
        Value::Plain(text) | Value::Text(text) => Ok((text, node.origin)),
        _ => Err(ConfigError::new("a key must be a single value").at(&node.origin)),
    }
}

impl Entries {
    fn insert(&mut self, entry: Entry) -> Result<(), ConfigError> {
        let before = self.places.get(&entry.key).and_then(|at| self.entries.get_mut(*at));
        match before {
            None => self.push(entry),
            Some(before) if before.is_inherited => *before = entry,
            Some(before) => {
                let (key, first) = (quoted(&entry.key), &before.origin);
                let message = format!("the key \"{key}\" stands here again, first at {first}");
                return Err(ConfigError::new(message).at(&entry.origin));
            }
        }
        Ok(())
    }

    fn push(&mut self, entry: Entry) {
        self.places.insert(entry.key.clone(), self.entries.len());
        self.entries.push(entry);
    }

    /// `<<: *anchor`: what stands there counts where the mapping itself says nothing.
    fn merge(&mut self, node: &Node) -> Result<(), ConfigError> {
        let error =
            || ConfigError::new("`<<` takes a mapping or a list of mappings").at(&node.origin);
        match &node.value {
            Value::Mapping(merged) => {
                for entry in merged {
                    if !self.places.contains_key(&entry.key) {
                        self.push(Entry { is_inherited: true, ..entry.clone() });
                    }
                }
                Ok(())
            }
            Value::Sequence(nodes) => nodes.iter().try_for_each(|node| match &node.value {
                Value::Mapping(_) => self.merge(node),
                _ => Err(error()),
            }),
            _ => Err(error()),
        }
    }
}

/// Nodes in a tree. Its depth is bounded.
fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Plain(_) | Value::Text(_) => 0,
        Value::Sequence(nodes) => nodes.iter().map(size).sum(),
        Value::Mapping(entries) => entries.iter().map(|entry| size(&entry.node)).sum(),
    }
}

/// Bytes of the keys and values in a tree.
fn bytes(node: &Node) -> usize {
    match &node.value {
        Value::Plain(text) | Value::Text(text) => text.len(),
        Value::Sequence(nodes) => nodes.iter().map(bytes).sum(),
        Value::Mapping(entries) => {
            entries.iter().map(|entry| entry.key.len() + bytes(&entry.node)).sum()
        }
    }
}

fn depth(node: &Node) -> usize {
    match &node.value {
        Value::Plain(_) | Value::Text(_) => 0,
        Value::Sequence(nodes) => 1 + nodes.iter().map(depth).max().unwrap_or(0),
        Value::Mapping(entries) => {
            1 + entries.iter().map(|entry| depth(&entry.node)).max().unwrap_or(0)
        }
    }
}

const MERGE: &str = "<<";
/// A configuration has ten levels; its tree is walked by recursion.
const DEPTH_MAX: usize = 64;
/// A large configuration has some thousands.
const NODES_MAX: usize = 200_000;
/// As large as the largest file.
const REPEATED_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests;
