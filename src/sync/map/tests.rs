//! Rows through mappings.

use std::io::{Seek, SeekFrom, Write};

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::{
    api::{EmptyCell, PropertyPolicy, PropertyType},
    model::{
        column::{self, Column, ColumnDefault, ColumnType},
        job::{From, Property},
        plan::LayoutColumn,
    },
    sync::decode::Decoder,
};

fn property(name: &str, columns: &[&str]) -> Property {
    Property {
        property: name.to_owned(),
        from: From::Column(columns.iter().map(|c| (*c).to_owned()).collect()),
        required: false,
        default: None,
        kind: None,
        format: None,
        policy: PropertyPolicy::Always,
        empty: None,
        sensitive: false,
    }
}

fn expression(name: &str, text: &str) -> Property {
    Property { from: From::Expression(text.to_owned()), ..property(name, &[]) }
}

fn text() -> ColumnType {
    ColumnType::Text { max: None, padded: false, case: column::Case::Exact }
}

fn integer() -> ColumnType {
    ColumnType::Integer { min: 0, max: 1_000 }
}

fn column(name: &str, kind: ColumnType) -> Column {
    Column {
        name: name.to_owned(),
        sql_type: String::new(),
        kind,
        nullable: true,
        default: ColumnDefault::None,
        generated: false,
    }
}

/// A mapping of `id` to the key `user_id`, and a table for it.
struct Case {
    properties: Vec<Property>,
    columns: Vec<(Column, Role)>,
    filter: Option<&'static str>,
    conflict: ConflictMode,
    trim: bool,
    file: String,
}

impl Case {
    fn new(file: &str) -> Self {
        Self {
            properties: Vec::new(),
            columns: Vec::new(),
            filter: None,
            conflict: ConflictMode::Update,
            trim: true,
            file: file.to_owned(),
        }
    }

    fn with(mut self, property: Property, kind: ColumnType) -> Self {
        let role = if property.policy == PropertyPolicy::OnCreate { Role::OnCreate } else { Role::Mapped };
        self.columns.push((column(&property.property, kind), role));
        self.properties.push(property);
        self
    }

    fn also(mut self, column: Column, role: Role) -> Self {
        self.columns.push((column, role));
        self
    }

    fn opened(&self) -> (Decoder, Result<Mapper, Vec<String>>) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(self.file.as_bytes()).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        let options = CsvOptions { delimiter: Some(b','), encoding: "UTF-8".to_owned(), trim: self.trim };
        let decoder = Decoder::open(file, &options, tempfile::tempfile().unwrap()).unwrap();
        let mapping = Mapping {
            user_id: property("user_id", &["id"]),
            properties: self.properties.clone(),
            filter: self.filter.map(str::to_owned),
            time_zone: TimeZone::UTC,
        };
        let sensitive = |name: &str| mapping.properties.iter().any(|p| p.property == name && p.sensitive);
        let mut columns =
            vec![LayoutColumn { column: column("user_id", text()), role: Role::Key, sensitive: false, unique: true }];
        columns.extend(self.columns.iter().map(|(column, role)| LayoutColumn {
            sensitive: sensitive(&column.name),
            column: column.clone(),
            role: *role,
            unique: false,
        }));
        let mapper = Mapper::new(&mapping, &options, decoder.header(), &Layout { columns }, self.conflict);
        (decoder, mapper)
    }

    fn problems(&self) -> Vec<String> {
        self.opened().1.err().unwrap_or_default()
    }

    fn mapped(&self) -> Vec<(Mapped, User)> {
        let (mut decoder, mapper) = self.opened();
        let mut mapper = mapper.unwrap();
        let (mut row, mut user, mut all) = (RawRow::default(), User::default(), Vec::new());
        while let Some(read) = decoder.next(&mut row).unwrap() {
            read.unwrap();
            let mapped = mapper.map(&row, &mut user);
            all.push((mapped, user.clone()));
        }
        all
    }

    fn rejects(&self) -> Vec<Reject> {
        self.mapped()
            .into_iter()
            .filter_map(|(mapped, _)| match mapped {
                Mapped::Rejected(reject) => Some(reject),
                _ => None,
            })
            .collect()
    }

    /// The one row: values, and which of them are specified.
    fn values(&self) -> (Vec<Option<String>>, Vec<bool>) {
        let (mapped, user) = self.mapped().remove(0);
        assert_eq!(mapped, Mapped::User);
        (user.values, user.specified)
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn columns_are_found_exactly_then_in_any_case() {
    let file = "id,Mail,MAIL,E-Mail,Given Name\n1,a,b,c,d\n";
    let one = |names: &[&str]| Case::new(file).with(property("p", names), text());
    for (names, value) in [
        (&["Mail"][..], "a"),
        (&["MAIL"], "b"),
        (&["e-mail"], "c"),
        (&["phone", " E-Mail "], "c"),
        (&["given name"], "d"),
    ] {
        assert_eq!(one(names).values().0[1], some(value), "{names:?}");
    }
    let problems = one(&["mail"]).problems();
    assert!(problems[0].contains("\"Mail\" or \"MAIL\""), "{problems:?}");
    let case = one(&["E-Mal", "Phone"]).with(property("q", &["nowhere"]), text());
    let problems = Case { filter: Some("row['Typ'] == 'x'"), ..case }.problems();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].contains("\"E-Mal\" or \"Phone\" (is \"E-Mail\" meant?)"), "{problems:?}");
    assert!(problems[0].contains("id, Mail, MAIL, E-Mail, Given Name"), "{problems:?}");
    assert!(problems[2].contains("mapping.filter") && problems[2].contains("\"Typ\""), "{problems:?}");
    let problems = Case::new("id;mail\n").problems();
    assert!(problems[0].contains("csv.delimiter"), "{problems:?}");
}

