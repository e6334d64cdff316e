//! What a transaction does with what MariaDB checks row by row, and with triggers.

use super::{bench::*, changes::indexes};
use usersync::{
    model::{change::ChangeKind, rows::Rows},
    ports::{StoreError, UserStore as _},
};

#[tokio::test]
async fn a_circle_of_users_comes_and_goes() {
    let bench =
        Bench::new("create table users (id varchar(9) primary key, manager varchar(9) references users (id), age int)")
            .await;
    let layout = bench.mapped(&["id", "manager", "age"]).await;
    let mut users = Rows::new(3);
    for i in 0..3_000 {
        let above = if i == 1_500 { "nobody".to_owned() } else { format!("{}", (i + 1) % 3_000) };
        users.push_row([Some(&*i.to_string()), Some(&*above), Some("7")]);
    }
    let mut apply = bench.begin(&layout).await;
    let refused = apply.add(&users).await.unwrap();
    // Whoever stands below one who is refused has nobody to refer to, and here that is everybody.
    assert_eq!(refused.len(), 3_000);
    assert!(refused[7].message.contains("manager"), "{}", refused[7].message);
    apply.rollback().await.unwrap();

    let mut users = Rows::new(3);
    for i in 0..3_000 {
        users.push_row([Some(&*i.to_string()), Some(&*format!("{}", (i + 1) % 3_000)), Some("7")]);
    }
    let mut apply = bench.begin(&layout).await;
    assert!(apply.add(&users).await.unwrap().is_empty());
    bench.commit(apply, "r1").await;
    assert_eq!(bench.sql("select count(*), count(manager) from users"), "3000|3000");

    let all: Vec<_> = bench
        .scan(&layout)
        .await
        .into_iter()
        .map(|old| usersync::model::change::Change { old, ..delete(&["x"]) })
        .collect();
    let mut apply = bench.begin(&layout).await;
    assert!(apply.change(ChangeKind::Delete, &all).await.unwrap().is_empty());
    bench.commit(apply, "r2").await;
    assert_eq!(bench.sql("select count(*) from users"), "0");
}

#[tokio::test]
async fn values_that_users_exchange_come_out_right() {
    let bench = Bench::new(
        "create table users (id varchar(9) primary key, email varchar(20) unique, fixed varchar(20) not null unique); \
         insert into users values ('a', '1', '1'), ('b', '2', '2'), ('c', '3', '3')",
    )
    .await;
    let layout = bench.mapped(&["id", "email", "fixed"]).await;
    let circle = [
        update(&["a", "1", "1"], &["a", "2", "1"]),
        update(&["b", "2", "2"], &["b", "3", "2"]),
        update(&["c", "3", "3"], &["c", "1", "3"]),
    ];
    let mut apply = bench.begin(&layout).await;
    assert!(apply.change(ChangeKind::Update, &circle).await.unwrap().is_empty());
    // What can't be empty can't be given up first: then both are refused, and nothing is half.
    let swap = [update(&["a", "2", "1"], &["a", "2", "2"]), update(&["b", "3", "2"], &["b", "3", "1"])];
    assert_eq!(indexes(&apply.change(ChangeKind::Update, &swap).await.unwrap()), [0, 1]);
    bench.commit(apply, "r1").await;
    assert_eq!(bench.sql("select * from users order by id"), "a|2|1\nb|3|2\nc|1|3");
}

#[tokio::test]
async fn a_trigger_that_refuses_a_row_says_why() {
    let bench = Bench::new(
        "create table users (id varchar(9) primary key, name varchar(9));\ndelimiter //\n\
         create trigger judge before insert on users for each row \
         if new.name = 'raise' then signal sqlstate '45000' set message_text = 'no such name'; end if//",
    )
    .await;
    let layout = bench.mapped(&["id", "name"]).await;
    let mut apply = bench.begin(&layout).await;
    let refused = apply.add(&rows(&[&["a", "A"], &["c", "raise"], &["d", "D"]])).await.unwrap();
    assert_eq!(indexes(&refused), [1]);
    assert_eq!(refused[0].message, "no such name");
    bench.commit(apply, "r1").await;
    assert_eq!(bench.sql("select id, name from users order by 1"), "a|A\nd|D");
}

