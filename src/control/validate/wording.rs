//! Plain words for what a schema finds.

use jsonschema::JsonType;
use serde_json::{Map, Value, json};

use crate::api::{duration, limit, size};

/// The known name nearest to what was written, if any is near.
pub(super) fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace(['_', '-', ' '], "");
    let scored =
        known.iter().map(|known| (strsim::normalized_damerau_levenshtein(&plain(written), &plain(known)), *known));
    scored.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(score, _)| *score >= 0.6).map(|(_, name)| name)
}

/// The fields that a person may write.
pub(super) fn names(properties: &Map<String, Value>) -> Vec<&str> {
    properties.iter().filter(|(_, schema)| **schema != json!({})).map(|(name, _)| name.as_str()).collect()
}

/// A field's description, as one line.
pub(super) fn description(node: &Value) -> String {
    node.get("description")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .replace("\n\n", " ")
        .trim_end_matches('.')
        .to_owned()
}

/// The value is of another type than the schema's.
pub(super) fn wrong_type(wanted: &[JsonType], found: &Value, node: &Value) -> String {
    if found.is_null() {
        return "has no value: write one, or remove the line".to_owned();
    }
    if let (Some(pattern), Value::Number(_) | Value::Bool(_)) = (node.get("pattern").and_then(Value::as_str), found)
        && let Some(message) = meaning(pattern, &found.to_string())
    {
        return message;
    }
    let text = wanted.contains(&JsonType::String);
    let object = wanted.contains(&JsonType::Object);
    let wants = match wanted {
        [JsonType::Boolean] => "true or false",
        [JsonType::Array] => "a list",
        [JsonType::Integer] => "a whole number",
        [JsonType::Number] => "a number",
        [JsonType::Object] => "fields of its own",
        _ if text && wanted.contains(&JsonType::Integer) => "a whole number or text",
        _ if text => "text",
        _ => "something else",
    };
    let is = match found {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping with fields",
    };
    let mend = match (found, wanted) {
        (Value::Bool(_) | Value::Number(_), _) if text => format!(": write it in quotes, \"{found}\""),
        (Value::String(_), [JsonType::Boolean | JsonType::Integer | JsonType::Number]) => {
            ": write it without quotes".to_owned()
        }
        (Value::String(_) | Value::Number(_) | Value::Object(_), [JsonType::Array]) => {
            ": write [a, b], or each entry on its own line behind a `-`".to_owned()
        }
        (Value::Array(_), _) if object => ": remove the `-` or the brackets".to_owned(),
        _ => String::new(),
    };
    let fields = match node.get("properties").and_then(Value::as_object).filter(|_| object) {
        Some(known) if !known.is_empty() => format!(" ({})", names(known).join(", ")),
        _ if object && mend.is_empty() => " ({} when there is none)".to_owned(),
        _ => String::new(),
    };
    format!("takes {wants}{fields} and has {is}{mend}")
}

/// The value is none of those that are allowed.
pub(super) fn not_one_of(options: &Value, found: &Value) -> String {
    let known: Vec<&str> =
        options.as_array().map(|all| all.iter().filter_map(Value::as_str).collect()).unwrap_or_default();
    let all = known.join(", ");
    match found.as_str() {
        Some(written) => match nearest(written, &known) {
            Some(near) => format!("`{}` is not one of {all}; is it {near}?", cut(written)),
            None => format!("`{}` is not one of {all}", cut(written)),
        },
        None => format!("must be one of {all}"),
    }
}

/// The text has another form than the schema's. The value itself is shown only where it can't be a secret.
pub(super) fn wrong_form(pattern: &str, found: &Value, node: &Value) -> String {
    if pattern == "^[^/]+$" {
        return "is a name within the folder, not a path: remove the `/`, and name the folder in path or directory.path".to_owned();
    }
    meaning(pattern, found.as_str().unwrap_or_default()).unwrap_or_else(|| {
        let wanted = in_short(&description(node));
        match wanted.is_empty() {
            true => format!("has not the form that it needs ({pattern})"),
            false => format!("has not the form that it needs: {wanted}"),
        }
    })
}

/// Why the text is not what a pattern of this API stands for.
fn meaning(pattern: &str, text: &str) -> Option<String> {
    match pattern {
        duration::PATTERN => text.parse::<duration::Duration>().err().map(|error| error.to_string()),
        size::PATTERN => text.parse::<size::Size>().err().map(|error| error.to_string()),
        limit::PATTERN => text.parse::<limit::Limit>().err().map(|error| error.to_string()),
        _ => None,
    }
}

/// A description's first sentence and its example.
fn in_short(description: &str) -> String {
    let first = description.split(". ").next().unwrap_or_default();
    match description.rfind("Example").filter(|example| *example > first.len()) {
        Some(example) => format!("{first}. {}", &description[example..]),
        None => first.to_owned(),
    }
}

/// At most 60 characters of the text.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
