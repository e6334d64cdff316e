//! The resource's own schema, evaluated with plain words: fields that are missing, unknown or of a wrong form.

use jsonschema::{
    JsonType, ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind as Kind},
};
use serde_json::{Map, Value, json};

use super::{document::field, problem::Finding, wording};
use crate::api::{UserSync, crd};

/// The schema of UserSync, ready to check documents.
pub(super) struct Schema {
    /// As the API server has it.
    pub plain: Value,
    /// As a JSON Schema validator needs it: closed against unknown fields, metadata included.
    closed: Value,
    validator: Validator,
}

impl Schema {
    /// Fails only if the resource's own definition is broken.
    pub(super) fn new() -> Result<Self, String> {
        let plain = crd::schema::<UserSync>();
        let mut closed = plain.clone();
        close(&mut closed);
        if let Some(properties) = closed.get_mut("properties").and_then(Value::as_object_mut) {
            properties.insert("apiVersion".to_owned(), json!({"type": "string"}));
            properties.insert("kind".to_owned(), json!({"type": "string"}));
            properties.insert("metadata".to_owned(), metadata());
            // What a status says is nobody's to write; the API server ignores it as well.
            properties.insert("status".to_owned(), json!({}));
        }
        let validator = jsonschema::options().build(&closed).map_err(|error| error.to_string())?;
        Ok(Self { plain, closed, validator })
    }

    /// Everything in which the document differs from the schema.
    pub(super) fn findings(&self, document: &Value) -> Vec<Finding> {
        self.validator.iter_errors(document).flat_map(|error| self.finding(document, &error)).collect()
    }

    fn finding(&self, document: &Value, error: &ValidationError<'_>) -> Vec<Finding> {
        let path = path(document, error.instance_path().as_str());
        let keyword = error.schema_path().as_str();
        let node = keyword.rsplit_once('/').map_or("", |(node, _)| node);
        let node = self.closed.pointer(node).unwrap_or(&Value::Null);
        let found = error.instance();
        let message = match error.kind() {
            Kind::AdditionalProperties { unexpected } => {
                return unexpected.iter().map(|name| self.unknown(&path, name, node, found)).collect();
            }
            Kind::Required { property } => {
                return vec![missing(&path, property.as_str().unwrap_or_default(), node, found)];
            }
            Kind::Type { kind } => wording::wrong_type(&types(kind), found, node),
            Kind::Enum { options } => wording::not_one_of(options, found),
            Kind::Pattern { pattern } => wording::wrong_form(pattern, found, node),
            Kind::Minimum { limit } => format!("{found} is too small: at least {limit}"),
            Kind::Maximum { limit } => format!("{found} is too large: at most {limit}"),
            Kind::MinLength { .. } => "is empty or too short: write a value, or remove the line".to_owned(),
            Kind::MaxLength { limit } => format!("is too long: at most {limit} characters"),
            Kind::MinItems { limit } => {
                format!("needs at least {limit} {}", if *limit == 1 { "entry" } else { "entries" })
            }
            Kind::MaxItems { limit } => format!("has too many entries: at most {limit}"),
            Kind::MaxProperties { limit: 0 } => "has no fields of its own: write {}".to_owned(),
            Kind::MaxProperties { limit } => format!("has too many entries: at most {limit}"),
            other => format!("is not valid ({})", other.keyword()),
        };
        vec![Finding::new(path, message)]
    }

    /// An unknown field, with the nearest known one.
    fn unknown(&self, path: &str, name: &str, node: &Value, parent: &Value) -> Finding {
        let known = node.get("properties").and_then(Value::as_object).map(wording::names).unwrap_or_default();
        let mut homes = Vec::new();
        homes_of(&self.closed, name, String::new(), &mut homes);
        let free: Vec<&str> = known.iter().copied().filter(|known| parent.get(known).is_none()).collect();
        let hint = match (wording::nearest(name, &free), homes.len()) {
            (Some(near), _) => format!("is it `{near}`?"),
            (None, 1..=3) => format!("`{name}` belongs into {}", homes.join(" or ")),
            (None, _) if known.is_empty() => "remove it".to_owned(),
            (None, _) => format!("known here: {}", known.join(", ")),
        };
        Finding::at_key(field(path, name), format!("unknown field; {hint}"))
    }
}

