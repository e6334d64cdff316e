//! From when until when a certificate counts (RFC 5280, section 4.1.2.5): the one thing of it that rustls doesn't tell.

use std::time::Duration;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use rustls::pki_types::UnixTime;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Not before, and not after. None: it can't be read.
pub fn read(certificate: &[u8]) -> Option<(UnixTime, UnixTime)> {
    let (SEQUENCE, certificate, _) = part(certificate)? else { return None };
    let (SEQUENCE, signed, _) = part(certificate)? else { return None };
    let (tag, _, behind) = part(signed)?;
    let signed = if tag == VERSION { behind } else { signed };
    let (_serial, _, signed) = part(signed)?;
    let (_algorithm, _, signed) = part(signed)?;
    let (_issuer, _, signed) = part(signed)?;
    let (SEQUENCE, validity, _) = part(signed)? else { return None };
    let (tag, not_before, behind) = part(validity)?;
    let not_before = time(tag, not_before)?;
    let (tag, not_after, _) = part(behind)?;
    Some((not_before, time(tag, not_after)?))
}

/// Tag, content, and what is behind (DER: X.690, section 8.1).
fn part(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ ..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(long - 0x80))?;
            (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, behind) = rest.split_at_checked(length)?;
    Some((*tag, content, behind))
}

/// `YYMMDDHHMMSSZ` (1950 to 2049) or `YYYYMMDDHHMMSSZ`.
fn time(tag: u8, text: &[u8]) -> Option<UnixTime> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
    let text = match tag {
        UTC_TIME if text.as_bytes().first()? < &b'5' => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let civil = DateTime::strptime("%Y%m%d%H%M%SZ", &text).ok()?;
    let time: Timestamp = TimeZone::UTC.to_timestamp(civil).ok()?;
    // Before the epoch is as good as at it: both are long ago.
    Some(UnixTime::since_unix_epoch(Duration::from_secs(time.as_second().try_into().unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let head =
            if length < 0x80 { vec![tag, length as u8] } else { vec![tag, 0x82, (length >> 8) as u8, length as u8] };
        [head, content.to_vec()].concat()
    }

    fn certificate(version: bool, before: (u8, &str), after: (u8, &str)) -> Vec<u8> {
        let validity = [der(before.0, before.1.as_bytes()), der(after.0, after.1.as_bytes())].concat();
        let version = if version { der(VERSION, &der(2, &[2])) } else { Vec::new() };
        let issuer = der(SEQUENCE, &[0; 300]);
        let signed = [version, der(2, &[1]), der(SEQUENCE, &[]), issuer, der(SEQUENCE, &validity), vec![5, 0]].concat();
        der(SEQUENCE, &der(SEQUENCE, &signed))
    }

    #[test]
    fn times_of_a_certificate() {
        let seconds = |certificate: &[u8]| read(certificate).map(|(from, until)| (from.as_secs(), until.as_secs()));
        let utc = |text| (UTC_TIME, text);
        for (certificate, expected) in [
            (certificate(true, utc("700101000100Z"), utc("491231235959Z")), Some((60, 2_524_607_999))),
            (certificate(false, utc("500101000000Z"), (GENERALIZED_TIME, "20500101000000Z")), Some((0, 2_524_608_000))),
            (certificate(true, utc("701301000100Z"), utc("491231235959Z")), None),
            (certificate(true, (4, "700101000100Z"), utc("491231235959Z")), None),
            (certificate(true, utc(""), utc("")), None),
        ] {
            assert_eq!(seconds(&certificate), expected);
            (0..certificate.len() - 10).for_each(|cut| assert_eq!(seconds(&certificate[..cut]), None, "{cut}"));
        }
    }
}
