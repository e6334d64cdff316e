//! A server behind NAT that announces another address than the one it is reached at, and has no EPSV, which announces none.

use std::sync::Arc;

use usersync::ports::Source;

use crate::{
    fetch, listed, noise,
    support::ftpd::{Brand, Ftpd, Protocol, Setup},
};

/// An address that nobody has (RFC 5737).
const ELSEWHERE: &str = "203.0.113.7";

async fn goes_where_the_control_connection_goes(brand: Brand, protocol: Protocol, more: &[String]) {
    let server = Ftpd::start(brand, Setup { protocol, more: more.to_vec(), ..Setup::default() });
    let content = noise(300_000);
    server.put("users.csv", &content);
    let source: Arc<dyn Source> = server.source();
    for _ in 0..2 {
        let file = listed(&*source, "users.csv").await;
        assert!(fetch(&*source, &file, 0).await.unwrap() == content);
    }
    let file = listed(&*source, "users.csv").await;
    assert!(fetch(&*source, &file, 299_000).await.unwrap() == content[299_000..]);
    source.rename("users.csv", "bak/users.csv").await.unwrap();
    assert!(server.outbox().join("bak/users.csv").exists());
    // So it was: the answer to PASV named another place.
    let log = server.log();
    assert!(log.contains("Entering Passive Mode (203,0,113,7,"), "{log}");
}

fn vsftpd() -> Vec<String> {
    vec![format!("pasv_address={ELSEWHERE}"), "cmds_denied=EPSV".to_owned()]
}

fn proftpd() -> Vec<String> {
    vec![format!("MasqueradeAddress {ELSEWHERE}"), "<Limit EPSV>\nDenyAll\n</Limit>".to_owned()]
}

#[tokio::test]
async fn vsftpd_announces_another_address() {
    goes_where_the_control_connection_goes(Brand::Vsftpd, Protocol::Ftp, &vsftpd()).await;
}

#[tokio::test]
async fn vsftpd_announces_another_address_where_all_is_encrypted() {
    goes_where_the_control_connection_goes(Brand::Vsftpd, Protocol::Explicit, &vsftpd()).await;
}

#[tokio::test]
async fn proftpd_announces_another_address() {
    goes_where_the_control_connection_goes(Brand::ProFtpd, Protocol::Ftp, &proftpd()).await;
}

#[tokio::test]
async fn proftpd_announces_another_address_where_all_is_encrypted() {
    goes_where_the_control_connection_goes(Brand::ProFtpd, Protocol::Explicit, &proftpd()).await;
}
