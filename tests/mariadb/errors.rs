//! What goes wrong, in words that help.

use usersync::{
    api::Action,
    model::{change::ChangeKind, job::Target},
    ports::{StoreError, UserStore as _},
};

use super::{
    bench::*,
    support::mariadb::{PASSWORD, try_sql},
    support::postgres::encoded,
};

async fn refused(url: &str) -> StoreError {
    let error = failure(Store::connect(&target(url, "users")).await);
    assert!(!error.to_string().contains("s3cret") && !error.to_string().contains("mysql://"), "{error}");
    error
}

#[tokio::test]
async fn a_login_that_fails_says_why() {
    let server = Server::shared();
    let url = server.create_database();
    for password in ["wrong s3cret", ""] {
        let error = refused(&server.url_for(&url, "root", password)).await;
        assert!(matches!(&error, StoreError::Denied(text) if text.contains("Access denied")), "{error}");
    }
    let error = refused(&server.url_for("mysql://x/nowhere", "root", PASSWORD)).await;
    assert!(matches!(&error, StoreError::Invalid(text) if text.contains("Unknown database 'nowhere'")), "{error}");
    let error = refused("mysql://a:s3cret@127.0.0.1:1/users").await;
    assert!(matches!(&error, StoreError::Unreachable(text) if text.contains("127.0.0.1:1")), "{error}");
    let error = refused("mysql://a:s3cret@localhost/users?socket=/nowhere").await;
    assert!(matches!(&error, StoreError::Unreachable(text) if text.contains("/nowhere")), "{error}");
}

#[tokio::test]
async fn a_missing_right_says_how_to_grant_it() {
    let bench = Bench::new(
        "create table users (id varchar(9) primary key, name varchar(9)); insert into users values ('a', 'A'); \
         create user weak@localhost identified by 'weak'; create table other (id int primary key); \
         create database if not exists elsewhere",
    )
    .await;
    let database = bench.url.split(['/', '?']).nth(3).unwrap().to_owned();
    bench.sql(&format!("grant select on {database}.other to weak@localhost"));
    let url = Server::shared().url_for(&bench.url, "weak", "weak");
    let store = Store::connect(&target(&url, "users")).await.unwrap();
    let weak = Bench { url: bench.url.clone(), store, scope: scope(&[]) };
    /// The statement that the message gives.
    fn mend(error: StoreError) -> String {
        assert!(matches!(error, StoreError::Denied(_)), "{error}");
        error.to_string().split_once("Let the owner run: ").unwrap().1.to_owned()
    }
    // Following the advice each time, everything works in the end.
    let text = mend(failure(weak.store.inspect().await));
    assert_eq!(text, format!("grant select on `{database}`.`users` to 'weak'@'localhost'"));
    bench.sql(&text);
    let layout = weak.mapped(&["id", "name"]).await;
    assert_eq!(weak.scan(&layout).await, [cells(&["a", "A"])]);
    let claim = claim("hr", Action::Upsert, &[]);
    weak.store.check(&claim).await.unwrap();
    bench.sql(&mend(failure(weak.store.open(&claim).await)));
    let fence = weak.store.open(&claim).await.unwrap();
    let mut apply = weak.store.begin(&fence, &layout, &weak.scope).await.unwrap();
    bench.sql(&mend(failure(apply.add(&rows(&[&["b", "B"]])).await)));
    drop(apply);
    let mut apply = weak.begin(&layout).await;
    assert!(apply.add(&rows(&[&["b", "B"], &["c", "C"]])).await.unwrap().is_empty());
    assert!(apply.change(ChangeKind::Update, &[update(&["c", "C"], &["c", "2"])]).await.unwrap().is_empty());
    assert!(apply.change(ChangeKind::Delete, &[delete(&["a", "A"])]).await.unwrap().is_empty());
    weak.commit(apply, "r1").await;
    assert_eq!(bench.sql("select * from users"), "b|B\nc|2");
}

#[tokio::test]
async fn the_rights_that_the_documentation_names_are_enough() {
    let page = include_str!("../../docs/databases.md");
    let block = page.split("```sql\n").nth(1).unwrap().split("```").next().unwrap();
    let bench = Bench::new(
        "create table users (id varchar(9) primary key, name varchar(9)); insert into users values ('a', 'A')",
    )
    .await;
    let database = bench.url.split(['/', '?']).nth(3).unwrap();
    bench.sql(&block.replace("people.", &format!("{database}.")).replace("'a password of its own'", "'usersync'"));
    let url = Server::shared().url_for(&bench.url, "usersync", "usersync");
    let store = Store::connect(&target(&url, "users")).await.unwrap();
    let bench = Bench { store, ..bench };
    let layout = bench.mapped(&["id", "name"]).await;
    bench.store.check(&claim("hr", Action::Mirror, &[])).await.unwrap();
    let mut apply = bench.begin(&layout).await;
    assert!(apply.add(&rows(&[&["b", "B"]])).await.unwrap().is_empty());
    assert!(apply.change(ChangeKind::Deactivate, &[update(&["a", "A"], &["a", "2"])]).await.unwrap().is_empty());
    bench.commit(apply, "r1").await;
    let mut apply = bench.begin(&layout).await;
    assert!(apply.change(ChangeKind::Delete, &[delete(&["a", "2"])]).await.unwrap().is_empty());
    bench.commit(apply, "r2").await;
    assert_eq!(bench.sql("select * from users"), "b|B");
}

