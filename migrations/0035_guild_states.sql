-- What we know of each Discord server besides its settings: whether the bot is there, and when something changed that a refusal may have waited for.
create table guild_states (
    guild_id        bigint      primary key check (guild_id > 0),
    away_since      timestamptz,
    away_checked_at timestamptz,
    rights_at       timestamptz,
    room_at         timestamptz,
    constraint away_is_checked check ((away_since is null) = (away_checked_at is null))
);

comment on table guild_states is 'One row per guild that something happened in; not its settings';
comment on column guild_states.guild_id is 'Discord''s id of the server';
comment on column guild_states.away_since is 'the bot was removed: the matches of the guild are parked; null while it is there, as far as we know';
comment on column guild_states.away_checked_at is 'when Discord last said so';
comment on column guild_states.rights_at is 'when what the bot may do there last changed while something was refused to it';
comment on column guild_states.room_at is 'when a channel was last deleted there while something waited for room';
