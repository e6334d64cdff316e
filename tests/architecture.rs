//! The architecture as a test: arrows (`use crate::…`) point down the table in `src/lib.rs`, never in a circle, and the pure
//! layers know no world. What a module uses is read from its paths (grouped, inline, `super::`), without comments, texts
//! and tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

#[path = "architecture/paths.rs"]
mod paths;
use paths::named_paths;

/// Layers that see no clock, no network, no disk: what they need is handed in.
const PURE: &[&str] = &["control", "sync", "model", "api"];

/// What a pure layer must not name, as the beginning of a path.
const EFFECTS: &[&str] = &[
    "tokio",
    "sqlx",
    "russh",
    "russh_sftp",
    "std::net",
    "std::fs",
    "std::env",
    "std::process",
    "tempfile",
    "indicatif",
];

/// What a pure layer may be handed, but not make: an open file is read and written like memory that is too small.
const HANDED_IN: &[&str] = &["std::fs::File"];

/// Calls by which a pure layer would reach for a file itself.
const OPENINGS: &[&str] = &["File::open", "File::create", "File::create_new", "File::options"];

/// Types whose `now` is a clock.
const CLOCKS: &[&str] = &["SystemTime", "Instant", "Timestamp", "Zoned", "Utc", "Local"];

/// Crates that one layer alone may name, so that it can be exchanged.
const OWNED: &[(&str, &str)] =
    &[("sqlx", "store"), ("russh", "source"), ("russh_sftp", "source"), ("clap", "cli"), ("indicatif", "cli")];

#[test]
fn arrows_point_down() {
    assert_eq!(problems(&Architecture::read(Path::new(env!("CARGO_MANIFEST_DIR")))), Vec::<String>::new());
}

#[test]
fn main_only_starts() {
    let main = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/main.rs")).unwrap();
    let lines = main.lines().filter(|l| !l.trim().is_empty() && !l.trim().starts_with("//")).count();
    assert!(lines <= 20, "src/main.rs has {lines} lines of code: move what it does into src/cli or src/app");
}

#[test]
fn each_kind_of_bad_arrow_is_found() {
    let table = "//! | [`app`] | glue |\n//! | [`source`] | adapters that fetch |\n//! | [`store`] | adapters that hold |\n\
                 //! | [`sync`] | pure |\n//! | [`model`] | words |";
    /// Modules with their text.
    type Sources = [(&'static str, &'static str)];
    let cases: &[(&Sources, &[&str])] = &[
        (&[("app", "use crate::store;"), ("store", "use crate::{model::a, sync::{self, b}};"), ("sync", "")], &[]),
        (&[("model", "pub use crate::{a::b, app::{Run, other}};"), ("app", "")], &["model -> app: goes up"]),
        (&[("sync", "fn f() { crate::store::g::<u8>() }"), ("store", "")], &["sync -> store: goes up"]),
        (&[("sync::map", "use super::super::app;"), ("app", "")], &["sync::map -> app: goes up"]),
        (&[("source", "use crate::store::X;"), ("store", "")], &["source -> store: adapters must not know each other"]),
        (
            &[("sync::a", "use super::b::X;"), ("sync::b", "use crate::sync::c;"), ("sync::c", "use super::a;")],
            &["sync: a circle: a -> b -> c -> a"],
        ),
        (&[("sync", "use std::{io, net::IpAddr};")], &["sync: names std::net::IpAddr"]),
        (&[("model::a", "fn f() { jiff::Timestamp::now(); }")], &["model::a: reads the clock: jiff::Timestamp::now"]),
        (&[("sync", "use std::fs::File; fn f(file: &File) {}")], &[]),
        (&[("sync", "fn f() { std::fs::File::open(\"x\"); }")], &["sync: names std::fs::File::open"]),
        (&[("sync", "use std::fs::File; fn f() { File::open(\"x\"); }")], &["sync: opens a file: File::open"]),
        (&[("app", "fn f() -> sqlx::Result<()> {}")], &["app: names sqlx::Result, which is store's alone"]),
        (&[("extra", "")], &["extra: not in the table of src/lib.rs"]),
        (
            &[("sync", "// use crate::app;\n/* crate::app */ const A: &str = \"crate::app\"; const B: char = '\"';")],
            &[],
        ),
        (&[("sync", "const A: &str = r#\"\" crate::app\"#; fn f<'a>(x: &'a u8) {}")], &[]),
        (&[("sync", "#[cfg(test)]\nmod tests { use crate::app; fn f() { { } } }"), ("app", "")], &[]),
        (
            &[("sync", "#[cfg(test)]\nmod tests { fn f() { } }\nuse crate::app;"), ("app", "")],
            &["sync -> app: goes up"],
        ),
    ];
    for (files, expected) in cases {
        let sources = files.iter().map(|(module, text)| (module.to_string(), text.to_string())).collect();
        assert_eq!(problems(&Architecture::new(table, sources)), *expected, "{files:?}");
    }
}

/// What is written in `src`, as far as arrows go.
struct Architecture {
    /// Layers, the highest first, each with its description.
    layers: Vec<(String, String)>,
    /// Each module with the paths that it names; `crate`, `super` and `self` are resolved: `crate::sync::map::Row`.
    paths: BTreeMap<String, BTreeSet<String>>,
}

