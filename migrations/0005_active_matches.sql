-- The voice channels that exist, may exist, or were refused: one row per faction of a match.
create table active_matches (
    match_id         text        not null references matches (match_id) on delete restrict,
    faction          text        not null check (faction in ('faction1', 'faction2')),
    guild_id         bigint      not null check (guild_id > 0),
    channel_name     text        not null check (length(channel_name) between 1 and 100),
    category_id      bigint      check (category_id > 0),
    channel_id       bigint      unique check (channel_id > 0),
    intended_at      timestamptz,
    uncertain_since  timestamptz,
    stray_channels   bigint[]    not null default '{}',
    access           bigint[]    not null default '{}',
    blocked_why      text,
    blocked_at       timestamptz,
    access_blocked   text,
    updated_at       timestamptz not null,
    primary key (match_id, faction),
    constraint intended_until_bound check (channel_id is null or intended_at is null),
    constraint blocked_has_time check ((blocked_why is null) = (blocked_at is null)),
    constraint row_has_reason check (channel_id is not null or intended_at is not null or uncertain_since is not null
        or blocked_why is not null or stray_channels <> '{}')
);

comment on table active_matches is 'Our voice channels, by match and faction; a row goes only when Discord says that its channel is gone';
comment on column active_matches.channel_id is 'the channel that is ours; only stored ids are ever deleted';
comment on column active_matches.intended_at is 'written before the create call: until it is answered, look for the channel before creating again';
comment on column active_matches.uncertain_since is 'a create from then on was never answered: look for what it left behind before the row goes';
comment on column active_matches.stray_channels is 'further channels found from unanswered creates, to be deleted';
comment on column active_matches.access is 'Discord users with an overwrite of their own';
comment on column active_matches.blocked_why is 'Discord''s refusal and what to do about it';
comment on column active_matches.access_blocked is 'why the list of who may enter can''t be changed';
