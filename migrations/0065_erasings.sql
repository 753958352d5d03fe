-- Erasings under way: asked for by somebody, worked on piece by piece by the job erase:<number>. A row goes, with all that it says, when nothing is left
-- to look through. The number is there so that no job names anybody.
create table erasings (
    number     bigint      primary key generated always as identity,
    discord_id bigint      not null unique check (discord_id > 0),
    asked_at   timestamptz not null,
    state      jsonb       not null
);

comment on table erasings is 'People who are being taken out of what is stored; the row goes with the last trace';
comment on column erasings.number is 'names the job: erase:<number>';
comment on column erasings.discord_id is 'who asked for it; a second wish meanwhile is added to the first';
comment on column erasings.asked_at is 'when he last did';
comment on column erasings.state is 'the accounts and names to look for, where the search stands, and which of his messages in Discord is to say so';
