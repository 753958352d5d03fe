-- Tells whoever listens on muster_live what changed in which server, when the transaction that changes it commits, whoever makes it. A few words for
-- each statement and match, never a row: whoever wants to know more asks for it. Commits that notify wait for each other, so a statement that changes
-- nothing worth telling notifies nobody.
create function live_tell(told jsonb[]) returns void language plpgsql as $$
begin
    if cardinality(told) > 50 then
        -- Too much to tell one by one: everybody is to look anew.
        perform pg_notify('muster_live', '{"type": "all"}');
    else
        perform pg_notify('muster_live', one::text) from unnest(told) as one;
    end if;
end $$;

comment on function live_tell(jsonb[]) is 'Notifies of changes that the live part of the API passes on';

create function live_matches() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' then
        -- Those whom the match was taken from are told that it is gone.
        perform live_tell(array(
            select jsonb_build_object('type', 'match', 'guild', was.guild_id::text, 'match', match_id, 'state', 'gone')
            from was join changed using (match_id)
            where was.guild_id is not null and was.guild_id is distinct from changed.guild_id));
    end if;
    perform live_tell(array(
        select jsonb_build_object('type', 'match', 'guild', guild_id::text, 'match', match_id, 'status', left(status, 40),
            'state', case when closed_at is not null then 'closed' when ended_at is not null then 'ending'
                when live_since is not null then 'running' else 'waiting' end)
        from changed where guild_id is not null));
    return null;
end $$;

create trigger live_inserted after insert on matches referencing new table as changed
    for each statement execute function live_matches();
create trigger live_updated after update on matches referencing old table as was new table as changed
    for each statement execute function live_matches();

create function live_channels() returns trigger language plpgsql as $$
begin
    perform live_tell(array(
        select jsonb_build_object('type', 'channel', 'guild', guild_id::text, 'match', match_id,
            'changes', jsonb_agg(jsonb_build_object('faction', faction, 'channel', channel_id::text,
                'state', case when tg_op = 'DELETE' then 'gone' when channel_id is not null then 'there'
                    when blocked_why is not null then 'blocked' when intended_at is not null then 'coming' else 'gone' end)
                order by faction))
        from changed group by guild_id, match_id));
    return null;
end $$;

create trigger live_inserted after insert on active_matches referencing new table as changed
    for each statement execute function live_channels();
create trigger live_updated after update on active_matches referencing new table as changed
    for each statement execute function live_channels();
create trigger live_deleted after delete on active_matches referencing old table as changed
    for each statement execute function live_channels();

create function live_moves() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' then
        -- Most updates only count who asked to be moved again.
        if not exists (select from was join changed using (match_id, discord_id)
            where (was.placement, was.faction, was.reason) is distinct from (changed.placement, changed.faction, changed.reason)) then
            return null;
        end if;
    end if;
    perform live_tell(array(
        select jsonb_build_object('type', 'move', 'guild', matches.guild_id::text, 'match', match_id,
            -- A notification has at most 8000 bytes; without a list, everybody may have moved.
            'changes', case when count(*) <= 60 then jsonb_agg(jsonb_build_object(
                -- Whoever is not in this server is nobody's business there.
                'user', case when placement <> 'not_in_guild' then discord_id::text end, 'faction', faction,
                'state', case when tg_op = 'DELETE' then 'gone' else placement end) order by discord_id) end)
        from changed join matches using (match_id) where matches.guild_id is not null group by matches.guild_id, match_id));
    return null;
end $$;

create trigger live_inserted after insert on match_members referencing new table as changed
    for each statement execute function live_moves();
create trigger live_updated after update on match_members referencing old table as was new table as changed
    for each statement execute function live_moves();
create trigger live_deleted after delete on match_members referencing old table as changed
    for each statement execute function live_moves();
