create table people (
    id    integer primary key,
    email text not null unique,
    name  text not null
);
insert into people (email, name) values
    ('grete.oehler@example.com', 'Grete Öhler'),
    ('hakon.bjornson@example.com', 'Håkon Bjørnson'),
    ('ines.goncalves@example.com', 'Inês Gonçalves');
