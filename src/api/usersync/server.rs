//! The kinds of source: SFTP server, FTP server, directory, drop box.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{
    reference::{CaBundle, SecretName},
    size::Size,
};

/// An SFTP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SftpServer {
    /// Host name or address. Example: `files.example.com`.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[^\s/@]+$"))]
    pub host: String,
    /// TCP port of the server. Default: 22.
    #[serde(default = "sftp_port")]
    #[schemars(range(min = 1))]
    pub port: u16,
    /// The Secret with `username`, and `password` or `privateKey` (OpenSSH or PEM; with `passphrase` if it is encrypted).
    /// Example: `{name: hr-sftp}`.
    pub credentials: SecretName,
    /// The server must show one of these public keys: nothing is sent to any other. `TYPE BASE64`, or lines as `known_hosts`
    /// has them. `usersync check` says how to get them. Example: `["ssh-ed25519 AAAA…"]`.
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 16384)))]
    pub host_keys: Vec<String>,
    /// Which algorithms are offered: Modern (default), or Legacy for old servers that know nothing better; Legacy weakens
    /// the connection and shows as a warning.
    #[serde(default)]
    pub algorithms: Algorithms,
}

/// Which SSH algorithms are offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Algorithms {
    /// Those without known weaknesses.
    #[default]
    Modern,
    /// Older ones as well, for servers that offer nothing else.
    Legacy,
}

/// An FTP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.credentials) != (has(self.anonymous) && self.anonymous)")
    .message("give exactly one: credentials (a Secret), or anonymous: true for a server that lets anybody in"))]
pub struct FtpServer {
    /// Host name or address. Example: `ftp.example.com`.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[^\s/@]+$"))]
    pub host: String,
    /// TCP port of the server. Default: 21, with `tls: Implicit` 990.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// How the connection is protected: Explicit (default; AUTH TLS), Implicit (TLS from the first byte), or None, which sends
    /// password and files in the clear and shows as a warning.
    #[serde(default)]
    pub tls: FtpTls,
    /// The Secret with `username` and `password`; needed unless `anonymous: true`. Example: `{name: hr-ftp}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<SecretName>,
    /// Logs in as `anonymous`, without a password, to a server that lets anybody in; shows as a warning. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anonymous: bool,
    /// Certificates to trust instead of the system's. Example: `{configMapKeyRef: {name: ca, key: ca.crt}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<CaBundle>,
    /// The name that the server's certificate must have. Default: `host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub server_name: Option<String>,
}

/// How an FTP connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FtpTls {
    /// AUTH TLS before the login (RFC 4217).
    #[default]
    Explicit,
    /// TLS from the first byte.
    Implicit,
    /// Not at all.
    None,
}

/// A folder of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Directory {
    /// The folder. A relative path is relative to the manifest. Example: `/data/inbox`.
    #[schemars(length(min = 1, max = 4096))]
    pub path: String,
}

/// An account of UserSync's own SFTP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DropBox {
    /// The Secret with `passwordHash` or `authorizedKeys` of those who upload. Example: `{name: hr-upload}`.
    pub credentials: SecretName,
    /// The name to log in with. Default: NAMESPACE.NAME of this resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9][-._A-Za-z0-9]*$"))]
    pub username: Option<String>,
    /// How much its folder may hold, earlier files included. Default: no limit of its own. Example: `5Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Size>,
}

fn sftp_port() -> u16 {
    22
}
