-- The durable queue: one row per key, claimed in place.
create table workers (
    id           integer     generated always as identity primary key,
    started_at   timestamptz not null,
    heartbeat_at timestamptz not null,
    beats        bigint      not null default 0
);

comment on table workers is 'Processes that work on jobs; each holds the session advisory lock of its id while it lives';
comment on column workers.heartbeat_at is 'when it last said that it lives, by its own clock; for people to read';
comment on column workers.beats is 'grows with every heartbeat: peers expel a worker whose beats stand still, without comparing clocks';

-- Epochs come from here and not from the row: a row is deleted when nothing is left, and a late settle must not fit the next row of the same key.
create sequence job_epochs;

create table jobs (
    key          text        primary key check (length(key) between 1 and 200),
    due_at       timestamptz not null,
    next_at      timestamptz,
    wanted       bigint      not null default 1 check (wanted >= done),
    done         bigint      not null default 0,
    wanted_since timestamptz,
    owner        integer     references workers (id) on delete set null,
    epoch        bigint      not null default 0,
    attempts     integer     not null default 0,
    failures     integer     not null default 0,
    last_error   text,
    dead_at      timestamptz,
    constraint dead_has_no_owner check (dead_at is null or owner is null)
);

comment on table jobs is 'One row per key; rows of finished matches are removed, history belongs elsewhere';
comment on column jobs.due_at is 'when to run next; stays while it runs, so that the key is due at once when its worker is gone';
comment on column jobs.next_at is 'the earliest time asked for while it runs; taken over when it settles';
comment on column jobs.wanted is 'how often the job was booked: a burst coalesces into one run';
comment on column jobs.done is 'how much of wanted the last good run had seen';
comment on column jobs.wanted_since is 'when the oldest unserved wish was booked; null when only a timer is due';
comment on column jobs.owner is 'the worker that runs it; cleared when that worker''s row is removed';
comment on column jobs.epoch is 'a new one, from job_epochs, with every claim: the fence against a late owner';
comment on column jobs.attempts is 'runs since the last good one: the wait before the next grows with it';
comment on column jobs.failures is 'those of them that should not have failed: too many, and the job is dead';
comment on column jobs.last_error is 'why the last bad run went bad';
comment on column jobs.dead_at is 'set after too many failures; kept, listed, revived by booking it again';

create index jobs_due on jobs (due_at) where owner is null and dead_at is null;
create index jobs_by_owner on jobs (owner) where owner is not null;
create index jobs_dead on jobs (dead_at) where dead_at is not null;
