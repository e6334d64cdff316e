//! The text of a manifest file → its documents, each as JSON with a position for every field. The JSON is the one truth:
//! schema, rules and types all read it, so that no two YAML readers can disagree.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{
    problem::{Finding, Position, Problem},
    scalar::Scalar,
    tree::{Content, Fault, Node, Tree, trees},
};

/// The largest manifest file that is read, in bytes.
pub const MAX_SIZE: usize = 4 << 20;

/// One document of a manifest file.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file as it was given; `-` is standard input.
    pub file: String,
    /// The content; null if it can't be read.
    pub value: Value,
    /// Where each field is.
    pub positions: Positions,
    /// What is wrong with the text itself. For a document that can't be read, the one reason.
    pub problems: Vec<Problem>,
}

impl Document {
    /// The resource's kind; empty when there is none.
    pub fn kind(&self) -> &str {
        self.value.get("kind").and_then(Value::as_str).unwrap_or_default()
    }

    /// The resource's API version; empty when there is none.
    pub fn api_version(&self) -> &str {
        self.value.get("apiVersion").and_then(Value::as_str).unwrap_or_default()
    }

    /// The resource's name; empty when there is none.
    pub fn name(&self) -> &str {
        self.value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
    }

    /// The resource's namespace; `default` when none is written.
    pub fn namespace(&self) -> &str {
        self.value.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or("default")
    }

    /// A finding with its place.
    pub fn problem(&self, finding: Finding) -> Problem {
        let position = match finding.at_key {
            true => self.positions.key(&finding.field),
            false => self.positions.value(&finding.field),
        };
        // One problem is one line.
        let message = finding.message.split_whitespace().collect::<Vec<_>>().join(" ");
        Problem { file: self.file.clone(), position, field: finding.field, message }
    }
}

/// Where each field of a document is, by its path such as `spec.mapping.properties[2].column`.
#[derive(Clone, Debug, Default)]
pub struct Positions {
    /// The field's name (of list entries: the value) and the field's value.
    places: HashMap<String, (Position, Position)>,
}

impl Positions {
    /// Where the field's value is; for a field that isn't there, its nearest ancestor's name.
    pub fn value(&self, field: &str) -> Position {
        self.places.get(field).map_or_else(|| self.key(field), |(_, value)| *value)
    }

    /// Where the field's name is; for a field that isn't there, its nearest ancestor's.
    pub fn key(&self, field: &str) -> Position {
        let mut field = field;
        loop {
            if let Some((key, _)) = self.places.get(field) {
                return *key;
            }
            if field.is_empty() {
                return Position { line: 1, column: 1 };
            }
            field = field.rfind(['.', '[']).map_or("", |end| &field[..end]);
        }
    }
}

/// `parent.name`, or the name alone at the top.
pub(super) fn field(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

/// The documents in the text. One that can't be read is there as a document with null and the reason, and ends the list.
pub fn documents(file: &str, text: &str) -> Vec<Document> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(fault) = unfit(text) {
        return vec![unreadable(file, fault)];
    }
    let (trees, fault) = trees(text);
    let mut documents: Vec<Document> = trees.into_iter().map(|tree| document(file, tree)).collect();
    documents.extend(fault.map(|fault| unreadable(file, fault)));
    documents
}

