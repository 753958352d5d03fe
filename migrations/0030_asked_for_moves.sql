-- Wishes to be moved once more, counted by whoever asks and by whoever answers, so that neither writes over the other.
alter table match_members add column asked bigint not null default 0;
alter table match_members add column answered bigint not null default 0;

comment on column match_members.asked is 'how often he, or staff for him, asked to be moved into his team''s channel';
comment on column match_members.answered is 'how many of these wishes were seen to';