impl Architecture {
    fn read(root: &Path) -> Self {
        let table = fs::read_to_string(root.join("src/lib.rs")).unwrap();
        let mut sources = BTreeMap::new();
        collect(&root.join("src"), "", &mut sources);
        assert!(sources.len() > 20, "the sources were not found");
        Self::new(&table, sources)
    }

    fn new(table: &str, sources: BTreeMap<String, String>) -> Self {
        let layers: Vec<_> = table
            .lines()
            .filter_map(|line| line.strip_prefix("//! | [`")?.split_once("`] | "))
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect();
        assert!(layers.len() > 4, "the table in src/lib.rs was not found");
        let paths = sources.iter().map(|(module, text)| (module.clone(), named_paths(module, text))).collect();
        Self { layers, paths }
    }

    fn rank(&self, layer: &str) -> Option<usize> {
        self.layers.iter().position(|(name, _)| name == layer)
    }

    fn is_adapter(&self, layer: &str) -> bool {
        self.layers.iter().any(|(name, text)| name == layer && text.starts_with("adapters"))
    }

    /// The deepest module that a path within the crate leads to.
    fn module_of(&self, path: &str) -> Option<String> {
        let mut path = path.strip_prefix("crate::")?;
        while !self.paths.contains_key(path) {
            path = path.rsplit_once("::").map(|(parent, _)| parent).or((!path.contains("::")).then_some(""))?;
            if path.is_empty() {
                return None;
            }
        }
        Some(path.to_owned())
    }
}

fn problems(architecture: &Architecture) -> Vec<String> {
    let mut found = Vec::new();
    let mut arrows = BTreeSet::new();
    for (module, paths) in &architecture.paths {
        let layer = top(module);
        let Some(rank) = architecture.rank(layer) else {
            found.push(format!("{module}: not in the table of src/lib.rs"));
            continue;
        };
        for path in paths {
            if let Some(used) = architecture.module_of(path) {
                if architecture.rank(top(&used)).is_some_and(|other| other < rank) {
                    found.push(format!("{module} -> {used}: goes up"));
                } else if top(&used) != layer && architecture.is_adapter(layer) && architecture.is_adapter(top(&used)) {
                    found.push(format!("{module} -> {used}: adapters must not know each other"));
                }
                arrows.insert((module.clone(), used));
            }
            if PURE.contains(&layer) {
                let handed_in = HANDED_IN.contains(&path.as_str());
                if !handed_in && EFFECTS.iter().any(|effect| begins_with(path, effect)) {
                    found.push(format!("{module}: names {path}"));
                    continue;
                }
                if OPENINGS.iter().any(|call| format!("::{path}").ends_with(&format!("::{call}"))) {
                    found.push(format!("{module}: opens a file: {path}"));
                }
                if CLOCKS.iter().any(|clock| format!("::{path}").ends_with(&format!("::{clock}::now"))) {
                    found.push(format!("{module}: reads the clock: {path}"));
                }
            }
            if let Some((_, owner)) = OWNED.iter().find(|(name, owner)| begins_with(path, name) && *owner != layer) {
                found.push(format!("{module}: names {path}, which is {owner}'s alone"));
            }
        }
    }
    found.extend(circles(&arrows));
    let mut once = BTreeSet::new();
    found.retain(|problem| once.insert(problem.clone()));
    found
}

/// Circles between modules that have the same parent; what lies below a module counts as the module.
fn circles(arrows: &BTreeSet<(String, String)>) -> Vec<String> {
    let mut levels: BTreeMap<String, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for (from, to) in arrows {
        let same = from.split("::").zip(to.split("::")).take_while(|(a, b)| a == b).count();
        if let (Some(a), Some(b)) = (from.split("::").nth(same), to.split("::").nth(same)) {
            let parent = from.split("::").take(same).collect::<Vec<_>>().join("::");
            levels.entry(parent).or_default().entry(a).or_default().insert(b);
        }
    }
    let mut found = Vec::new();
    for (parent, uses) in &levels {
        for start in uses.keys() {
            let mut trail = vec![*start];
            if leads_back(uses, &mut trail) && trail.iter().min() == Some(start) {
                found.push(format!("{parent}: a circle: {} -> {start}", trail.join(" -> ")));
            }
        }
    }
    found
}

/// Whether the trail can be continued to where it began; it is then the circle.
fn leads_back<'a>(uses: &BTreeMap<&'a str, BTreeSet<&'a str>>, trail: &mut Vec<&'a str>) -> bool {
    for next in uses.get(trail[trail.len() - 1]).into_iter().flatten() {
        if *next == trail[0] {
            return true;
        }
        if !trail.contains(next) {
            trail.push(next);
            if leads_back(uses, trail) {
                return true;
            }
            trail.pop();
        }
    }
    false
}

fn top(module: &str) -> &str {
    module.split("::").next().unwrap()
}

fn begins_with(path: &str, start: &str) -> bool {
    path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn collect(folder: &Path, module: &str, sources: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let name = if module.is_empty() { stem.to_owned() } else { format!("{module}::{stem}") };
        if path.is_dir() {
            collect(&path, &name, sources);
        } else if path.extension().is_some_and(|e| e == "rs") && stem != "tests" && !stem.ends_with("_tests") {
            let module = if stem == "mod" { module.to_owned() } else { name };
            if !["lib", "main"].contains(&module.as_str()) {
                sources.insert(module, fs::read_to_string(&path).unwrap());
            }
        }
    }
}
