//! What is equal, and what is refused.

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::api::PropertyType;

fn kinds() -> Vec<ColumnType> {
    use ColumnType::*;
    let mut kinds = vec![Boolean, Date, Time, Uuid, Json { text: false }, Bytes, Float { single: false }];
    kinds.extend([Float { single: true }, Integer { min: i64::MIN, max: i64::MAX }, Integer { min: 0, max: 255 }]);
    kinds.extend([Decimal { precision: None, scale: None }, Decimal { precision: Some(8), scale: Some(2) }]);
    kinds.extend([Decimal { precision: None, scale: Some(0) }]);
    kinds.extend([
        Text { max: None, padded: false, case: crate::model::column::Case::Exact },
        text(Some(5), false),
        text(Some(5), true),
    ]);
    kinds.push(Enum { labels: vec!["staff".into(), "guest".into()] });
    for digits in 0..=6 {
        kinds.extend([Timestamp { zoned: true, digits }, Timestamp { zoned: false, digits }]);
    }
    kinds
}

fn text(max: Option<u32>, padded: bool) -> ColumnType {
    ColumnType::Text { max, padded, case: crate::model::column::Case::Exact }
}

fn check(kind: &ColumnType, cases: &[(&str, Result<&str, RejectCode>)]) {
    for (given, expected) in cases {
        let got = canonical(kind, given);
        let got = got.as_deref().map_err(|e| e.code);
        assert_eq!(got, *expected, "{kind:?} {given:?}");
    }
}

#[test]
fn integers() {
    use RejectCode::*;
    let big = ColumnType::Integer { min: i64::MIN, max: i64::MAX };
    check(
        &big,
        &[
            ("7", Ok("7")),
            ("007", Ok("7")),
            ("+5", Ok("5")),
            ("-0", Ok("0")),
            ("0", Ok("0")),
            ("000", Ok("0")),
            ("-12", Ok("-12")),
            (" 7 ", Ok("7")),
            ("9223372036854775807", Ok("9223372036854775807")),
            ("-9223372036854775808", Ok("-9223372036854775808")),
            ("9223372036854775808", Err(OutOfRange)),
            ("99999999999999999999999", Err(OutOfRange)),
            ("", Err(InvalidInteger)),
            ("-", Err(InvalidInteger)),
            ("1.0", Err(InvalidInteger)),
            ("1e3", Err(InvalidInteger)),
            ("1_000", Err(InvalidInteger)),
            ("٣", Err(InvalidInteger)),
        ],
    );
    check(
        &ColumnType::Integer { min: 0, max: 255 },
        &[("255", Ok("255")), ("256", Err(OutOfRange)), ("-1", Err(OutOfRange))],
    );
    assert!(matches!(canonical(&big, "-12"), Ok(Cow::Borrowed("-12"))));
}

#[test]
fn decimals() {
    use RejectCode::*;
    check(
        &ColumnType::Decimal { precision: None, scale: None },
        &[
            ("1.50", Ok("1.5")),
            ("01.0", Ok("1")),
            (".5", Ok("0.5")),
            ("5.", Ok("5")),
            ("-0.0", Ok("0")),
            ("+1", Ok("1")),
            ("1e3", Ok("1000")),
            ("1.25E-3", Ok("0.00125")),
            ("12.5e1", Ok("125")),
            ("100", Ok("100")),
            ("nan", Ok("NaN")),
            ("inf", Ok("Infinity")),
            ("-INFINITY", Ok("-Infinity")),
            (
                "123456789012345678901234567890.12345678901234567890",
                Ok("123456789012345678901234567890.1234567890123456789"),
            ),
            ("1e-1000000000000000", Ok("0")),
            ("1e1000000000000000", Err(OutOfRange)),
            ("0e1000000000000000", Ok("0")),
            ("1,5", Err(InvalidNumber)),
            (".", Err(InvalidNumber)),
            ("", Err(InvalidNumber)),
            ("1e", Err(InvalidNumber)),
            ("0x10", Err(InvalidNumber)),
            ("--1", Err(InvalidNumber)),
        ],
    );
    check(
        &ColumnType::Decimal { precision: Some(5), scale: Some(2) },
        &[
            ("1.005", Ok("1.01")),
            ("-1.005", Ok("-1.01")),
            ("1.0049", Ok("1")),
            ("0.004", Ok("0")),
            ("0.005", Ok("0.01")),
            ("9.995", Ok("10")),
            ("999.99", Ok("999.99")),
            ("999.995", Err(OutOfRange)),
            ("1000", Err(OutOfRange)),
            ("NaN", Ok("NaN")),
            ("Infinity", Err(OutOfRange)),
        ],
    );
    check(
        &ColumnType::Decimal { precision: Some(2), scale: Some(4) },
        &[("0.0099", Ok("0.0099")), ("0.01", Err(OutOfRange))],
    );
}

