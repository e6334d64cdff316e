//! The custom resource definitions: generated from the types, as objects, schemas and YAML.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceValidation,
};
use kube::{CustomResourceExt, core::schema::StructuralSchemaRewriter};
use schemars::{
    JsonSchema, Schema,
    generate::SchemaSettings,
    transform::{Transform, transform_subschemas},
};
use serde_json::{Map, Value, json};

use super::{UserSync, UserSyncRun};

/// Both definitions: `usersyncs` and `usersyncruns`.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![with_schema(UserSync::crd(), &schema::<UserSync>()), with_schema(UserSyncRun::crd(), &schema::<UserSyncRun>())]
}

/// The files of `crds/`: name and content of each.
pub fn crd_files() -> Result<Vec<(String, String)>, serde_yaml::Error> {
    crds()
        .iter()
        .map(|crd| {
            let name = format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural);
            Ok((name, yaml(crd)?))
        })
        .collect()
}

/// One definition as YAML, with a line that says where it comes from.
pub fn yaml(crd: &CustomResourceDefinition) -> Result<String, serde_yaml::Error> {
    let text = serde_yaml::to_string(crd)?;
    Ok(format!("# Generated from src/api by `usersync crds`; not to be edited.\n{text}"))
}

/// The structural schema (openAPIV3Schema) of a resource, as the API server evaluates it: everything inlined, `nullable`
/// nowhere, CEL rules in `x-kubernetes-validations`.
pub fn schema<T: JsonSchema>() -> Value {
    SchemaSettings::openapi3()
        .with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        })
        .with_transform(Plain)
        .with_transform(StructuralSchemaRewriter)
        .with_transform(IntOrString)
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

fn with_schema(mut crd: CustomResourceDefinition, schema: &Value) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let mut schema = schema.clone();
        if let Some(root) = schema.as_object_mut() {
            root.remove("title");
        }
        let open_api_v3_schema = serde_json::from_value(schema).ok();
        version.schema = Some(CustomResourceValidation { open_api_v3_schema });
    }
    crd
}

/// What the derive says beyond a structural schema: an optional field is the field alone, so that a forgotten value
/// (`path:`) is a mistake and no default; integers have no Rust names; a description is one line for each paragraph.
#[derive(Clone, Debug)]
struct Plain;

impl Transform for Plain {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(object) = schema.as_object_mut() {
            drop_null_alternative(object);
            drop_null_type(object);
        }
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else { return };
        if let Some(Value::String(text)) = object.get_mut("description") {
            *text = one_line_paragraphs(text);
        }
        if object.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
            object.remove("format");
        }
        object.remove("nullable");
    }
}

/// `anyOf: [T, null]` becomes T; what is said beside it (description, default) wins over what T says.
fn drop_null_alternative(object: &mut Map<String, Value>) {
    let is_null = |schema: &Value| {
        schema.get("type") == Some(&json!("null"))
            || schema.get("enum") == Some(&json!([null]))
            || schema.get("const") == Some(&Value::Null)
    };
    let Some(alternatives) = object.get("anyOf").and_then(Value::as_array) else { return };
    let [first, second] = alternatives.as_slice() else { return };
    let inner = match (is_null(first), is_null(second)) {
        (false, true) => first.clone(),
        (true, false) => second.clone(),
        _ => return,
    };
    object.remove("anyOf");
    if let Value::Object(inner) = inner {
        for (key, value) in inner {
            object.entry(key).or_insert(value);
        }
    }
}

/// `type: [T, null]` becomes `type: T`, and `enum` loses its null.
fn drop_null_type(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
}

fn one_line_paragraphs(text: &str) -> String {
    text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n")
}

/// Says of each int-or-string which two types it may have: the one `anyOf` that a structural schema knows. The
/// rewriter before it would empty it.
#[derive(Clone, Debug)]
struct IntOrString;

impl Transform for IntOrString {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        if let Some(object) = schema.as_object_mut()
            && object.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true))
        {
            object.insert("anyOf".to_owned(), json!([{"type": "integer"}, {"type": "string"}]));
        }
    }
}