#[tokio::test]
async fn a_table_or_column_that_goes_missing_is_named() {
    let bench = Bench::new("create table users (id varchar(9) primary key, name varchar(9))").await;
    let layout = bench.mapped(&["id", "name"]).await;
    let fence = bench.open().await;
    bench.sql("alter table users drop column name");
    let error = failure(bench.store.begin(&fence, &layout, &bench.scope).await);
    assert!(matches!(&error, StoreError::Invalid(text) if text.contains("`name`")), "{error}");
    use futures::TryStreamExt as _;
    let scan = bench.store.scan(&layout, &bench.scope, None).await.unwrap();
    let error = failure(scan.try_collect::<Vec<_>>().await);
    assert!(matches!(&error, StoreError::Invalid(text) if text.contains("name")), "{error}");
    bench.sql("drop table users");
    let error = failure(bench.store.begin(&fence, &layout, &bench.scope).await);
    assert!(matches!(&error, StoreError::Invalid(text) if text.contains("users doesn't exist")), "{error}");
}

#[tokio::test]
async fn a_lock_that_somebody_holds_is_busy() {
    let bench = Bench::new(
        "create table users (id varchar(9) primary key, name varchar(9)); insert into users values ('a', 'A')",
    )
    .await;
    let mut impatient = target(&bench.url, "users");
    impatient.timeouts.lock = std::time::Duration::from_millis(100);
    let bench = Bench { store: Store::connect(&impatient).await.unwrap(), ..bench };
    let layout = bench.mapped(&["id", "name"]).await;
    let fence = bench.open().await;
    let mut holder = bench.store.begin(&fence, &layout, &bench.scope).await.unwrap();
    holder.change(ChangeKind::Update, &[update(&["a", "A"], &["a", "B"])]).await.unwrap();
    // Nobody who reads waits, and they see what was.
    assert_eq!(bench.scan(&layout).await, [cells(&["a", "A"])]);
    // The same sync: its row in the ledger is locked.
    let error = failure(bench.store.begin(&fence, &layout, &bench.scope).await);
    assert!(matches!(error, StoreError::Busy(_)), "{error}");
    let error = failure(bench.store.open(&claim("hr", Action::Upsert, &[])).await);
    assert!(matches!(error, StoreError::Busy(_)), "{error}");
    // Another sync: the user's row is.
    let other = bench.store.open(&claim("other", Action::Upsert, &[])).await.unwrap();
    let mut apply = bench.store.begin(&other, &layout, &bench.scope).await.unwrap();
    let error = failure(apply.change(ChangeKind::Delete, &[delete(&["a", "A"])]).await);
    assert!(matches!(&error, StoreError::Busy(text) if text.contains("target.timeouts.lock")), "{error}");
    holder.rollback().await.unwrap();
}

#[tokio::test]
async fn a_statement_beyond_its_time_is_told() {
    let bench =
        Bench::new("create table users (id int primary key); insert into users select seq from seq_1_to_5000").await;
    bench.sql("create view slow as select 1; drop view slow");
    let layout = bench.mapped(&["id"]).await;
    let mut hurried = target(&bench.url, "users");
    // Enough for what a session begins with, and not for the table.
    hurried.timeouts.statement = std::time::Duration::from_millis(20);
    bench.sql("insert into users select seq from seq_5001_to_900000");
    use futures::TryStreamExt as _;
    let store = Store::connect(&hurried).await.unwrap();
    let error = match store.scan(&layout, &bench.scope, None).await {
        Ok(scan) => failure(scan.try_collect::<Vec<_>>().await),
        Err(error) => error,
    };
    assert!(matches!(&error, StoreError::Failed(text) if text.contains("target.timeouts.statement")), "{error}");
}

#[tokio::test]
async fn servers_that_refuse_are_told_apart() {
    let server = Server::start(&["--read-only=1", "--max-connections=12"]);
    let bench = Bench::on(&server, "create table users (id int primary key)").await;
    bench.sql(
        "create user plain@localhost identified by 'plain'; grant all on *.* to plain@localhost; \
               revoke read only admin on *.* from plain@localhost; revoke super on *.* from plain@localhost; \
               revoke connection admin on *.* from plain@localhost",
    );
    let url = server.url_for(&bench.url, "plain", "plain");
    let store = Store::connect(&target(&url, "users")).await.unwrap();
    store.inspect().await.unwrap();
    let error = failure(store.open(&claim("hr", Action::Upsert, &[])).await);
    assert!(matches!(&error, StoreError::Invalid(text) if text.contains("takes writes")), "{error}");
    let mut held = Vec::new();
    let error = loop {
        match Store::connect(&target(&url, "users")).await {
            Ok(store) => held.push(store),
            Err(error) => break error,
        }
        assert!(held.len() < 20, "no limit");
    };
    assert!(matches!(&error, StoreError::Unreachable(text) if text.contains("Too many connections")), "{error}");
}

