//! YAML text → trees of nodes with positions, by the events of a YAML 1.2 parser. Aliases are resolved and merge keys
//! applied here; size and depth are limited, so that no document is larger than its text suggests.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

use super::{
    problem::Position,
    scalar::{Scalar, resolve},
};

/// Nodes of one file, repetitions by aliases included.
const MAX_NODES: usize = 100_000;
/// Levels of nesting.
const MAX_DEPTH: usize = 64;

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub at: Position,
    pub content: Content,
    /// Nodes in it, itself included.
    size: usize,
    /// Levels in it, itself included.
    height: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub name: String,
    pub at: Position,
    pub value: Node,
}

/// A fault in the text, at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub at: Position,
    pub message: String,
}

impl Fault {
    fn new(at: Position, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

/// One document of a file: its root, and what is wrong with it without making it unreadable.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub root: Node,
    pub faults: Vec<Fault>,
}

/// All documents of a text up to the first that can't be read, with the reason. Empty documents are left out.
pub(super) fn trees(text: &str) -> (Vec<Tree>, Option<Fault>) {
    let mut reader = Reader::default();
    let mut parser = Parser::new_from_str(text);
    loop {
        match parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => return (reader.done, None),
            Some(Ok((event, span))) => {
                if let Err(fault) = reader.take(event, span) {
                    return (reader.done, Some(fault));
                }
            }
            Some(Err(error)) => {
                let fault = Fault::new(position(error.marker()), explain(error.info()));
                return (reader.done, Some(fault));
            }
        }
    }
}

fn position(marker: &Marker) -> Position {
    Position { line: marker.line().max(1), column: marker.col() + 1 }
}

/// The parser's words with what to do, for the mistakes that people make.
fn explain(info: &str) -> String {
    let advice = if info.contains("recursion limit") {
        return format!("nested deeper than {MAX_DEPTH} levels: no manifest needs that");
    } else if info.contains("tab") {
        "indent with spaces, never with tabs"
    } else if info.contains("mapping values are not allowed") {
        "a text that contains `: ` needs quotes, and the lines of one level need the same indentation"
    } else if info.contains("unknown anchor") {
        "`*` begins an alias: a text that begins with `*` or `&` needs quotes"
    } else if info.contains("quote") || info.contains("scalar") {
        "see that each quote is closed"
    } else {
        "see that the lines of one level have the same indentation, and that brackets and quotes are closed"
    };
    format!("not valid YAML: {info}; {advice}")
}

/// An unfinished collection.
struct Frame {
    anchor: usize,
    at: Position,
    content: Content,
    /// The name whose value comes next.
    name: Option<(String, Position)>,
    /// The lines of the names so far.
    lines: HashMap<String, usize>,
    /// Values of merge keys.
    merged: Vec<Node>,
}

