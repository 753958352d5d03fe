-- Which FACEIT player is which Discord account.
create table player_links (
    faceit_id       text        primary key check (length(faceit_id) between 1 and 128),
    discord_id      bigint      not null unique check (discord_id > 0),
    nickname        text        not null,
    verified_method text        not null check (verified_method in ('oauth', 'manual', 'staff', 'import')),
    opted_out       boolean     not null default false,
    linked_at       timestamptz not null,
    verified_at     timestamptz,
    updated_at      timestamptz not null
);

comment on table player_links is 'One FACEIT player to one Discord account and back';
comment on column player_links.faceit_id is 'FACEIT''s player_id';
comment on column player_links.nickname is 'the FACEIT nickname when last read';
comment on column player_links.verified_method is 'how we know: oauth proves it, manual is typed by the player, staff and import by an operator';
comment on column player_links.opted_out is 'never move this player';
comment on column player_links.verified_at is 'when the proof was made; null when it was never proven';
