//! Results: on stdout. A reader that went away (`| head`) is no error.

use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};

use crate::sync::render::text::visible;

/// Writes text as it is.
pub fn text(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// Writes a line.
pub fn line(line: &str) -> io::Result<()> {
    text(&format!("{line}\n"))
}

/// Writes a file as it is; to a terminal, which strangers' cells could steer, with what steers made visible.
pub fn file(mut file: impl Read) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let written = match out.is_terminal() {
        false => io::copy(&mut file, &mut out).and_then(|_| out.flush()),
        true => BufReader::new(file).split(b'\n').try_for_each(|line| {
            let line = line?;
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            writeln!(out, "{}", visible(&String::from_utf8_lossy(line)))
        }),
    };
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}
