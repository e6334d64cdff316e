//! A server's replies: code, words, and what some of them carry. Pure.

use super::listing;
use jiff::Timestamp;

/// One reply on the control connection (RFC 959, section 4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits; 0 if there are none.
    pub code: u16,
    /// All its lines, as they came.
    lines: Vec<u8>,
    /// The step that it answers, as its command is called; empty: the greeting.
    step: String,
}

impl Reply {
    /// The reply of these lines. The code of the last one counts: the others may carry text alone.
    pub fn new(lines: Vec<u8>) -> Self {
        let last = lines.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        Self { code: code(last), lines, step: String::new() }
    }

    /// The answer to this step: `RETR`.
    pub fn to(mut self, step: &str) -> Self {
        step.clone_into(&mut self.step);
        self
    }

    /// The step that it answers. None: nothing was asked yet.
    pub fn step(&self) -> Option<&str> {
        Some(self.step.as_str()).filter(|step| !step.is_empty())
    }

    /// The request is done.
    pub fn done(&self) -> bool {
        self.code / 100 == 2
    }

    /// The request is begun: another reply follows.
    pub fn begun(&self) -> bool {
        self.code / 100 == 1
    }

    /// It may be done at another time (RFC 959, section 4.2.1).
    pub fn later(&self) -> bool {
        self.code / 100 == 4
    }

    /// The server does not know the command, or not in this form.
    pub fn unknown(&self) -> bool {
        matches!(self.code, 202 | 500 | 501 | 502 | 504)
    }

    /// The lines, without their ends.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// The server's words, without codes, in one line.
    pub fn text(&self) -> String {
        let words = self.lines().map(|line| {
            let line = if code(line) == 0 { line } else { line.get(4..).unwrap_or_default() };
            String::from_utf8_lossy(line.trim_ascii()).into_owned()
        });
        words.filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Whether the server's words have one of these in them, in any case.
    pub fn speaks_of(&self, words: &[&str]) -> bool {
        let text = self.text().to_lowercase();
        words.iter().any(|word| text.contains(word))
    }

    /// The port of `229 Entering Extended Passive Mode (|||6446|)` (RFC 2428).
    pub fn extended_port(&self) -> Option<u16> {
        let text = self.text();
        let (_, inner) = text.split_once('(')?;
        let delimiter = inner.chars().next()?;
        let parts: Vec<&str> = inner.split(delimiter).collect();
        // Protocol and address, which the server leaves empty, do not count: the control connection's do.
        parts.get(3)?.parse().ok().filter(|port| *port != 0)
    }

    /// The port of `227 Entering Passive Mode (10,0,0,5,216,4)`. The address does not count, whatever it says.
    pub fn passive_port(&self) -> Option<u16> {
        let text = self.text();
        let numbers = text.split(|letter: char| !letter.is_ascii_digit() && letter != ',');
        let mut six = numbers.filter_map(|group| {
            let six: Vec<u8> = group.trim_matches(',').split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
            <[u8; 6]>::try_from(six).ok()
        });
        let [.., high, low] = six.next_back()?;
        Some(u16::from_be_bytes([high, low])).filter(|port| *port != 0)
    }

    /// The number of `213 1048576`.
    pub fn size(&self) -> Option<u64> {
        self.text().split_whitespace().next_back()?.parse().ok()
    }

    /// The time of `213 20261122130207.123`. UTC.
    pub fn time(&self) -> Option<Timestamp> {
        listing::time(self.text().split_whitespace().next_back()?.as_bytes())
    }

    /// The path of `257 "/home/hr" is your current location`; a quote in it is doubled.
    pub fn path(&self) -> Option<String> {
        let text = self.text();
        let (_, quoted) = text.split_once('"')?;
        let mut path = String::new();
        let mut letters = quoted.chars().peekable();
        while let Some(letter) = letters.next() {
            if letter == '"' && letters.next_if_eq(&'"').is_none() {
                return Some(path);
            }
            path.push(letter);
        }
        None
    }
}

fn code(line: &[u8]) -> u16 {
    let digits = line.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit));
    let ends = matches!(line.get(3), None | Some(b' ' | b'-'));
    digits.filter(|_| ends).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).unwrap_or(0)
}

/// What a server offers beyond the old standard (FEAT, RFC 2389).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offers {
    /// MLST and MLSD: listings for programs.
    pub facts: bool,
    /// SIZE.
    pub size: bool,
    /// MDTM.
    pub mdtm: bool,
    /// MFMT: setting a file's time.
    pub mfmt: bool,
    /// Names in UTF-8.
    pub utf8: bool,
}

