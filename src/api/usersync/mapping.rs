//! `spec.mapping`: what becomes of a row.

use std::{borrow::Cow, fmt};

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Which columns of the file become which properties of a user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
        "!has(self.properties) || !has(self.userId.property) || self.properties.all(p, p.property != self.userId.property)")
    .message("userId.property is mapped by userId already: remove it from properties"))]
pub struct MappingSpec {
    /// The match key: what identifies a user in the file and in the table.
    pub user_id: UserIdSpec,
    /// The other properties: each a column of the table, filled from a column of the file or by an expression. Each
    /// property is mapped once. Example: `[{property: email, column: E-mail, required: true, type: Email}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["property".into()]))]
    pub properties: Vec<PropertySpec>,
    /// A CEL expression over the raw row that must be true for the row to count; rows for which it is false are counted as
    /// filtered, not rejected. At most 1,024 characters. Default: all rows count. Example: `"row['Type'] == 'employee'"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub filter: Option<String>,
    /// IANA name of the time zone of a DateTime without offset. Default: `Etc/UTC`. Example: `Europe/Paris`.
    #[serde(default = "super::etc_utc")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9][-+_/A-Za-z0-9]*$"))]
    pub time_zone: String,
}

/// What identifies a user in the file and in the table. One of `column` and `property` is needed; each defaults to
/// the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserIdSpec {
    /// Column of the file, or a list of its possible names: the first that the header has. Default: the name of
    /// `property`. Example: `employee_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<ColumnNames>,
    /// Column of the table, which needs a unique index. Default: the (first) name of `column`. Example: `id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub property: Option<String>,
}

impl UserIdSpec {
    /// The column of the table; None if neither name is given.
    pub fn property(&self) -> Option<&str> {
        self.property.as_deref().or_else(|| self.column.as_ref()?.names().first().map(String::as_str))
    }

    /// The possible columns of the file, in order; empty if neither name is given.
    pub fn columns(&self) -> Vec<String> {
        match (&self.column, &self.property) {
            (Some(column), _) => column.names().to_vec(),
            (None, property) => property.iter().cloned().collect(),
        }
    }
}

/// One property of a user: a column of the table, and where its text comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!has(self.format) || (has(self.type) && self.type in ['Date', 'DateTime'])")
        .message("format is for dates: add type: Date or type: DateTime, or remove format")
)]
pub struct PropertySpec {
    /// Column of the table. Example: `email`.
    #[schemars(length(min = 1, max = 128))]
    pub property: String,
    /// Column of the file, or a list of its possible names: the first that the header has. Not together with `expression`.
    /// Default: the name of `property`. Example: `[E-mail, Email, Mail]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<ColumnNames>,
    /// A CEL expression over the row instead of a column; cells are `row['NAME']`. At most 1,024 characters. Default: none.
    /// Example: `"row['First'] + ' ' + row['Last']"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub expression: Option<String>,
    /// Whether a row in which it is empty is rejected. Default: false.
    #[serde(default)]
    pub required: bool,
    /// What the text must be: Text, Email, Integer, Number, Boolean, Date, DateTime or Uuid. Default: what the table's
    /// column can hold.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<PropertyType>,
    /// How a Date or DateTime is written, in the letters of strftime. Default: ISO 8601. Example: `"%d.%m.%Y"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub format: Option<String>,
    /// Fills an empty cell. Default: none; the cell stays empty. Example: `en`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub default: Option<String>,
    /// When it is written: Always (default), or OnCreate, only when the user is added, so that later edits stick.
    #[serde(default)]
    pub policy: PropertyPolicy,
    /// What an empty cell says of an existing user: Keep (the property stays) or Clear (it becomes empty). Default: Keep, with
    /// `conflictMode: Replace` Clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty: Option<EmptyCell>,
    /// Whether its values are kept out of reports, which then say that it changed, never from what to what. Default: false.
    #[serde(default)]
    pub sensitive: bool,
}

/// The type that a property's text must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PropertyType {
    /// Any text.
    Text,
    /// An e-mail address; checked, not changed.
    Email,
    /// A whole number.
    Integer,
    /// A number with a point.
    Number,
    /// true/false, yes/no, y/n, t/f, 1/0, on/off in any case.
    Boolean,
    /// ISO 8601, or as `format` says.
    Date,
    /// ISO 8601, or as `format` says; without an offset it is local to `mapping.timeZone`.
    DateTime,
    /// A UUID.
    Uuid,
}

/// When a property is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PropertyPolicy {
    /// On each import.
    #[default]
    Always,
    /// Only when the user is added: later edits stick.
    OnCreate,
}

/// What an empty cell says of an existing user's property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EmptyCell {
    /// The property stays as it is.
    Keep,
    /// The property becomes empty.
    Clear,
}

/// One column name, or the possible ones: the first that the file's header has. Written as a text or as a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnNames(Vec<String>);

impl ColumnNames {
    /// How many possible names there may be.
    pub const MAX_NAMES: usize = 32;
    /// How many characters a name may have.
    pub const MAX_LENGTH: usize = 256;

    /// Those names, in order of preference.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }

    /// In order of preference; as written: perhaps none, or an empty one.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl Serialize for ColumnNames {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [name] => serializer.serialize_str(name),
            names => serializer.collect_seq(names),
        }
    }
}

impl<'de> Deserialize<'de> for ColumnNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = ColumnNames;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column name or a list of column names")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<ColumnNames, E> {
                Ok(ColumnNames(vec![name.to_owned()]))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut names: A) -> Result<ColumnNames, A::Error> {
                let mut list = Vec::new();
                while let Some(name) = names.next_element()? {
                    list.push(name);
                }
                Ok(ColumnNames(list))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for ColumnNames {
    fn schema_name() -> Cow<'static, str> {
        "ColumnNames".into()
    }

    fn inline_schema() -> bool {
        true
    }

    /// A structural schema has no "text or list": the shape is checked where the manifest is validated.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"x-kubernetes-preserve-unknown-fields": true})
    }
}
