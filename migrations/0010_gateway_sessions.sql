-- What it takes to go on listening after a restart as if nothing had happened.
create table gateway_sessions (
    shard_id    integer     primary key check (shard_id >= 0),
    shard_count integer     not null check (shard_count > shard_id),
    session_id  text        not null check (length(session_id) between 1 and 512),
    resume_url  text,
    sequence    bigint      not null check (sequence >= 0),
    saved_at    timestamptz not null
);

comment on table gateway_sessions is 'One row per shard: Discord''s gateway session, to be resumed by whoever listens next';
comment on column gateway_sessions.shard_id is 'number of the shard, from 0';
comment on column gateway_sessions.shard_count is 'into how many shards the guilds were divided; a session of another division is worth nothing';
comment on column gateway_sessions.session_id is 'as Discord named it when it began';
comment on column gateway_sessions.resume_url is 'where Discord wants it resumed; null when that address could not be reached';
comment on column gateway_sessions.sequence is 'the last event whose effects are in gateway_guilds, and whose bookings are in jobs';
comment on column gateway_sessions.saved_at is 'when it was written, for people who look';

create table gateway_guilds (
    guild_id    bigint     primary key check (guild_id > 0),
    shard_id    integer    not null references gateway_sessions (shard_id) on delete cascade,
    unavailable boolean    not null,
    users       bigint[]   not null,
    seats       bigint[]   not null,
    channels    bigint[]   not null,
    kinds       smallint[] not null,
    parents     bigint[]   not null,
    constraint one_seat_each check (cardinality(users) = cardinality(seats)),
    constraint one_place_each check (cardinality(channels) = cardinality(kinds) and cardinality(channels) = cardinality(parents))
);

comment on table gateway_guilds is 'What was known of each guild when the session of its shard was saved';
comment on column gateway_guilds.guild_id is 'Discord''s id of the guild';
comment on column gateway_guilds.shard_id is 'the shard that hears of it';
comment on column gateway_guilds.unavailable is 'Discord had an outage there';
comment on column gateway_guilds.users is 'who sits in voice';
comment on column gateway_guilds.seats is 'the voice channel of each of them';
comment on column gateway_guilds.channels is 'all channels of the guild, categories among them';
comment on column gateway_guilds.kinds is 'Discord''s number for the type of each: 2 voice, 4 category, 13 stage, 0 for all others';
comment on column gateway_guilds.parents is 'the category of each; 0 for none';

create index gateway_guilds_by_shard on gateway_guilds (shard_id);
