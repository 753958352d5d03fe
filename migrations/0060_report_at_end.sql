-- What becomes of a match's report is each guild's own choice.
alter table guilds add column report_at_end text not null default 'delete' check (report_at_end in ('delete', 'close'));

comment on column guilds.report_at_end is 'what becomes of a match''s report at its end: it is deleted, or stays and says that the match is over';
comment on column guilds.report_channel_id is 'a text channel where staff read of each running match who is missing, and why';
