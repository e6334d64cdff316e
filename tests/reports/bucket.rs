//! What is kept, and how.

use std::{fs, os::unix::fs::MetadataExt};

use usersync::ports::{READ, ReportStore};

use crate::{
    gateway::Gateway,
    scene::{OTHER, RUN, hr, noise, staged, store},
};

fn started() -> Gateway {
    let gateway = Gateway::start();
    gateway.make("reports");
    gateway
}

#[tokio::test]
async fn a_report_comes_to_its_place_and_is_read_there() {
    let gateway = started();
    let store = store(&gateway);
    let files: [(&str, &[u8]); 4] =
        [("report.json", b"{}"), ("report.html", b"<html>"), ("changes.csv.gz", b"c"), ("summary.eml", b"mail")];
    let (_folder, path) = staged(&files);
    let reports = store.publish(&hr(), RUN, &path).await.unwrap();
    let at = |name: &str| Some(format!("s3://reports/kept/people/hr/{RUN}/{name}"));
    assert_eq!((&reports.report, &reports.html), (&at("report.json"), &at("report.html")));
    assert_eq!((&reports.changes, &reports.rejects, &reports.records), (&at("changes.csv.gz"), &None, &None));
    assert_eq!(reports, store.locate(&hr(), RUN, &files.map(|(name, _)| name.to_owned())));
    let mut keys = files.map(|(name, _)| format!("kept/people/hr/{RUN}/{name}"));
    keys.sort();
    assert_eq!(gateway.keys("reports"), keys);
    for (name, content) in files {
        assert_eq!(store.read(&hr(), RUN, name).await.unwrap().as_deref(), Some(content), "{name}");
    }
    assert_eq!(store.read(&hr(), RUN, "failed-import.eml").await, Ok(None));
    assert_eq!(store.read(&hr(), OTHER, "report.json").await, Ok(None));
    assert_eq!(fs::read_dir(&path).unwrap().count(), files.len(), "what is staged stays");
}

#[tokio::test]
async fn the_same_again_changes_nothing_and_another_replaces_it_whole() {
    let gateway = started();
    let store = store(&gateway);
    let (_folder, path) = staged(&[("report.json", b"1"), ("users_rejects.csv", b"r"), ("failed-import.eml", b"m")]);
    let first = store.publish(&hr(), RUN, &path).await.unwrap();
    gateway.age("reports", &format!("kept/people/hr/{RUN}/report.json"), 3);
    gateway.age("reports", &format!("kept/people/hr/{RUN}/notes.txt"), 3);
    assert_eq!(store.publish(&hr(), RUN, &path).await.unwrap(), first);
    let old = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(48);
    assert_eq!(store.older(old).await.unwrap(), [], "two of its files are of today");

    let (_folder, path) = staged(&[("report.json", b"2"), ("report.html", b"<html>")]);
    let second = store.publish(&hr(), RUN, &path).await.unwrap();
    assert_eq!(second.rejects, None);
    let names = ["notes.txt", "report.html", "report.json"].map(|name| format!("kept/people/hr/{RUN}/{name}"));
    assert_eq!(gateway.keys("reports"), names, "what is no report's stays");
    assert_eq!(store.read(&hr(), RUN, "report.json").await.unwrap().as_deref(), Some(&b"2"[..]));

    // An attempt that broke off: its report.json was not there yet.
    let (_folder, path) = staged(&[("report.json", b"3"), ("report.html", b"<html>")]);
    let again = staged(&[("report.html", b"<html>")]);
    store.publish(&hr(), RUN, &again.1).await.unwrap();
    assert_eq!(store.read(&hr(), RUN, "report.json").await, Ok(None));
    store.publish(&hr(), RUN, &path).await.unwrap();
    assert_eq!(store.read(&hr(), RUN, "report.json").await.unwrap().as_deref(), Some(&b"3"[..]));
}

