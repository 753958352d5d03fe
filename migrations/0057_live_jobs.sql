-- Tells of jobs that fail, die, are revived, or work again. The queue writes this table all the time: only then is a function called at all.
create function live_job() returns trigger language plpgsql as $$
declare
    key text := case when tg_op = 'DELETE' then old.key else new.key end;
    guild text;
    state text;
begin
    if starts_with(key, 'match:') then
        select guild_id::text into guild from matches where match_id = substr(key, 7);
    elsif starts_with(key, 'guild:') then
        guild := substr(key, 7);
    end if;
    if guild is null then
        return null;
    end if;
    if tg_op = 'DELETE' then
        state := 'well';
    elsif new.dead_at is not null then
        state := 'dead';
    elsif old.dead_at is not null then
        state := 'revived';
    elsif new.attempts > old.attempts then
        state := 'failing';
    else
        state := 'well';
    end if;
    perform live_tell(array[jsonb_strip_nulls(jsonb_build_object('type', 'job', 'guild', guild, 'key', key, 'state', state,
        'match', case when starts_with(key, 'match:') then substr(key, 7) end))]);
    return null;
end $$;

create trigger live_updated after update on jobs for each row
    when (old.dead_at is distinct from new.dead_at or old.attempts <> new.attempts) execute function live_job();
create trigger live_deleted after delete on jobs for each row when (old.attempts > 0) execute function live_job();
