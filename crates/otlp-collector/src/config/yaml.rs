//! From YAML to nodes.
//!
//! What comes from a file or a variable is bounded: in depth, since the tree is walked by recursion, and in
//! the number of nodes, since an alias repeats what its anchor holds.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

use super::error::ConfigError;
use super::node::{Entry, Node, Origin, Value};

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
}

/// A collection whose end has not come yet.
struct Open {
    value: Collection,
    origin: Origin,
    anchor: usize,
}

enum Collection {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<Entry>, key: Option<(String, Origin)> },
}

impl Builder {
    fn new(source: &str) -> Self {
        Self {
            source: source.into(),
            open: Vec::new(),
            anchors: HashMap::new(),
            document: None,
            nodes: 0,
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
            Event::MappingStart(anchor, _) => {
                self.begin(Collection::Mapping { entries: Vec::new(), key: None }, origin, anchor)
            }
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
            Collection::Mapping { entries, .. } => Value::Mapping(entries),
        };
        self.end(Node::new(value, origin), anchor)
    }

    fn repeat(&mut self, anchor: usize, origin: &Origin) -> Result<(), ConfigError> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(ConfigError::new("the alias stands within its own anchor").at(origin));
        };
        self.count(size(&node), origin)?;
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
            Some(Collection::Mapping { entries, key }) => match key.take() {
                None => *key = Some(as_key(node)?),
                Some((name, _)) if name == MERGE => merge(entries, &node)?,
                Some((key, origin)) => {
                    insert(entries, Entry { key, origin, node, is_inherited: false })?;
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

fn insert(entries: &mut Vec<Entry>, entry: Entry) -> Result<(), ConfigError> {
    if let Some(before) = entries.iter_mut().find(|before| before.key == entry.key) {
        if before.is_inherited {
            *before = entry;
            return Ok(());
        }
        let message =
            format!("the key \"{}\" stands here again, first at {}", entry.key, before.origin);
        return Err(ConfigError::new(message).at(&entry.origin));
    }
    entries.push(entry);
    Ok(())
}

/// `<<: *anchor`: what stands there counts where the mapping itself says nothing.
fn merge(entries: &mut Vec<Entry>, node: &Node) -> Result<(), ConfigError> {
    let error = || ConfigError::new("`<<` takes a mapping or a list of mappings").at(&node.origin);
    match &node.value {
        Value::Mapping(merged) => {
            for entry in merged {
                if !entries.iter().any(|own| own.key == entry.key) {
                    entries.push(Entry { is_inherited: true, ..entry.clone() });
                }
            }
            Ok(())
        }
        Value::Sequence(nodes) => nodes.iter().try_for_each(|node| match &node.value {
            Value::Mapping(_) => merge(entries, node),
            _ => Err(error()),
        }),
        _ => Err(error()),
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

#[cfg(test)]
mod tests;
