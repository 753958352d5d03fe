-- What we know of each match.
create table matches (
    match_id      text        primary key check (length(match_id) between 1 and 128),
    guild_id      bigint      not null check (guild_id > 0),
    status        text,
    facts         jsonb,
    last_version  bigint,
    first_seen_at timestamptz not null,
    live_since    timestamptz,
    ended_at      timestamptz,
    closed_at     timestamptz,
    demo_urls     text[]      not null default '{}',
    updated_at    timestamptz not null
);

comment on table matches is 'Matches we were told of; open while closed_at is null';
comment on column matches.status is 'FACEIT''s word from the last accepted reading; null before the first';
comment on column matches.facts is 'the last accepted reading: both rosters, competition, times';
comment on column matches.last_version is 'highest webhook payload.version seen; older ones never move the match';
comment on column matches.live_since is 'start of the current life: a match may be run again after its end';
comment on column matches.ended_at is 'when the current life was first seen over; the grace period counts from here';
comment on column matches.closed_at is 'when nothing was left to do';
comment on column matches.demo_urls is 'recordings announced by match_demo_ready';
comment on column matches.updated_at is 'when a reading or a step last changed the row';

create index matches_open on matches (match_id) where closed_at is null;
create index matches_by_change on matches (updated_at);
