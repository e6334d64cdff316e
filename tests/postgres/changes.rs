//! What a transaction does with constraints, triggers and policies that PostgreSQL alone has.

use super::{bench::*, changes::indexes};
use usersync::model::change::ChangeKind;

#[tokio::test]
async fn a_deferred_constraint_speaks_up_at_its_row() {
    let bench = Bench::new(
        "create table users (id text primary key, manager text references users deferrable initially deferred)",
    )
    .await;
    let layout = bench.mapped(&["id", "manager"]).await;
    let mut apply = bench.begin(&layout).await;
    assert_eq!(indexes(&apply.add(&rows(&[&["a", "nobody"], &["b", "c"], &["c", "-"]])).await.unwrap()), [0]);
    bench.commit(apply, "r1").await;
    assert_eq!(bench.sql("select count(*) from users"), "2");
}

#[tokio::test]
async fn what_a_trigger_does_to_a_row_is_not_hidden() {
    let bench = Bench::new(
        "create table users (id text primary key, name text); \
         create function judge() returns trigger language plpgsql as $$ begin \
           if new.name = 'drop' then return null; end if; \
           if new.name = 'own' then raise exception 'of its own' using errcode = 'UX001'; end if; \
           if new.name = 'raise' then raise exception 'no such name: %', new.name; end if; return new; end $$; \
         create trigger judge before insert or update on users for each row execute function judge()",
    )
    .await;
    let layout = bench.mapped(&["id", "name"]).await;
    let mut apply = bench.begin(&layout).await;
    let refused =
        apply.add(&rows(&[&["a", "A"], &["b", "drop"], &["c", "raise"], &["d", "D"], &["e", "own"]])).await.unwrap();
    assert_eq!(indexes(&refused), [1, 2, 4]);
    assert!(refused[0].message.contains("trigger"), "{}", refused[0].message);
    assert_eq!(refused[1].message, "no such name: raise");
    assert_eq!(refused[2].message, "of its own");
    let changes = [update(&["a", "A"], &["a", "drop"]), update(&["d", "D"], &["d", "2"])];
    assert_eq!(indexes(&apply.change(ChangeKind::Update, &changes).await.unwrap()), [0]);
    bench.commit(apply, "r1").await;
    assert_eq!(bench.sql("select id, name from users order by 1"), "a|A\nd|2");
}

#[tokio::test]
async fn users_are_added_under_row_level_security() {
    let bench = Bench::new(
        "create table users (id text primary key, name text); \
         create role rls login password 'rls'; alter table users enable row level security; \
         create policy own on users to rls using (name <> 'hidden') with check (name <> 'no'); \
         grant select, insert, update, delete on users to rls; grant create, usage on schema public to rls; \
         insert into users values ('h', 'hidden')",
    )
    .await;
    let url = Server::shared().url_for(&bench.url, "rls", "rls");
    let store = usersync::store::postgres::Postgres::connect(&target(&url, "users")).await.unwrap();
    let bench = Bench { store, ..bench };
    let layout = bench.mapped(&["id", "name"]).await;
    assert!(bench.scan(&layout).await.is_empty());
    let mut apply = bench.begin(&layout).await;
    assert!(apply.add(&rows(&[&["a", "A"], &["b", "B"]])).await.unwrap().is_empty());
    bench.commit(apply, "r1").await;
    assert_eq!(bench.sql("select string_agg(id, ',' order by id) from users"), "a,b,h");
}
