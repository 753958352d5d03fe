-- Tells every process which sessions ended, so that what is open for them is closed.
create function live_sessions() returns trigger language plpgsql as $$
begin
    perform live_tell(array(
        select jsonb_build_object('type', 'sessions', 'ended', jsonb_agg(id))
        -- A notification has at most 8000 bytes.
        from (select encode(id, 'hex') as id, (row_number() over () - 1) / 50 as part from ended) as parted group by part));
    return null;
end $$;

create trigger live_deleted after delete on sessions referencing old table as ended
    for each statement execute function live_sessions();