#[test]
fn floats() {
    use RejectCode::*;
    check(
        &ColumnType::Float { single: false },
        &[
            ("1.0", Ok("1")),
            ("0.1", Ok("0.1")),
            ("0.10000000000000000555", Ok("0.1")),
            ("-0", Ok("0")),
            ("1e300", Ok("1e300")),
            ("1e999", Err(OutOfRange)),
            ("1e-999", Err(OutOfRange)),
            ("nan", Ok("NaN")),
            ("-inf", Ok("-Infinity")),
            ("x", Err(InvalidNumber)),
        ],
    );
    check(
        &ColumnType::Float { single: true },
        &[("0.1", Ok("0.1")), ("16777217", Ok("16777216")), ("1e39", Err(OutOfRange))],
    );
}

#[test]
fn words_and_labels() {
    use RejectCode::*;
    for yes in ["true", "YES", "y", "T", "1", "on", " On "] {
        assert_eq!(canonical(&ColumnType::Boolean, yes).as_deref(), Ok("true"), "{yes}");
    }
    for no in ["false", "No", "n", "F", "0", "OFF"] {
        assert_eq!(canonical(&ColumnType::Boolean, no).as_deref(), Ok("false"), "{no}");
    }
    check(&ColumnType::Boolean, &[("2", Err(InvalidBoolean)), ("", Err(InvalidBoolean)), ("ja", Err(InvalidBoolean))]);
    check(
        &text(Some(3), false),
        &[("äöü", Ok("äöü")), ("äöüß", Err(TooLong)), ("abc  ", Ok("abc")), ("ab  ", Ok("ab "))],
    );
    check(&text(Some(3), true), &[("a  ", Ok("a")), ("abcd", Err(TooLong))]);
    check(&text(None, false), &[(" a ", Ok(" a ")), ("", Ok(""))]);
    let kind = ColumnType::Enum { labels: vec!["staff".into(), "guest".into()] };
    check(&kind, &[("staff", Ok("staff")), ("Staff", Err(NotAllowed))]);
    let uuid = "123e4567-e89b-12d3-a456-426614174000";
    check(
        &ColumnType::Uuid,
        &[
            (uuid, Ok(uuid)),
            ("123E4567-E89B-12D3-A456-426614174000", Ok(uuid)),
            ("{123e4567-e89b-12d3-a456-426614174000}", Ok(uuid)),
            ("123e4567e89b12d3a456426614174000", Ok(uuid)),
            ("123e4567", Err(InvalidUuid)),
        ],
    );
    check(
        &ColumnType::Bytes,
        &[("\\x00FF", Ok("\\x00ff")), ("\\x", Ok("\\x")), ("\\x0", Err(InvalidBytes)), ("ff", Err(InvalidBytes))],
    );
}

#[test]
fn dates_and_times() {
    use RejectCode::*;
    check(
        &ColumnType::Date,
        &[
            ("2026-11-22", Ok("2026-11-22")),
            ("2026-11-22 00:00:00", Ok("2026-11-22")),
            ("2026-11-22T00:00:00Z", Ok("2026-11-22")),
            ("2026-11-22T01:00:00", Err(InvalidDate)),
            ("2026-02-30", Err(InvalidDate)),
            ("22.11.2026", Err(InvalidDate)),
            ("2026-1-2", Err(InvalidDate)),
            ("infinity", Ok("infinity")),
            ("12026-11-22", Ok("12026-11-22")),
            ("0044-03-15 BC", Ok("0044-03-15 BC")),
            ("ääääää", Err(InvalidDate)),
        ],
    );
    check(
        &ColumnType::Time,
        &[
            ("14:03", Ok("14:03:00")),
            ("14:03:00.500", Ok("14:03:00.5")),
            ("24:00:00", Ok("24:00:00")),
            ("24:00:01", Err(InvalidTime)),
            ("14:60", Err(InvalidTime)),
            ("2pm", Err(InvalidTime)),
        ],
    );
    check(
        &ColumnType::Timestamp { zoned: true, digits: 6 },
        &[
            ("2026-11-22T14:03:00Z", Ok("2026-11-22T14:03:00Z")),
            ("2026-11-22 14:03:00.5+00", Ok("2026-11-22T14:03:00.5Z")),
            ("2026-11-22 14:03:00+01:00", Ok("2026-11-22T13:03:00Z")),
            ("2026-11-22 14:03:00 +0530", Ok("2026-11-22T08:33:00Z")),
            ("2026-11-22T23:30-02", Ok("2026-11-23T01:30:00Z")),
            ("2026-11-22 14:03", Ok("2026-11-22T14:03:00Z")),
            ("2026-11-22", Ok("2026-11-22T00:00:00Z")),
            ("2026-12-31T24:00:00Z", Ok("2027-01-01T00:00:00Z")),
            ("infinity", Ok("infinity")),
            ("12026-11-22 14:03:00+00", Ok("12026-11-22 14:03:00+00")),
            ("9999-12-31T23:59:59-01", Err(OutOfRange)),
            ("0001-01-01T00:00:00+01", Err(OutOfRange)),
            ("2026-11-22T14:03:60Z", Err(InvalidDateTime)),
            ("2026-11-22X14:03:00Z", Err(InvalidDateTime)),
            ("14:03", Err(InvalidDateTime)),
        ],
    );
    check(
        &ColumnType::Timestamp { zoned: false, digits: 0 },
        &[
            ("2026-11-22T14:03:00.5", Ok("2026-11-22T14:03:01")),
            ("2026-12-31T23:59:59.5", Ok("2027-01-01T00:00:00")),
            ("1990-01-01T00:00:00.5", Ok("1990-01-01T00:00:00")),
            ("1990-01-01T00:00:00.6", Ok("1990-01-01T00:00:01")),
            ("2026-11-22T14:03:00+01", Ok("2026-11-22T13:03:00")),
        ],
    );
}

