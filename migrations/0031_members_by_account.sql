-- Whoever changes his seat in voice is looked up among the members of running matches.
create index match_members_by_account on match_members (discord_id);
