-- Which process listens to Discord's gateway, and that it does not hang. The right itself is an advisory lock.
create table gateway_lease (
    only_row  boolean     primary key default true check (only_row),
    beats     bigint      not null default 0,
    beaten_at timestamptz not null
);

comment on table gateway_lease is 'One row, written every two seconds by the process that listens to Discord''s gateway';
comment on column gateway_lease.only_row is 'always true: there is one row at most';
comment on column gateway_lease.beats is 'grows with every heartbeat: those who stand by end the connection of one whose beats stand still, without comparing clocks';
comment on column gateway_lease.beaten_at is 'when that was, by its own clock; for people to read';
