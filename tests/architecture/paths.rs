//! Which paths a Rust source names: enough of the language to see what a module uses, and no more.

use std::collections::BTreeSet;

/// All paths of two or more segments that a source names, without comments, texts and `#[cfg(test)]`; `super` and `self` are
/// resolved from `module`: `crate::sync::map::Row`.
pub fn named_paths(module: &str, text: &str) -> BTreeSet<String> {
    let tokens = without_tests(tokens(text));
    let mut paths = BTreeSet::new();
    let mut at = 0;
    while at < tokens.len() {
        let starts = is_name(&tokens[at]) && tokens.get(at + 1).is_some_and(|t| t == "::");
        if starts {
            tree(&tokens, &mut at, &mut Vec::new(), &mut paths);
        } else {
            at += 1;
        }
    }
    paths.iter().map(|path| absolute(module, path)).collect()
}

/// Reads one path, or a group of them, from `at` on.
fn tree(tokens: &[String], at: &mut usize, before: &mut Vec<String>, paths: &mut BTreeSet<String>) {
    let depth = before.len();
    loop {
        match tokens.get(*at).map(String::as_str) {
            Some("{") if !before.is_empty() => {
                *at += 1;
                while tokens.get(*at).is_some_and(|t| t != "}") {
                    let began = *at;
                    tree(tokens, at, before, paths);
                    if tokens.get(*at).is_some_and(|t| t == "as") {
                        *at += 2;
                    }
                    if *at == began || tokens.get(*at).is_some_and(|t| t == ",") {
                        *at += 1;
                    }
                }
                *at += 1;
                break;
            }
            Some(name) if is_name(name) => {
                if name != "self" || before.is_empty() {
                    before.push(name.to_owned());
                }
                *at += 1;
            }
            _ => break, // a star, a turbofish
        }
        if tokens.get(*at).is_none_or(|t| t != "::") {
            break;
        }
        *at += 1;
    }
    if before.len() > 1 {
        paths.insert(before.join("::"));
    }
    before.truncate(depth);
}

/// Resolves `super` and `self`.
fn absolute(module: &str, path: &str) -> String {
    let mut base: Vec<&str> = module.split("::").collect();
    let mut rest: Vec<&str> = path.split("::").collect();
    if !["self", "super"].contains(&rest[0]) {
        return path.to_owned();
    }
    while rest.first().is_some_and(|s| ["self", "super"].contains(s)) {
        if rest.remove(0) == "super" {
            base.pop();
        }
    }
    ["crate"].into_iter().chain(base).chain(rest).collect::<Vec<_>>().join("::")
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Leaves out what stands behind `#[cfg(test)]`, up to its closing brace or semicolon.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        kept.push(token);
        if kept.ends_with(&mark.map(str::to_owned)) {
            kept.truncate(kept.len() - mark.len());
            let mut depth = 0;
            for token in rest.by_ref() {
                match token.as_str() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ => {}
                }
                if depth == 0 && [";", "}"].contains(&token.as_str()) {
                    break;
                }
            }
        }
    }
    kept
}

/// Names, `::` and single signs; comments, texts and lifetimes are left out.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => text_length(rest),
            '\'' => char_length(rest),
            'r' | 'b' | 'c' if raw_text_length(rest) > 0 => raw_text_length(rest),
            _ if is_name(rest) => rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()),
            _ if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        let token = &rest[..length];
        let skipped = token.starts_with("//") || token.starts_with("/*") || token.contains(['"', '\'']);
        if !skipped && !first.is_whitespace() {
            tokens.push(token.to_owned());
        }
        rest = &rest[length..];
    }
    tokens
}

fn text_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `'x'`, `'\n'`, or the quote alone of a lifetime.
fn char_length(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), _) => rest[3..].find('\'').map_or(1, |end| end + 4),
        (_, Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

/// `r"…"`, `br#"…"#`; 0 if it is none.
fn raw_text_length(rest: &str) -> usize {
    let head = rest.trim_start_matches(['b', 'c']);
    let Some(behind) = head.strip_prefix('r') else { return 0 };
    let hashes = behind.len() - behind.trim_start_matches('#').len();
    if rest.len() - head.len() > 1 || !behind[hashes..].starts_with('"') {
        return 0;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let begin = rest.len() - behind.len() + hashes + 1;
    rest[begin..].find(&close).map_or(rest.len(), |end| begin + end + close.len())
}
