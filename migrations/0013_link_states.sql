-- Sign-ins at FACEIT that were begun and not finished.
create table link_states (
    token_hash   bytea       primary key check (length(token_hash) = 32),
    state_hash   bytea       unique check (length(state_hash) = 32),
    verifier     text        check (length(verifier) between 43 and 128),
    discord_id   bigint      not null check (discord_id > 0),
    discord_name text        not null,
    guild_id     bigint      check (guild_id > 0),
    created_at   timestamptz not null,
    expires_at   timestamptz not null,
    constraint started_has_both check ((state_hash is null) = (verifier is null))
);

comment on table link_states is 'Sign-ins at FACEIT that were begun with /link and are open; a row goes when FACEIT sends the player back, or with its time';
comment on column link_states.token_hash is 'SHA-256 of the token in the address that /link gives out';
comment on column link_states.state_hash is 'SHA-256 of the state that FACEIT sends back; null until the address is opened';
comment on column link_states.verifier is 'PKCE: proves to FACEIT that whoever finishes is who began; worth nothing without FACEIT''s code';
comment on column link_states.discord_id is 'whose account is to be linked';
comment on column link_states.discord_name is 'what he was called, for the page at the end';
comment on column link_states.guild_id is 'where he asked; null in a direct message';
comment on column link_states.created_at is 'when /link was called';
comment on column link_states.expires_at is 'later it counts no more';

create index link_states_by_user on link_states (discord_id, created_at);
create index link_states_by_age on link_states (expires_at);