#[tokio::test]
async fn users_who_go_with_others_are_gone() {
    let bench = Bench::new(
        "create table users (id varchar(9) primary key, \
         manager varchar(9), foreign key (manager) references users (id) on delete cascade); \
         insert into users values ('a', null), ('b', 'a'), ('c', 'b')",
    )
    .await;
    let layout = bench.mapped(&["id", "manager"]).await;
    let mut apply = bench.begin(&layout).await;
    let gone = [delete(&["a", "-"]), delete(&["b", "a"]), delete(&["c", "b"])];
    assert!(apply.change(ChangeKind::Delete, &gone).await.unwrap().is_empty());
    bench.commit(apply, "r1").await;
    assert_eq!(bench.sql("select count(*) from users"), "0");
}

#[tokio::test]
async fn a_row_larger_than_the_server_takes_is_refused_alone() {
    let bench = Bench::new("create table users (id varchar(9) primary key, note longtext)").await;
    let layout = bench.mapped(&["id", "note"]).await;
    let large = "x".repeat(17 << 20);
    let mut apply = bench.begin(&layout).await;
    let refused = apply.add(&rows(&[&["a", "A"], &["b", &large], &["c", "C"]])).await.unwrap();
    assert_eq!(indexes(&refused), [1]);
    assert!(refused[0].message.contains("max_allowed_packet"), "{}", refused[0].message);
    let changes = [update(&["a", "A"], &["a", &large]), update(&["c", "C"], &["c", "2"])];
    assert_eq!(indexes(&apply.change(ChangeKind::Update, &changes).await.unwrap()), [0]);
    bench.commit(apply, "r1").await;
    assert_eq!(bench.sql("select * from users order by id"), "a|A\nc|2");
}

#[tokio::test]
async fn a_deadlock_leaves_nothing_half() {
    let bench = Bench::new(
        "create table users (id varchar(9) primary key, name varchar(9)); insert into users values ('a', 'A'), ('b', 'B')",
    )
    .await;
    let layout = bench.mapped(&["id", "name"]).await;
    let mut apply = bench.begin(&layout).await;
    assert!(apply.change(ChangeKind::Update, &[update(&["a", "A"], &["a", "2"])]).await.unwrap().is_empty());
    let url = bench.url.clone();
    // The other one has done more: it is ours that the server ends.
    let other = std::thread::spawn(move || {
        sql(
            &url,
            "create temporary table much (n int) engine = InnoDB; start transaction; \
             insert into usersync_migrations select seq + 100, now() from seq_1_to_1000; \
             update users set name = 'other' where id = 'b'; update users set name = 'other' where id = 'a'; \
             delete from usersync_migrations where step > 100; commit",
        )
    });
    let waits = "select count(*) from information_schema.innodb_trx where trx_state = 'LOCK WAIT'";
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while bench.sql(waits) == "0" {
        assert!(std::time::Instant::now() < deadline, "nobody waits");
        // Asked more often than ten times a second, the server shows what it showed before.
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    let error = failure(apply.change(ChangeKind::Update, &[update(&["b", "B"], &["b", "2"])]).await);
    assert!(matches!(error, StoreError::Busy(_)), "{error}");
    // Whatever is tried with it now, nothing is committed.
    assert!(apply.commit(&ledger_row("r1", "users.csv")).await.is_err());
    other.join().unwrap();
    assert_eq!(bench.sql("select * from users order by id"), "a|other\nb|other");
    assert_eq!(bench.store.committed(&sync("hr"), "r1").await.unwrap(), None);
}
