-- The matches of a server are listed by age, newest first: all of them, or those that are open. The latter index takes the place of two without the age.
create index matches_by_guild_and_age on matches (guild_id, first_seen_at, match_id);
create index matches_open_by_guild_and_age on matches (guild_id, first_seen_at, match_id) where closed_at is null;
drop index matches_by_guild;
drop index matches_open_by_guild;
