//! Unpack: gzip (RFC 1952) becomes what it was, member after member, and never more than it may become.

use std::{io, io::Write};

use flate2::write::GzDecoder;

use crate::model::job::Unpack;

/// So much may come out of any file: how far a tiny one unfolds says nothing.
const HARMLESS: u64 = 1 << 20;

/// How each member begins.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Whether a file of this name is unpacked.
pub(super) fn is_packed(name: &str) -> bool {
    name.len() > 3 && name.as_bytes()[name.len() - 3..].eq_ignore_ascii_case(b".gz")
}

/// Why a file can't be unpacked: its own fault. For the file's sender; the name goes before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// It never was gzip.
    #[error(
        "its name ends in .gz, but it is not compressed with gzip: send it under a name without .gz, or compress it"
    )]
    NotGzip,
    /// Something else follows.
    #[error(
        "something that is not gzip follows its compressed content ({0} bytes of the file are good): send it again, alone"
    )]
    Trailing(u64),
    /// Checksum, length or code are wrong.
    #[error("its compressed content is damaged ({0}): send it again")]
    Damaged(String),
    /// The end is missing.
    #[error("its compressed content ends too early: the upload broke off, or the file was cut. Send it again")]
    Truncated,
    /// Larger than `unpack.maxSize`.
    #[error(
        "unpacked it has more than {0} bytes, which is what `source.unpack.maxSize` allows: raise it, or send a smaller \
         file"
    )]
    TooLarge(u64),
    /// Larger than `unpack.maxRatio` allows.
    #[error(
        "unpacked it is more than {0} times as large, which is what `source.unpack.maxRatio` allows: it may have been made \
         to fill a disk. If it is right, raise maxRatio"
    )]
    TooDense(u32),
}

/// Unpacks what it is fed.
pub(super) struct Unpacker {
    member: GzDecoder<Unpacked>,
    /// The first bytes of the member at work, as far as they have come.
    head: Vec<u8>,
    /// Packed bytes that came, and how many of them lie before the member at work.
    came: u64,
    good: u64,
    limits: Unpack,
}

/// What came out and was not taken yet.
#[derive(Default)]
struct Unpacked {
    bytes: Vec<u8>,
    total: u64,
    most: u64,
}

