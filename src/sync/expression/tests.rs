//! What expressions give, and which are refused.

use proptest::prelude::*;

use super::*;

/// The text of an expression over the row First=Ada, Last=Lovelace, Mail=" Ada@Example.com ", Groups=a;b, Empty=.
fn text(source: &str) -> Result<Option<String>, String> {
    let expression = Expression::compile(source).map_err(|e| e.to_string())?;
    expression.text(&cells(&expression))
}

fn truth(source: &str) -> Result<bool, String> {
    let expression = Expression::compile(source).map_err(|e| e.to_string())?;
    expression.truth(&cells(&expression))
}

fn cells(expression: &Expression) -> Vec<Option<&'static str>> {
    let cell = |reference: &Reference| match reference.name.as_str() {
        "First" => Some("Ada"),
        "Last" => Some("Lovelace"),
        "Mail" => Some(" Ada@Example.com "),
        "Groups" => Some("a;b"),
        "Number" => Some("42"),
        "Empty" => Some(""),
        _ => None,
    };
    expression.references().iter().map(cell).collect()
}

#[test]
fn results_as_text() {
    let cases = [
        ("row['First'] + ' ' + row.Last", Some("Ada Lovelace")),
        ("row['Empty']", Some("")),
        ("null", None),
        ("row['Empty'] == '' ? null : row['Empty']", None),
        ("int(row['Number']) + 1", Some("43")),
        ("1.5 * 2.0", Some("3")),
        ("2u", Some("2")),
        ("row['First'] == 'Ada'", Some("true")),
        ("timestamp('2026-11-22T14:03:00+01:00')", Some("2026-11-22T14:03:00+01:00")),
        ("row['Mail'].trim().lowerAscii()", Some("ada@example.com")),
        ("row['First'].upperAscii()", Some("ADA")),
        ("row['Last'].substring(0, 4) + row['Last'].substring(4)", Some("Lovelace")),
        ("row['First'].charAt(0) + '.'", Some("A.")),
        ("row['Mail'].trim().split('@')[1]", Some("Example.com")),
        ("row['Groups'].replace(';', ',')", Some("a,b")),
        ("has(row.Title) ? row.Title : 'none'", Some("none")),
        ("'Title' in row ? 'yes' : 'no'", Some("no")),
        ("'First' in row ? 'yes' : 'no'", Some("yes")),
        ("size(row['Groups'].split(';').filter(g, g != 'a'))", Some("1")),
        ("row['Groups'].split(';').map(g, g + '!')[1]", Some("b!")),
    ];
    for (source, expected) in cases {
        assert_eq!(text(source), Ok(expected.map(str::to_owned)), "{source}");
    }
    for source in ["[1]", "{'a': 1}", "duration('1h')", "b'x'"] {
        assert!(text(source).is_err(), "{source}");
    }
}

#[test]
fn truths() {
    assert_eq!(truth("row['First'] == 'Ada' && row['Empty'] == ''"), Ok(true));
    assert_eq!(truth("row['Mail'].matches('(?i)@example[.]com')"), Ok(true));
    assert_eq!(truth("matches(row['First'], '^B')"), Ok(false));
    assert_eq!(truth("row['Groups'].split(';').exists(g, g in ['b', 'c'])"), Ok(true));
    assert!(truth("row['First']").is_err());
}

#[test]
fn failures_show_no_values() {
    for source in [
        "int(row['First'])",
        "row['First'] + 1",
        "row['First'] < 1",
        "1 / 0",
        "row['First'].substring(9)",
        "timestamp(row['First'])",
    ] {
        let error = text(source).unwrap_err();
        assert!(!error.contains("Ada"), "{source}: {error}");
        assert!(!error.is_empty());
    }
    let error = text("row['Title']").unwrap_err();
    assert_eq!(error, "the file has no column 'Title'");
}

#[test]
fn columns_of_the_header() {
    let expression = Expression::compile("row['B'] + row.A + (has(row.C) ? row.C : '') + row['B']").unwrap();
    assert_eq!(expression.columns(), ["B", "A"]);
    let all: Vec<_> = expression.references().iter().map(|r| (r.name.as_str(), r.optional)).collect();
    assert_eq!(all, [("B", false), ("A", false), ("C", true)]);
}

#[test]
fn refused() {
    let long = format!("'{}'", "x".repeat(1_024));
    let cases = [
        (long.as_str(), "1026 characters"),
        ("row['a' +", "not a CEL expression"),
        ("", "not a CEL expression"),
        ("First", "there is no 'First'"),
        ("row", "column's name in quotes"),
        ("row[row['A']]", "column's name in quotes"),
        ("row.exists(k, k == 'a')", "column's name in quotes"),
        ("row['A'].lower()", "did you mean lowerAscii()?"),
        ("row['A'].matches('(')", "unclosed group"),
        ("row['A'].matches(row['B'])", "a text in quotes"),
        ("row['A'].matches('(a{1000}){1000}')", "too large"),
        ("Name{a: 1}", "not supported"),
    ];
    for (source, expected) in cases {
        let error = Expression::compile(source).unwrap_err().to_string();
        assert!(error.contains(expected), "{source}: {error}");
    }
}

#[test]
fn costly_expressions_are_refused_before_any_row() {
    let list = "[0,1,2,3,4,5,6,7,8,9]";
    let nested =
        |levels: usize| (0..levels).rfold("true".to_owned(), |body, level| format!("{list}.all(x{level}, {body})"));
    assert!(Expression::compile(&nested(3)).is_ok());
    assert!(matches!(Expression::compile(&nested(8)), Err(ExpressionError::TooCostly(_))));
    let doubled = format!("[row['A']]{}", ".map(a,a+a)".repeat(60));
    assert!(matches!(Expression::compile(&doubled), Err(ExpressionError::TooCostly(_))));
    let lists = format!("[1]{}", ".map(a,[a,a])".repeat(60));
    assert!(matches!(Expression::compile(&lists), Err(ExpressionError::TooCostly(_))));
    let parts = "row['A'].split(';').all(a, row['A'].split(';').all(b, row['A'].split(';').all(c, a+b == c)))";
    assert!(matches!(Expression::compile(parts), Err(ExpressionError::TooCostly(_))));
}

#[test]
fn a_row_with_too_much_text_is_refused() {
    let expression = Expression::compile("row['A'] + row['B']").unwrap();
    let half = "x".repeat(40_000);
    assert!(expression.text(&[Some(&half), Some("")]).is_ok());
    assert!(expression.text(&[Some(&half), Some(&half)]).unwrap_err().contains("64 KiB"));
    let grown = Expression::compile(&format!("row['A']{}", ".replace('', 'xxxxxxxxxx')".repeat(20))).unwrap();
    assert!(grown.text(&[Some("abc")]).unwrap_err().contains("64 KiB"));
    let parts = Expression::compile("row['A'].split(',')[0]").unwrap();
    assert!(parts.text(&[Some(&",".repeat(2_000))]).is_err());
}

#[test]
fn deep_nesting_never_overflows() {
    for (open, close) in [("(", ")"), ("[", "]"), ("!", ""), ("-", "")] {
        let source = format!("{}true{}", open.repeat(500), close.repeat(500));
        let _ = Expression::compile(&source).map(|e| e.text(&[]));
    }
}

proptest! {
    #[test]
    fn any_text_compiles_or_is_refused(source in "[a-z0-9'\\[\\](){}.,+!?:=& \\\\\"]{0,60}") {
        if let Ok(expression) = Expression::compile(&source) {
            let _ = expression.text(&vec![Some("x"); expression.references().len()]);
        }
    }
}
