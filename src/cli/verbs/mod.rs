//! The day-to-day verbs: `suspend`, `resume`, `update`, `simulate`, `approve`, `runs`, `report`. In a cluster they do what
//! `kubectl patch` and `kubectl annotate` would, in a folder the same beside the manifests.

mod approve;
mod ask;
mod ended;
mod runs;
mod token;
mod wait;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Exit;
use crate::{
    api::{SIMULATE_NOW, UPDATE_NOW},
    host::{
        kube::verbs::Cluster,
        local::place::Folder,
        place::{Place, PlaceError},
    },
};

/// Where syncs are.
#[derive(Debug, Args)]
pub struct Where {
    /// The namespace [default: the kubeconfig's; with --local `default`]
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    /// The kubeconfig's context [default: the current one]
    #[arg(long, value_name = "NAME", conflicts_with = "local")]
    context: Option<String>,
    /// A folder of manifests, as `usersync local DIR` works on it, instead of a cluster
    #[arg(long, value_name = "DIR")]
    local: Option<PathBuf>,
    /// With --local: where state is kept [default: .usersync in the folder]
    #[arg(long, value_name = "DIR", requires = "local")]
    data: Option<PathBuf>,
}

impl Where {
    async fn place(&self) -> Result<Box<dyn Place>, PlaceError> {
        let namespace = self.namespace.as_deref();
        Ok(match &self.local {
            Some(folder) => Box::new(Folder::new(folder, self.data.as_deref(), namespace.unwrap_or("default"))),
            None => Box::new(Cluster::connect(self.context.as_deref(), namespace).await?),
        })
    }
}

/// The day-to-day verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Start no scheduled run of a sync any more; one at work ends normally
    #[command(after_help = "Examples:
  usersync suspend hr
  usersync suspend hr --local syncs/")]
    Suspend(Named),
    /// Let scheduled runs of a sync start again; what was missed is not made up for
    #[command(after_help = "Examples:
  usersync resume hr
  usersync resume hr --local syncs/")]
    Resume(Named),
    /// Import the next file of a sync now, also of a suspended one
    #[command(after_help = "Examples:
  usersync update hr
  usersync update hr --wait && echo imported
  usersync update hr --local syncs/")]
    Update(Asked),
    /// Show what the next import of a sync would change, and write nothing
    #[command(after_help = "Examples:
  usersync simulate hr --wait
  usersync simulate hr --local syncs/ --wait")]
    Simulate(Asked),
    /// Import the file of a held run, for at most what that run showed
    #[command(after_help = "Examples:
  usersync approve hr-5f2c81d09ab3e47f6a10
  usersync approve hr-5f2c81d09ab3e47f6a10 --wait")]
    Approve(approve::ApproveArgs),
    /// List the runs of a sync, the newest first
    #[command(after_help = "Examples:
  usersync runs hr
  usersync runs --local syncs/
  usersync runs hr -o json | jq .counts")]
    Runs(runs::RunsArgs),
    /// Show how a run ended
    #[command(after_help = "Examples:
  usersync report hr-5f2c81d09ab3e47f6a10
  usersync report hr-5f2c81d09ab3e47f6a10 -o html > report.html
  usersync report hr-5f2c81d09ab3e47f6a10 --changes | grep E00042
  usersync report hr-5f2c81d09ab3e47f6a10 --rejects > correct_me.csv")]
    Report(runs::ReportArgs),
}

/// A sync.
#[derive(Debug, Args)]
pub struct Named {
    /// The UserSync's name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Where,
}

/// A sync of which a run is wanted.
#[derive(Debug, Args)]
pub struct Asked {
    /// The UserSync's name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    waiting: wait::Waiting,
    #[command(flatten)]
    place: Where,
}

/// Why a verb was not done.
#[derive(Debug, thiserror::Error)]
enum VerbError {
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// It can't be done with what was given.
    #[error("{0}")]
    Unfit(String),
    /// Results can't be printed.
    #[error("the result can't be printed: {0}")]
    Output(#[from] std::io::Error),
}

impl VerbError {
    fn exit(&self) -> Exit {
        match self {
            Self::Place(PlaceError::Missing(_)) | Self::Unfit(_) => Exit::Usage,
            _ => Exit::Failed,
        }
    }
}

/// Does what the verb says.
pub fn verb(verb: &Verb) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(done(verb)).unwrap_or_else(|error| {
        eprintln!("usersync: {error}");
        error.exit()
    }))
}

async fn done(verb: &Verb) -> Result<Exit, VerbError> {
    match verb {
        Verb::Suspend(args) => ask::suspend(&*args.place.place().await?, &args.name, true).await,
        Verb::Resume(args) => ask::suspend(&*args.place.place().await?, &args.name, false).await,
        Verb::Update(args) => ask::run(&*args.place.place().await?, &args.name, UPDATE_NOW, &args.waiting).await,
        Verb::Simulate(args) => ask::run(&*args.place.place().await?, &args.name, SIMULATE_NOW, &args.waiting).await,
        Verb::Approve(args) => approve::approve(args).await,
        Verb::Runs(args) => runs::runs(args).await,
        Verb::Report(args) => runs::report(args).await,
    }
}

/// How the program was called: as kubectl's plugin it is a part of kubectl.
pub fn called() -> &'static str {
    let name = std::env::args_os().next().map(PathBuf::from);
    let name = name.as_ref().and_then(|path| path.file_stem()).map(|name| name.to_string_lossy().into_owned());
    match name.as_deref() {
        Some("kubectl-usersync") => "kubectl usersync",
        _ => "usersync",
    }
}