#[tokio::test]
async fn a_server_that_goes_away_is_unreachable() {
    let server = Server::start(&[]);
    let bench = Bench::on(
        &server,
        "create table users (id int primary key, name varchar(1000)); \
         insert into users select seq, repeat('x', 1000) from seq_1_to_50000",
    )
    .await;
    let layout = bench.mapped(&["id", "name"]).await;
    let mut apply = bench.begin(&layout).await;
    let mut scan = bench.store.scan(&layout, &bench.scope, None).await.unwrap();
    use futures::StreamExt as _;
    scan.next().await.unwrap().unwrap();
    server.stop();
    let mut last = None;
    while let Some(batch) = scan.next().await {
        last = Some(batch);
    }
    assert!(
        matches!(last, Some(Err(StoreError::Unreachable(_)))),
        "{:?}",
        last.map(|last| last.map(|rows| rows.len()))
    );
    let error = failure(apply.add(&rows(&[&["900000", "A"]])).await);
    assert!(matches!(error, StoreError::Unreachable(_)), "{error}");
    let error = failure(bench.store.inspect().await);
    assert!(matches!(error, StoreError::Unreachable(_)), "{error}");
}

#[tokio::test]
async fn a_connection_that_was_cut_is_made_anew_and_never_goes_on_with_half() {
    let bench = Bench::new("create table users (id varchar(9) primary key)").await;
    let cut = "select concat('kill ', id, ';') from information_schema.processlist where db = database() \
        and id <> connection_id()";
    bench.store.inspect().await.unwrap();
    let layout = bench.mapped(&["id"]).await;
    let mut apply = bench.begin(&layout).await;
    apply.add(&rows(&[&["a"]])).await.unwrap();
    // One may have gone by itself meanwhile.
    bench.sql(cut).lines().for_each(|kill| drop(try_sql(&bench.url, kill)));
    let error = failure(apply.commit(&ledger_row("r1", "users.csv")).await);
    assert!(matches!(error, StoreError::Unreachable(_)), "{error}");
    bench.store.inspect().await.unwrap();
    assert_eq!(bench.sql("select count(*) from users"), "0");
    assert_eq!(bench.store.committed(&sync("hr"), "r1").await.unwrap(), None);
}

#[tokio::test]
async fn a_server_must_prove_who_it_is() {
    let (server, port) = Server::start_tls();
    let database = server.create_database();
    sql(&database, "create table users (id varchar(9) primary key)");
    sql(
        &database,
        "create user safe@'127.0.0.1' identified by 'safe' require ssl; grant all on *.* to safe@'127.0.0.1'",
    );
    let cert = server.folder().join("cert.pem");
    let trusted = format!("ssl-ca={}", cert.display());
    let name = database.split(['/', '?']).nth(3).unwrap();
    let bundle = Some(std::fs::read_to_string(&cert).unwrap());
    for (host, parameters, expected) in [
        ("localhost", "ssl-mode=VERIFY_IDENTITY".to_owned(), Err("no TLS connection")),
        ("localhost", format!("ssl-mode=VERIFY_IDENTITY&{trusted}"), Ok(())),
        // The certificate doesn't name the address.
        ("127.0.0.1", format!("ssl-mode=VERIFY_IDENTITY&{trusted}"), Err("no TLS connection")),
        ("127.0.0.1", format!("ssl-mode=verify-ca&{trusted}"), Ok(())),
        ("localhost", "ssl-mode=REQUIRED".to_owned(), Ok(())),
        ("localhost", String::new(), Ok(())),
        // The account takes encrypted connections alone.
        ("localhost", "ssl-mode=DISABLED".to_owned(), Err("Access denied")),
    ] {
        let url = format!("mysql://safe:{}@{host}:{port}/{name}?{parameters}", encoded("safe"));
        // The same with `caBundle`.
        let given = Target { ca_bundle: bundle.clone(), ..target(&url.replace(&trusted, ""), "users") };
        let verified = Store::connect(&given).await.map(drop);
        let wrong = parameters.contains("DISABLED") || host != "localhost" && parameters.contains("IDENTITY");
        assert_eq!(verified.is_err(), wrong, "{host} {parameters}");
        match (Store::connect(&target(&url, "users")).await, expected) {
            (Ok(store), Ok(())) => drop(store.inspect().await.unwrap()),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{host} {parameters}: {error}"),
            (Ok(_), Err(_)) => panic!("{host} {parameters} connects"),
            (Err(error), Ok(())) => panic!("{host} {parameters}: {error}"),
        }
    }
}
