-- What happened to each match, step by step, for whoever asks later.
create table match_steps (
    id         bigint      generated always as identity,
    match_id   text        not null references matches (match_id) on delete cascade,
    at         timestamptz not null,
    kind       text        not null check (kind in ('turn', 'decision', 'call', 'wait')),
    words      text        not null,
    action     text,
    faction    text        check (faction in ('faction1', 'faction2')),
    user_id    bigint      check (user_id > 0),
    channel_id bigint      check (channel_id > 0),
    outcome    text,
    detail     text,
    took_ms    integer     check (took_ms >= 0),
    primary key (match_id, id),
    constraint calls_have_outcomes check ((kind = 'call') = (action is not null and outcome is not null and took_ms is not null))
);

comment on table match_steps is 'What Muster did for each match, in order; written with the outcomes, kept for DELIVERY_RETENTION_DAYS. Names nobody but in user_id';
comment on column match_steps.id is 'grows with every row: the order within a match';
comment on column match_steps.match_id is 'the match that it happened to';
comment on column match_steps.at is 'when it began, by our clock';
comment on column match_steps.kind is 'turn: the match itself; decision: what is done next, and why; call: one step in Discord; wait: steps that Discord''s limits hold up';
comment on column match_steps.words is 'for people; without names of people';
comment on column match_steps.action is 'calls only: what kind of step, as in the metrics';
comment on column match_steps.faction is 'whose channel it is about';
comment on column match_steps.user_id is 'the Discord account that it is about; null for none, and for who was not linked (any more)';
comment on column match_steps.channel_id is 'the channel that it is about, or that was made';
comment on column match_steps.outcome is 'calls only: what came of it, as in the metrics';
comment on column match_steps.detail is 'more words: a refusal and what to do about it, why something was decided';
comment on column match_steps.took_ms is 'calls only: from asking for it to its outcome, the wait for its turn included';

create index match_steps_by_age on match_steps (at);
create index match_steps_by_user on match_steps (user_id) where user_id is not null;
