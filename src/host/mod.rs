//! Where manifests come from and where status goes.

pub mod kube;
pub mod local;
pub mod place;
