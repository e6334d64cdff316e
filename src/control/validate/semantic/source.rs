//! `spec.source`: marker file, host keys.

use data_encoding::BASE64;

use super::super::problem::Finding;
use crate::api::usersync::{server::SftpServer, source::SourceSpec};

pub(super) fn findings(source: &SourceSpec) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(marker) = &source.wait_for {
        let how = "like \"{name}.done\"";
        let message = match &**marker {
            "{name}" => Some(format!("is the file itself: add something, {how}")),
            _ if marker.contains("{name}") => None,
            _ => Some(format!(
                "`{marker}` is one marker for all files: put {{name}}, the file's own name, into it, {how}"
            )),
        };
        findings.extend(message.map(|message| Finding::new("spec.source.waitFor", message)));
    }
    findings.extend(source.sftp.iter().flat_map(host_keys));
    findings
}

fn host_keys(server: &SftpServer) -> Vec<Finding> {
    let host = &server.host;
    let how = match server.port {
        22 => format!("`ssh-keyscan {host}` shows the server's keys"),
        port => format!("`ssh-keyscan -p {port} {host}` shows the server's keys"),
    };
    let mut findings = Vec::new();
    let mut count = 0;
    for (index, entry) in server.host_keys.iter().enumerate() {
        for line in entry.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            count += 1;
            if let Err(reason) = host_key(line) {
                let message = format!("{reason}; {how}");
                findings.push(Finding::new(format!("spec.source.sftp.hostKeys[{index}]"), message));
            }
        }
    }
    if count == 0 && !server.host_keys.is_empty() {
        findings.push(Finding::new("spec.source.sftp.hostKeys", format!("holds no key; {how}")));
    }
    findings
}

/// `TYPE BASE64`, or a line of `known_hosts` (sshd(8)): perhaps a marker, the hosts, then the same.
fn host_key(line: &str) -> Result<(), String> {
    if line.starts_with("-----BEGIN") {
        return Err(
            "this is a key file, perhaps a private one, which belongs nowhere near a manifest: the server's public \
                    host key is one line, like \"ssh-ed25519 AAAA…\""
                .to_owned(),
        );
    }
    if line.starts_with("SHA256:") || line.starts_with("MD5:") {
        return Err("this is a key's fingerprint: the key itself is needed, like \"ssh-ed25519 AAAA…\"".to_owned());
    }
    let mut words = line.split_whitespace().peekable();
    let marker = words.next_if(|word| word.starts_with('@'));
    if marker == Some("@cert-authority") {
        return Err("host certificates are not supported: give the server's own key".to_owned());
    }
    let is_type = |word: &str| word.starts_with("ssh-") || word.starts_with("ecdsa-") || word.starts_with("sk-");
    words.next_if(|word| !is_type(word));
    let (Some(kind), Some(key)) = (words.next(), words.next()) else {
        return Err("this is no host key: write it like \"ssh-ed25519 AAAA…\", or as a line of known_hosts".to_owned());
    };
    if is_whole(kind, key) {
        return Ok(());
    }
    Err(format!("this {kind} key can't be read, part of it may be missing: copy the whole line again"))
}

/// Whether the base64 is a key of that type with nothing missing: fields with their lengths (RFC 4253, section 6.6), the
/// first of which names the type.
fn is_whole(kind: &str, key: &str) -> bool {
    let Ok(bytes) = BASE64.decode(key.as_bytes()) else { return false };
    let mut rest = &bytes[..];
    let mut fields = Vec::new();
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some((field, tail)) = tail.split_at_checked(length) else { return false };
        fields.push(field);
        rest = tail;
    }
    rest.is_empty() && fields.len() > 1 && fields.first() == Some(&kind.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    #[test]
    fn host_keys_as_people_paste_them() {
        for line in [
            format!("ssh-ed25519 {KEY}"),
            format!("ssh-ed25519 {KEY} root@files"),
            format!("files.example.com ssh-ed25519 {KEY}"),
            format!("[files.example.com]:2222,10.0.0.1 ssh-ed25519 {KEY} comment"),
            format!("|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ssh-ed25519 {KEY}"),
        ] {
            assert_eq!(host_key(&line), Ok(()), "{line}");
        }
        for (line, reason) in [
            ("ssh-ed25519".to_owned(), "no host key"),
            ("files.example.com".to_owned(), "no host key"),
            (format!("ssh-ed25519 {}", &KEY[..40]), "can't be read"),
            (format!("ssh-rsa {KEY}"), "can't be read"),
            ("SHA256:uNiVztksCsDhcc0u9e8BrKxzVCsFA3DlR0dkCn45FQw".to_owned(), "fingerprint"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(), "private"),
            (format!("@cert-authority *.example.com ssh-ed25519 {KEY}"), "certificates"),
        ] {
            let error = host_key(&line).unwrap_err();
            assert!(error.contains(reason), "{line}: {error}");
        }
    }
}
