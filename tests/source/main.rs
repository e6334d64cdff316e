//! Sources against real folders and a real OpenSSH server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod browse;
mod directory;
mod hostile;
mod legacy;
mod login;
mod mod_sftp;
mod moving;
mod odd;
mod server;
#[path = "../support/mod.rs"]
mod support;
mod transfer;
mod tries;
mod views;
mod wrong;

use usersync::{
    model::file::Stamp,
    ports::{Source, SourceError},
};

/// Fetches a file into memory.
async fn fetch(source: &dyn Source, file: &Stamp) -> Result<Vec<u8>, SourceError> {
    let mut content = Vec::new();
    let bytes = source.fetch(file, 0, &mut content, &|_| {}).await?;
    assert_eq!(bytes, content.len() as u64);
    Ok(content)
}

/// The file as it is listed.
async fn listed(source: &dyn Source, name: &str) -> Stamp {
    let all = source.list().await.unwrap();
    let listed = all.iter().find(|listed| listed.name == name).unwrap_or_else(|| panic!("{name} is not in {all:?}"));
    Stamp::from(listed)
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

/// The error's text, which must hold each of `parts`.
#[track_caller]
fn says(error: &SourceError, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}
