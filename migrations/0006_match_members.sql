-- Whom we placed, so that nobody is dragged back and nobody is forgotten.
create table match_members (
    match_id   text        not null references matches (match_id) on delete cascade,
    discord_id bigint      not null check (discord_id > 0),
    faction    text        not null check (faction in ('faction1', 'faction2')),
    placement  text        not null check (placement in ('moved', 'absent', 'not_in_guild', 'refused')),
    reason     text,
    tried_in   text        not null,
    tried_at   timestamptz not null,
    primary key (match_id, discord_id),
    constraint refusal_has_reason check ((placement = 'refused') = (reason is not null))
);

comment on table match_members is 'Linked players of open matches and what became of moving them';
comment on column match_members.placement is 'moved: where he goes from there is his own business; absent: was not in voice';
comment on column match_members.tried_in is 'the match''s status at the last try: somebody absent is tried again when it changes';
comment on column match_members.faction is 'the side that he was placed for';
comment on column match_members.reason is 'Discord''s refusal and what to do about it';
comment on column match_members.tried_at is 'when he was last tried';
