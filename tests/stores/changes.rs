//! What a transaction writes, what it refuses, and what it leaves to others: on each database server.

use usersync::{
    model::{change::ChangeKind, plan::Role, rows::Rows},
    ports::{Refused, StoreError, UserStore as _},
};

use super::bench::*;

pub fn indexes(refused: &[Refused]) -> Vec<usize> {
    refused.iter().map(|r| r.index).collect()
}

#[tokio::test]
async fn rows_that_the_database_refuses_don_t_stop_their_neighbours() {
    let bench = Bench::new(
        "create table users (id varchar(80) primary key, email varchar(80) unique, age integer check (age < 200), org varchar(80) not null default 'x'); \
         insert into users (id, email, age) values ('there', 'there@example.com', 1)",
    )
    .await;
    let layout = bench.mapped(&["id", "email", "age"]).await;
    let mut users = Rows::new(3);
    let bad = [0_usize, 17_000, 17_001, 33_333, 49_999];
    for i in 0..50_000 {
        let (id, email) = (format!("E{i}"), format!("e{i}@example.com"));
        let (email, age) = match i {
            33_333 => ("there@example.com".to_owned(), "3"),
            49_999 => ("e5@example.com".to_owned(), "3"),
            i if bad.contains(&i) => (email, "999"),
            _ => (email, "30"),
        };
        users.push_row([Some(&*id), Some(&*email), Some(age)]);
    }
    let mut apply = bench.begin(&layout).await;
    let refused = apply.add(&users).await.unwrap();
    assert_eq!(indexes(&refused), bad);
    assert!(refused[0].message.contains("age"), "{}", refused[0].message);
    assert!(refused[3].message.contains("email"), "{}", refused[3].message);
    assert!(!refused[0].message.contains("E0"), "another column's value: {}", refused[0].message);
    bench.commit(apply, "r1").await;
    assert_eq!(bench.sql("select count(*), min(age), max(age) from users"), "49996|1|30");

    let changes: Vec<_> = (1..4)
        .map(|i| {
            let (id, email) = (format!("E{i}"), format!("e{i}@example.com"));
            update(&[&id, &email, "30"], &[&id, &email, if i == 2 { "500" } else { "31" }])
        })
        .collect();
    let mut apply = bench.begin(&layout).await;
    assert_eq!(indexes(&apply.change(ChangeKind::Update, &changes).await.unwrap()), [1]);
    bench.commit(apply, "r2").await;
    assert_eq!(bench.sql("select id, age from users where id in ('E1', 'E2', 'E3') order by 1"), "E1|31\nE2|30\nE3|31");
}

#[tokio::test]
async fn a_row_may_refer_to_a_later_one() {
    let bench = Bench::new(
        "create table users (id varchar(80) primary key, manager varchar(80) references users (id), age integer check (age < 200))",
    )
    .await;
    let layout = bench.mapped(&["id", "manager", "age"]).await;
    let users = rows(&[
        &["a", "c", "1"],
        &["b", "nobody", "1"],
        &["c", "d", "1"],
        &["d", "-", "1"],
        &["e", "-", "999"],
        &["f", "e", "1"],
        &["g", "h", "1"],
        &["h", "g", "1"],
    ]);
    let mut apply = bench.begin(&layout).await;
    let refused = apply.add(&users).await.unwrap();
    assert_eq!(indexes(&refused), [1, 4, 5]);
    assert!(refused[0].message.contains("manager"), "{}", refused[0].message);
    bench.commit(apply, "r1").await;
    assert_eq!(bench.sql("select id from users order by id"), "a\nc\nd\ng\nh");
    // A user whom others still refer to can't be deleted, and says so.
    let mut apply = bench.begin(&layout).await;
    let refused =
        apply.change(ChangeKind::Delete, &[delete(&["d", "-", "1"]), delete(&["a", "c", "1"])]).await.unwrap();
    assert_eq!(indexes(&refused), [0]);
    bench.commit(apply, "r2").await;
    assert_eq!(bench.sql("select id from users order by id"), "c\nd\ng\nh");
}

#[tokio::test]
async fn an_edit_of_somebody_else_is_never_overwritten() {
    let bench = Bench::new(
        "create table users (id varchar(80) primary key, name varchar(80), note varchar(80)); \
         insert into users values ('a', 'A', 'n'), ('b', 'B', null)",
    )
    .await;
    let layout = bench.mapped(&["id", "name", "note"]).await;
    let both = [update(&["a", "A", "n"], &["a", "A2", "n"]), update(&["b", "B", "-"], &["b", "B2", "-"])];
    for (edit, undo) in [
        ("update users set note = 'edited' where id = 'b'", "update users set note = null where id = 'b'"),
        ("update users set note = 'N' where id = 'a'", "update users set note = 'n' where id = 'a'"),
        ("update users set id = 'B' where id = 'b'", "update users set id = 'b' where id = 'B'"),
        ("delete from users where id = 'a'", "insert into users values ('a', 'A', 'n')"),
    ] {
        let mut apply = bench.begin(&layout).await;
        bench.sql(edit);
        let error = failure(apply.change(ChangeKind::Update, &both).await);
        assert!(matches!(&error, StoreError::Stale(text) if text.contains("1 users")), "{edit}: {error}");
        drop(apply);
        let mut apply = bench.begin(&layout).await;
        let deletes = [delete(&["a", "A", "n"]), delete(&["b", "B", "-"])];
        assert!(matches!(failure(apply.change(ChangeKind::Delete, &deletes).await), StoreError::Stale(_)), "{edit}");
        apply.rollback().await.unwrap();
        bench.sql(undo);
    }
    let mut apply = bench.begin(&layout).await;
    assert!(apply.change(ChangeKind::Update, &both).await.unwrap().is_empty());
    bench.commit(apply, "r1").await;
    assert_eq!(bench.sql("select id, name from users order by 1"), "a|A2\nb|B2");
}