impl Write for Unpacked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.total += bytes.len() as u64;
        if self.total > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Unpacker {
    pub fn new(limits: Unpack) -> Self {
        Self { member: GzDecoder::new(Unpacked::default()), head: Vec::new(), came: 0, good: 0, limits }
    }

    /// Unpacks the next bytes. They become a thousand times as many at most: feed it in small portions.
    pub fn feed(&mut self, mut packed: &[u8]) -> Result<(), Fault> {
        self.came += packed.len() as u64;
        let dense = self.came.saturating_mul(self.limits.max_ratio.into()).max(HARMLESS);
        self.member.get_mut().most = dense.min(self.limits.max_size);
        while !packed.is_empty() {
            let inside = self.member.header().is_some();
            let taken = self.member.write(packed).map_err(|error| self.fault(&error))?;
            if taken == 0 && inside {
                self.member.try_finish().map_err(|error| self.fault(&error))?;
                let unpacked = std::mem::take(self.member.get_mut());
                self.member = GzDecoder::new(unpacked);
                self.head.clear();
                self.good = self.came - packed.len() as u64;
                continue;
            }
            let missing = MAGIC.len() - self.head.len();
            self.head.extend_from_slice(&packed[..taken.min(missing)]);
            packed = &packed[taken..];
        }
        Ok(())
    }

    /// No more will come.
    pub fn end(&mut self) -> Result<(), Fault> {
        if self.head.is_empty() {
            return Ok(());
        }
        if self.member.header().is_none() {
            return Err(if MAGIC.starts_with(&self.head) { Fault::Truncated } else { self.no_gzip() });
        }
        self.member.try_finish().map_err(|error| self.fault(&error))
    }

    /// Takes what was unpacked since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.member.get_mut().bytes)
    }

    fn fault(&self, error: &io::Error) -> Fault {
        match error.kind() {
            io::ErrorKind::FileTooLarge if self.member.get_ref().total > self.limits.max_size => {
                Fault::TooLarge(self.limits.max_size)
            }
            io::ErrorKind::FileTooLarge => Fault::TooDense(self.limits.max_ratio),
            io::ErrorKind::UnexpectedEof => Fault::Truncated,
            _ if self.member.header().is_none() => self.no_gzip(),
            _ => Fault::Damaged(error.to_string()),
        }
    }

    /// What has no header of gzip: the file, or what follows in it.
    fn no_gzip(&self) -> Fault {
        if self.good == 0 { Fault::NotGzip } else { Fault::Trailing(self.good) }
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;

    const LIMITS: Unpack = Unpack { max_size: 8 << 20, max_ratio: 100 };

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    /// With a name, a comment and a checksum of its own in the header.
    fn with_names(content: &[u8]) -> Vec<u8> {
        let builder = flate2::GzBuilder::new().filename("users.csv").comment("of the night").extra("x");
        let mut encoder = builder.write(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(packed: &[u8], portion: usize) -> Result<Vec<u8>, Fault> {
        let mut unpacker = Unpacker::new(LIMITS);
        let mut content = Vec::new();
        for portion in packed.chunks(portion) {
            unpacker.feed(portion)?;
            content.extend(unpacker.take());
        }
        unpacker.end()?;
        content.extend(unpacker.take());
        Ok(content)
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    #[test]
    fn names_say_what_is_unpacked() {
        for (name, packed) in [
            ("users.csv.gz", true),
            ("users.GZ", true),
            ("a.gz", true),
            (".gz", false),
            ("gz", false),
            ("a.gzip", false),
        ] {
            assert_eq!(is_packed(name), packed, "{name}");
        }
        assert!(!is_packed("ü") && !is_packed("") && is_packed("ü.gz"));
    }

    #[test]
    fn what_was_packed_comes_back_in_whatever_portions_it_comes() {
        let (a, b) = (b"id,email\n1,a@x.de\n".to_vec(), noise(100_000));
        let cases: [(&str, Vec<u8>, Vec<u8>); 6] = [
            ("one member", packed(&a), a.clone()),
            ("names in the header", with_names(&b), b.clone()),
            ("two members", [packed(&a), packed(&b)].concat(), [a.clone(), b.clone()].concat()),
            ("an empty one between", [packed(&a), packed(b""), with_names(&b)].concat(), [a.clone(), b].concat()),
            ("nothing in it", packed(b""), Vec::new()),
            ("not one byte", Vec::new(), Vec::new()),
        ];
        for (what, packed, content) in cases {
            for portion in [1, 7, 8192, usize::MAX] {
                assert!(unpacked(&packed, portion) == Ok(content.clone()), "{what}, {portion} at once");
            }
        }
    }

    #[test]
    fn what_is_no_whole_gzip_is_told_apart() {
        let whole = packed(&noise(50_000));
        let length = whole.len();
        let damaged = |at: usize| {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            bytes
        };
        let cut = |at: usize| whole[..at].to_vec();
        let with = |more: &[u8]| [&whole, more].concat();
        type Case = (&'static str, Vec<u8>, fn(&Fault) -> bool);
        let cases: [Case; 11] = [
            ("plain text", b"id,email\n1,a@x.de\n".to_vec(), |fault| *fault == Fault::NotGzip),
            ("one byte", b"i".to_vec(), |fault| *fault == Fault::NotGzip),
            ("cut in the header", cut(5), |fault| *fault == Fault::Truncated),
            ("cut in the content", cut(length / 2), |fault| *fault == Fault::Truncated),
            ("cut in the checksum", cut(length - 3), |fault| matches!(fault, Fault::Damaged(_))),
            ("a checksum that is none", damaged(length - 6), |fault| matches!(fault, Fault::Damaged(_))),
            ("a length that is none", damaged(length - 1), |fault| matches!(fault, Fault::Damaged(_))),
            ("a letter behind it", with(b"x"), |fault| matches!(fault, Fault::Trailing(_))),
            ("text behind it", with(b"something else entirely"), |fault| matches!(fault, Fault::Trailing(_))),
            ("zeros behind it", with(&[0; 512]), |fault| matches!(fault, Fault::Trailing(_))),
            ("a second one, cut", with(&whole[..length / 2]), |fault| *fault == Fault::Truncated),
        ];
        for (what, packed, expected) in cases {
            for portion in [1, 8192, usize::MAX] {
                let fault = unpacked(&packed, portion).expect_err(what);
                assert!(expected(&fault), "{what}, {portion} at once: {fault:?}");
            }
        }
    }

    #[test]
    fn what_unfolds_too_far_ends_there() {
        let bomb = packed(&vec![b'a'; 64 << 20]);
        assert!(bomb.len() < 128 << 10);
        let mut unpacker = Unpacker::new(LIMITS);
        let fault = bomb.chunks(8192).find_map(|portion| unpacker.feed(portion).err());
        assert_eq!(fault, Some(Fault::TooDense(100)));
        assert!(unpacker.take().len() <= 1 << 20, "nothing beyond the limit is kept");

        let large = packed(&noise(9 << 20));
        assert_eq!(unpacked(&large, 8192), Err(Fault::TooLarge(8 << 20)));
        let dense_and_small = packed(&vec![b'a'; 1 << 20]);
        assert!(dense_and_small.len() < 4 << 10);
        assert_eq!(unpacked(&dense_and_small, 8192).map(|content| content.len()), Ok(1 << 20));
    }
}
