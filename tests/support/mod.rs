//! Servers that tests need: started on loopback with a private folder, ended with the test.
#![allow(dead_code, missing_docs)]

pub mod audit;
pub mod bench;
pub mod charts;
pub mod cluster;
pub mod delay;
pub mod ftpd;
pub mod mariadb;
pub mod operator;
pub mod postfix;
pub mod postgres;
pub mod relay;
pub mod sshd;
