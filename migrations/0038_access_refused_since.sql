-- A refusal to change who may enter is worth another try when the bot's permissions changed after it.
alter table active_matches add column access_blocked_at timestamptz;
update active_matches set access_blocked_at = updated_at where access_blocked is not null;
alter table active_matches add constraint access_blocked_has_time check ((access_blocked is null) = (access_blocked_at is null));

comment on column active_matches.access_blocked_at is 'since when';