impl Offers {
    /// What the reply to FEAT says. A server that doesn't know FEAT may still know SIZE and MDTM: they are older.
    pub fn new(reply: &Reply) -> Self {
        if !reply.done() {
            return Self { facts: false, size: true, mdtm: true, mfmt: false, utf8: false };
        }
        let named: Vec<String> = reply
            .lines()
            .map(|line| if code(line) == 0 { line } else { line.get(4..).unwrap_or_default() })
            .filter_map(|line| Some(String::from_utf8_lossy(line).split_whitespace().next()?.to_uppercase()))
            .collect();
        let has = |name: &str| named.iter().any(|named| named == name);
        Self { facts: has("MLST"), size: has("SIZE"), mdtm: has("MDTM"), mfmt: has("MFMT"), utf8: has("UTF8") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(lines: &str) -> Reply {
        Reply::new(lines.as_bytes().to_vec())
    }

    #[test]
    fn code_and_words() {
        for (lines, code, text) in [
            ("220 ready\r\n", 220, "ready"),
            ("230-Welcome\r\n230-to us\r\n230 Logged in.\r\n", 230, "Welcome to us Logged in."),
            ("220-Microsoft FTP Service\r\n  line two\r\n220 done\r\n", 220, "Microsoft FTP Service line two done"),
            ("211-Features:\r\n MLST a;b;\r\n211 End\n", 211, "Features: MLST a;b; End"),
            ("226\r\n", 226, ""),
            ("226 \r\n", 226, ""),
            ("550 gr\u{fc}n\r\n", 550, "grün"),
            ("SSH-2.0-OpenSSH_9.2\r\n", 0, "SSH-2.0-OpenSSH_9.2"),
            ("1234 x\r\n", 0, "1234 x"),
            ("", 0, ""),
        ] {
            let reply = reply(lines);
            assert_eq!((reply.code, reply.text().as_str()), (code, text), "{lines:?}");
        }
    }

    #[test]
    fn passive_ports() {
        for (lines, port) in [
            ("227 Entering Passive Mode (213,229,112,130,216,4)\r\n", Some(55300)),
            ("227 Entering Passive Mode (213,229,112,130,216,4).\r\n", Some(55300)),
            ("227 Entering Passive Mode 127,0,0,1,4,1\r\n", Some(1025)),
            ("227 =127,0,0,1,4,1\r\n", Some(1025)),
            ("227 Ok (0,0,0,0,0,80) for 3 files\r\n", Some(80)),
            ("227 Entering Passive Mode (213,229,112,130,256,4)\r\n", None),
            ("227 Entering Passive Mode (213,229,112,130,4)\r\n", None),
            ("227 Entering Passive Mode (1,2,3,4,0,0)\r\n", None),
            ("227 Entering Passive Mode\r\n", None),
        ] {
            assert_eq!(reply(lines).passive_port(), port, "{lines:?}");
        }
    }

    #[test]
    fn extended_ports() {
        for (lines, port) in [
            ("229 Entering Extended Passive Mode (|||6446|)\r\n", Some(6446)),
            ("229 EPSV ok (!!!6446!)\r\n", Some(6446)),
            ("229 Elsewhere (|1|10.0.0.5|6446|)\r\n", Some(6446)),
            ("229 Entering Extended Passive Mode (|||65536|)\r\n", None),
            ("229 Entering Extended Passive Mode (|||0|)\r\n", None),
            ("229 Entering Extended Passive Mode (|||-1|)\r\n", None),
            ("229 Entering Extended Passive Mode (||6446|)\r\n", None),
            ("229 Entering Extended Passive Mode ()\r\n", None),
            ("229 Entering Extended Passive Mode\r\n", None),
        ] {
            assert_eq!(reply(lines).extended_port(), port, "{lines:?}");
        }
    }

    #[test]
    fn sizes_times_and_paths() {
        assert_eq!(reply("213 1048576\r\n").size(), Some(1_048_576));
        assert_eq!(reply("213 users.csv 12\r\n").size(), Some(12));
        assert_eq!(reply("213 -1\r\n").size(), None);
        assert_eq!(reply("213 99999999999999999999\r\n").size(), None);
        assert_eq!(reply("213 20261122130207\r\n").time(), "2026-11-22T13:02:07Z".parse().ok());
        assert_eq!(reply("213 20261122130207.5\r\n").time(), "2026-11-22T13:02:07.5Z".parse().ok());
        assert_eq!(reply("213 20261322130207\r\n").time(), None);
        assert_eq!(reply("257 \"/home/hr\" is your location\r\n").path().as_deref(), Some("/home/hr"));
        assert_eq!(reply("257 \"/a \"\"b\"\"\" created\r\n").path().as_deref(), Some("/a \"b\""));
        assert_eq!(reply("257 \"/a\r\n").path(), None);
    }

    #[test]
    fn offers() {
        let all = Offers { facts: true, size: true, mdtm: true, mfmt: true, utf8: true };
        let none = Offers { facts: false, size: false, mdtm: false, mfmt: false, utf8: false };
        for (lines, offers) in [
            ("211-Features:\r\n MDTM\r\n MFMT\r\n MLST modify*;size*;\r\n SIZE\r\n UTF8\r\n211 End\r\n", all),
            ("211-Features:\r\n211-mdtm\r\n211-mfmt\r\n211-mlst size*;\r\n211-size\r\n211-utf8\r\n211 End\r\n", all),
            ("211 No features\r\n", none),
            (
                "211-Features:\r\n MDTM\r\n REST STREAM\r\n SIZE\r\n211 End\r\n",
                Offers { size: true, mdtm: true, ..none },
            ),
            ("502 Command not implemented\r\n", Offers { size: true, mdtm: true, ..none }),
        ] {
            assert_eq!(Offers::new(&reply(lines)), offers, "{lines:?}");
        }
    }
}
