//! An operator that is shown old states after a restart, and one that does not see what happens.

use std::time::Duration;

use kube::api::{DeleteParams, ListParams, VersionMatch};
use serde_json::json;
use usersync::api::{UserSync, UserSyncStatus};

use crate::{
    cluster,
    scene::{LIMIT, Scene},
    support::operator::Operator,
};

/// Of the states that were shown, so many are shown again.
const STATES: usize = 12;

#[tokio::test]
async fn old_states_after_a_restart() {
    let scene = Scene::new(cluster().client().await, "past").await;
    let every = json!({"schedule": {"every": "1s"}});
    scene.put("hr", "userdata_1.csv", 20, &[("1", "Ada")]);
    scene.put("hr", "userdata_2.csv", 10, &[("2", "Bob")]);
    scene.put("reborn", "userdata_3.csv", 10, &[("3", "Cem")]);
    scene.sync("hr", &[("update-now", "u1"), ("simulate-now", "s1")], every.clone()).await;
    scene.sync("paused", &[], every.clone()).await;
    for sync in ["gone", "reborn"] {
        scene.sync(sync, &[("update-now", "u1")], json!({})).await;
    }
    let mut operator = scene.operator();
    scene.until("hr", "done", |status| status.recent_runs.len() == 3 && status.active_run.is_none()).await;
    for sync in ["gone", "reborn"] {
        scene.until(sync, "done", |status| status.last_completed_update_now.is_some()).await;
    }

    // Then the world goes on, and the operator sees it.
    scene.merge("paused", json!({"spec": {"suspend": true}})).await;
    scene.until("paused", "suspended", |status| Scene::condition(status, "Suspended").is_some()).await;
    scene.put("paused", "userdata_4.csv", 10, &[("4", "Dan")]);
    for sync in ["gone", "reborn"] {
        scene.syncs().delete(sync, &DeleteParams::default()).await.unwrap();
    }
    scene.sync("reborn", &[], json!({})).await;
    scene
        .until("reborn", "seen", |status| {
            Scene::condition(status, "Ready").is_some_and(|ready| ready.starts_with("True"))
        })
        .await;

    let shown = scene.proxy.shown();
    assert!(shown.len() >= STATES, "{shown:?}");
    let mut before = everything(&scene).await;
    for state in 0..=STATES {
        // The first is from before the operator was there, the last is how things are.
        let version = &shown[(state * (shown.len() - 1)) / STATES];
        scene.proxy.past(version);
        scene.restart(&mut operator).await;
        looked_at(&operator, &scene, version).await;
        assert_eq!(everything(&scene).await, before, "with the state at {version} before its eyes");

        if state % 4 == 0 {
            // What is asked for meanwhile isn't seen, until everything is.
            let token = format!("state-{state}");
            for sync in ["hr", "paused", "reborn"] {
                scene.annotate(sync, "simulate-now", &token).await;
            }
            scene.proxy.present();
            for sync in ["hr", "paused", "reborn"] {
                let done = |status: &UserSyncStatus| {
                    status.last_completed_simulate_now.as_ref() == Some(&token) && status.active_run.is_none()
                };
                scene.until(sync, "done", done).await;
            }
            let after = everything(&scene).await;
            assert_eq!(after.len(), before.len() + 3, "{after:#?}");
            assert!(after.iter().filter(|run| run.contains(&token)).count() == 3, "{after:#?}");
            before = after;
        }
    }

    scene.proxy.present();
    assert_eq!(scene.imported("hr").await, ["userdata_1.csv", "userdata_2.csv"]);
    assert_eq!(scene.files("paused"), ["userdata_4.csv"], "nothing runs of a suspended sync");
    for sync in ["hr", "paused", "reborn"] {
        scene.assert_at_rest(sync).await;
    }
    assert!(scene.syncs().get_opt("gone").await.unwrap().is_none());
}

/// All runs of the scene, and how they ended, and what was imported.
async fn everything(scene: &Scene) -> Vec<String> {
    let mut all = Vec::new();
    for sync in ["hr", "paused", "gone", "reborn"] {
        all.extend(scene.ends(sync).await.into_iter().map(|end| format!("{sync} {end}")));
        all.extend(scene.imported(sync).await.into_iter().map(|file| format!("{sync} imported {file}")));
    }
    all
}

