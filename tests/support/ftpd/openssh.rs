//! OpenSSH, with the accounts of its room. (`support::sshd` is the one for keys, and for whoever runs the tests.)

use std::{fs, path::Path, process::Command};

use super::{Protocol, Setup, room::Ports};

pub fn command(folder: &Path, ports: &Ports, setup: &Setup) -> Command {
    assert_eq!(setup.protocol, Protocol::Sftp, "OpenSSH speaks nothing else");
    // Where a folder's parents are all root's: it refuses to make any other one the root.
    let chroot = if setup.chroot { "ChrootDirectory /run/room/home\n" } else { "" };
    let config = folder.join("sshd.conf");
    let text = format!(
        "ListenAddress {}\nPort {}\nHostKey {}/host_ed25519\nPidFile none\n{chroot}AuthorizedKeysFile none\nUsePAM no\n\
         PasswordAuthentication yes\nKbdInteractiveAuthentication no\nUseDNS no\nMaxStartups 100\nLogLevel VERBOSE\n\
         Subsystem sftp internal-sftp\nForceCommand internal-sftp\n{}\n",
        setup.address,
        ports.control,
        folder.display(),
        setup.more.join("\n"),
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new("/usr/sbin/sshd");
    command.args(["-D", "-e", "-f"]).arg(config);
    command
}
