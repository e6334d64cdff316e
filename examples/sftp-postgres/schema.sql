-- The table that usersync.yaml fills.
create table users (
    id            bigint generated always as identity primary key,
    org           text not null,
    employee_id   text not null,
    email         text not null,
    display_name  text,
    department    text,
    starts_on     date,
    locale        varchar(8) not null default 'en',
    salary_band   text,
    password_hash text,
    created_at    timestamptz not null default now(),
    unique (org, employee_id),          -- the match key, within the scope
    unique (org, email)
);

-- The rights that UserSync needs, for the role in the Secret users-db. It keeps its ledger in a schema of its own beside the
-- users; docs/safety.md says what is in it.
--
--   grant select, insert, update, delete on users to usersync;
