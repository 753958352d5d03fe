-- Where people were before we moved them, so that they can go back, and channels that somebody deleted by hand.
alter table match_members add column came_from bigint check (came_from > 0);
alter table match_members drop constraint match_members_placement_check;
alter table match_members add constraint match_members_placement_check
    check (placement in ('moved', 'absent', 'outside', 'not_in_guild', 'refused'));

comment on column match_members.came_from is 'the voice channel he was moved from; he goes back there at the end';
comment on column match_members.placement is 'moved: where he goes from there is his own business; absent: was not in voice; outside: in a channel that nobody is moved from';

alter table active_matches add column gone_at timestamptz;
alter table active_matches drop constraint row_has_reason;
alter table active_matches add constraint row_has_reason check (channel_id is not null or intended_at is not null
    or uncertain_since is not null or blocked_why is not null or gone_at is not null or stray_channels <> '{}');

comment on column active_matches.gone_at is 'somebody deleted the channel: it is made again only when a player needs it';
