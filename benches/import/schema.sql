set client_min_messages = warning;
drop table if exists users;
create table users (
    employee_id text primary key,
    first_name  text,
    last_name   text,
    email       text unique,
    phone       text,
    department  text,
    job_title   text,
    location    text,
    country     varchar(2),
    cost_center text,
    manager_id  text,
    start_date  date,
    language    text,
    active      boolean
);
