//! Sources against the servers that people have. One table: each row a server and what is spoken to it, each column something
//! that a source does there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod browse;
mod disks;
mod faults;
mod link;
mod list_alone;
mod login;
mod look;
mod mounts;
mod moving;
mod nat;
mod runs;
mod secrets;
mod starts;
#[path = "../support/mod.rs"]
mod support;
mod take;

use usersync::{
    model::file::{Listed, Stamp},
    ports::{Source, SourceError},
};

/// Tests of one row: a function of each column with a server of its own.
macro_rules! row {
    ($name:ident, $brand:ident, $protocol:ident, $($module:ident :: { $($column:ident),* $(,)? })*) => {
        mod $name {
            use crate::support::ftpd::{Brand, Protocol, Setup};
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $column() {
                    let setup = Setup { protocol: Protocol::$protocol, ..Setup::default() };
                    crate::$module::$column(Brand::$brand, setup).await;
                }
            )*)*
        }
    };
}

macro_rules! table {
    ($($name:ident: $brand:ident by $protocol:ident, $kind:ident;)*) => { $(row_of!($kind, $name, $brand, $protocol);)* };
}

/// Which columns there are depends on what is spoken.
macro_rules! row_of {
    (sftp, $name:ident, $brand:ident, $protocol:ident) => {
        row! { $name, $brand, $protocol,
            look::{ lists_names_of_every_kind, asks_for_one_file, lists_ten_thousand_files, folder_is_missing, folder_is_closed }
            take::{ fetches, goes_on_from_an_offset, notices_a_file_that_grew, file_is_gone, file_is_closed }
            moving::{ archives, never_overwrites, folder_cannot_be_written, deletes }
            login::{ wrong_password, without_chroot, wrong_host_key, over_ipv6 }
        }
    };
    (plain, $name:ident, $brand:ident, $protocol:ident) => {
        row! { $name, $brand, $protocol,
            look::{ lists_names_of_every_kind, asks_for_one_file, lists_ten_thousand_files, folder_is_missing, folder_is_closed }
            take::{ fetches, goes_on_from_an_offset, notices_a_file_that_grew, file_is_gone, file_is_closed }
            moving::{ archives, never_overwrites, folder_cannot_be_written, deletes }
            login::{ wrong_password, without_chroot, anybody, over_ipv6 }
        }
    };
    // Files and names are no other than in the clear, but every one comes by a connection that is encrypted anew.
    (encrypted, $name:ident, $brand:ident, $protocol:ident) => {
        row! { $name, $brand, $protocol,
            look::{ lists_names_of_every_kind, lists_ten_thousand_files, folder_is_missing }
            take::{ fetches, goes_on_from_an_offset, notices_a_file_that_grew }
            moving::{ archives }
            login::{ wrong_password, wrong_certificate, anybody, over_ipv6, with_tls_1_2, with_tls_1_3 }
        }
    };
    (reusing, $name:ident, $brand:ident, $protocol:ident) => {
        row! { $name, $brand, $protocol,
            look::{ lists_names_of_every_kind, lists_ten_thousand_files, folder_is_missing }
            take::{ fetches, goes_on_from_an_offset, notices_a_file_that_grew }
            moving::{ archives }
            login::{
                wrong_password, wrong_certificate, anybody, over_ipv6, with_tls_1_2, with_tls_1_3,
                sessions_go_on_with_tls_1_2, sessions_go_on_with_tls_1_3,
            }
        }
    };
}

table! {
    openssh_sftp: OpenSsh by Sftp, sftp;
    proftpd_sftp: ProFtpd by Sftp, sftp;
    vsftpd_ftp: Vsftpd by Ftp, plain;
    vsftpd_explicit: Vsftpd by Explicit, reusing;
    vsftpd_implicit: Vsftpd by Implicit, reusing;
    proftpd_ftp: ProFtpd by Ftp, plain;
    proftpd_explicit: ProFtpd by Explicit, reusing;
    proftpd_implicit: ProFtpd by Implicit, reusing;
    pureftpd_ftp: PureFtpd by Ftp, plain;
    pureftpd_explicit: PureFtpd by Explicit, encrypted;
}

row! { vsftpd_disks, Vsftpd, Ftp, disks::{ moves_to_another_disk, archives_on_another_disk, makes_folders_with_the_parents_rights } }
row! { vsftpd_disks_explicit, Vsftpd, Explicit, disks::{ moves_to_another_disk, vouches_for_itself } }
row! { proftpd_disks, ProFtpd, Ftp, disks::{ moves_to_another_disk, archives_on_another_disk, makes_folders_with_the_parents_rights } }
row! { proftpd_disks_explicit, ProFtpd, Explicit, disks::{ moves_to_another_disk, vouches_for_itself } }
row! { proftpd_disks_sftp, ProFtpd, Sftp, disks::{ archives_on_another_disk } }
row! { openssh_disks_sftp, OpenSsh, Sftp, disks::{ archives_on_another_disk } }
row! { pureftpd_disks, PureFtpd, Ftp, disks::{ moves_to_another_disk, archives_on_another_disk, makes_folders_with_the_parents_rights } }
row! { pureftpd_disks_explicit, PureFtpd, Explicit, disks::{ moves_to_another_disk, vouches_for_itself } }

row! { openssh_sftp_mounts, OpenSsh, Sftp, mounts::{ moves_to_a_mounted_disk, loses_nothing_where_a_disk_is_full } }
row! { proftpd_sftp_mounts, ProFtpd, Sftp, mounts::{ moves_to_a_mounted_disk, loses_nothing_where_a_disk_is_full } }

/// The file as it is listed.
async fn listed(source: &dyn Source, name: &str) -> Stamp {
    Stamp::from(&one(source.list().await.unwrap(), name))
}

fn one(all: Vec<Listed>, name: &str) -> Listed {
    let found = all.iter().find(|listed| listed.name == name);
    found.unwrap_or_else(|| panic!("{name} is not in {all:?}")).clone()
}

/// Fetches a file into memory, from an offset.
async fn fetch(source: &dyn Source, file: &Stamp, from: u64) -> Result<Vec<u8>, SourceError> {
    let mut content = Vec::new();
    let bytes = source.fetch(file, from, &mut content, &|_| {}).await?;
    assert_eq!(bytes, from + content.len() as u64);
    Ok(content)
}

/// The error's text, which must hold each of `parts`.
#[track_caller]
fn says(error: &SourceError, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

/// Bytes that no compression shortens and no shift leaves equal.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
