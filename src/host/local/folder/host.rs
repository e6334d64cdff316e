//! The folder behind the trait: what is read and written by name and resource version.

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use super::{LocalHost, Shared, World, id};
use crate::{
    api::{UserSyncRun, UserSyncRunStatus, UserSyncSpec, UserSyncStatus},
    control::job::{Reference, references},
    host::local::{manifests::mounted, private::StateError},
    model::{event::Event, secret::References, sync::Key, view::View},
    ports::{Host, HostError},
};

impl From<StateError> for HostError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Io { .. } => Self::Unreachable(error.to_string()),
            _ => Self::Refused(error.to_string()),
        }
    }
}

impl LocalHost {
    /// Does something to files, apart from what must not wait for them.
    async fn files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared, &mut World) -> Result<T, HostError> + Send + 'static,
    ) -> Result<T, HostError> {
        let shared = self.0.clone();
        let done = tokio::task::spawn_blocking(move || {
            let mut world = shared.world();
            work(&shared, &mut world)
        });
        done.await.unwrap_or_else(|stopped| Err(HostError::Unreachable(format!("the work was cut off: {stopped}"))))
    }
}

#[async_trait]
impl Host for LocalHost {
    async fn cached(&self, key: &Key) -> Result<Option<View>, HostError> {
        Ok(self.0.world().views.get(key).cloned())
    }

    async fn live(&self, key: &Key) -> Result<Option<View>, HostError> {
        let key = key.clone();
        self.files(move |shared, world| Ok(shared.look(world, &key)?)).await
    }

    async fn write_status(&self, of: &ObjectMeta, status: &UserSyncStatus) -> Result<Option<String>, HostError> {
        let (of, status) = (of.clone(), status.clone());
        self.files(move |shared, world| {
            let key = key(&of);
            let view = shared.look(world, &key)?.ok_or_else(|| gone(&of))?;
            let is = match &view.sync {
                Ok(sync) => &sync.metadata,
                Err(malformed) => &malformed.metadata,
            };
            unchanged(&of, is)?;
            shared.state.write_status(&id(&key), &status)?;
            let written = shared.look(world, &key)?.and_then(|view| match view.sync {
                Ok(sync) => sync.metadata.resource_version,
                Err(malformed) => malformed.metadata.resource_version,
            });
            world.wrote(key);
            Ok(written)
        })
        .await
    }

    async fn create_run(&self, run: &UserSyncRun) -> Result<(), HostError> {
        let mut run = run.clone();
        self.files(move |shared, world| {
            let _alone = shared.state.writing()?;
            let (namespace, name) = names(&run.metadata);
            if world.runs.one(&shared.state, namespace, name)?.is_some() {
                return Err(HostError::Exists(format!("there is a run {name} already")));
            }
            let now = Timestamp::now();
            run.metadata.creation_timestamp = Some(Time(Timestamp::from_second(now.as_second()).unwrap_or(now)));
            run.metadata.generation = Some(1);
            shared.state.put_run(&run)?;
            shared.look(world, &sync_key(&run))?;
            world.wrote(sync_key(&run));
            Ok(())
        })
        .await
    }

    async fn write_run(&self, of: &ObjectMeta, status: &UserSyncRunStatus) -> Result<Option<String>, HostError> {
        let (of, status) = (of.clone(), status.clone());
        self.files(move |shared, world| {
            let _alone = shared.state.writing()?;
            let (namespace, name) = names(&of);
            let mut run = world.runs.one(&shared.state, namespace, name)?.ok_or_else(|| gone(&of))?;
            unchanged(&of, &run.metadata)?;
            run.status = Some(status);
            shared.state.put_run(&run)?;
            shared.look(world, &sync_key(&run))?;
            world.wrote(sync_key(&run));
            let written = world.runs.one(&shared.state, namespace, name)?;
            Ok(written.and_then(|run| run.metadata.resource_version))
        })
        .await
    }

    async fn delete_run(&self, of: &ObjectMeta) -> Result<(), HostError> {
        let of = of.clone();
        self.files(move |shared, world| {
            let _alone = shared.state.writing()?;
            let (namespace, name) = names(&of);
            let Some(run) = world.runs.one(&shared.state, namespace, name)? else { return Ok(()) };
            if of.uid.is_none() || of.uid == run.metadata.uid {
                shared.state.delete_run(namespace, name)?;
                shared.look(world, &sync_key(&run))?;
                world.wrote(sync_key(&run));
            }
            Ok(())
        })
        .await
    }

    async fn references(&self, namespace: &str, spec: &UserSyncSpec) -> Result<References, HostError> {
        let (namespace, wanted) = (namespace.to_owned(), references(spec));
        self.files(move |shared, world| {
            let mut found = References::default();
            for reference in wanted {
                match reference {
                    Reference::Secret(name) => {
                        let document = world.seen.secrets.iter().find(|s| s.namespace == namespace && s.name == name);
                        let mut values = document.map(|secret| secret.values.clone());
                        // The folder wins, key by key.
                        if let Some(folder) = &shared.secrets
                            && let Some(mounted) = mounted(folder, &name)
                        {
                            values.get_or_insert_default().extend(mounted);
                        }
                        found.secrets.extend(values.map(|values| (name, values)));
                    }
                    Reference::ConfigMap(name) => {
                        let maps = &world.seen.config_maps;
                        let map = maps.iter().find(|map| map.namespace == namespace && map.name == name);
                        found.config_maps.extend(map.map(|map| (name, map.values.clone())));
                    }
                }
            }
            Ok(found)
        })
        .await
    }

    async fn tell(&self, _of: &ObjectMeta, _event: &Event) {
        // Here whoever reads events reads the log, and there each one is already.
    }
}

/// Fails if the object is another one than was read, or was written since.
fn unchanged(of: &ObjectMeta, is: &ObjectMeta) -> Result<(), HostError> {
    if of.uid.is_some() && of.uid != is.uid {
        return Err(gone(of));
    }
    if of.resource_version.is_some() && of.resource_version != is.resource_version {
        let (namespace, name) = names(of);
        return Err(HostError::Conflict(format!("{namespace}/{name} has changed since it was read")));
    }
    Ok(())
}

fn gone(of: &ObjectMeta) -> HostError {
    let (namespace, name) = names(of);
    HostError::Gone(format!("{namespace}/{name} is gone"))
}

fn names(of: &ObjectMeta) -> (&str, &str) {
    (of.namespace.as_deref().unwrap_or("default"), of.name.as_deref().unwrap_or_default())
}

fn key(of: &ObjectMeta) -> Key {
    let (namespace, name) = names(of);
    Key { namespace: namespace.to_owned(), name: name.to_owned() }
}

fn sync_key(run: &UserSyncRun) -> Key {
    Key { namespace: names(&run.metadata).0.to_owned(), name: run.spec.sync.clone() }
}
