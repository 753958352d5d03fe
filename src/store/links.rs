//! Table `player_links`: which FACEIT player is which Discord account.

use std::{collections::BTreeMap, fmt};

use sqlx::{Row, postgres::PgRow};

use crate::{
    domain::{
        Timestamp,
        event::Link,
        ids::{MatchId, PlayerId, UserId},
    },
    store::{Connection, Error, convert, storable},
};

/// A link as it is imported and exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRow {
    pub player: PlayerId,
    pub user: UserId,
    pub nickname: String,
}

/// A link with what else is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLink {
    pub row: LinkRow,
    pub method: Method,
    pub opted_out: bool,
    pub linked_at: Timestamp,
    /// None when it was never proven.
    pub verified_at: Option<Timestamp>,
}

/// How we know of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Proven by signing in on both sides.
    Oauth,
    Manual,
    Staff,
    Import,
}

impl Method {
    const ALL: [Method; 4] = [Method::Oauth, Method::Manual, Method::Staff, Method::Import];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oauth => "oauth",
            Self::Manual => "manual",
            Self::Staff => "staff",
            Self::Import => "import",
        }
    }

    fn parse(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|method| method.as_str() == text)
            .ok_or_else(|| Error::Unexpected(format!("the stored text '{text}' is no way of linking")))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    pub added: usize,
    pub changed: usize,
    pub unchanged: usize,
}

/// Why a row can't be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// Which of the rows given, from 0.
    pub index: usize,
    pub reason: ClashReason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClashReason {
    /// The Discord account is linked to another player.
    UserTaken { by: PlayerId },
    /// The player proved by OAuth that he is another Discord account.
    Proven { is: UserId },
    /// The player stands in an earlier row, too.
    SamePlayer { as_row: usize },
    /// The Discord account stands in an earlier row, too.
    SameUser { as_row: usize },
}

impl fmt::Display for ClashReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserTaken { by } => write!(f, "the Discord account is already linked to player {by}"),
            Self::Proven { is } => write!(f, "the player has proven by signing in that he is Discord account {is}"),
            Self::SamePlayer { .. } => f.write_str("the player is listed twice"),
            Self::SameUser { .. } => f.write_str("the Discord account is listed twice"),
        }
    }
}

/// The links of these players; those without one are left out.
pub async fn for_players(connection: &mut Connection, players: &[PlayerId]) -> Result<BTreeMap<PlayerId, Link>, Error> {
    let ids: Vec<&str> = players.iter().map(PlayerId::as_str).collect();
    let rows = sqlx::query(
        "select faceit_id, discord_id, opted_out, verified_at is not null or verified_method in ('oauth', 'staff') as verified
        from player_links where faceit_id = any($1)",
    )
        .bind(ids)
        .fetch_all(connection)
        .await?;
    rows.into_iter()
        .map(|row| {
            let link = Link {
                user: convert::user(row.try_get("discord_id")?)?,
                opted_out: row.try_get("opted_out")?,
                verified: row.try_get("verified")?,
            };
            Ok((PlayerId::new(row.try_get::<String, _>("faceit_id")?), link))
        })
        .collect()
}

/// All links, by nickname.
pub async fn all(connection: &mut Connection) -> Result<Vec<StoredLink>, Error> {
    let rows = sqlx::query(
        "select faceit_id, discord_id, nickname, verified_method, opted_out, linked_at, verified_at
        from player_links order by lower(nickname), faceit_id",
    )
    .fetch_all(connection)
    .await?;
    rows.iter().map(stored).collect()
}

/// Takes in all rows, or none and says which clash. Call it in a transaction: it locks the table until that ends. A link that is proven by OAuth is
/// never touched; a weaker one to another account is replaced.
pub async fn import(
    connection: &mut Connection,
    rows: &[LinkRow],
    now: Timestamp,
) -> Result<Result<Imported, Vec<Clash>>, Error> {
    // Nobody links himself between our look and our write; readers go on.
    lock(connection).await?;
    let known = touched_by(connection, rows).await?;
    let clashes = clashes(rows, &known);
    if !clashes.is_empty() {
        return Ok(Err(clashes));
    }

    let by_player: BTreeMap<&PlayerId, &StoredLink> = known.iter().map(|link| (&link.row.player, link)).collect();
    let mut imported = Imported::default();
    let (mut players, mut users, mut nicknames) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        match by_player.get(&row.player) {
            Some(link) if link.row == *row || link.method == Method::Oauth => {
                imported.unchanged += 1;
                continue;
            }
            Some(_) => imported.changed += 1,
            None => imported.added += 1,
        }
        players.push(row.player.as_str());
        users.push(convert::to_bigint(row.user.get())?);
        nicknames.push(storable(&row.nickname).into_owned());
    }
    sqlx::query(
        "insert into player_links (faceit_id, discord_id, nickname, verified_method, linked_at, updated_at)
        select *, 'import', $4, $4 from unnest($1::text[], $2::bigint[], $3::text[])
        on conflict (faceit_id) do update set
            nickname = excluded.nickname,
            updated_at = excluded.updated_at,
            discord_id = excluded.discord_id,
            verified_method = case when player_links.discord_id = excluded.discord_id
                then player_links.verified_method else excluded.verified_method end,
            linked_at = case when player_links.discord_id = excluded.discord_id
                then player_links.linked_at else excluded.linked_at end,
            verified_at = case when player_links.discord_id = excluded.discord_id then player_links.verified_at end",
    )
    .bind(players)
    .bind(users)
    .bind(nicknames)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(Ok(imported))
}

