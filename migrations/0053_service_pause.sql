-- The operators' pause of everything: there is a row while it lasts.
create table service_pause (
    only_row boolean     primary key default true check (only_row),
    since    timestamptz not null,
    reason   text        check (length(reason) between 1 and 200)
);

comment on table service_pause is 'A row while all of Muster is paused: no step is taken in Discord. Who did it stands in the audit log';
comment on column service_pause.only_row is 'makes a second row impossible';
comment on column service_pause.since is 'when it was paused';
comment on column service_pause.reason is 'for people; null when none was given';
