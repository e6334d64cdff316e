//! The target table, as the database describes it.

/// A table and what a run must know of it before it reads a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// As written in the manifest: `users` or `schema.users`.
    pub name: String,
    /// In the table's own order.
    pub columns: Vec<Column>,
    /// The columns of each unique index that covers every row (no partial index, no expression), the primary key included.
    pub unique: Vec<Vec<String>>,
    /// The language of statements about it.
    pub dialect: Dialect,
}

/// How a database writes statements, where that differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// As the SQL standard says, like PostgreSQL and SQLite.
    #[default]
    Standard,
    /// As MariaDB and MySQL do.
    Mysql,
}

impl Table {
    /// The column of exactly that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }
}

/// One column of the target table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// As the database has it, case kept.
    pub name: String,
    /// The type as the database prints it, for messages: `character varying(80)`.
    pub sql_type: String,
    /// What values it holds and when two of them are equal.
    pub kind: ColumnType,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// What it gets when nothing is given.
    pub default: ColumnDefault,
    /// Generated or identity-always: never written.
    pub generated: bool,
}

/// A column's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnDefault {
    /// None: NULL.
    None,
    /// The same value for each row, in canonical form.
    Constant(String),
    /// An expression that may differ from row to row (`now()`, a sequence).
    Expression,
}

/// What values a column holds. Each has one canonical text, in which equal values are equal text
/// (`sync::value::canonical`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Text, compared as it is.
    Text {
        /// The longest allowed, in characters.
        max: Option<u32>,
        /// `char(n)`: blanks at the end mean nothing.
        padded: bool,
        /// How the database's unique index compares two of them.
        case: Case,
    },
    /// A whole number within bounds.
    Integer {
        /// The smallest allowed.
        min: i64,
        /// The largest allowed.
        max: i64,
    },
    /// A decimal number, compared by value.
    Decimal {
        /// All digits, when limited.
        precision: Option<u32>,
        /// Digits behind the point, to which the database rounds (half away from zero).
        scale: Option<u32>,
    },
    /// A binary floating-point number.
    Float {
        /// 32 bits instead of 64.
        single: bool,
    },
    /// `true` or `false`.
    Boolean,
    /// `2026-11-22`.
    Date,
    /// `14:03:00`, with a fraction where there is one.
    Time,
    /// A date with a time; to the microsecond at most.
    Timestamp {
        /// With time zone: canonical text is in UTC and ends in `Z`.
        zoned: bool,
        /// Digits of the fraction of a second (0 to 6), to which the database rounds.
        digits: u8,
    },
    /// Lower case with hyphens.
    Uuid,
    /// JSON, compared by value.
    Json {
        /// Kept as text by the database: has no equality of its own (`json`, not `jsonb`).
        text: bool,
    },
    /// Bytes, as `\x` and lower-case hexadecimal.
    Bytes,
    /// One of some labels.
    Enum {
        /// The labels, in the database's order.
        labels: Vec<String>,
    },
    /// A list of texts (PostgreSQL's `text[]`).
    TextArray {
        /// The longest element allowed, in characters.
        max: Option<u32>,
    },
    /// A type that UserSync cannot compare by value yet: it can't be mapped.
    Unsupported,
}

/// How a unique index compares letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Case {
    /// As they are.
    #[default]
    Exact,
    /// `A` is `a`, but `Ä` is not `ä` (SQLite's `collate nocase`).
    AsciiIgnored,
    /// `Ä` is `ä` as well (`citext`), by what the database takes for a letter's lower case: the store knows the forms in which
    /// equal keys are equal text.
    Ignored,
    /// As a collation of the database says, of accents and blanks at the end too: the store knows those forms.
    Collation,
}
