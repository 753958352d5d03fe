-- Taking a person out of a long log must not be one long statement.
drop function audit_forget(bigint, text[]);

-- As before, for the rows with ids above `above` and up to `upto`: they stay and say what was done, but no longer by whom, to whom and with which
-- values. `names` are all texts that stand for the person and for nobody else, compared as whole values; gives how many rows were touched.
create function audit_forget(person bigint, names text[], above bigint, upto bigint) returns bigint
    language sql security definer set search_path from current set muster.forgetting = 'on' as $$
    with found as materialized (
        select id,
            exists (select from unnest(names) as name
                where jsonb_path_exists(before, 'strict $.** ? (@ == $name)', jsonb_build_object('name', name))) as in_before,
            exists (select from unnest(names) as name
                where jsonb_path_exists(after, 'strict $.** ? (@ == $name)', jsonb_build_object('name', name))) as in_after
        from audit where id > above and id <= upto
    ), touched as (
        update audit set
            actor_id = case when actor_id = person then null else actor_id end,
            actor_name = case when actor_id = person then 'erased' else actor_name end,
            subject = case when subject = any (names) then 'erased' else subject end,
            before = case when in_before then null else before end,
            after = case when in_after then null else after end
        from found
        where audit.id = found.id and (actor_id = person or subject = any (names) or in_before or in_after)
        returning 1
    )
    select count(*) from touched
$$;

comment on function audit_forget(bigint, text[], bigint, bigint) is 'The one way to take a person out of the audit log, piece by piece';