#[test]
fn expressions_find_columns_as_names_do() {
    let case = Case::new("id,First,Last\n1, Ada ,Lovelace\n")
        .with(expression("name", "row['first'] + ' ' + row.Last"), text())
        .with(expression("title", "has(row.Title) ? row.Title : 'none'"), text())
        .with(expression("nothing", "null"), text());
    let expected = vec![some("1"), some("Ada Lovelace"), some("none"), None];
    assert_eq!(case.values(), (expected, vec![false, true, true, false]));
    assert_eq!(Case::new("id\n").with(expression("name", "row['x'"), text()).problems().len(), 1);
    let nul = Case::new("id\n1\n").with(expression("name", r"'a\x00'"), text());
    assert_eq!(nul.rejects()[0].code, RejectCode::NulByte);
    let failed = Case::new("id,n\n1,x\n").with(expression("name", "int(row.n) + 1"), text());
    assert_eq!(failed.rejects()[0].code, RejectCode::ExpressionFailed);
}

#[test]
fn what_an_empty_cell_means() {
    let file = "id,a\n1, \n";
    let conflicts = [ConflictMode::Update, ConflictMode::Skip, ConflictMode::Replace];
    for conflict in conflicts {
        let one = |property: Property| Case { conflict, ..Case::new(file).with(property, text()) }.values();
        let clears = conflict == ConflictMode::Replace;
        let plain = property("a", &["a"]);
        assert_eq!(one(plain.clone()).1, [false, clears], "{conflict:?}");
        assert!(one(Property { empty: Some(EmptyCell::Clear), ..plain.clone() }).1[1]);
        assert!(!one(Property { empty: Some(EmptyCell::Keep), ..plain.clone() }).1[1]);
        let filled = one(Property { default: some("x"), ..plain.clone() });
        assert_eq!((filled.0[1].clone(), filled.1[1]), (some("x"), true));
        let create = Property { policy: PropertyPolicy::OnCreate, default: some("x"), ..plain.clone() };
        assert!(!one(create).1[1]);
    }
    // What is written instead: NULL, the constant default, or no text; else the row can't be taken.
    let nullable = |column: Column| {
        let mut case = Case::new(file).with(property("a", &["a"]), text());
        case.columns[0].0 = column;
        case
    };
    let not_null = |kind: ColumnType, default: ColumnDefault| Column { nullable: false, default, ..column("a", kind) };
    assert_eq!(nullable(column("a", integer())).values().0[1], None);
    assert_eq!(nullable(not_null(text(), ColumnDefault::None)).values().0[1], some(""));
    assert_eq!(nullable(not_null(integer(), ColumnDefault::Constant("7".into()))).values().0[1], some("7"));
    let reject = nullable(not_null(integer(), ColumnDefault::None)).rejects().remove(0);
    assert_eq!(reject.code, RejectCode::Required);
}

#[test]
fn columns_without_a_property() {
    let case =
        Case::new("id\n1\n").also(column("note", text()), Role::Cleared).also(column("gone", text()), Role::Removal);
    assert_eq!(case.values(), (vec![some("1"), None, None], vec![false, true, false]));
}

