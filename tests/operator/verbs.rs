//! The day-to-day verbs in a cluster, as a person types them.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::world::World;

/// What a verb printed, and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a verb in the world's namespace, as the administrator.
pub fn verb(world: &World, arguments: &[&str]) -> Ran {
    verb_with(world, arguments, &BTreeMap::new())
}

/// The same, with these variables.
pub fn verb_with(world: &World, arguments: &[&str], variables: &BTreeMap<String, String>) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_usersync"));
    command.env("KUBECONFIG", world.cluster.kubeconfig()).args(arguments).args(["-n", &world.namespace]);
    command.envs(variables);
    ran(command)
}

fn ran(mut command: Command) -> Ran {
    let output = command.env_remove("USERSYNC_LOG").stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The runs that `usersync runs` lists as JSON, the newest first.
fn listed(world: &World) -> Vec<Value> {
    let listed = verb(world, &["runs", "hr", "-o", "json"]);
    assert_eq!((listed.code, listed.stderr.as_str()), (0, ""), "{listed:?}");
    listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Asserts that the verb ends so, and prints all of these.
fn expect(world: &World, arguments: &[&str], code: i32, words: &[&str]) -> Ran {
    let ran = verb(world, arguments);
    assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
    let printed = if code == 2 || (code == 1 && ran.stdout.is_empty()) { &ran.stderr } else { &ran.stdout };
    for word in words {
        assert!(printed.contains(word), "{arguments:?}: {word}: {ran:?}");
    }
    ran
}

#[test]
fn waiting_ends_as_the_run_does() {
    let world = World::new();
    let strict =
        json!({"userId": {"column": "id"}, "properties": [{"property": "email", "required": true, "type": "Email"}]});
    world.apply(json!({"mapping": strict}));
    expect(&world, &["update", "hr", "--wait", "--timeout", "1s"], 1, &["the run has not begun", "still counts"]);

    let _operator = world.operator();
    world.until_condition("Ready", "True Ready");
    expect(&world, &["update", "hr", "--wait"], 0, &["no file in", "matches `userdata_*.csv`"]);
    world.drop_file("userdata_1.csv", 20);
    expect(&world, &["simulate", "hr", "--wait"], 0, &["would add", "20"]);
    assert_eq!(world.users(), 0);
    expect(&world, &["update", "hr", "--wait"], 0, &["userdata_1.csv", "added"]);
    assert_eq!(world.users(), 20);
    world.drop_text("userdata_2.csv", "id,email\nE1,new@example.com\nE2,nowhere\nE3,e3@example.com\n");
    expect(&world, &["update", "hr", "--wait"], 4, &["1 updated, 1 rejected"]);
    world.drop_text("userdata_3.csv", "badge\n7\n");
    expect(&world, &["update", "hr", "--wait"], 1, &["FAILED", "column"]);
    let verdicts: Vec<String> = listed(&world).iter().map(|run| run["reason"].as_str().unwrap().to_owned()).collect();
    assert_eq!(
        verdicts[..5],
        ["InvalidFile", "CompletedWithRejects", "Completed", "Completed", "NoFile"],
        "the newest first"
    );

    expect(&world, &["update", "nobody"], 2, &["there is no UserSync nobody in namespace"]);
    expect(&world, &["report", "hr-0123456789abcdef0123"], 2, &["there is no run hr-0123456789abcdef0123"]);
    expect(&world, &["update", "hr", "--context", "elsewhere"], 1, &["no cluster can be reached", "elsewhere"]);
}

#[test]
fn a_held_run_is_seen_and_approved() {
    let world = World::new();
    let _operator = world.operator();
    world.apply(json!({"safeguards": {"minRows": 100}}));
    world.until_condition("Ready", "True Ready");
    world.drop_file("userdata_1.csv", 3);
    let held = expect(&world, &["update", "hr", "--wait"], 3, &["HELD", "held: nothing was written"]);
    let run = listed(&world).remove(0);
    let (name, sha256) = (run["run"].as_str().unwrap(), run["file"]["sha256"].as_str().unwrap());
    // What is to be typed is what can be typed here.
    assert!(held.stdout.contains(&format!("usersync approve {name} -n {}", world.namespace)), "{held:?}");
    let table = expect(&world, &["runs", "hr"], 0, &["RUN", "VERDICT", name, "userdata_1.csv", "Held"]);
    assert_eq!(table.stdout.lines().count(), 2, "{table:?}");
    expect(&world, &["report", name], 3, &["HELD", "minRows"]);
    let page = fs::read_to_string(run["reports"]["html"].as_str().unwrap()).unwrap();
    for typed in [
        format!("kubectl usersync approve {name} --namespace {}", world.namespace),
        format!("kubectl annotate usersyncrun {name} --namespace {} usersync.dev/approve={sha256}", world.namespace),
    ] {
        assert!(page.contains(&typed), "{typed}");
    }
    // Where the operator's files are to be seen, as in its pod, they are printed.
    assert_eq!(expect(&world, &["report", name, "-o", "html"], 3, &[]).stdout, page);
    expect(&world, &["report", name, "--rejects"], 2, &["has no rejects file"]);
    expect(&world, &["approve", name, "--sha256", &"a".repeat(64)], 2, &[sha256, "nothing was approved"]);
    assert_eq!(world.users(), 0);
    let approved = expect(&world, &["approve", name, "--wait", "--sha256", sha256], 0, &["userdata_1.csv", "added"]);
    assert!(approved.stderr.contains("is approved"), "{approved:?}");
    assert_eq!(world.users(), 3);
    let again = expect(&world, &["approve", name], 0, &["was approved already"]);
    assert_eq!(again.stderr, "");
    let done = listed(&world).remove(0)["run"].as_str().unwrap().to_owned();
    expect(&world, &["approve", &done], 2, &["is not held: it ended with Completed"]);
}

#[test]
fn suspend_and_resume_and_who_may() {
    let world = World::new();
    let _operator = world.operator();
    world.apply(json!({"schedule": {"daily": {"at": "01:00"}}}));
    world.until_condition("Ready", "True Ready");
    expect(&world, &["resume", "hr"], 0, &["hr is not suspended"]);
    expect(&world, &["suspend", "hr"], 0, &["hr is suspended: no scheduled run starts"]);
    world.until_condition("Suspended", "True Suspended");
    expect(&world, &["suspend", "hr"], 0, &["hr is suspended already"]);
    world.drop_file("userdata_1.csv", 3);
    expect(&world, &["update", "hr", "--wait"], 0, &["added"]);
    assert_eq!(world.users(), 3);
    expect(&world, &["resume", "hr"], 0, &["hr is resumed", "not made up for"]);
    world.until_condition("Suspended", "");

    world.kubectl(&["create", "serviceaccount", "nobody"]);
    let theirs = world.cluster.token_kubeconfig(&world.namespace, "nobody");
    for arguments in [["update", "hr"], ["suspend", "hr"], ["runs", "hr"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_usersync"));
        command.env("KUBECONFIG", &theirs).args(arguments);
        let ran = ran(command);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
        assert!(ran.stderr.contains("forbidden") && ran.stderr.contains("nobody"), "{ran:?}");
    }
}

#[test]
fn as_a_plugin_of_kubectl() {
    let world = World::new();
    let _operator = world.operator();
    world.apply(json!({"safeguards": {"minRows": 2}}));
    world.until_condition("Ready", "True Ready");
    let programs = tempfile::tempdir().unwrap();
    symlink(env!("CARGO_BIN_EXE_usersync"), programs.path().join("kubectl-usersync")).unwrap();
    let plugin = |arguments: &[&str]| {
        let mut command = world.cluster.command();
        command.env("PATH", programs.path()).arg("usersync").args(arguments).args(["-n", &world.namespace]);
        ran(command)
    };
    world.drop_file("userdata_1.csv", 1);
    let held = plugin(&["update", "hr", "--wait"]);
    assert_eq!(held.code, 3, "kubectl ends as the plugin does: {held:?}");
    assert!(held.stdout.contains("kubectl usersync approve hr-"), "{held:?}");
    let run = listed(&world).remove(0)["run"].as_str().unwrap().to_owned();
    let approved = plugin(&["approve", &run, "--wait"]);
    assert_eq!((approved.code, world.users()), (0, 1), "{approved:?}");
    let runs = plugin(&["runs", "hr"]);
    assert_eq!((runs.code, runs.stdout.lines().count()), (0, 3), "{runs:?}");
}