/// Waits until this operator has looked at each sync that there was at that version, and is there still.
async fn looked_at(operator: &Operator, scene: &Scene, version: &str) {
    let then = ListParams::default().at(version).matching(VersionMatch::Exact);
    let then: Vec<String> = names(&scene.syncs().list(&then).await.unwrap().items);
    let now = names(&scene.syncs().list(&ListParams::default()).await.unwrap().items);
    let waiting = async {
        for sync in then.iter().filter(|sync| now.contains(sync)) {
            let series = format!("usersync_suspended{{namespace=\"{}\",name=\"{sync}\"}}", scene.namespace);
            while operator.metric(&series).is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    tokio::time::timeout(LIMIT, waiting).await.expect("the operator looks at each sync");
}

fn names(syncs: &[UserSync]) -> Vec<String> {
    syncs.iter().filter_map(|sync| sync.metadata.name.clone()).collect()
}

#[tokio::test]
async fn what_was_not_seen_is_made_up_for() {
    let scene = Scene::new(cluster().client().await, "unseen").await;
    scene.put("hr", "userdata_1.csv", 20, &[("1", "Ada")]);
    scene.sync("hr", &[], json!({})).await;
    let operator = scene.operator();
    scene
        .until("hr", "seen", |status| Scene::condition(status, "Ready").is_some_and(|ready| ready.starts_with("True")))
        .await;
    let completed = async |token: &str| {
        scene.until("hr", token, |status| status.last_completed_update_now.as_deref() == Some(token)).await
    };
    // A request is not seen; the next change shows it.
    scene.proxy.blind(true);
    scene.annotate("hr", "update-now", "t1").await;
    scene.proxy.left_out(&["\"t1\""]).await;
    scene.proxy.blind(false);
    scene.merge("hr", json!({"metadata": {"labels": {"usersync.dev/tests": "t1"}}})).await;
    completed("t1").await;
    assert_eq!(scene.causes("hr").await, ["UpdateNow:t1"]);

    // Of two requests the first is never seen, and the second only in a new list.
    scene.proxy.blind(true);
    scene.annotate("hr", "update-now", "t2").await;
    scene.annotate("hr", "update-now", "t3").await;
    scene.proxy.left_out(&["\"t3\""]).await;
    scene.proxy.blind(false);
    scene.proxy.forget();
    completed("t3").await;
    assert_eq!(scene.causes("hr").await, ["UpdateNow:t1", "UpdateNow:t3"]);

    // Suspended, edited and resumed unseen, and asked for: the run is that of the spec as it is.
    scene.proxy.blind(true);
    scene.merge("hr", json!({"spec": {"suspend": true, "conflictMode": "Skip"}})).await;
    scene.merge("hr", json!({"spec": {"suspend": false}})).await;
    scene.annotate("hr", "update-now", "t4").await;
    scene.proxy.left_out(&["\"t4\""]).await;
    scene.proxy.blind(false);
    scene.proxy.forget();
    let status = completed("t4").await;
    assert_eq!((status.observed_generation, Scene::condition(&status, "Suspended")), (Some(3), None));
    let runs = scene.runs("hr").await;
    let run = runs.iter().find(|run| run.spec.token.as_deref() == Some("t4")).unwrap();
    assert_eq!(run.spec.generation, 3);

    // Deleted and made anew unseen, with a request that the one before had too: it is another sync's.
    let last = runs.len();
    scene.proxy.blind(true);
    scene.syncs().delete("hr", &DeleteParams::default()).await.unwrap();
    let reborn = scene.sync("hr", &[("update-now", "t4")], json!({})).await;
    scene.proxy.left_out(&[reborn.metadata.uid.as_deref().unwrap()]).await;
    scene.proxy.blind(false);
    scene.proxy.forget();
    completed("t4").await;
    let runs = scene.runs("hr").await;
    assert_eq!(runs.len(), last + 1);
    assert_eq!(runs.iter().filter(|run| Some(&run.spec.uid) == reborn.metadata.uid.as_ref()).count(), 1);

    // Deleted unseen: a list without it is enough.
    scene.proxy.blind(true);
    scene.syncs().delete("hr", &DeleteParams::default()).await.unwrap();
    scene.proxy.left_out(&["DELETED", reborn.metadata.uid.as_deref().unwrap()]).await;
    scene.proxy.blind(false);
    scene.proxy.forget();
    let series = format!("usersync_suspended{{namespace=\"{}\",name=\"hr\"}}", scene.namespace);
    let forgotten = async {
        while operator.metric(&series).is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, forgotten).await.expect("the sync is forgotten");
    assert_eq!(scene.imported("hr").await, ["userdata_1.csv"]);
}
