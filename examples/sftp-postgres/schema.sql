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

-- docs/safety.md says which rights UserSync needs on it, and which tables it adds beside it.