#[test]
fn the_filter_comes_before_everything() {
    let case = Case::new("id,type,n\n1,staff,1\n,guest,x\n3,,1\n")
        .with(Property { required: true, ..property("type", &["type"]) }, text())
        .with(property("n", &["n"]), integer());
    let case = Case { filter: Some("row.type != 'guest'"), ..case };
    let mapped: Vec<_> = case.mapped();
    assert_eq!(mapped[0].0, Mapped::User);
    assert_eq!(mapped[1].0, Mapped::Filtered);
    let Mapped::Rejected(reject) = &mapped[2].0 else { panic!("{:?}", mapped[2]) };
    assert_eq!((reject.code, reject.line, reject.column.as_deref()), (RejectCode::Required, 4, Some("type")));
    assert_eq!(mapped[2].1.key.as_deref(), Some("3"));
    // One on which it fails is refused, with its key.
    let case = Case { filter: Some("int(row.n) > 0"), ..Case::new("id,n\n7,x\n") };
    let (mapped, user) = case.mapped().remove(0);
    let Mapped::Rejected(reject) = mapped else { panic!("{mapped:?}") };
    assert_eq!((reject.code, user.key.as_deref()), (RejectCode::FilterFailed, Some("7")));
}

#[test]
fn a_reject_says_what_is_wrong_first_and_how_much_more() {
    let case = Case::new("id,Age,Mail\n1,x,y\n ,1,a@example.com\n2,1,z\n")
        .with(property("age", &["age"]), integer())
        .with(Property { kind: Some(PropertyType::Email), sensitive: true, ..property("mail", &["mail"]) }, text());
    let rejects = case.rejects();
    assert_eq!(rejects.len(), 3);
    let first = &rejects[0];
    assert_eq!((first.line, first.code, first.sensitive), (2, RejectCode::InvalidInteger, false));
    assert_eq!((first.column.as_deref(), first.value.as_deref()), (Some("Age"), Some("x")));
    assert!(first.message.ends_with("(and 1 more in this row)"), "{}", first.message);
    assert_eq!(rejects[1].code, RejectCode::KeyMissing);
    assert!(rejects[2].sensitive && rejects[2].code == RejectCode::InvalidEmail);
    assert!(!rejects[2].message.contains('z'));
    let long = Case::new(&format!("id,n\n1,{}\n", "ä".repeat(500))).with(property("n", &["n"]), integer());
    assert_eq!(long.rejects()[0].value.as_ref().unwrap().chars().count(), 100);
}

#[test]
fn keys_and_values_are_canonical() {
    let mut case = Case::new("id,n\n1, 007 \n").with(property("n", &["n"]), integer());
    assert_eq!(case.values().0, [some("1"), some("7")]);
    case.trim = false;
    case.file = "id,t\n 1 , x \n".to_owned();
    case.properties = vec![property("t", &["t"])];
    case.columns = vec![(column("t", text()), Role::Mapped)];
    assert_eq!(case.values().0, [some(" 1 "), some(" x ")]);
}

#[test]
fn a_correction_offers_no_columns_of_its_own() {
    let file = "id,usersync_team,usersync_line,usersync_reason_code,usersync_reason\n1,'=x,2,Required,why\n";
    let case = |names: &[&str]| Case::new(file).with(property("p", names), text());
    assert_eq!(case(&["usersync_team"]).values().0[1], some("=x"));
    assert_eq!(case(&["usersync_line"]).problems().len(), 1);
}

proptest! {
    /// What one row leaves in memory never shows in the next.
    #[test]
    fn rows_are_mapped_alone(rows in prop::collection::vec(("[a-c]?", "[0-9x]{0,3}", "[a-z ]{0,4}"), 1..8)) {
        let file = |rows: &[(String, String, String)]| {
            let lines = rows.iter().map(|(id, n, t)| format!("{id},{n},{t}\n"));
            "id,n,t\n".to_owned() + &lines.collect::<String>()
        };
        let case = |rows: &[(String, String, String)]| {
            Case::new(&file(rows)).with(property("n", &["n"]), integer()).with(property("t", &["t"]), text())
        };
        let together = case(&rows).mapped();
        prop_assert_eq!(together.len(), rows.len());
        for (row, (mapped, user)) in rows.iter().zip(together) {
            let (alone, other) = case(std::slice::from_ref(row)).mapped().remove(0);
            prop_assert_eq!(&user.key, &other.key);
            match (mapped, alone) {
                (Mapped::User, Mapped::User) => prop_assert_eq!((user.values, user.specified), (other.values, other.specified)),
                (Mapped::Rejected(a), Mapped::Rejected(b)) => prop_assert_eq!((a.code, a.message), (b.code, b.message)),
                (a, b) => prop_assert_eq!(a, b),
            }
        }
    }
}
