//! The operator as it is installed: two pods from the static program, by the manifests and the chart as shipped, on a real node. Each
//! import is made once, whichever pod is deleted meanwhile; reports are read from a bucket, and inside a pod.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "end_to_end/bucket.rs"]
mod bucket;
#[path = "support/gateway.rs"]
#[allow(dead_code, reason = "shared with the tests of reports")]
mod gateway;
#[path = "end_to_end/installed.rs"]
mod installed;
#[path = "end_to_end/people.rs"]
mod people;
mod support;

use std::time::Duration;

use installed::{Installed, NAMESPACE};
use people::People;
use tokio::sync::Mutex;

/// For what takes seconds, on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(120);

/// A cluster with a node is much for a machine: one at a time.
static ONE_NODE: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn each_file_is_imported_once_whichever_pod_goes() {
    let _alone = ONE_NODE.lock().await;
    let installed = Installed::start();
    let people = People::start(&installed.cluster);
    installed.apply(&people.servers());
    let pods = installed.two_ready_pods();
    people.apply_sync();

    // A pod that is deleted has time to end what it began.
    let file = people.upload("userdata_1.csv", 500, "IT");
    let held = people.hold_the_table().await;
    let first = people.update_now("first");
    people.writers_waiting(LIMIT, |writers| writers.len() == 1);
    let leader = installed.leader();
    assert!(pods.contains(&leader), "{leader} leads, of {pods:?}");
    let log = installed.follow_log(&leader);
    installed.kubectl(&["delete", "pod", &leader, "--wait=false"]);
    installed.cluster.wait_for(|| log.text().contains("told to stop"), LIMIT, "the pod is told to stop");
    assert_eq!(people.verdict(&first), "Unknown", "the run waits for the table");
    assert_eq!(people.imported(), "0");
    held.let_go().await;

    let run = people.ended(&first, LIMIT);
    assert_eq!((run.added(), run.updated()), (500, 0));
    let successor = installed.leader_but(&leader);
    assert_eq!(people.users(), file);
    installed.cluster.wait_for(|| log.text().contains("gave back Lease"), LIMIT, "the pod gives back its Lease");
    people.is_settled(&[&run]);

    // A pod that is killed has none: another one begins anew.
    installed.two_ready_pods();
    let file = people.upload("userdata_2.csv", 550, "Sales");
    let held = people.hold_the_table().await;
    let second = people.update_now("second");
    let lost = people.writers_waiting(LIMIT, |writers| writers.len() == 1);
    installed.kubectl(&["delete", "pod", &successor, "--grace-period=0", "--force"]);
    installed.leader_but(&successor);
    people.writers_waiting(LIMIT, |writers| writers.len() == 1 && writers != lost);
    assert_eq!(people.verdict(&second), "Unknown");
    held.let_go().await;

    let again = people.ended(&second, LIMIT);
    assert_eq!((again.added(), again.updated()), (50, 500));
    assert_eq!(people.users(), file);
    people.is_settled(&[&run, &again]);

    // What was asked for once is not done again, and nothing else was.
    installed.two_ready_pods();
    installed.cluster.wait_for(|| people.synced_by("second"), LIMIT, "the request is noted as done");
    assert_eq!(people.ledger(), format!("{first} userdata_1.csv 500 0\n{second} userdata_2.csv 50 500"));
    installed.published(&[&run, &again]);
    installed.did_nothing_forbidden();
}
