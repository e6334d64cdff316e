//! Names relative to a source's folder: none leads out of it.

use crate::ports::SourceError;

/// Splits `name` (`users.csv`, `bak/users.csv`) into the folder below the source's, if any, and the last part.
/// [`SourceError::Denied`] if a part is empty, `.`, `..` or has a NUL: such a name would lead elsewhere.
pub fn split<'a>(place: &str, name: &'a str) -> Result<(Option<&'a str>, &'a str), SourceError> {
    let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0');
    if !name.split('/').all(plain) {
        return Err(SourceError::Denied(format!(
            "{place}: the name {name:?} is refused: it could lead out of the folder. Use names without \"..\", relative to \
             the folder."
        )));
    }
    Ok(match name.rsplit_once('/') {
        Some((folder, last)) => (Some(folder), last),
        None => (None, name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_folder() {
        let cases = [
            ("users.csv", Some((None, "users.csv"))),
            ("bak/users.csv", Some((Some("bak"), "users.csv"))),
            ("a/b/c", Some((Some("a/b"), "c"))),
            ("-rf", Some((None, "-rf"))),
            (".hidden", Some((None, ".hidden"))),
            ("..csv", Some((None, "..csv"))),
            ("back\\slash", Some((None, "back\\slash"))),
            ("", None),
            (".", None),
            ("..", None),
            ("../users.csv", None),
            ("bak/../../users.csv", None),
            ("/etc/passwd", None),
            ("bak/", None),
            ("bak//users.csv", None),
            ("nul\0.csv", None),
        ];
        for (name, expected) in cases {
            assert_eq!(split("/data", name).ok(), expected, "{name:?}");
        }
    }
}
