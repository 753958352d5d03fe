-- Who has played in a server's matches: its staff may see how these people are linked. What match_members holds goes when a match is over.
create table guild_people (
    guild_id   bigint not null check (guild_id > 0),
    discord_id bigint not null check (discord_id > 0),
    primary key (guild_id, discord_id)
);

comment on table guild_people is 'Linked people who were placed in a match of a server, and of whom Discord did not say that they are no members of it';
comment on column guild_people.guild_id is 'Discord''s id of the server';
comment on column guild_people.discord_id is 'the Discord account';

create index guild_people_by_account on guild_people (discord_id);

insert into guild_people (guild_id, discord_id)
select distinct matches.guild_id, discord_id from match_members join matches using (match_id)
where matches.guild_id is not null and placement <> 'not_in_guild';
