-- Which slash commands Discord was told of.
create table command_lists (
    application_id bigint      not null check (application_id > 0),
    guild_id       bigint      not null check (guild_id >= 0),
    hash           bytea       not null check (length(hash) = 32),
    told_at        timestamptz not null,
    primary key (application_id, guild_id)
);

comment on table command_lists is 'The slash commands that Discord was told of: it is told again only when they have changed';
comment on column command_lists.application_id is 'Discord''s id of the application';
comment on column command_lists.guild_id is 'the only server that shows them; 0 for everywhere';
comment on column command_lists.hash is 'SHA-256 of the list';
comment on column command_lists.told_at is 'when Discord took it';
