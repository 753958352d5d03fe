-- The log of a guild is read newest first, also for one person or one kind of change alone: none of that may read the whole log.
create index audit_by_guild_and_actor on audit (guild_id, actor_id, id);
create index audit_by_guild_and_action on audit (guild_id, action, id);
