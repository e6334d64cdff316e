//! Packets, byte by byte.

use super::*;

fn taken(bytes: &[u8]) -> Result<Option<(u32, Reply)>, Malformed> {
    take(&mut BytesMut::from(bytes))
}

/// A packet with its length before it.
fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[..], body].concat()
}

#[test]
fn a_request_has_its_length_before_it() {
    let packet = Request::new(Kind::Read, 7).bytes(&[0xff, 0]).u64(5).u32(9).packet();
    assert_eq!(packet[..], [0, 0, 0, 23, 5, 0, 0, 0, 7, 0, 0, 0, 2, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 9]);
}

#[test]
fn replies_are_read() {
    let cases: [(&[u8], Reply); 6] = [
        (&[101, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, b'x', 0, 0, 0, 0], Reply::Status(2, "x".into())),
        (&[101, 0, 0, 0, 1, 0, 0, 0, 77], Reply::Status(77, String::new())),
        (&[102, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xfe], Reply::Handle(Bytes::from_static(&[0xff, 0xfe]))),
        (&[103, 0, 0, 0, 1, 0, 0, 0, 1, b'd'], Reply::Data(Bytes::from_static(b"d"))),
        (&[104, 0, 0, 0, 1, 0, 0, 0, 0], Reply::Names(vec![])),
        (
            &[105, 0, 0, 0, 1, 0x80, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0x81, 0xa4, 0, 0, 0, 0],
            Reply::Attributes(Attributes { size: Some(3), mode: Some(0o100644), mtime: None }),
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(taken(&framed(body)), Ok(Some((1, expected))));
    }
}

#[test]
fn a_packet_in_pieces_waits_for_the_rest() {
    let whole = framed(&[103, 0, 0, 0, 1, 0, 0, 0, 1, b'd']);
    for end in 0..whole.len() {
        assert_eq!(taken(&whole[..end]), Ok(None), "{end} bytes");
    }
}

#[test]
fn what_is_no_sftp_is_refused() {
    let cases: [&[u8]; 5] = [
        b"Welcome to this server!\n",
        &[0, 0, 0, 0],
        &framed(&[99, 0, 0, 0, 1]),
        &framed(&[103, 0, 0, 0, 1, 0, 0, 0, 9, b'd']),
        &framed(&[104, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]),
    ];
    for bytes in cases {
        assert_eq!(taken(bytes), Err(Malformed), "{bytes:?}");
    }
}
