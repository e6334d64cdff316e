//! vsftpd. Its accounts are the system's, by way of PAM: those of its room.

use std::{fs, path::Path, process::Command};

use super::{Protocol, Setup, program, room::Ports};

pub fn command(folder: &Path, ports: &Ports, setup: &Setup) -> Command {
    let config = folder.join("vsftpd.conf");
    fs::write(&config, configuration(folder, ports, setup)).unwrap();
    let mut command = program("vsftpd");
    command.arg(config);
    command
}

fn configuration(folder: &Path, ports: &Ports, setup: &Setup) -> String {
    let yes = |whether| if whether { "YES" } else { "NO" };
    let (listen, address) = match setup.address.is_ipv4() {
        true => ("listen=YES\nlisten_ipv6=NO", "listen_address"),
        false => ("listen=NO\nlisten_ipv6=YES", "listen_address6"),
    };
    let tls = matches!(setup.protocol, Protocol::Explicit | Protocol::Implicit);
    let folder = folder.display();
    format!(
        "{listen}\n{address}={}\nlisten_port={}\nbackground=NO\npasv_min_port={}\npasv_max_port={}\n\
         pam_service_name=ftp\nlocal_enable=YES\nwrite_enable=YES\nlocal_umask=022\n\
         chroot_local_user={}\nsecure_chroot_dir={folder}/empty\n\
         anonymous_enable={}\nanon_root={folder}/public\nallow_anon_ssl=YES\n\
         utf8_filesystem=YES\nseccomp_sandbox=NO\nisolate=NO\nisolate_network=NO\n\
         xferlog_enable=YES\nxferlog_std_format=NO\nlog_ftp_protocol=YES\nvsftpd_log_file={folder}/server.log\n\
         ssl_enable={}\nimplicit_ssl={}\nrequire_ssl_reuse={}\nforce_local_logins_ssl=YES\nforce_local_data_ssl=YES\n\
         ssl_ciphers=HIGH\nrsa_cert_file={folder}/certificate.pem\nrsa_private_key_file={folder}/key.pem\ndebug_ssl=YES\n{}\n",
        setup.address,
        ports.control,
        ports.passive.start(),
        ports.passive.end(),
        yes(setup.chroot),
        yes(setup.anonymous),
        yes(tls),
        yes(setup.protocol == Protocol::Implicit),
        yes(setup.session_reuse),
        setup.more.join("\n"),
    )
}
