-- One message for staff per match: what it should say, and what it says. A row goes when its message is done with.
create sequence match_report_numbers as bigint;

create table match_reports (
    match_id          text        primary key references matches on delete cascade,
    number            bigint      not null default nextval('match_report_numbers'),
    wanted_channel_id bigint      check (wanted_channel_id > 0),
    wanted            text        check (length(wanted) between 1 and 2000),
    over              boolean     not null default false,
    posting_since     timestamptz,
    posting_in        bigint      check (posting_in > 0),
    channel_id        bigint      check (channel_id > 0),
    message_id        bigint      check (message_id > 0),
    said              text,
    said_at           timestamptz,
    dismissed         boolean     not null default false,
    blocked_why       text,
    blocked_at        timestamptz,
    updated_at        timestamptz not null,
    constraint wanted_somewhere check ((wanted is null) = (wanted_channel_id is null)),
    constraint message_as_a_whole check ((message_id is null) = (channel_id is null)
        and (message_id is null) = (said is null) and (message_id is null) = (said_at is null)),
    constraint posting_as_a_whole check ((posting_since is null) = (posting_in is null)),
    constraint blocked_as_a_whole check ((blocked_why is null) = (blocked_at is null))
);

comment on table match_reports is 'The message about a running match in its server''s report channel; written by the match''s run, posted by the job report:<match>';
comment on column match_reports.match_id is 'the match that it is about';
comment on column match_reports.number is 'of the post: part of its nonce, so that a second try of it is no second message';
comment on column match_reports.wanted_channel_id is 'where it should be; none: nowhere any more';
comment on column match_reports.wanted is 'what it should say; names players by their FACEIT nicknames';
comment on column match_reports.over is 'the match is over: what is wanted now is the last word';
comment on column match_reports.posting_since is 'written before the first post: until it is answered the message may be there, and is posted under the same nonce';
comment on column match_reports.posting_in is 'the channel of that post';
comment on column match_reports.channel_id is 'where the message is';
comment on column match_reports.message_id is 'Discord''s id of the message';
comment on column match_reports.said is 'what it says';
comment on column match_reports.said_at is 'since when: it is not changed every moment';
comment on column match_reports.dismissed is 'somebody deleted the message: it is not posted again';
comment on column match_reports.blocked_why is 'why it can''t be posted, and what to do about it';
comment on column match_reports.blocked_at is 'since when: it is tried again some time after that';
comment on column match_reports.updated_at is 'when the row last changed';
