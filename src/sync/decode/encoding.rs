//! The file's encoding: a BOM says it, or the manifest.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
};

use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::DecodeError;

/// Stands in the transcoded text where bytes could not be decoded: no byte of UTF-8, so that the row is found later.
const UNDECODABLE: u8 = 0xff;

/// The encoding, and how many bytes of BOM there are.
pub(super) struct Found {
    pub encoding: &'static Encoding,
    pub bom: usize,
}

/// Finds the encoding of a file with this beginning; `label` is what the manifest says (a WHATWG label).
pub(super) fn find(sample: &[u8], label: &str) -> Result<Found, DecodeError> {
    if let Some((encoding, bom)) = Encoding::for_bom(sample) {
        return Ok(Found { encoding, bom });
    }
    let encoding = Encoding::for_label_no_replacement(label.as_bytes())
        .ok_or_else(|| DecodeError::Encoding(format!("`csv.encoding: {label}` is no known encoding")))?;
    let wide = encoding == UTF_16LE || encoding == UTF_16BE;
    if let (false, Some(likely)) = (wide, wide_without_bom(sample)) {
        return Err(DecodeError::Encoding(format!(
            "the file looks like UTF-16 without a byte order mark, not like {label}: set `csv.encoding: {likely}`, or save \
             it as UTF-8"
        )));
    }
    Ok(Found { encoding, bom: 0 })
}

/// Latin text in UTF-16 has a NUL in every other byte.
fn wide_without_bom(sample: &[u8]) -> Option<&'static str> {
    let sample = &sample[..sample.len().min(512)];
    let nuls = |first: usize| sample.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let most = sample.len() / 4;
    match (nuls(0), nuls(1)) {
        (even, odd) if sample.len() >= 8 && odd > most && even <= odd / 4 => Some("UTF-16LE"),
        (even, odd) if sample.len() >= 8 && even > most && odd <= even / 4 => Some("UTF-16BE"),
        _ => None,
    }
}

/// Transcodes the file into `scratch` as UTF-8. False: it is UTF-8 already, and nothing was done.
pub(super) fn transcode(file: &File, found: &Found, scratch: &File) -> io::Result<bool> {
    if found.encoding == UTF_8 {
        return Ok(false);
    }
    let mut from = BufReader::new(file);
    from.seek(SeekFrom::Start(found.bom as u64))?;
    let mut into = BufWriter::with_capacity(256 << 10, scratch);
    let mut decoder = found.encoding.new_decoder_without_bom_handling();
    let mut bytes = vec![0; 64 << 10];
    let mut text = vec![0; 256 << 10];
    loop {
        let read = from.read(&mut bytes)?;
        let mut rest = &bytes[..read];
        loop {
            let (result, used, written) = decoder.decode_to_utf8_without_replacement(rest, &mut text, read == 0);
            into.write_all(&text[..written])?;
            rest = &rest[used..];
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => into.write_all(&[UNDECODABLE])?,
            }
        }
        if read == 0 {
            into.flush()?;
            return Ok(true);
        }
    }
}
