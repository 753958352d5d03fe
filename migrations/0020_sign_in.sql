-- People who signed in to the admin part, their sessions, and the Discord tokens that we hold for them.
create table users (
    id bigint primary key check (id > 0),
    username text not null,
    global_name text,
    avatar text,
    created_at timestamptz not null,
    last_login_at timestamptz not null,
    refreshed_at timestamptz not null
);
comment on table users is 'Discord accounts that signed in to the admin part.';
comment on column users.id is 'Discord''s user id.';
comment on column users.username is 'The account''s unique name, as Discord last told it.';
comment on column users.global_name is 'The name that others see; null when none is set.';
comment on column users.avatar is 'Hash of the picture, as in Discord''s image addresses; null without one.';
comment on column users.created_at is 'First sign-in.';
comment on column users.last_login_at is 'Latest sign-in.';
comment on column users.refreshed_at is 'When Discord last told us the names.';

create table sessions (
    id bytea primary key check (length(id) = 32),
    user_id bigint not null references users (id) on delete cascade,
    created_at timestamptz not null,
    last_seen_at timestamptz not null,
    expires_at timestamptz not null,
    user_agent text
);
comment on table sessions is 'Who is signed in; a row that is gone refuses a token that would still be valid.';
comment on column sessions.id is 'SHA-256 of the session''s secret id, which only its holder knows.';
comment on column sessions.user_id is 'Whose session it is.';
comment on column sessions.created_at is 'When it began.';
comment on column sessions.last_seen_at is 'When it was last used, to about a minute.';
comment on column sessions.expires_at is 'When it ends unless it is used before; removed by timer afterwards.';
comment on column sessions.user_agent is 'The program that signed in, as it called itself, cut to 200 characters.';
create index sessions_by_user on sessions (user_id);
create index sessions_by_expiry on sessions (expires_at);

create table discord_tokens (
    user_id bigint primary key references users (id) on delete cascade,
    key_id text not null,
    sealed bytea not null,
    expires_at timestamptz not null,
    lease bigint,
    leased_until timestamptz,
    updated_at timestamptz not null,
    check ((lease is null) = (leased_until is null))
);
comment on table discord_tokens is 'Each person''s Discord OAuth2 tokens, sealed.';
comment on column discord_tokens.user_id is 'Whose tokens they are; the sealed text is bound to it.';
comment on column discord_tokens.key_id is 'The key of MUSTER_ENCRYPTION_KEYS that opens them.';
comment on column discord_tokens.sealed is 'Access and refresh token as JSON, in XChaCha20-Poly1305, after its nonce.';
comment on column discord_tokens.expires_at is 'When the access token ends.';
comment on column discord_tokens.lease is 'Random number of the process that is refreshing them now; null when none is.';
comment on column discord_tokens.leased_until is 'When that lease ends even if its holder died.';
comment on column discord_tokens.updated_at is 'When they were last written.';

create table used_states (
    id bytea primary key check (length(id) = 32),
    expires_at timestamptz not null
);
comment on table used_states is 'Sign-ins that came back from Discord: each state counts once.';
comment on column used_states.id is 'SHA-256 of the state.';
comment on column used_states.expires_at is 'When its cookie is no longer taken anyway; removed by timer afterwards.';