fn missing(path: &str, name: &str, node: &Value, parent: &Value) -> Finding {
    let description =
        node.get("properties").and_then(|all| all.get(name)).map(wording::description).unwrap_or_default();
    let message = match name {
        "hostKeys" => {
            let host = parent.get("host").and_then(Value::as_str).filter(|host| !host.contains(['@', '/', ' ']));
            let port = parent.get("port").and_then(Value::as_u64).filter(|port| *port != 22);
            format!(
                "is missing: the public keys of the server, without which nothing is sent to it; get them with \
                 `ssh-keyscan {}{}` and compare them with what the server's owner says",
                port.map(|port| format!("-p {port} ")).unwrap_or_default(),
                host.unwrap_or("HOST")
            )
        }
        _ if description.is_empty() => "is missing".to_owned(),
        _ => format!("is missing: {description}"),
    };
    Finding::at_key(field(path, name), message)
}

fn types(kind: &TypeKind) -> Vec<JsonType> {
    match kind {
        TypeKind::Single(one) => vec![*one],
        TypeKind::Multiple(several) => several.iter().collect(),
    }
}

/// `/spec/files/0/a~1b` → `spec.files[0].a/b`, as the document has lists and fields.
fn path(document: &Value, pointer: &str) -> String {
    let mut path = String::new();
    let mut node = document;
    for part in pointer.split('/').skip(1) {
        let name = part.replace("~1", "/").replace("~0", "~");
        let child = match node {
            Value::Array(entries) => {
                path.push_str(&format!("[{name}]"));
                name.parse::<usize>().ok().and_then(|index| entries.get(index))
            }
            _ => {
                path = field(&path, &name);
                node.get(&name)
            }
        };
        node = child.unwrap_or(&Value::Null);
    }
    path
}

/// Where the schema has a field of that name.
fn homes_of(schema: &Value, name: &str, path: String, homes: &mut Vec<String>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (child, schema) in properties.iter().filter(|(child, _)| *child != "status" && *child != "metadata") {
            if child == name {
                homes.push(path.clone());
            }
            homes_of(schema, name, field(&path, child), homes);
        }
    }
    if let Some(entries) = schema.get("items") {
        homes_of(entries, name, format!("{path}[]"), homes);
    }
}

/// Closes each object that names its fields, and says of int-or-string which types it has.
fn close(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    if object.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        object.remove("anyOf");
        object.insert("type".to_owned(), json!(["integer", "string"]));
    }
    let open = object.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    if object.contains_key("properties") && !open && !object.contains_key("additionalProperties") {
        object.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(close);
    }
    for keyword in ["items", "additionalProperties"] {
        object.get_mut(keyword).map(close);
    }
}

/// What a person may write of a resource's metadata, and what the API server adds.
fn metadata() -> Value {
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let mut properties = Map::new();
    for name in [
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    ] {
        properties.insert(name.to_owned(), json!({}));
    }
    let name = json!({
        "type": "string", "minLength": 1, "maxLength": 253, "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "description": "The resource's name: lower-case letters, digits, `-` and `.`. Example: `hr`.",
    });
    let namespace = json!({
        "type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "description": "The resource's namespace: lower-case letters, digits and `-`. Default: `default`.",
    });
    properties.insert("name".to_owned(), name);
    properties.insert("namespace".to_owned(), namespace);
    properties.insert("labels".to_owned(), texts.clone());
    properties.insert("annotations".to_owned(), texts);
    json!({"type": "object", "properties": properties, "required": ["name"], "additionalProperties": false})
}
