//! The verbs: what they print, how they end.

use std::os::unix::fs::symlink;

use crate::{
    daemon::{Daemon, kept, listed, verb},
    world::{THREE, World, hr},
};

const ONE_BAD: &str = "id,name,mail\nE1,Ann,ann@example.com\nE2,Bob,nowhere\nE3,Cem,cem@example.com\n";
const ALL_BAD: &str = "id,name,mail\nE1,Ann,broken\nE2,Bob,nowhere\nE3,Cem,cem@example.com\n";

/// What the world's golden files don't mask: columns and random tokens.
fn masked(text: &str) -> String {
    let token =
        regex::Regex::new(r"token \d{8}T\d{6}Z-[0-9a-f]{16}").unwrap().replace_all(text, "token TOKEN").into_owned();
    let token = regex::Regex::new("TOOK +").unwrap().replace_all(&token, "TOOK  ").into_owned();
    regex::Regex::new(r"(< 1|\d+) s\b *").unwrap().replace_all(&token, "SOME s  ").into_owned()
}

#[test]
fn waiting_ends_as_the_run_does() {
    let world = World::new(&[]);
    let daemon = Daemon::start(&world);
    let golden = |name: &str, args: &[&str], code: i32| {
        let ran = verb(&world, args);
        assert_eq!((ran.code, ran.stderr.as_str()), (code, ""), "{name}: {ran:?}");
        // As the world masks them, times in a summary first.
        world.golden(name, &if args[0] == "runs" { masked(&ran.stdout) } else { ran.stdout });
    };
    golden("verb-nofile.txt", &["update", "hr", "--wait"], 0);
    world.drop_file(THREE);
    golden("verb-simulate.txt", &["simulate", "hr", "--wait"], 0);
    golden("verb-update.txt", &["update", "hr", "--wait"], 0);
    world.drop_file(ONE_BAD);
    golden("verb-rejects.txt", &["update", "hr", "--wait"], 4);
    world.drop_file("badge,name\n1,Ann\n");
    golden("verb-failed.txt", &["update", "hr", "--wait"], 1);
    world.drop_file(ALL_BAD);
    golden("verb-held.txt", &["update", "hr", "--wait"], 3);
    golden("verb-runs.txt", &["runs", "hr"], 0);
    golden("verb-runs.json", &["runs", "hr", "-o", "json"], 0);
    drop(daemon);
}

#[test]
fn a_held_run_is_approved_once_for_that_very_file() {
    let world = World::new(&[]);
    world.drop_file(ALL_BAD);
    let daemon = Daemon::start(&world);
    assert_eq!(verb(&world, &["update", "hr", "--wait"]).code, 3);
    let held = listed(&world, "hr").remove(0);
    let (run, sha256) = (held["run"].as_str().unwrap(), held["file"]["sha256"].as_str().unwrap());
    let other = verb(&world, &["approve", run, "--sha256", &"a".repeat(64)]);
    assert_eq!((other.code, other.stdout.as_str()), (2, ""), "{other:?}");
    assert!(other.stderr.contains(sha256), "{other:?}");
    let shown = verb(&world, &["report", run]);
    assert_eq!(shown.code, 3);
    assert!(shown.stdout.contains(&format!("usersync approve {run} --local .")), "{shown:?}");
    let page = verb(&world, &["report", run, "-o", "html"]);
    let typed = page.stdout.split(&format!("usersync approve {run} --local ")).nth(1).expect("the command");
    assert!(
        std::path::Path::new(typed.split('<').next().unwrap()).is_absolute(),
        "from wherever the page is read: {typed:.200}"
    );
    let approved = verb(&world, &["approve", run, "--sha256", sha256]);
    assert_eq!(approved.code, 0, "{approved:?}");
    world.golden("verb-approve.txt", &masked(&approved.stdout).replace(sha256, "SHA256"));
    let again = verb(&world, &["approve", run, "--wait"]);
    assert_eq!(again.code, 4, "{again:?}");
    assert!(again.stderr.contains("was approved already"), "{again:?}");
    assert_eq!(world.names_of_users(), ["E3 Cem"]);
    let runs = kept(&world);
    let approval: Vec<_> = runs.iter().filter(|run| run["spec"]["trigger"] == "Approval").collect();
    assert_eq!(approval.len(), 1);
    assert_eq!(approval[0]["spec"]["approves"], run);
    let done = approval[0]["metadata"]["name"].as_str().unwrap();
    let nothing = verb(&world, &["approve", done]);
    assert_eq!(nothing.code, 2);
    assert!(nothing.stderr.contains("is not held: it ended with CompletedWithRejects"), "{nothing:?}");
    drop(daemon);
}

