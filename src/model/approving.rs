//! How a person approves a held run: what is to be typed depends on where the run is.

/// How a person approves held runs here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Approving {
    /// In a cluster, by kubectl.
    #[default]
    Cluster,
    /// In local mode, by `usersync approve` with these arguments, which find the folder.
    Local(Vec<String>),
    /// By `usersync run` with these arguments, and the file's SHA-256.
    Run(Vec<String>),
}