/// The stored links that share a player or an account with these rows.
async fn touched_by(connection: &mut Connection, rows: &[LinkRow]) -> Result<Vec<StoredLink>, Error> {
    let players: Vec<&str> = rows.iter().map(|row| row.player.as_str()).collect();
    let users: Vec<UserId> = rows.iter().map(|row| row.user).collect();
    find(connection, &players, &users).await
}

fn clashes(rows: &[LinkRow], known: &[StoredLink]) -> Vec<Clash> {
    let by_player: BTreeMap<&PlayerId, &StoredLink> = known.iter().map(|link| (&link.row.player, link)).collect();
    let by_user: BTreeMap<UserId, &StoredLink> = known.iter().map(|link| (link.row.user, link)).collect();
    let mut first_of_player = BTreeMap::new();
    let mut first_of_user = BTreeMap::new();
    let mut found = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let as_player = *first_of_player.entry(&row.player).or_insert(index);
        let as_user = *first_of_user.entry(row.user).or_insert(index);
        let reason = if as_player != index {
            Some(ClashReason::SamePlayer { as_row: as_player })
        } else if as_user != index {
            Some(ClashReason::SameUser { as_row: as_user })
        } else if let Some(link) = by_user.get(&row.user).filter(|link| link.row.player != row.player) {
            Some(ClashReason::UserTaken {
                by: link.row.player.clone(),
            })
        } else {
            by_player
                .get(&row.player)
                .filter(|link| link.method == Method::Oauth && link.row.user != row.user)
                .map(|link| ClashReason::Proven { is: link.row.user })
        };
        if let Some(reason) = reason {
            found.push(Clash { index, reason });
        }
    }
    found
}

/// The links of these players and of these accounts.
pub(super) async fn find(
    connection: &mut Connection,
    players: &[&str],
    users: &[UserId],
) -> Result<Vec<StoredLink>, Error> {
    let found = sqlx::query(
        "select faceit_id, discord_id, nickname, verified_method, opted_out, linked_at, verified_at
        from player_links where faceit_id = any($1) or discord_id = any($2)",
    )
    .bind(players)
    .bind(bigints(users)?)
    .fetch_all(connection)
    .await?;
    found.iter().map(stored).collect()
}

/// The links of players of this name, in any case.
pub(super) async fn named(connection: &mut Connection, nickname: &str) -> Result<Vec<StoredLink>, Error> {
    let found = sqlx::query(
        "select faceit_id, discord_id, nickname, verified_method, opted_out, linked_at, verified_at
        from player_links where lower(nickname) = lower($1) order by faceit_id",
    )
    .bind(storable(nickname))
    .fetch_all(connection)
    .await?;
    found.iter().map(stored).collect()
}

/// Nobody else changes links until the transaction ends; readers go on.
pub(super) async fn lock(connection: &mut Connection) -> Result<(), Error> {
    sqlx::query("lock table player_links in share row exclusive mode")
        .execute(connection)
        .await?;
    Ok(())
}

/// Makes the player's row this one.
pub(super) async fn put(connection: &mut Connection, link: &StoredLink, now: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "insert into player_links (faceit_id, discord_id, nickname, verified_method, opted_out, linked_at, verified_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (faceit_id) do update set discord_id = excluded.discord_id, nickname = excluded.nickname,
            verified_method = excluded.verified_method, opted_out = excluded.opted_out, linked_at = excluded.linked_at,
            verified_at = excluded.verified_at, updated_at = excluded.updated_at",
    )
    .bind(link.row.player.as_str())
    .bind(convert::to_bigint(link.row.user.get())?)
    .bind(storable(&link.row.nickname))
    .bind(link.method.as_str())
    .bind(link.opted_out)
    .bind(link.linked_at)
    .bind(link.verified_at)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn delete(connection: &mut Connection, user: UserId) -> Result<(), Error> {
    sqlx::query("delete from player_links where discord_id = $1")
        .bind(convert::to_bigint(user.get())?)
        .execute(connection)
        .await?;
    Ok(())
}

/// Open matches with one of these players on a roster, or with one of these accounts placed by us; by id.
pub async fn open_matches_of(
    connection: &mut Connection,
    players: &[&str],
    users: &[UserId],
) -> Result<Vec<MatchId>, Error> {
    let rows = sqlx::query(
        "select match_id from matches where closed_at is null and (
            exists (select from unnest($1::text[]) as player
                where jsonb_path_exists(facts, '$.sides.*.roster[*] ? (@.id == $id)', jsonb_build_object('id', player)))
            or exists (select from match_members
                where match_members.match_id = matches.match_id and discord_id = any($2)))
        order by match_id",
    )
    .bind(players)
    .bind(bigints(users)?)
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| Ok(MatchId::new(row.try_get::<String, _>("match_id")?)))
        .collect()
}

fn bigints(users: &[UserId]) -> Result<Vec<i64>, Error> {
    users.iter().map(|user| convert::to_bigint(user.get())).collect()
}

pub(super) fn stored(row: &PgRow) -> Result<StoredLink, Error> {
    Ok(StoredLink {
        row: LinkRow {
            player: PlayerId::new(row.try_get::<String, _>("faceit_id")?),
            user: convert::user(row.try_get("discord_id")?)?,
            nickname: row.try_get("nickname")?,
        },
        method: Method::parse(row.try_get("verified_method")?)?,
        opted_out: row.try_get("opted_out")?,
        linked_at: row.try_get("linked_at")?,
        verified_at: row.try_get("verified_at")?,
    })
}