#[test]
fn a_run_that_was_held_without_the_daemon_is_approved_with_it() {
    let world = World::new(&[]);
    world.drop_file(ALL_BAD);
    let held = world.run(&[]);
    assert_eq!(held.code, 3, "{held:?}");
    let run = held.report["run"].as_str().unwrap();
    let asked = verb(&world, &["approve", run]);
    assert_eq!(asked.code, 0, "{asked:?}");
    assert!(asked.stdout.contains("`usersync local .` is not running: it starts when that runs"), "{asked:?}");
    let daemon = Daemon::start(&world);
    daemon.until("hr", "the approved run", |status| status["lastRun"]["reason"] == "CompletedWithRejects");
    assert_eq!(world.names_of_users(), ["E3 Cem"]);
    let again = verb(&world, &["approve", run, "--wait"]);
    assert_eq!(again.code, 4, "{again:?}");
    assert_eq!(kept(&world).iter().filter(|run| run["spec"]["trigger"] == "Approval").count(), 1);
    drop(daemon);
}

#[test]
fn what_can_t_be_done_says_why() {
    let world = World::new(&[]);
    for (args, words) in [
        (&["update", "nobody"][..], "has no UserSync nobody in namespace default; there is hr"),
        (&["suspend", "hr", "-n", "people"], "there is one in namespace default: add -n default"),
        (&["update", "../hr"], "is no name of a sync"),
        (&["report", "hr-0123456789abcdef0123"], "there is no run hr-0123456789abcdef0123"),
        (&["approve", "hr"], "there is no run hr"),
        (&["update", "hr", "--timeout", "1s"], "--wait"),
        (&["update", "hr", "--wait", "--timeout", "soon"], "is not a duration"),
        (&["update", "hr", "--context", "x"], "cannot be used with"),
    ] {
        let ran = verb(&world, args);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(words), "{args:?}: {ran:?}");
    }
    let ran = world.usersync(&["runs", "--local", "nowhere"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("nowhere: there is no such folder"), "{ran:?}");
    let ran = world
        .command(&["update", "hr"])
        .env("KUBECONFIG", "/nonexistent")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .output();
    let ran: crate::world::Ran = ran.unwrap().into();
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.contains("no cluster can be reached") && ran.stderr.contains("--local DIR"), "{ran:?}");
    assert!(!world.exists(".usersync"), "nothing was written");
}

#[test]
fn waiting_gives_up_when_told_to_and_when_it_can_t_come_to_anything() {
    let world = World::new(&[]);
    let late = verb(&world, &["update", "hr", "--wait", "--timeout", "300ms"]);
    assert_eq!((late.code, late.stdout.as_str()), (1, ""));
    assert!(late.stderr.contains("the run has not begun within the time of --timeout"), "{late:?}");
    assert!(late.stderr.contains("`usersync local .` is not running"), "{late:?}");
    world.write("hr.yaml", hr(&["color: red"]));
    let daemon = Daemon::start(&world);
    daemon.condition("hr", "Stalled", "True");
    let stalled = verb(&world, &["update", "hr", "--wait"]);
    assert_eq!(stalled.code, 2);
    assert!(stalled.stderr.contains("nothing runs until the spec is mended: ./hr.yaml:8:3: spec.color"), "{stalled:?}");
}

#[test]
fn suspend_and_resume_say_what_they_did() {
    let world = World::new(&[]);
    let said = |args: &[&str]| {
        let ran = verb(&world, args);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
        ran.stdout
    };
    let all = [
        said(&["resume", "hr"]),
        said(&["suspend", "hr"]),
        said(&["suspend", "hr"]),
        said(&["update", "hr"]),
        said(&["resume", "hr"]),
    ];
    world.golden("verb-suspend.txt", &masked(&all.join("--\n")));
}

#[test]
fn as_kubectl_s_plugin_it_speaks_of_kubectl() {
    let world = World::new(&[]);
    symlink(env!("CARGO_BIN_EXE_usersync"), world.path("kubectl-usersync")).unwrap();
    let plugin = |args: &[&str]| -> crate::world::Ran {
        std::process::Command::new(world.path("kubectl-usersync")).args(args).output().unwrap().into()
    };
    let help = plugin(&["update", "--help"]);
    assert_eq!(help.code, 0);
    assert!(help.stdout.contains("Usage: kubectl usersync update [OPTIONS] <NAME>"), "{}", help.stdout);
    assert!(help.stdout.contains("  kubectl usersync update hr --wait"), "{}", help.stdout);
    let bad = plugin(&["update"]);
    assert_eq!(bad.code, 2);
    assert!(bad.stderr.contains("Usage: kubectl usersync update"), "{bad:?}");
}
