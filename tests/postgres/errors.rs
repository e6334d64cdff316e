//! What goes wrong, in words that help.

use usersync::{
    model::{
        change::ChangeKind,
        column::{Case, ColumnType},
        job::Target,
    },
    ports::{StoreError, UserStore as _},
    store::postgres::Postgres,
};

use super::bench::*;

async fn refused(url: &str) -> StoreError {
    let error = failure(Postgres::connect(&target(url, "users")).await);
    assert!(!error.to_string().contains("s3cret") && !error.to_string().contains("postgres://"), "{error}");
    error
}

#[tokio::test]
async fn a_login_that_fails_says_why() {
    let server = Server::shared();
    let url = server.create_database();
    let error = refused(&server.url_for(&url, "postgres", "wrong s3cret")).await;
    assert!(matches!(&error, StoreError::Denied(text) if text.contains("password authentication failed")), "{error}");
    let error = refused(&server.url_for(&url, "postgres", "")).await;
    assert!(matches!(&error, StoreError::Denied(_)), "{error}");
    let error = refused(&server.url_for("postgres://x/nowhere", "postgres", super::support::postgres::PASSWORD)).await;
    assert!(matches!(&error, StoreError::Invalid(text) if text.contains("\"nowhere\" does not exist")), "{error}");
    let error = refused("postgres://a:s3cret@127.0.0.1:1/users").await;
    assert!(matches!(&error, StoreError::Unreachable(text) if text.contains("127.0.0.1:1")), "{error}");
    let error = refused("postgres://a:s3cret@localhost/users?host=/nowhere").await;
    assert!(matches!(&error, StoreError::Unreachable(text) if text.contains("/nowhere")), "{error}");
}

#[tokio::test]
async fn a_missing_right_says_how_to_grant_it() {
    let bench = Bench::new(
        "create table users (id text primary key, name text); create role weak login password 'weak'; \
         revoke create on schema public from public; insert into users values ('a', 'A')",
    )
    .await;
    let url = Server::shared().url_for(&bench.url, "weak", "weak");
    let store = Postgres::connect(&target(&url, "users")).await.unwrap();
    let weak = Bench { url: bench.url.clone(), store, scope: scope(&[]) };
    /// The statement that the message gives.
    fn mend(error: StoreError) -> String {
        assert!(matches!(error, StoreError::Denied(_)), "{error}");
        error.to_string().split_once("Let the owner run: ").unwrap().1.to_owned()
    }
    // Following the advice each time, everything works in the end.
    let text = mend(failure(weak.store.inspect().await));
    assert_eq!(text, "grant usage on schema \"public\" to \"weak\"; grant select on \"public\".\"users\" to \"weak\"");
    bench.sql(&text);
    let layout = weak.mapped(&["id", "name"]).await;
    assert_eq!(weak.scan(&layout).await, [cells(&["a", "A"])]);
    let claim = claim("hr", usersync::api::Action::Upsert, &[]);
    weak.store.check(&claim).await.unwrap();
    bench.sql(&mend(failure(weak.store.open(&claim).await)));
    let fence = weak.store.open(&claim).await.unwrap();
    let mut apply = weak.store.begin(&fence, &layout, &weak.scope).await.unwrap();
    bench.sql(&mend(failure(apply.add(&rows(&[&["b", "B"]])).await)));
    drop(apply);
    let mut apply = weak.begin(&layout).await;
    assert!(apply.add(&rows(&[&["b", "B"]])).await.unwrap().is_empty());
    assert!(apply.change(ChangeKind::Delete, &[delete(&["a", "A"])]).await.unwrap().is_empty());
    weak.commit(apply, "r1").await;
    assert_eq!(bench.sql("select * from users"), "b|B");
}

#[tokio::test]
async fn a_column_that_goes_missing_is_named() {
    let bench = Bench::new("create table users (id text primary key, name text)").await;
    let layout = bench.mapped(&["id", "name"]).await;
    let fence = bench.open().await;
    bench.sql("alter table users drop column name");
    let error = failure(bench.store.begin(&fence, &layout, &bench.scope).await);
    assert!(matches!(&error, StoreError::Invalid(text) if text.contains("\"name\"")), "{error}");
    use futures::TryStreamExt as _;
    let scan = bench.store.scan(&layout, &bench.scope, None).await.unwrap();
    let error = failure(scan.try_collect::<Vec<_>>().await);
    assert!(matches!(&error, StoreError::Invalid(text) if text.contains("name")), "{error}");
}

#[tokio::test]
async fn a_lock_that_somebody_holds_is_busy() {
    let bench =
        Bench::new("create table users (id text primary key, name text); insert into users values ('a', 'A')").await;
    let mut impatient = target(&bench.url, "users");
    impatient.timeouts.lock = std::time::Duration::from_millis(100);
    let bench = Bench { store: Postgres::connect(&impatient).await.unwrap(), ..bench };
    let layout = bench.mapped(&["id", "name"]).await;
    let fence = bench.open().await;
    let mut holder = bench.store.begin(&fence, &layout, &bench.scope).await.unwrap();
    holder.change(ChangeKind::Update, &[update(&["a", "A"], &["a", "B"])]).await.unwrap();
    // The same sync: its row in the ledger is locked.
    let error = failure(bench.store.begin(&fence, &layout, &bench.scope).await);
    assert!(matches!(error, StoreError::Busy(_)), "{error}");
    let error = failure(bench.store.open(&claim("hr", usersync::api::Action::Upsert, &[])).await);
    assert!(matches!(error, StoreError::Busy(_)), "{error}");
    // Another sync: the user's row is.
    let other = bench.store.open(&claim("other", usersync::api::Action::Upsert, &[])).await.unwrap();
    let mut apply = bench.store.begin(&other, &layout, &bench.scope).await.unwrap();
    let error = failure(apply.change(ChangeKind::Delete, &[delete(&["a", "A"])]).await);
    assert!(matches!(&error, StoreError::Busy(text) if text.contains("target.timeouts.lock")), "{error}");
    holder.rollback().await.unwrap();
}

