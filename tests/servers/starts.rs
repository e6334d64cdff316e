//! The servers themselves: each lets in whom it should, and nobody else.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

use crate::support::ftpd::{Brand, Ftpd, PASSWORD, Setup, USER};

#[test]
fn every_ftp_server_tells_passwords_apart() {
    for brand in [Brand::Vsftpd, Brand::ProFtpd, Brand::PureFtpd] {
        let server = Ftpd::start(brand, Setup::default());
        assert_eq!(reply(&server, PASSWORD), "230", "{brand:?}");
        assert_eq!(reply(&server, "another"), "530", "{brand:?}");
        assert_eq!(reply(&server, ""), "530", "{brand:?}");
    }
}

/// The reply to a login.
fn reply(server: &Ftpd, password: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    // `220-` goes on, `220 ` is the end.
    let mut end = || loop {
        let line = lines.next().unwrap().unwrap();
        if line.as_bytes()[3] == b' ' {
            return line[..3].to_owned();
        }
    };
    assert_eq!(end(), "220");
    write!(stream, "USER {USER}\r\n").unwrap();
    assert_eq!(end(), "331");
    write!(stream, "PASS {password}\r\n").unwrap();
    end()
}
