//! A writer that is opened by its first byte.

use std::io::{self, Write};

/// Opens its writer when there is something to write, so that what has no content makes no file.
pub struct Lazy<W, F> {
    open: Option<F>,
    write: Option<W>,
}

impl<W: Write, F: FnOnce() -> io::Result<W>> Lazy<W, F> {
    /// Will call `open` once, at the first byte. If that fails, so does every write.
    pub fn new(open: F) -> Self {
        Self { open: Some(open), write: None }
    }

    /// The writer, if anything was written.
    pub fn into_inner(self) -> Option<W> {
        self.write
    }

    fn opened(&mut self) -> io::Result<&mut W> {
        if let Some(open) = self.open.take() {
            self.write = Some(open()?);
        }
        self.write.as_mut().ok_or_else(|| io::Error::other("the file could not be opened before"))
    }
}

impl<W: Write, F: FnOnce() -> io::Result<W>> Write for Lazy<W, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() { Ok(0) } else { self.opened()?.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write.as_mut().map_or(Ok(()), W::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_at_the_first_byte() {
        let mut lazy = Lazy::new(|| Ok(Vec::new()));
        lazy.flush().unwrap();
        lazy.write_all(b"").unwrap();
        assert!(lazy.write.is_none());
        lazy.write_all(b"a").unwrap();
        lazy.write_all(b"b").unwrap();
        assert_eq!(lazy.into_inner(), Some(b"ab".to_vec()));
    }

    #[test]
    fn a_failed_opening_is_not_forgotten() {
        let mut lazy = Lazy::new(|| Err::<Vec<u8>, _>(io::Error::other("disk full")));
        assert_eq!(lazy.write(b"a").unwrap_err().to_string(), "disk full");
        assert!(lazy.write(b"a").is_err());
    }
}