/// What a YAML parser needn't see.
fn unfit(text: &str) -> Option<Fault> {
    if text.len() > MAX_SIZE {
        let message = format!("larger than {} MiB: no manifest needs that; is it one?", MAX_SIZE >> 20);
        return Some(Fault { at: Position { line: 1, column: 1 }, message });
    }
    let control = |c: char| (c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')) || c == '\u{feff}';
    let (start, found) = text.char_indices().find(|(_, c)| control(*c))?;
    let before = &text[..start];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let message = format!("the character U+{:04X} can't stand in YAML: remove it", u32::from(found));
    Some(Fault { at: Position { line, column }, message })
}

fn unreadable(file: &str, fault: Fault) -> Document {
    let problem = Problem { file: file.to_owned(), position: fault.at, field: String::new(), message: fault.message };
    Document { file: file.to_owned(), value: Value::Null, positions: Positions::default(), problems: vec![problem] }
}

fn document(file: &str, tree: Tree) -> Document {
    let mut document =
        Document { file: file.to_owned(), value: Value::Null, positions: Positions::default(), problems: Vec::new() };
    for Fault { at, message } in tree.faults {
        let file = file.to_owned();
        document.problems.push(Problem { file, position: at, field: String::new(), message });
    }
    document.value = place(tree.root, String::new(), None, &mut document);
    document
}

/// Notes where the node and everything in it is, and makes it JSON. As deep as the tree, which is limited.
fn place(node: Node, path: String, key: Option<Position>, document: &mut Document) -> Value {
    document.positions.places.insert(path.clone(), (key.unwrap_or(node.at), node.at));
    match node.content {
        Content::Scalar(scalar) => {
            if let Scalar::Doubtful(text, meaning) = &scalar {
                let plain = match () {
                    () if meaning.starts_with("true") => "true",
                    () if meaning.starts_with("false") => "false",
                    () => "the plain decimal number",
                };
                let message = format!(
                    "`{text}` without quotes is {meaning}: write \"{text}\" in quotes if text is meant, else {plain}"
                );
                document.problems.push(document.problem(Finding::new(path, message)));
            }
            scalar.json()
        }
        Content::Sequence(nodes) => nodes
            .into_iter()
            .enumerate()
            .map(|(index, node)| place(node, format!("{path}[{index}]"), None, document))
            .collect(),
        Content::Mapping(entries) => {
            let mut map = Map::new();
            for entry in entries {
                let value = place(entry.value, field(&path, &entry.name), Some(entry.at), document);
                map.insert(entry.name, value);
            }
            Value::Object(map)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(text: &str) -> Document {
        let mut all = documents("f.yaml", text);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    fn problem(text: &str) -> String {
        let all = documents("f.yaml", text);
        all.iter().flat_map(|document| &document.problems).map(|problem| format!("{problem}\n")).collect()
    }

    #[test]
    fn every_field_has_its_place() {
        let document = one("# hello\nkind: A\nspec:\n  list:\n    - {a: 1}\n    - b:\n        c: [x, y]\n");
        assert_eq!(document.value, json!({"kind": "A", "spec": {"list": [{"a": 1}, {"b": {"c": ["x", "y"]}}]}}));
        let at = |line, column| Position { line, column };
        assert_eq!(document.positions.value("kind"), at(2, 7));
        assert_eq!(document.positions.key("spec.list"), at(4, 3));
        assert_eq!(document.positions.value("spec.list[0].a"), at(5, 11));
        assert_eq!(document.positions.key("spec.list[1].b"), at(6, 7));
        assert_eq!(document.positions.value("spec.list[1].b.c[1]"), at(7, 16));
        assert_eq!(document.positions.value("spec.list[1].b.missing.deep"), at(6, 7), "the nearest that is there");
        assert_eq!(document.positions.value("nowhere"), at(2, 1), "the document");
    }

    #[test]
    fn several_documents_keep_their_lines() {
        let all = documents("f.yaml", "---\nkind: A\n---\n---\n# nothing\n---\nkind: B\n...\n");
        assert_eq!(all.iter().map(Document::kind).collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(all[1].positions.value("kind"), Position { line: 7, column: 7 });
    }

    #[test]
    fn json_is_yaml() {
        let document = one("{\n\t\"kind\": \"A\",\n\t\"spec\": {\"on\": \"yes\", \"n\": 12.5}\n}\n");
        assert_eq!(document.value, json!({"kind": "A", "spec": {"on": "yes", "n": 12.5}}));
        assert_eq!(document.problems, []);
    }

    #[test]
    fn aliases_and_merge_keys_are_resolved() {
        let document = one("base: &b {x: 1, y: 2}\nmine:\n  <<: *b\n  y: 3\nagain: *b\ntext: !!str 5\n");
        assert_eq!(
            document.value,
            json!({"base": {"x": 1, "y": 2}, "mine": {"y": 3, "x": 1}, "again": {"x": 1, "y": 2}, "text": "5"})
        );
        assert_eq!(document.positions.value("mine.x"), Position { line: 1, column: 14 });
    }

    #[test]
    fn faults_say_where_and_what_to_do() {
        for (text, expected) in [
            (
                "a: 1\nb: 2\na: 3\n",
                "f.yaml:3:1: `a` is here twice, first in line 1: only one can count, remove the other\n",
            ),
            ("a: &x [*x]\n", "f.yaml:1:8: this alias stands inside the value that it names: it would never end\n"),
            (
                "a: !secret x\n",
                "f.yaml:1:4: the YAML tag `!secret` means nothing here: remove it, or put the text into quotes\n",
            ),
            ("a: b\u{0}\n", "f.yaml:1:5: the character U+0000 can't stand in YAML: remove it\n"),
            ("1: a\n", "f.yaml:1:1: the name `1` is no text in YAML: write \"1\" in quotes\n"),
            ("[a]: b\n", "f.yaml:1:1: a field's name is a list or a mapping; names are text\n"),
            (
                "a: no\n",
                "f.yaml:1:4: a: `no` without quotes is false to Kubernetes' YAML reader and text to others: write \"no\" in \
                 quotes if text is meant, else false\n",
            ),
        ] {
            assert_eq!(problem(text), expected, "{text}");
        }
    }

    #[test]
    fn text_that_is_no_yaml_is_one_problem() {
        for (text, place, advice) in [
            ("a:\n\tb: 1\n", "f.yaml:2:", "never with tabs"),
            ("a: b: c\n", "f.yaml:1:", "needs quotes"),
            ("a: [1, 2\n", "f.yaml:", "closed"),
            ("a: \"b\n", "f.yaml:", "closed"),
            ("a: *.csv\n", "f.yaml:1:", "needs quotes"),
        ] {
            let problem = problem(text);
            assert!(problem.starts_with(place) && problem.contains(advice), "{text:?}: {problem}");
            assert_eq!(problem.lines().count(), 1, "{problem}");
        }
    }

    #[test]
    fn what_comes_before_a_fault_is_still_read() {
        let all = documents("f.yaml", "kind: A\n---\nkind: [\n");
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].kind(), all[0].problems.len()), ("A", 0));
        assert_eq!((&all[1].value, all[1].problems.len()), (&Value::Null, 1));
    }

    #[test]
    fn bombs_are_refused() {
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..12 {
            let before = format!("*a{}", level - 1);
            bomb += &format!("a{level}: &a{level} [{}]\n", [&*before; 10].join(","));
        }
        assert!(problem(&bomb).contains("more than 100000 values"), "{}", problem(&bomb));
        assert!(problem(&"[".repeat(10_000)).contains("nested deeper than 64 levels"));
        assert!(problem(&format!("a: {}", "- ".repeat(100))).contains("f.yaml:1:"));
        assert!(problem(&" ".repeat(MAX_SIZE + 1)).contains("larger than 4 MiB"));
    }
}
