-- Who changed what, for as long as the database lives.
create table audit (
    id         bigint      generated always as identity primary key,
    at         timestamptz not null,
    source     text        not null check (source in ('web', 'discord', 'cli', 'system')),
    actor_id   bigint      check (actor_id > 0),
    actor_name text        not null check (length(actor_name) between 1 and 200),
    action     text        not null check (action ~ '^[a-z_]+(\.[a-z_]+)*$' and length(action) <= 64),
    guild_id   bigint      check (guild_id > 0),
    subject    text        not null check (length(subject) <= 200),
    before     jsonb,
    after      jsonb
);

comment on table audit is 'Who changed what; rows are only ever added. Only audit_forget takes a person''s traces out of them';
comment on column audit.id is 'grows with every row; the order in which they are listed';
comment on column audit.at is 'when, by our clock';
comment on column audit.source is 'which way it came: the web page, a Discord command, a command line, or Muster by itself';
comment on column audit.actor_id is 'the Discord account that did it; null for the command line, Muster itself and erased people';
comment on column audit.actor_name is 'what that account, or the part of Muster, was called then';
comment on column audit.action is 'what was done, such as link.added or settings.changed';
comment on column audit.guild_id is 'the Discord server it was done in or for; null when it concerns none';
comment on column audit.subject is 'to whom or what: a Discord id, a FACEIT player id, a match id, a setting; may be empty';
comment on column audit.before is 'what stood there before; null when nothing did. Ids are texts in it';
comment on column audit.after is 'what stands there now; null when nothing does. Ids are texts in it';

create index audit_by_guild on audit (guild_id, id);
create index audit_by_subject on audit (subject, id);

-- The only change that a row may undergo is that a person is taken out of it, and only by audit_forget, which says so for as long as it runs.
create function audit_is_append_only() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and current_setting('muster.forgetting', true) = 'on'
        and (new.id, new.at, new.source, new.action) = (old.id, old.at, old.source, old.action)
        and new.guild_id is not distinct from old.guild_id
        and (new.actor_id is not distinct from old.actor_id and new.actor_name = old.actor_name
            or new.actor_id is null and new.actor_name = 'erased')
        and (new.subject = old.subject or new.subject = 'erased')
        and (new.before is not distinct from old.before or new.before is null)
        and (new.after is not distinct from old.after or new.after is null) then
        return new;
    end if;
    raise exception 'the audit log is append-only: % is refused', lower(tg_op) using errcode = 'insufficient_privilege';
end $$;

create trigger audit_append_only before update or delete on audit for each row execute function audit_is_append_only();
create trigger audit_never_truncated before truncate on audit for each statement execute function audit_is_append_only();

-- Takes a person out of the log: rows stay and say what was done, but no longer by whom, to whom and with which values. `names` are all texts that
-- stand for the person (Discord id, FACEIT id, nickname), compared as whole values; gives how many rows were touched.
create function audit_forget(person bigint, names text[]) returns bigint
    language sql security definer set search_path from current set muster.forgetting = 'on' as $$
    with touched as (
        update audit set
            actor_id = case when actor_id = person then null else actor_id end,
            actor_name = case when actor_id = person then 'erased' else actor_name end,
            subject = case when subject = any (names) then 'erased' else subject end,
            before = case when exists (select from unnest(names) as name
                where jsonb_path_exists(before, 'strict $.** ? (@ == $name)', jsonb_build_object('name', name))) then null else before end,
            after = case when exists (select from unnest(names) as name
                where jsonb_path_exists(after, 'strict $.** ? (@ == $name)', jsonb_build_object('name', name))) then null else after end
        where actor_id = person or subject = any (names) or exists (select from unnest(names) as name
            where jsonb_path_exists(before, 'strict $.** ? (@ == $name)', jsonb_build_object('name', name))
                or jsonb_path_exists(after, 'strict $.** ? (@ == $name)', jsonb_build_object('name', name)))
        returning 1
    )
    select count(*) from touched
$$;

comment on function audit_forget(bigint, text[]) is 'The one way to take a person out of the audit log';
