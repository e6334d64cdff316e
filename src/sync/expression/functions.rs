//! What expressions can call: CEL's own functions, and those of its string library that names and addresses need.

use std::{collections::HashMap, sync::Arc};

use cel::{Context, ExecutionError, FunctionContext, Value, extractors::This};
use regex::Regex;

/// The longest text that `replace` may make, in bytes, and the most parts that `split` may make.
const MAX_TEXT: usize = 64 << 10;
const MAX_PARTS: usize = 1_024;
/// How a function says that its result is too long.
pub(super) const TOO_LONG: &str = "more than 64 KiB of text or 1,024 parts";

/// All functions that may be called.
pub(super) const FUNCTIONS: [&str; 31] = [
    "contains",
    "size",
    "max",
    "min",
    "startsWith",
    "endsWith",
    "matches",
    "string",
    "bytes",
    "double",
    "int",
    "uint",
    "duration",
    "timestamp",
    "getFullYear",
    "getMonth",
    "getDayOfYear",
    "getDayOfMonth",
    "getDate",
    "getDayOfWeek",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
    "lowerAscii",
    "upperAscii",
    "trim",
    "replace",
    "substring",
    "split",
    "charAt",
];

/// The context in which every row is evaluated. `patterns` are those of all `matches` calls: a pattern is compiled once, not
/// for each row.
pub(super) fn context(patterns: HashMap<String, Regex>) -> Context<'static> {
    let mut context = Context::default();
    context.add_function(
        "matches",
        move |ftx: &FunctionContext, This(text): This<Arc<String>>, pattern: Arc<String>| match patterns
            .get(pattern.as_str())
        {
            Some(regex) => Ok(Value::Bool(regex.is_match(&text))),
            None => Err(ftx.error("not a pattern of this expression")),
        },
    );
    context.add_function("lowerAscii", |This(text): This<Arc<String>>| text.to_ascii_lowercase());
    context.add_function("upperAscii", |This(text): This<Arc<String>>| text.to_ascii_uppercase());
    context.add_function("trim", |This(text): This<Arc<String>>| text.trim().to_owned());
    context.add_function("replace", replace);
    context.add_function("substring", substring);
    context.add_function("charAt", char_at);
    context.add_function("split", split);
    context
}

type Result<T> = std::result::Result<T, ExecutionError>;

fn replace(ftx: &FunctionContext, This(text): This<Arc<String>>, from: Arc<String>, to: Arc<String>) -> Result<Value> {
    let count = text.matches(from.as_str()).count();
    if text.len() + count * to.len() > MAX_TEXT {
        return Err(ftx.error(TOO_LONG));
    }
    Ok(Value::String(Arc::new(text.replace(from.as_str(), &to))))
}

/// `'tacocat'.substring(4)`, `'tacocat'.substring(0, 4)`: by characters, from 0, the end not included.
fn substring(ftx: &FunctionContext, This(text): This<Arc<String>>) -> Result<Value> {
    // As a method the places are all arguments; as a function the text is the first of them.
    let places = if ftx.this.is_some() { ftx.args } else { ftx.args.get(1..).unwrap_or_default() };
    let place = |at: usize| -> Result<Option<usize>> {
        let Some(place) = places.get(at) else { return Ok(None) };
        match ftx.ptx.resolve(place)? {
            Value::Int(place) => usize::try_from(place).map(Some).map_err(|_| ftx.error("a place before the text")),
            _ => Err(ftx.error("a place is an int")),
        }
    };
    let Some(start) = place(0)? else { return Err(ftx.error("where does it begin?")) };
    let length = text.chars().count();
    let end = place(1)?.unwrap_or(length);
    if start > end || end > length {
        return Err(ftx.error("a place beyond the text"));
    }
    Ok(Value::String(Arc::new(text.chars().skip(start).take(end - start).collect())))
}

fn char_at(ftx: &FunctionContext, This(text): This<Arc<String>>, place: i64) -> Result<Value> {
    let place = usize::try_from(place).map_err(|_| ftx.error("a place before the text"))?;
    match text.chars().nth(place) {
        Some(char) => Ok(Value::String(Arc::new(char.to_string()))),
        None if place == text.chars().count() => Ok(Value::String(Arc::new(String::new()))),
        None => Err(ftx.error("a place beyond the text")),
    }
}

fn split(ftx: &FunctionContext, This(text): This<Arc<String>>, separator: Arc<String>) -> Result<Value> {
    if separator.is_empty() {
        return Err(ftx.error("an empty separator"));
    }
    let parts: Vec<Value> = text
        .split(separator.as_str())
        .take(MAX_PARTS + 1)
        .map(|part| Value::String(Arc::new(part.to_owned())))
        .collect();
    if parts.len() > MAX_PARTS { Err(ftx.error(TOO_LONG)) } else { Ok(Value::List(Arc::new(parts))) }
}
