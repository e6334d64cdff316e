//! `usersync operator`: the controller in a cluster.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context;
use clap::Args;

use super::{
    Exit,
    reports::{ttl, usable},
    signals::until_signalled,
};
use crate::{api::duration::Duration, app::Operator, engine::controller::Options, reports::ReportsAt};

/// Arguments of `usersync operator`.
#[derive(Debug, Args)]
#[command(
    after_help = "Runs in a pod, or wherever KUBECONFIG names a cluster. Logs what it does (USERSYNC_LOG, default `info`).

Examples:
  usersync operator                                        every namespace
  usersync operator --namespace people --namespace school  these two alone
  usersync operator --directory-root /data                 syncs may use /data/NAMESPACE"
)]
pub struct OperatorArgs {
    /// Look after the UserSyncs of this namespace alone; repeatable [default: all namespaces]
    #[arg(long = "namespace", value_name = "NAMESPACE", value_parser = name)]
    namespaces: Vec<String>,
    /// How many runs work at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    max_concurrent_runs: u16,
    /// How many logins one SFTP or FTP server gets at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    max_logins_per_server: u16,
    /// On SIGTERM, how long runs at work have to commit or to roll back
    #[arg(long, value_name = "DURATION", default_value = "25s")]
    grace: Duration,
    /// Where runs keep what they must remember
    #[arg(long, value_name = "DIR", default_value = "/var/lib/usersync")]
    data: PathBuf,
    /// Where reports are kept: a folder or s3://BUCKET/PREFIX [default: reports in the folder of --data]
    #[arg(long, value_name = "DIR")]
    reports: Option<ReportsAt>,
    /// Remove reports older than this, such as 90d, also those of syncs that are gone; others go with their runs
    #[arg(long, value_name = "DURATION", value_parser = ttl)]
    report_ttl: Option<std::time::Duration>,
    /// Syncs may use folders and SQLite files in DIR/NAMESPACE [default: none]
    #[arg(long, value_name = "DIR")]
    directory_root: Option<PathBuf>,
    /// Tells installations apart that write to one database
    #[arg(long, value_name = "NAME", default_value = "usersync")]
    instance: String,
    /// Where /metrics, /healthz and /readyz are answered
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:8080")]
    metrics: SocketAddr,
    /// The namespace of the Lease by which one of several replicas leads [default: the pod's own, else `default`]
    #[arg(long, value_name = "NAMESPACE", value_parser = name)]
    lease_namespace: Option<String>,
}

/// A namespace's name (RFC 1123 label).
fn name(text: &str) -> Result<String, String> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let good =
        (1..=63).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-');
    if good { Ok(text.to_owned()) } else { Err("this is no name of a namespace: a-z, 0-9 and - inside".to_owned()) }
}

/// Works until it is told to stop.
pub fn operator(args: OperatorArgs) -> anyhow::Result<Exit> {
    let directory_root = args.directory_root.map(|root| {
        root.canonicalize().with_context(|| format!("--directory-root {}: no folder that can be used", root.display()))
    });
    // Reports are named in a status, which is read elsewhere.
    let data = std::path::absolute(&args.data)?;
    let reports = match args.reports {
        None => ReportsAt::Folder(data.join("reports")),
        Some(ReportsAt::Folder(folder)) => ReportsAt::Folder(std::path::absolute(folder)?),
        Some(bucket) => bucket,
    };
    if !usable(&reports) {
        return Ok(Exit::Usage);
    }
    let operator = Operator {
        namespaces: args.namespaces,
        logins: usize::from(args.max_logins_per_server),
        options: Options { max_concurrent_runs: usize::from(args.max_concurrent_runs), grace: args.grace.get() },
        data,
        reports,
        report_ttl: args.report_ttl,
        directory_root: directory_root.transpose()?,
        instance: args.instance,
        metrics: args.metrics,
        lease_namespace: args.lease_namespace,
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let ended = runtime.block_on(until_signalled(|stop| operator.run(stop)));
    // What still works after the grace time, or after another replica took over, is not waited for.
    runtime.shutdown_background();
    ended.map(|()| Exit::Completed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_is_refused_at_once() {
        assert!(name("people").is_ok() && name("a").is_ok());
        for bad in ["", "People", "-a", "a-", "a.b", &"a".repeat(64)] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
