-- Categories that we made because another was full. Only these are ever deleted, by their ids, and only when they are empty.
create table overflow_categories (
    guild_id         bigint      not null check (guild_id > 0),
    number           integer     not null check (number >= 2),
    base_id          bigint      not null check (base_id > 0),
    name             text        not null check (length(name) between 1 and 100),
    intended_at      timestamptz,
    channel_id       bigint      unique check (channel_id > 0),
    uncertain_since  timestamptz,
    stray_channels   bigint[]    not null default '{}',
    blocked_why      text,
    blocked_at       timestamptz,
    blocked_by       text        check (blocked_by in ('refused', 'no_room', 'guild_full', 'later')),
    blocked_until    timestamptz,
    updated_at       timestamptz not null,
    primary key (guild_id, number),
    constraint intended_until_bound check (channel_id is null or intended_at is null),
    constraint blocked_as_a_whole check ((blocked_why is null) = (blocked_at is null) and (blocked_why is null) = (blocked_by is null)),
    constraint later_has_time check ((blocked_until is not null) = (blocked_by is not null and blocked_by = 'later')),
    constraint row_has_reason check (channel_id is not null or intended_at is not null or uncertain_since is not null
        or blocked_why is not null or stray_channels <> '{}')
);

comment on table overflow_categories is 'Our further categories, by guild; a row goes only when Discord says that its category is gone';
comment on column overflow_categories.guild_id is 'Discord''s id of the server';
comment on column overflow_categories.number is 'as in its name; the guild''s own category is the first';
comment on column overflow_categories.base_id is 'the guild''s own category that was full';
comment on column overflow_categories.name is 'the name that it was or will be created with';
comment on column overflow_categories.intended_at is 'written before the create call: until it is answered, look for it before creating again';
comment on column overflow_categories.channel_id is 'the category that is ours';
comment on column overflow_categories.uncertain_since is 'a create from then on was never answered: look for what it left behind before the row goes';
comment on column overflow_categories.stray_channels is 'further categories found from unanswered creates, to be deleted';
comment on column overflow_categories.blocked_why is 'why it can''t be made or deleted, and what to do about it';
comment on column overflow_categories.blocked_by is 'refused: a person must change something; guild_full: 500 channels; later: not before blocked_until';
comment on column overflow_categories.blocked_at is 'since when: it is tried again some time after that';
comment on column overflow_categories.blocked_until is 'Discord takes no more before then';
comment on column overflow_categories.updated_at is 'when a step last changed the row';
