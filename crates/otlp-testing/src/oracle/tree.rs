//! A trace as a tree, and its print.

use std::collections::{HashMap, HashSet};
use std::fmt;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use super::text::value_text;
use super::{SpanRecord, hex};

/// The spans of one trace, children under their parents in the order of their start.
///
/// A span whose parent was not received stands at the top and says so.
///
/// ```
/// use otlp_testing::{Server, TraceTree};
///
/// let server = Server::start();
/// // … export …
/// for trace in TraceTree::all(server.spans().iter().map(|span| &span.record)) {
///     println!("{trace}");
/// }
/// ```
#[derive(Clone, Debug)]
pub struct TraceTree {
    trace_id: Vec<u8>,
    /// Depth first.
    nodes: Vec<Node>,
}

#[derive(Clone, Debug)]
struct Node {
    span: SpanRecord,
    depth: usize,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Root,
    ParentMissing,
    Inner,
    LastChild,
}

impl TraceTree {
    /// One tree for each trace, in the order of their first start.
    #[must_use]
    pub fn all<'a>(spans: impl IntoIterator<Item = &'a SpanRecord>) -> Vec<Self> {
        let mut traces: HashMap<&[u8], Vec<&SpanRecord>> = HashMap::new();
        for record in spans {
            traces.entry(&record.span.trace_id).or_default().push(record);
        }
        let mut trees: Vec<_> = traces.into_values().map(Self::of).collect();
        trees
            .sort_by_key(|tree| tree.nodes.first().map(|node| node.span.span.start_time_unix_nano));
        trees
    }

    /// The trace id in lowercase hex.
    #[must_use]
    pub fn trace_id(&self) -> String {
        hex(&self.trace_id)
    }

    /// Number of spans.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no spans.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The spans with their depth, parents before children.
    pub fn spans(&self) -> impl Iterator<Item = (usize, &SpanRecord)> {
        self.nodes.iter().map(|node| (node.depth, &node.span))
    }

    /// How many spans have no parent in the trace by their own word.
    #[must_use]
    pub fn roots(&self) -> usize {
        self.nodes.iter().filter(|node| node.place == Place::Root).count()
    }

    /// How many spans name a parent that was not received.
    #[must_use]
    pub fn orphans(&self) -> usize {
        self.nodes.iter().filter(|node| node.place == Place::ParentMissing).count()
    }

    /// The distinct services that took part, in the order of the tree.
    #[must_use]
    pub fn services(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        let names = self.nodes.iter().map(|node| node.span.service_name());
        names.filter(|name| seen.insert(name.clone())).collect()
    }

    fn of(mut spans: Vec<&SpanRecord>) -> Self {
        spans.sort_by_key(|record| (record.span.start_time_unix_nano, &record.span.span_id));
        let known: HashSet<&[u8]> = spans.iter().map(|record| id(record)).collect();
        let mut children: HashMap<&[u8], Vec<&SpanRecord>> = HashMap::new();
        // What is still to be placed; the next one is last.
        let mut open = Vec::new();
        for &record in spans.iter().rev() {
            let parent = record.span.parent_span_id.as_slice();
            if parent.is_empty() {
                open.push((record, 0, Place::Root));
            } else if known.contains(parent) {
                children.entry(parent).or_default().push(record);
            } else {
                open.push((record, 0, Place::ParentMissing));
            }
        }
        let trace_id = spans.first().map(|record| record.span.trace_id.clone());
        let mut nodes = Vec::with_capacity(spans.len());
        place(&mut open, &mut children, &mut nodes);
        // Spans that are their own ancestors hang on no root; show them instead of losing them.
        let mut circular: Vec<_> = children.into_values().flatten().collect();
        circular.sort_by_key(|record| std::cmp::Reverse(record.span.start_time_unix_nano));
        open.extend(circular.into_iter().map(|record| (record, 0, Place::ParentMissing)));
        place(&mut open, &mut HashMap::new(), &mut nodes);
        Self { trace_id: trace_id.unwrap_or_default(), nodes }
    }
}

/// Moves the open spans into `nodes`, depth first, each with the children that are left for it.
fn place<'a>(
    open: &mut Vec<(&'a SpanRecord, usize, Place)>,
    children: &mut HashMap<&[u8], Vec<&'a SpanRecord>>,
    nodes: &mut Vec<Node>,
) {
    while let Some((record, depth, place)) = open.pop() {
        nodes.push(Node { span: record.clone(), depth, place });
        for (at, child) in children.remove(id(record)).into_iter().flatten().enumerate() {
            // Latest start first, so that the earliest is popped first.
            let place = if at == 0 { Place::LastChild } else { Place::Inner };
            open.push((child, depth + 1, place));
        }
    }
}

