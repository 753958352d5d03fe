-- What each guild wants, and whose matches are whose.
create table guilds (
    guild_id            bigint      primary key check (guild_id > 0),
    category_id         bigint      check (category_id > 0),
    overflow            boolean     not null,
    overflow_name       text        not null check (length(overflow_name) between 1 and 200),
    lobby_id            bigint      check (lobby_id > 0),
    source_channels     bigint[]    not null,
    staff_roles         bigint[]    not null,
    spectator_roles     bigint[]    not null,
    user_limit          integer     not null check (user_limit between 0 and 99),
    name_template       text        not null check (length(name_template) between 1 and 200),
    open_when           text        not null check (open_when in ('rosters_known', 'somebody_linked')),
    grace_seconds       bigint      not null check (grace_seconds between 0 and 86400),
    max_age_seconds     bigint      not null check (max_age_seconds between 1 and 604800),
    return_to           text        not null check (return_to in ('before', 'lobby', 'stay')),
    paused              boolean     not null,
    verified_links_only boolean     not null,
    report_channel_id   bigint      check (report_channel_id > 0),
    version             bigint      not null check (version > 0),
    updated_at          timestamptz not null
);

comment on table guilds is 'One row per guild with settings of its own; they go before those of the environment';
comment on column guilds.guild_id is 'Discord''s id of the server';
comment on column guilds.name_template is 'names of match channels';
comment on column guilds.updated_at is 'when somebody last changed it';
comment on column guilds.category_id is 'where match channels are made; null: at the top of the list';
comment on column guilds.overflow is 'make further categories when that one is full';
comment on column guilds.overflow_name is 'their names: {category} and {n}';
comment on column guilds.lobby_id is 'where people go when their match is over';
comment on column guilds.source_channels is 'people are moved only out of these; empty: out of any';
comment on column guilds.staff_roles is 'may enter every match channel and speak';
comment on column guilds.spectator_roles is 'may enter every match channel and listen';
comment on column guilds.user_limit is '0 is no limit';
comment on column guilds.open_when is 'when a running match gets its channels';
comment on column guilds.grace_seconds is 'how long channels stay after the end of a match';
comment on column guilds.max_age_seconds is 'an older match is over, whatever FACEIT says';
comment on column guilds.return_to is 'where people go at the end: where they were before, the lobby, or nowhere';
comment on column guilds.paused is 'nothing is done in Discord; matches stay open';
comment on column guilds.verified_links_only is 'links that nobody proved don''t count';
comment on column guilds.report_channel_id is 'a text channel for what operators should know';
comment on column guilds.version is 'grows with every change: who changes it says which version he saw';

create table guild_competitions (
    competition_id text        primary key check (length(competition_id) between 1 and 128),
    kind           text        not null check (kind in ('hub', 'championship', 'organizer')),
    guild_id       bigint      not null references guilds (guild_id) on delete cascade,
    claimed_at     timestamptz not null
);

comment on table guild_competitions is 'Whose matches are whose: a competition, or all of an organizer, belongs to one guild';
comment on column guild_competitions.competition_id is 'FACEIT''s id of the hub, championship or organizer';
comment on column guild_competitions.guild_id is 'whose matches they are';
comment on column guild_competitions.claimed_at is 'since when';
comment on column guild_competitions.kind is 'a hub or championship goes before its organizer';

create index guild_competitions_by_guild on guild_competitions (guild_id);

-- A match that no guild claims is stored and left alone.
alter table matches alter column guild_id drop not null;

comment on column matches.guild_id is 'whose match it is; null while no guild claims its competition';
create index matches_by_guild on matches (guild_id) where closed_at is null;
