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

/// A name longer than this is none: file systems end at 255 letters.
const LONGEST: usize = 1024;

/// A name of one file, as a server or a disk lists it. The error says, behind "its name", why it is left out.
pub fn plain(name: &[u8]) -> Result<&str, &'static str> {
    let Ok(text) = std::str::from_utf8(name) else { return Err("is not UTF-8") };
    match text {
        "" | "." | ".." => Err("is none of a file"),
        text if text.contains('/') => Err("has a slash"),
        text if text.contains(char::is_control) => Err("has control characters"),
        text if text.len() > LONGEST => Err("is longer than 1,024 bytes"),
        text => Ok(text),
    }
}

/// Names that are left out of one listing, for the log: whoever can make files could fill it.
#[derive(Default)]
pub struct LeftOut(usize);

impl LeftOut {
    /// So many are named; the others are counted.
    const NAMED: usize = 10;

    /// Another one, and why.
    pub fn add(&mut self, folder: &str, name: &[u8], why: &str) {
        self.0 += 1;
        if self.0 <= Self::NAMED {
            let name = shown(name);
            tracing::warn!(folder, %name, "a file is left out: its name {why}");
        }
    }

    /// The listing is done.
    pub fn end(self, folder: &str) {
        if self.0 > Self::NAMED {
            let more = self.0 - Self::NAMED;
            tracing::warn!(folder, more, "more files are left out because of their names");
        }
    }
}

/// A name that is left out, for a log: short, and nothing in it does anything to a terminal.
pub fn shown(name: &[u8]) -> String {
    let short = &name[..name.len().min(200)];
    String::from_utf8_lossy(short).escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_plain() {
        let long = "x".repeat(1025);
        for name in ["users.csv", " Größe & Maß.csv ", "-rf", "..csv", "back\\slash", "$(id)", &long[1..]] {
            assert_eq!(plain(name.as_bytes()), Ok(name));
        }
        let escape = b"\x1b[2Jusers.csv";
        for name in
            [&b""[..], b".", b"..", b"a/b", b"/", b"a\nb", b"a\r", b"nul\0", escape, b"\xfc.csv", long.as_bytes()]
        {
            assert!(plain(name).is_err(), "{name:?}");
        }
        assert_eq!(shown(escape), "\\u{1b}[2Jusers.csv");
    }

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