fn id(record: &SpanRecord) -> &[u8] {
    &record.span.span_id
}

impl fmt::Display for TraceTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "trace {}", self.trace_id())?;
        // For each depth: whether a later sibling still needs its line.
        let mut lines: Vec<bool> = Vec::new();
        for node in &self.nodes {
            lines.truncate(node.depth.saturating_sub(1));
            for open in &lines {
                f.write_str(if *open { "│  " } else { "   " })?;
            }
            match node.place {
                Place::Inner => f.write_str("├─ ")?,
                Place::LastChild => f.write_str("└─ ")?,
                Place::Root => {}
                Place::ParentMissing => f.write_str("(parent missing) ")?,
            }
            if node.depth > 0 {
                lines.push(node.place == Place::Inner);
            }
            writeln!(f, "{}", Line(&node.span))?;
        }
        Ok(())
    }
}

/// Name, kind, duration, service, status and attributes of one span.
struct Line<'a>(&'a SpanRecord);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = &self.0.span;
        write!(f, "{}  {}  {}", short(&span.name), kind(span.kind), duration(self.0))?;
        let service = self.0.service_name();
        if !service.is_empty() {
            write!(f, "  @{}", short(&service))?;
        }
        if let Some(status) = &span.status {
            match status.code() {
                StatusCode::Unset => {}
                StatusCode::Ok => f.write_str("  ok")?,
                StatusCode::Error if status.message.is_empty() => f.write_str("  ERROR")?,
                StatusCode::Error => write!(f, "  ERROR({})", short(&status.message))?,
            }
        }
        if !span.attributes.is_empty() {
            write!(f, "  {{{}}}", attributes(&span.attributes))?;
        }
        for event in &span.events {
            write!(f, "  event:{}", short(&event.name))?;
        }
        for link in &span.links {
            write!(f, "  link:{}", hex(&link.span_id))?;
        }
        Ok(())
    }
}

/// How many attributes a line shows.
const ATTRIBUTES_SHOWN: usize = 4;

/// How many characters of a text a line shows.
const TEXT_SHOWN: usize = 40;

fn attributes(all: &[KeyValue]) -> String {
    let mut shown: Vec<_> = all.iter().take(ATTRIBUTES_SHOWN).map(pair).collect();
    if all.len() > ATTRIBUTES_SHOWN {
        shown.push(format!("+{} more", all.len() - ATTRIBUTES_SHOWN));
    }
    shown.join(", ")
}

fn pair(attribute: &KeyValue) -> String {
    let value = attribute.value.as_ref().map(value_text).unwrap_or_default();
    format!("{}={}", short(&attribute.key), short(&value))
}

/// A text in one line, control characters escaped, long ones cut.
fn short(text: &str) -> String {
    let mut cut: String = text.chars().take(TEXT_SHOWN).flat_map(printable).collect();
    if text.chars().nth(TEXT_SHOWN).is_some() {
        cut.push('…');
    }
    cut
}

fn printable(character: char) -> impl Iterator<Item = char> {
    let escaped = character.is_control().then(|| character.escape_debug());
    let plain = (!character.is_control()).then_some(character);
    escaped.into_iter().flatten().chain(plain)
}

fn kind(kind: i32) -> &'static str {
    match SpanKind::try_from(kind) {
        Ok(SpanKind::Internal) => "internal",
        Ok(SpanKind::Server) => "server",
        Ok(SpanKind::Client) => "client",
        Ok(SpanKind::Producer) => "producer",
        Ok(SpanKind::Consumer) => "consumer",
        Ok(SpanKind::Unspecified) => "unspecified",
        Err(_) => "unknown kind",
    }
}

#[expect(clippy::cast_precision_loss, reason = "a duration for the eye, three digits of it")]
fn duration(record: &SpanRecord) -> String {
    let Some(nanos) = record.duration_nanos() else {
        return "ends before it starts".to_owned();
    };
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{:.1} µs", nanos as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", nanos as f64 / 1e6),
        _ => format!("{:.2} s", nanos as f64 / 1e9),
    }
}