#[tokio::test]
async fn a_large_file_goes_in_parts() {
    let gateway = started();
    let store = store(&gateway);
    // Two whole parts and a bit; exactly one part.
    let (large, one) = (noise((16 << 20) + 12_345), noise(8 << 20));
    let (_folder, path) = staged(&[("report.json", b"{}"), ("changes.csv.gz", &large), ("records.jsonl.gz", &one)]);
    store.publish(&hr(), RUN, &path).await.unwrap();
    let key = |name: &str| format!("kept/people/hr/{RUN}/{name}");
    assert!(gateway.read("reports", &key("changes.csv.gz")) == large);
    assert!(gateway.read("reports", &key("records.jsonl.gz")) == one);
    assert_eq!(gateway.unfinished("reports"), 0);
    assert!(store.read(&hr(), RUN, "changes.csv.gz").await.unwrap().unwrap() == large);

    let huge = fs::File::create(path.join("changes.csv.gz")).unwrap();
    huge.set_len(READ + 1).unwrap();
    fs::write(path.join("report.json"), "{ }").unwrap();
    store.publish(&hr(), RUN, &path).await.unwrap();
    assert_eq!(gateway.read("reports", &key("changes.csv.gz")).len() as u64, huge.metadata().unwrap().size());
    let why = store.read(&hr(), RUN, "changes.csv.gz").await.unwrap_err();
    assert!(why.0.contains("it has more than 25165824 bytes"), "{why}");
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused_and_odd_ones_are_kept() {
    let gateway = started();
    let store = store(&gateway);
    let (_folder, path) = staged(&[("report.json", b"{}")]);
    for (namespace, name, run) in
        [("..", "hr", RUN), ("people", "../x", RUN), ("people", "hr", "/etc"), ("a b", "hr", RUN)]
    {
        let sync =
            usersync::model::job::SyncId { instance: String::new(), namespace: namespace.into(), name: name.into() };
        for error in [
            store.publish(&sync, run, &path).await.unwrap_err(),
            store.read(&sync, run, "report.json").await.unwrap_err(),
            store.remove(&sync, run).await.unwrap_err(),
        ] {
            assert!(error.0.contains("no Kubernetes name"), "{error}");
        }
    }
    assert!(store.read(&hr(), RUN, "../report.json").await.unwrap_err().0.contains("no name of a report"));
    assert_eq!(gateway.keys("reports"), Vec::<String>::new());

    let odd = [
        "Größe 100% #1 & <b>?_rejects.csv",
        "שרה {x} ^`|\\_rejects.csv",
        "+a=b;c,d@e'\"*_rejects.csv",
        "line\nbreak\ttab_rejects.csv",
        "%0A_rejects.csv",
    ];
    for name in odd {
        let (_folder, path) = staged(&[("report.json", name.as_bytes()), (name, name.as_bytes())]);
        let reports = store.publish(&hr(), RUN, &path).await.unwrap();
        // As often as one likes.
        assert_eq!(store.publish(&hr(), RUN, &path).await.unwrap(), reports, "{name:?}");
        assert_eq!(store.read(&hr(), RUN, name).await.unwrap().as_deref(), Some(name.as_bytes()), "{name:?}");
        let key = reports.rejects.unwrap().strip_prefix("s3://reports/").unwrap().to_owned();
        let keys = gateway.keys("reports");
        assert!(keys.len() == 2 && keys.contains(&key), "{name:?}: {key} {keys:?}");
    }
    store.remove(&hr(), RUN).await.unwrap();
    assert_eq!(gateway.keys("reports"), Vec::<String>::new());

    let (_folder, path) = staged(&[]);
    std::os::unix::fs::symlink("/etc/passwd", path.join("report.json")).unwrap();
    let why = store.publish(&hr(), RUN, &path).await.unwrap_err();
    assert!(why.0.contains("report.json is no regular file"), "{why}");
}

#[tokio::test]
async fn a_bucket_without_a_prefix_will_do() {
    let gateway = started();
    let store = crate::scene::opened("reports", &gateway.environment()).unwrap();
    let (_folder, path) = staged(&[("report.json", b"{}")]);
    let reports = store.publish(&hr(), RUN, &path).await.unwrap();
    assert_eq!(reports.report, Some(format!("s3://reports/people/hr/{RUN}/report.json")));
    gateway.age("reports", &format!("people/hr/{RUN}/report.json"), 3);
    let old = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(48);
    assert_eq!(store.older(old).await.unwrap().len(), 1);
    store.remove(&hr(), RUN).await.unwrap();
    assert_eq!(store.read(&hr(), RUN, "report.json").await, Ok(None));
}