#[tokio::test]
async fn a_user_whom_somebody_else_added_is_stale_not_refused() {
    let bench = Bench::new("create table users (id varchar(80) primary key, email varchar(80) unique)").await;
    let layout = bench.mapped(&["id", "email"]).await;
    let mut apply = bench.begin(&layout).await;
    bench.sql("insert into users values ('b', 'b@example.com')");
    let error = failure(apply.add(&rows(&[&["a", "a@example.com"], &["b", "c@example.com"]])).await);
    assert!(matches!(error, StoreError::Stale(_)), "{error}");
    drop(apply);
    assert_eq!(bench.sql("select count(*) from users"), "1");
}

#[tokio::test]
async fn only_what_differs_is_written() {
    let bench = Bench::new(
        "create table users (id varchar(80) primary key, name varchar(80), created varchar(80) default 'now', extra varchar(80), active varchar(5) default 'true'); \
         insert into users values ('a', 'A', 'c', 'e', 'true'), ('b', 'B', 'c', 'e', 'true')",
    )
    .await;
    let layout = bench
        .layout(&[
            ("id", Role::Key),
            ("name", Role::Mapped),
            ("created", Role::OnCreate),
            ("extra", Role::Cleared),
            ("active", Role::Removal),
        ])
        .await;
    let mut apply = bench.begin(&layout).await;
    // What an update must not write stays, even if the change says otherwise.
    let change = update(&["a", "A", "c", "e", "true"], &["z", "A2", "other", "-", "true"]);
    assert!(apply.change(ChangeKind::Update, &[change]).await.unwrap().is_empty());
    assert!(apply.add(&rows(&[&["n", "N", "given"]])).await.unwrap().is_empty());
    bench.commit(apply, "r1").await;
    assert_eq!(
        bench.sql("select id, name, created, coalesce(extra, '-'), active from users order by id"),
        "a|A2|c|-|true\nb|B|c|e|true\nn|N|given|-|true"
    );
}

#[tokio::test]
async fn deactivated_users_are_remembered() {
    let bench = Bench::new(
        "create table users (id varchar(80) primary key, active varchar(5) default 'true'); \
         insert into users (id) values ('a'), ('b'), ('c'), ('d')",
    )
    .await;
    let layout = bench.layout(&[("id", Role::Key), ("active", Role::Removal)]).await;
    assert!(bench.deactivated().await.is_empty());
    let off: Vec<_> = ["a", "b", "c", "d"].iter().map(|id| update(&[id, "true"], &[id, "false"])).collect();
    let mut apply = bench.begin(&layout).await;
    assert!(apply.change(ChangeKind::Deactivate, &off).await.unwrap().is_empty());
    bench.commit(apply, "r1").await;
    assert_eq!(bench.deactivated().await, ["a", "b", "c", "d"]);
    assert_eq!(bench.sql("select count(*) from users where active = 'true'"), "0");

    let mut apply = bench.begin(&layout).await;
    assert!(apply.change(ChangeKind::Restore, &[update(&["a", "false"], &["a", "true"])]).await.unwrap().is_empty());
    assert!(apply.change(ChangeKind::Delete, &[delete(&["b", "false"])]).await.unwrap().is_empty());
    apply.forget(&["c".to_owned(), "x".to_owned()]).await.unwrap();
    bench.commit(apply, "r2").await;
    assert_eq!(bench.deactivated().await, ["d"]);
    assert_eq!(bench.sql("select id, active from users order by 1"), "a|true\nc|false\nd|false");
}

#[tokio::test]
async fn chosen_users_are_found_by_their_keys_and_all_are_counted() {
    let setup = "create table users (org varchar(10), id integer not null, email varchar(50), primary key (org, id)); \
                 insert into users values ('a', 1, 'one'), ('a', 2, 'two'), ('a', 30, null), ('b', 1, 'other')";
    let mut bench = Bench::new(setup).await;
    bench.scope = scope(&[("org", "a")]);
    let layout = bench.mapped(&["id", "email"]).await;
    let keys = rows(&[&["1"], &["30"], &["4"]]);
    assert_eq!(bench.found(&layout, Some(&keys)).await, [cells(&["1", "one"]), cells(&["30", "-"])]);
    assert!(bench.found(&layout, Some(&Rows::new(1))).await.is_empty());
    let count = async |most| bench.store.count(&layout, &bench.scope, most).await.unwrap();
    assert_eq!([count(None).await, count(Some(2)).await, count(Some(3)).await, count(Some(9)).await], [3, 2, 3, 3]);
    // As many as may be asked for at once.
    let mut keys = Rows::new(1);
    (0..10_000).for_each(|key| keys.push(Some(&key.to_string())));
    assert_eq!(bench.found(&layout, Some(&keys)).await.len(), 3);
}
