//! `usersync local`: the controller over a folder of manifests.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;

use super::{
    Exit,
    reports::{ttl, usable},
    signals::until_signalled,
};
use crate::{api::duration::Duration, app::Local, engine::controller::Options, reports::ReportsAt};

/// Arguments of `usersync local`.
#[derive(Debug, Args)]
#[command(
    after_help = "Watches the folder: a manifest that is added, edited or removed counts within a second. The manifests are
never edited. Logs what it does (USERSYNC_LOG, default `info`).

Examples:
  usersync local syncs/                     until it is told to stop
  usersync update hr --local syncs/ --wait  meanwhile: import now
  usersync runs --local syncs/              and what has happened"
)]
pub struct LocalArgs {
    /// The folder of manifests (*.yaml, *.yml, *.json; folders within are not looked into)
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Where state is kept [default: .usersync in the folder]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where reports are kept: a folder or s3://BUCKET/PREFIX [default: with the state]
    #[arg(long, value_name = "DIR")]
    reports: Option<ReportsAt>,
    /// Remove reports older than this, such as 90d, also those of syncs that are gone; others go with their runs
    #[arg(long, value_name = "DURATION", value_parser = ttl)]
    report_ttl: Option<std::time::Duration>,
    /// Secrets as Kubernetes mounts them: DIR/NAME/KEY
    #[arg(long, value_name = "DIR")]
    secrets: Option<PathBuf>,
    /// How many runs work at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    max_concurrent_runs: u16,
    /// How many logins one SFTP or FTP server gets at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    max_logins_per_server: u16,
    /// On SIGTERM, how long runs at work have to commit or to roll back
    #[arg(long, value_name = "DURATION", default_value = "25s")]
    grace: Duration,
    /// Tells installations apart that write to one database
    #[arg(long, value_name = "NAME", default_value = "usersync")]
    instance: String,
    /// Where /metrics, /healthz and /readyz are answered [default: nowhere]
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
}

/// Works until it is told to stop.
pub fn local(args: LocalArgs) -> anyhow::Result<Exit> {
    if !args.folder.is_dir() {
        eprintln!("usersync: {}: there is no such folder: name the folder of the manifests", args.folder.display());
        return Ok(Exit::Usage);
    }
    if args.reports.as_ref().is_some_and(|reports| !usable(reports)) {
        return Ok(Exit::Usage);
    }
    let local = Local {
        folder: args.folder,
        data: args.data,
        reports: args.reports,
        report_ttl: args.report_ttl,
        secrets: args.secrets,
        logins: usize::from(args.max_logins_per_server),
        options: Options { max_concurrent_runs: usize::from(args.max_concurrent_runs), grace: args.grace.get() },
        instance: args.instance,
        metrics: args.metrics,
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let ended = runtime.block_on(until_signalled(|stop| local.run(stop)));
    // What still works after the grace time is not waited for.
    runtime.shutdown_background();
    ended.map(|()| Exit::Completed)
}
