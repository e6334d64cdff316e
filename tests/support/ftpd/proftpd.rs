//! ProFTPD, with its own file of accounts; its module for SFTP too.

use std::{fs, path::Path, process::Command};

use super::{Protocol, Setup, UID, USER, Version, password_hash, program, programs, room::Ports};

pub fn command(folder: &Path, ports: &Ports, setup: &Setup) -> Command {
    let config = folder.join("proftpd.conf");
    fs::write(&config, configuration(folder, ports, setup)).unwrap();
    let accounts = folder.join("accounts");
    let home = folder.join("home");
    let public = folder.join("public");
    let lines = format!(
        "{USER}:{}:{UID}:{UID}::{}:/bin/sh\nftp:*:20022:20022::{}:/bin/sh\n",
        password_hash(),
        home.display(),
        public.display()
    );
    fs::write(&accounts, lines).unwrap();
    fs::set_permissions(&accounts, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut command = program("proftpd");
    command.args(["-n", "-c"]).arg(config);
    command
}

fn configuration(folder: &Path, ports: &Ports, setup: &Setup) -> String {
    let modules = programs().join("modules");
    let chroot = if setup.chroot { "DefaultRoot ~" } else { "" };
    let folder = folder.display();
    let mut text = format!(
        "ModulePath {}\nLoadModule mod_tls.c\nLoadModule mod_sftp.c\n\
         ServerType standalone\nServerName test\nDefaultAddress {}\nSocketBindTight on\nUseIPv6 {}\nUseReverseDNS off\n\
         Port {}\nPassivePorts {} {}\nUser nobody\nGroup nogroup\nMaxInstances 50\n\
         AuthOrder mod_auth_file.c\nAuthUserFile {folder}/accounts\nAuthGroupFile {folder}/etc/group\nRequireValidShell off\n{chroot}\nUmask 022\n\
         AllowOverwrite on\nAllowRetrieveRestart on\nAllowStoreRestart on\n\
         PidFile {folder}/run/pid\nScoreboardFile {folder}/run/scoreboard\nWtmpLog off\nTransferLog none\nDelayEngine off\n\
         SystemLog {folder}/server.log\nDebugLevel 3\n",
        modules.display(),
        setup.address,
        if setup.address.is_ipv4() { "off" } else { "on" },
        ports.control,
        ports.passive.start(),
        ports.passive.end(),
    );
    match setup.protocol {
        Protocol::Ftp => {}
        Protocol::Explicit | Protocol::Implicit => text += &tls(setup, &folder.to_string()),
        Protocol::Sftp => {
            text += &format!(
                "SFTPEngine on\nSFTPHostKey {folder}/host_ed25519\nSFTPAuthMethods password publickey\n\
                 SFTPLog {folder}/server.log\nSFTPAuthorizedUserKeys file:{folder}/authorized\n"
            );
        }
    }
    if setup.anonymous {
        text += &format!(
            "<Anonymous {folder}/public>\nUser ftp\nGroup ftp\nUserAlias anonymous ftp\n\
             RequireValidShell off\n</Anonymous>\n"
        );
    }
    text + &setup.more.join("\n") + "\n"
}

fn tls(setup: &Setup, folder: &str) -> String {
    let mut options = Vec::new();
    if setup.protocol == Protocol::Implicit {
        options.push("UseImplicitSSL");
    }
    if !setup.session_reuse {
        options.push("NoSessionReuseRequired");
    }
    let options = if options.is_empty() { String::new() } else { format!("TLSOptions {}\n", options.join(" ")) };
    let versions = match setup.version {
        Version::Any => "TLSv1.2 TLSv1.3",
        Version::Only12 => "TLSv1.2",
        Version::Only13 => "TLSv1.3",
    };
    format!(
        "TLSEngine on\nTLSRequired on\nTLSProtocol {versions}\nTLSLog {folder}/server.log\nTLSVerifyClient off\n\
         TLSECCertificateFile {folder}/certificate.pem\nTLSECCertificateKeyFile {folder}/key.pem\n{options}"
    )
}
