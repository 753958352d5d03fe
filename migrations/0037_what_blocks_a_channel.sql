-- What stands in the way of a channel decides when it is tried again.
alter table active_matches add column blocked_by text check (blocked_by in ('refused', 'no_room', 'guild_full', 'later'));
alter table active_matches add column blocked_until timestamptz;
update active_matches set blocked_by = 'refused' where blocked_why is not null;
alter table active_matches add constraint blocked_has_cause check ((blocked_why is null) = (blocked_by is null));
alter table active_matches add constraint later_has_time
    check ((blocked_until is not null) = (blocked_by is not null and blocked_by = 'later'));

comment on column active_matches.blocked_by is 'refused: a person must change something; no_room: the category is full; guild_full: 500 channels; later: not before blocked_until';
comment on column active_matches.blocked_until is 'Discord takes no more before then';

create index active_matches_by_guild on active_matches (guild_id);
