//! Links as the staff of one guild may see and change them: those of people who have something to do with that guild, and of nobody else.
//!
//! That is somebody who was placed in a match of the guild (table `guild_people`; not when Discord said that he is no member), or whose link as it
//! is now was made or confirmed there. Whether somebody is a member now only Discord knows; who asks it may name him as `member`.

use crate::{
    domain::ids::{GuildId, UserId},
    store::{
        Connection, Error, convert,
        linking::{self, By, Linked},
        links::{self, LinkRow, Method, StoredLink},
        storable,
    },
};

/// Which links to list.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// The beginning of a nickname, in any case, or a whole FACEIT or Discord id.
    pub search: Option<&'a str>,
    /// A member of the guild, who is listed whether or not we know him from there.
    pub member: Option<UserId>,
    /// The last one of the page before.
    pub after: Option<UserId>,
}

/// By Discord id: nicknames change while somebody turns the pages.
pub async fn list(
    connection: &mut Connection,
    guild: GuildId,
    filter: &Filter<'_>,
    limit: i64,
) -> Result<Vec<StoredLink>, Error> {
    let rows = sqlx::query(
        "select faceit_id, discord_id, nickname, verified_method, opted_out, linked_at, verified_at from player_links
        where discord_id > $2
            and ($3::text is null or starts_with(lower(nickname), lower($3)) or faceit_id = $3 or discord_id::text = $3)
            and (discord_id = $4
                or exists (select from guild_people
                    where guild_people.guild_id = $1 and guild_people.discord_id = player_links.discord_id)
                or exists (select from audit
                    where audit.subject = player_links.discord_id::text and audit.guild_id = $1
                        and audit.at >= player_links.linked_at and audit.action in ('link.added', 'link.confirmed')))
        order by discord_id limit $5",
    )
    .bind(convert::to_bigint(guild.get())?)
    .bind(convert::to_bigint(filter.after.map_or(0, UserId::get))?)
    .bind(filter.search.map(storable))
    .bind(filter.member.map(|user| convert::to_bigint(user.get())).transpose()?)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(links::stored).collect()
}

/// Links a member on the word of staff, as `linking::link` does; None when somebody else than `may_lose` would lose his link by it: links are
/// everybody's, and the staff of one guild must not undo those of another.
pub async fn link(
    connection: &mut Connection,
    row: &LinkRow,
    may_lose: Option<UserId>,
    by: &By,
) -> Result<Option<Linked>, Error> {
    linking::lock(connection).await?;
    let held = linking::of_player(connection, &row.player).await?;
    let loses = held.filter(|held| held.row.user != row.user && held.method != Method::Oauth);
    if loses.is_some_and(|loses| Some(loses.row.user) != may_lose) {
        return Ok(None);
    }
    linking::link(connection, row, Method::Staff, by).await.map(Some)
}