#[test]
fn json_by_value() {
    use RejectCode::*;
    check(
        &ColumnType::Json { text: false },
        &[
            (r#" { "b" : 1.50 , "a":[ true,null ,"x"] } "#, Ok(r#"{"a":[true,null,"x"],"b":1.5}"#)),
            ("12345678901234567890.12345678901234567890", Ok("12345678901234567890.1234567890123456789")),
            ("1e400", Ok("1e400")),
            ("10e399", Ok("1e400")),
            ("-0.0", Ok("0")),
            (r#""\u0041\/""#, Ok(r#""A/""#)),
            (r#"{"a":1,"a":2}"#, Ok(r#"{"a":2}"#)),
            ("{}", Ok("{}")),
            ("[]", Ok("[]")),
            ("01", Err(InvalidJson)),
            ("[1,]", Err(InvalidJson)),
            ("{a:1}", Err(InvalidJson)),
            (r#""open"#, Err(InvalidJson)),
            ("", Err(InvalidJson)),
            ("1 2", Err(InvalidJson)),
            ("nul", Err(InvalidJson)),
        ],
    );
    let deep = "[".repeat(100_000);
    assert_eq!(canonical(&ColumnType::Json { text: false }, &deep).map_err(|e| e.code), Err(InvalidJson));
}

#[test]
fn declared_types() {
    use PropertyType::*;
    let paris = TimeZone::get("Europe/Paris").unwrap();
    let read = |kind, format: Option<&str>, text: &str| {
        parse_typed(kind, format, &paris, text).map(Cow::into_owned).map_err(|e| e.code)
    };
    let ok = |text: &str| Ok(text.to_owned());
    assert_eq!(read(DateTime, None, "2026-11-22T14:03:00"), ok("2026-11-22T13:03:00Z"));
    assert_eq!(read(DateTime, None, "2026-11-22T14:03:00+00:00"), ok("2026-11-22T14:03:00Z"));
    assert_eq!(read(DateTime, None, "2026-07-01"), ok("2026-06-30T22:00:00Z"));
    assert_eq!(read(DateTime, None, "2026-03-29T02:30:00"), Err(RejectCode::AmbiguousLocalTime));
    assert_eq!(read(DateTime, None, "2026-10-25T02:30:00"), Err(RejectCode::AmbiguousLocalTime));
    assert_eq!(read(DateTime, None, "2026-10-25T02:30:00+02:00"), ok("2026-10-25T00:30:00Z"));
    assert_eq!(read(DateTime, None, "soon"), Err(RejectCode::InvalidDateTime));
    assert_eq!(read(DateTime, Some("%d.%m.%Y %H:%M"), "22.11.2026 14:03"), ok("2026-11-22T13:03:00Z"));
    assert_eq!(read(DateTime, Some("%d.%m.%Y"), "22.11.2026"), ok("2026-11-21T23:00:00Z"));
    assert_eq!(read(DateTime, Some("%Y-%m-%d %H:%M %z"), "2026-11-22 14:03 +0000"), ok("2026-11-22T14:03:00Z"));
    assert_eq!(read(DateTime, Some("%s"), "0"), ok("1970-01-01T00:00:00Z"));
    assert_eq!(read(DateTime, Some("%d.%m.%Y %H:%M"), "2026-11-22 14:03"), Err(RejectCode::InvalidDateTime));
    assert_eq!(read(Date, None, "2026-11-22"), ok("2026-11-22"));
    assert_eq!(read(Date, Some("%m/%d/%Y"), "11/22/2026"), ok("2026-11-22"));
    assert_eq!(read(Date, Some("%m/%d/%Y"), "22/11/2026"), Err(RejectCode::InvalidDate));
    assert_eq!(read(Boolean, None, "Yes"), ok("true"));
    assert_eq!(read(Integer, None, "x"), Err(RejectCode::InvalidInteger));
    assert_eq!(read(Number, None, "1.50"), ok("1.5"));
    assert_eq!(read(Number, None, "1,50"), Err(RejectCode::InvalidNumber));
    for good in ["anna@example.com", "o'neil+x@mail.example.co.uk", "jörg@exämple.de"] {
        assert_eq!(read(Email, None, good), ok(good));
    }
    for bad in
        ["anna", "anna@", "@example.com", "anna@example", "a b@example.com", "Anna <anna@example.com>", "a@[1.2.3.4]"]
    {
        assert_eq!(read(Email, None, bad), Err(RejectCode::InvalidEmail), "{bad}");
    }
}

#[test]
fn converted_to_the_column() {
    use PropertyType::*;
    let paris = TimeZone::get("Europe/Paris").unwrap();
    let into = |kind, column: ColumnType, text: &str| {
        convert(kind, None, &paris, &column, text).map(Cow::into_owned).map_err(|e| e.code)
    };
    let integer = ColumnType::Integer { min: 0, max: 1 };
    assert_eq!(into(Some(Boolean), integer.clone(), "yes"), Ok("1".into()));
    assert_eq!(into(Some(Boolean), integer.clone(), "off"), Ok("0".into()));
    assert_eq!(into(None, integer, "yes"), Err(RejectCode::InvalidInteger));
    assert_eq!(into(Some(Boolean), text(None, false), "Y"), Ok("true".into()));
    let (zoned, local) =
        (ColumnType::Timestamp { zoned: true, digits: 6 }, ColumnType::Timestamp { zoned: false, digits: 6 });
    assert_eq!(into(None, zoned, "2026-11-22 14:00"), Ok("2026-11-22T13:00:00Z".into()));
    assert_eq!(into(None, local.clone(), "2026-11-22 14:00"), Ok("2026-11-22T14:00:00".into()));
    assert_eq!(into(Some(DateTime), local, "2026-11-22 14:00"), Ok("2026-11-22T13:00:00".into()));
    assert_eq!(into(Some(Email), text(Some(5), false), "anna@example.com"), Err(RejectCode::TooLong));
}

#[test]
fn formats() {
    assert_eq!(check_format(PropertyType::Date, "%d.%m.%Y"), Ok(()));
    assert_eq!(check_format(PropertyType::DateTime, "%Y-%m-%dT%H:%M:%S%z"), Ok(()));
    assert_eq!(check_format(PropertyType::DateTime, "%s"), Ok(()));
    assert!(check_format(PropertyType::Date, "%d.%m.").is_err());
    assert!(check_format(PropertyType::Date, "%Q!").is_err());
    assert!(check_format(PropertyType::Text, "%Y-%m-%d").is_err());
}

proptest! {
    #[test]
    fn canonical_is_a_fixed_point(text in any_text()) {
        for kind in kinds() {
            if let Ok(once) = canonical(&kind, &text) {
                let twice = canonical(&kind, &once);
                prop_assert_eq!(twice.as_deref(), Ok(&*once), "{:?}", kind);
            }
        }
    }

    #[test]
    fn decimals_agree_with_integers(value in any::<i32>(), zeros in 0_usize..4) {
        let text = format!("{value}.{}", "0".repeat(zeros));
        let kind = ColumnType::Decimal { precision: None, scale: None };
        let plain = value.to_string();
        let got = canonical(&kind, &text);
        prop_assert_eq!(got.as_deref(), Ok(plain.as_str()));
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[+-]?[0-9]{0,12}[.]?[0-9]{0,9}(e[+-]?[0-9]{1,4})?",
        "[0-9]{4,5}-[0-1][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-5][0-9](:[0-5][0-9]([.][0-9]{1,8})?)?)?(Z|[+-][01][0-9](:?[0-5]0)?)?( BC)?",
        "\\{?[0-9a-fA-F]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9A-F]{12}\\}?",
        "\\\\x([0-9a-fA-F]{2}){0,6}",
        "[\\[{]\"[a-c]\":? ?[0-9.e-]{1,5}[\\]}]",
        "(true|false|YES|staff|inf|nan| a |abc   )",
    ]
}
