-- Finds the open match that somebody in voice plays in; asked at every voice event of a linked person.
create index matches_open_by_player on matches using gin (jsonb_path_query_array(facts, '$.sides.*.roster[*].id'))
    where closed_at is null;
create index matches_open_by_guild on matches (guild_id) where closed_at is null;
create index active_matches_blocked on active_matches (guild_id) where blocked_why is not null or access_blocked is not null;
