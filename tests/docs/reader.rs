//! A reader of a page that shows `kubectl` and `helm`: one with a cluster of their own, and a copy of what is to be installed.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    blocks::{Block, commands},
    support::{charts::tools, cluster},
};

/// The cluster, and where the programs are that speak to it.
pub struct Reader {
    cluster: cluster::Cluster,
    home: PathBuf,
}

impl Reader {
    /// None for a page that needs no cluster.
    pub fn of(console: &[Block], folder: &Path) -> Option<Self> {
        let needed = |command: &str| command.starts_with("kubectl ") || command.starts_with("helm ");
        let needed = console.iter().flat_map(commands).any(|(command, _)| needed(&command));
        needed.then(|| Self { cluster: cluster::Cluster::start(), home: folder.join(".home") })
    }

    /// What a shell of this reader must know.
    pub fn equip(&self, shell: &mut Command, path: &str) {
        let path = format!("{}:{}:{path}", cluster::build(false).display(), tools().display());
        shell.env("PATH", path).env("KUBECONFIG", self.cluster.kubeconfig()).env("HOME", &self.home);
        for folder in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            shell.env(folder, &self.home);
        }
    }

    /// A person is slower than the API server, which takes a moment to serve a new definition.
    pub fn pauses(&self) {
        self.cluster.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"]);
    }
}
