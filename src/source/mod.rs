//! Adapters that fetch files.

pub mod directory;
pub mod sftp;