#[tokio::test]
async fn a_server_that_goes_away_is_unreachable() {
    let server = Server::start();
    let bench = Bench::on(
        &server,
        "create table users (id text primary key, name text); \
         insert into users select n, repeat('x', 1000) from generate_series(1, 50000) as n",
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
    assert!(matches!(last, Some(Err(StoreError::Unreachable(_)))), "{last:?}");
    let error = failure(apply.add(&rows(&[&["a", "A"]])).await);
    assert!(matches!(error, StoreError::Unreachable(_)), "{error}");
    let error = failure(bench.store.inspect().await);
    assert!(matches!(error, StoreError::Unreachable(_)), "{error}");
}

#[tokio::test]
async fn a_connection_that_was_cut_is_made_anew() {
    let bench = Bench::new("create table users (id text primary key)").await;
    bench.store.inspect().await.unwrap();
    bench.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'usersync' and datname = current_database()");
    bench.store.inspect().await.unwrap();
}

/// Waits until the server has no session of ours: one ends a little after its connection.
const GONE: &str = "do $$ begin while exists (select from pg_stat_activity where application_name = 'usersync') \
    loop perform pg_sleep(0.01), pg_stat_clear_snapshot(); end loop; end $$";

#[tokio::test]
async fn a_server_must_prove_who_it_is() {
    let (server, port) = Server::start_tls();
    let local = server.url_for("postgres://x/test0", "postgres", super::support::postgres::PASSWORD);
    sql(&server.create_database(), "create table users (id text primary key)");
    let password = super::support::postgres::encoded(super::support::postgres::PASSWORD);
    let cert = server.folder().join("cert.pem");
    let trusted = format!("sslrootcert={}", cert.display());
    let bundle = Some(std::fs::read_to_string(&cert).unwrap());
    for (host, parameters, expected) in [
        ("localhost", "sslmode=verify-full".to_owned(), Err("no TLS connection")),
        ("localhost", format!("sslmode=verify-full&{trusted}"), Ok("t")),
        // The certificate doesn't name the address.
        ("127.0.0.1", format!("sslmode=verify-full&{trusted}"), Err("no TLS connection")),
        ("127.0.0.1", format!("sslmode=verify-ca&{trusted}"), Ok("t")),
        ("localhost", "sslmode=require".to_owned(), Ok("t")),
        ("localhost", String::new(), Ok("t")),
        ("localhost", "sslmode=disable".to_owned(), Ok("f")),
    ] {
        let url = format!("postgres://postgres:{password}@{host}:{port}/test0?{parameters}");
        // With `caBundle` instead, it always verifies: the mode is said in the URL, or the strictest.
        let given = Target { ca_bundle: bundle.clone(), ..target(&url.replace(&trusted, ""), "users") };
        let verified = Postgres::connect(&given).await.map(drop);
        assert_eq!(verified.is_ok(), host == "localhost" || !parameters.starts_with("sslmode=verify-full"), "{url}");
        sql(&local, GONE);
        let store = Postgres::connect(&target(&url, "users")).await;
        match (store, expected) {
            (Ok(store), Ok(encrypted)) => {
                store.inspect().await.unwrap();
                let seen = "select bool_or(ssl) from pg_stat_ssl join pg_stat_activity using (pid) \
                    where application_name = 'usersync'";
                assert_eq!(sql(&local, seen), encrypted, "{host} {parameters}");
                drop(store);
                sql(&local, GONE);
            }
            (Err(error), Err(part)) => {
                assert!(matches!(&error, StoreError::Unreachable(text) if text.contains(part)), "{error}");
            }
            (Ok(_), Err(_)) => panic!("{host} {parameters} connects"),
            (Err(error), Ok(_)) => panic!("{host} {parameters}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_match_key_that_is_compared_loosely_is_refused() {
    let bench = Bench::new(
        "create collation loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false); \
         create table users (id text collate loose primary key, org text collate loose)",
    )
    .await;
    let layout = bench.mapped(&["id", "org"]).await;
    let kind = &layout.key().kind;
    assert!(matches!(kind, ColumnType::Text { case: Case::Collation, .. }), "the run asks for its forms: {kind:?}");
    let keys = failure(bench.store.key_forms(&layout, &rows(&[&["ada"]])).await);
    let scoped = failure(bench.store.open(&claim("hr", usersync::api::Action::Upsert, &[("org", "a")])).await);
    for (error, part) in [(keys, "column id can't be the match key"), (scoped, "column org can't be in target.scope")] {
        assert!(matches!(&error, StoreError::Invalid(text) if text.contains(part)), "{error}");
    }
}