#[derive(Default)]
struct Reader {
    done: Vec<Tree>,
    open: Vec<Frame>,
    /// None while the anchored node is being read.
    anchors: HashMap<usize, Option<Node>>,
    faults: Vec<Fault>,
    nodes: usize,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        let at = position(&span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), at),
            Event::SequenceStart(anchor, tag) => self.start(anchor, tag.as_deref(), at, Content::Sequence(Vec::new())),
            Event::MappingStart(anchor, tag) => self.start(anchor, tag.as_deref(), at, Content::Mapping(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => self.end(at),
            Event::Alias(anchor) => self.alias(anchor, at),
            _ => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        at: Position,
    ) -> Result<(), Fault> {
        let plain = style == ScalarStyle::Plain;
        let scalar = match tag {
            None => resolve(text, plain),
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Scalar::Text(text.to_owned()),
            Some(tag) if tag.is_yaml_core_schema() && matches!(&*tag.suffix, "int" | "float" | "bool" | "null") => {
                resolve(text, true)
            }
            // The lone `!` means "text, whatever it looks like".
            Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => Scalar::Text(text.to_owned()),
            Some(tag) => return Err(unknown_tag(tag, at)),
        };
        let node = Node { at, content: Content::Scalar(scalar), size: 1, height: 1 };
        if anchor != 0 {
            self.anchors.insert(anchor, Some(node.clone()));
        }
        if self.wants_name() { self.name(&node, text) } else { self.value(node) }
    }

    fn start(&mut self, anchor: usize, tag: Option<&Tag>, at: Position, content: Content) -> Result<(), Fault> {
        if let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && matches!(&*tag.suffix, "map" | "seq"))) {
            return Err(unknown_tag(tag, at));
        }
        if self.wants_name() {
            return Err(Fault::new(at, "a field's name is a list or a mapping; names are text"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(at));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, None);
        }
        self.open.push(Frame { anchor, at, content, name: None, lines: HashMap::new(), merged: Vec::new() });
        Ok(())
    }

    fn end(&mut self, at: Position) -> Result<(), Fault> {
        let Some(frame) = self.open.pop() else {
            return Err(Fault::new(at, "not valid YAML: a collection ends that never began"));
        };
        let content = match frame.content {
            Content::Mapping(entries) => Content::Mapping(merge(entries, frame.merged)),
            other => other,
        };
        let (size, height) = measure(&content);
        let node = Node { at: frame.at, content, size, height };
        if frame.anchor != 0 {
            self.anchors.insert(frame.anchor, Some(node.clone()));
        }
        self.value(node)
    }

    fn alias(&mut self, anchor: usize, at: Position) -> Result<(), Fault> {
        let Some(Some(node)) = self.anchors.get(&anchor) else {
            return Err(Fault::new(at, "this alias stands inside the value that it names: it would never end"));
        };
        if self.nodes.saturating_add(node.size) > MAX_NODES {
            return Err(too_large(at));
        }
        if self.open.len() + node.height > MAX_DEPTH {
            return Err(too_deep(at));
        }
        let mut node = node.clone();
        node.at = at;
        if self.wants_name() {
            return match &node.content {
                Content::Scalar(Scalar::Text(text)) => {
                    let text = text.clone();
                    self.name(&node, &text)
                }
                _ => Err(Fault::new(at, "a field's name is an alias of something other than text")),
            };
        }
        self.nodes += node.size - 1;
        self.value(node)
    }

    fn wants_name(&self) -> bool {
        self.open.last().is_some_and(|frame| matches!(frame.content, Content::Mapping(_)) && frame.name.is_none())
    }

    fn name(&mut self, node: &Node, text: &str) -> Result<(), Fault> {
        if !matches!(node.content, Content::Scalar(Scalar::Text(_))) {
            let message = format!("the name `{text}` is no text in YAML: write \"{text}\" in quotes");
            self.faults.push(Fault::new(node.at, message));
        }
        if let Some(frame) = self.open.last_mut() {
            frame.name = Some((text.to_owned(), node.at));
        }
        Ok(())
    }

    fn value(&mut self, node: Node) -> Result<(), Fault> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(too_large(node.at));
        }
        let Some(frame) = self.open.last_mut() else {
            if !matches!(node.content, Content::Scalar(Scalar::Null)) {
                self.done.push(Tree { root: node, faults: std::mem::take(&mut self.faults) });
            }
            self.anchors.clear();
            return Ok(());
        };
        match (&mut frame.content, frame.name.take()) {
            (Content::Sequence(values), _) => values.push(node),
            (Content::Mapping(_), Some((name, at))) if name == "<<" => match node.content {
                Content::Mapping(_) => frame.merged.push(node),
                Content::Sequence(nodes) if nodes.iter().all(|node| matches!(node.content, Content::Mapping(_))) => {
                    frame.merged.extend(nodes);
                }
                _ => return Err(Fault::new(at, "`<<` merges mappings: its value must be one, or a list of them")),
            },
            (Content::Mapping(entries), Some((name, at))) => match frame.lines.get(&name) {
                Some(first) => {
                    let message =
                        format!("`{name}` is here twice, first in line {first}: only one can count, remove the other");
                    self.faults.push(Fault::new(at, message));
                }
                None => {
                    frame.lines.insert(name.clone(), at.line);
                    entries.push(Entry { name, at, value: node });
                }
            },
            _ => return Err(Fault::new(node.at, "not valid YAML: a value without a name")),
        }
        Ok(())
    }
}

/// Own entries win over merged ones, earlier merged ones over later.
fn merge(mut entries: Vec<Entry>, merged: Vec<Node>) -> Vec<Entry> {
    if merged.is_empty() {
        return entries;
    }
    let mut names: HashSet<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    for node in merged {
        if let Content::Mapping(more) = node.content {
            entries.extend(more.into_iter().filter(|entry| names.insert(entry.name.clone())));
        }
    }
    entries
}

fn measure(content: &Content) -> (usize, usize) {
    let total = |nodes: &mut dyn Iterator<Item = &Node>| {
        nodes.fold((1, 1), |(size, height), node| (size + node.size, height.max(node.height + 1)))
    };
    match content {
        Content::Scalar(_) => (1, 1),
        Content::Sequence(nodes) => total(&mut nodes.iter()),
        Content::Mapping(entries) => total(&mut entries.iter().map(|entry| &entry.value)),
    }
}

fn unknown_tag(tag: &Tag, at: Position) -> Fault {
    Fault::new(at, format!("the YAML tag `{tag}` means nothing here: remove it, or put the text into quotes"))
}

fn too_large(at: Position) -> Fault {
    Fault::new(at, format!("more than {MAX_NODES} values in one file, counting what aliases repeat: split the file"))
}

fn too_deep(at: Position) -> Fault {
    Fault::new(at, explain("recursion limit"))
}
