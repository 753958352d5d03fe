//! Table `audit`: who changed what, and whom and what staff looked up. Rows are only added, and the database refuses anything else; `forget` takes an erased person out of them.

use std::fmt;

use serde_json::Value;
use sqlx::{Row, postgres::PgRow};

use crate::{
    domain::{
        Timestamp,
        ids::{GuildId, UserId},
    },
    store::{Connection, Error, convert, storable},
};

/// Rows looked through at once for a person.
const AT_ONCE: i64 = 20_000;

/// Which way a change came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    Web,
    Discord,
    Cli,
    /// Muster by itself.
    System,
}

impl Source {
    const ALL: [Source; 4] = [Source::Web, Source::Discord, Source::Cli, Source::System];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Discord => "discord",
            Self::Cli => "cli",
            Self::System => "system",
        }
    }

    fn parse(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|source| source.as_str() == text);
        found.ok_or_else(|| Error::Unexpected(format!("the stored text '{text}' is no source of a change")))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who makes a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub source: Source,
    /// The Discord account; none for the command line and for Muster itself.
    pub id: Option<UserId>,
    pub name: String,
}

impl Actor {
    pub fn discord(id: UserId, name: impl Into<String>) -> Self {
        Self {
            source: Source::Discord,
            id: Some(id),
            name: name.into(),
        }
    }

    pub fn web(id: UserId, name: impl Into<String>) -> Self {
        Self {
            source: Source::Web,
            id: Some(id),
            name: name.into(),
        }
    }

    /// Somebody at the command line of the machine.
    pub fn cli() -> Self {
        Self {
            source: Source::Cli,
            id: None,
            name: "command line".to_owned(),
        }
    }

    pub fn system() -> Self {
        Self {
            source: Source::System,
            id: None,
            name: "Muster".to_owned(),
        }
    }
}

/// One change. Ids in `before` and `after` must be texts, for otherwise `forget` does not find them.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub actor: Actor,
    /// Words in lower case with dots between them: `link.added`.
    pub action: String,
    pub guild: Option<GuildId>,
    /// To whom or what: a Discord id, a player id, a match id, a setting.
    pub subject: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// A change as it was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    pub id: i64,
    pub at: Timestamp,
    pub entry: Entry,
}

/// Which changes to list.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// Those in this guild, and those in none.
    pub guild: Option<GuildId>,
    pub actor: Option<UserId>,
    pub subject: Option<&'a str>,
    /// `link` lists `link.added` and everything else under `link`.
    pub action: Option<&'a str>,
    /// Older than the row of this id: the next page.
    pub before_id: Option<i64>,
}

/// Adds a row. Call it in the transaction that makes the change: never one without the other.
pub async fn record(connection: &mut Connection, entry: &Entry, now: Timestamp) -> Result<i64, Error> {
    let row = sqlx::query(
        "insert into audit (at, source, actor_id, actor_name, action, guild_id, subject, before, after)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id",
    )
    .bind(now)
    .bind(entry.actor.source.as_str())
    .bind(entry.actor.id.map(|id| convert::to_bigint(id.get())).transpose()?)
    .bind(
        Some(shortened(&entry.actor.name))
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "unknown".to_owned()),
    )
    .bind(&entry.action)
    .bind(entry.guild.map(|id| convert::to_bigint(id.get())).transpose()?)
    .bind(shortened(&entry.subject))
    .bind(entry.before.as_ref().map(convert::to_jsonb).transpose()?)
    .bind(entry.after.as_ref().map(convert::to_jsonb).transpose()?)
    .fetch_one(connection)
    .await?;
    Ok(row.try_get("id")?)
}

/// The newest first, at most `limit`.
pub async fn list(connection: &mut Connection, filter: &Filter<'_>, limit: i64) -> Result<Vec<Recorded>, Error> {
    let rows = sqlx::query(
        "select id, at, source, actor_id, actor_name, action, guild_id, subject, before, after from audit
        where ($1::bigint is null or guild_id = $1 or guild_id is null)
            and ($2::bigint is null or actor_id = $2)
            and ($3::text is null or subject = $3)
            and ($4::text is null or action = $4 or starts_with(action, $4 || '.'))
            and ($5::bigint is null or id < $5)
        order by id desc limit $6",
    )
    .bind(filter.guild.map(|id| convert::to_bigint(id.get())).transpose()?)
    .bind(filter.actor.map(|id| convert::to_bigint(id.get())).transpose()?)
    .bind(filter.subject)
    .bind(filter.action)
    .bind(filter.before_id)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(recorded).collect()
}

/// Which changes of one guild to list.
#[derive(Clone, Debug, Default)]
pub struct OfGuild<'a> {
    pub actor: Option<UserId>,
    pub subject: Option<&'a str>,
    /// The whole word: `link.added`.
    pub action: Option<&'a str>,
    /// Older than the row of this id: the next page.
    pub before_id: Option<i64>,
}

/// The changes made in or for this guild and no others, the newest first.
pub async fn of_guild(
    connection: &mut Connection,
    guild: GuildId,
    filter: &OfGuild<'_>,
    limit: i64,
) -> Result<Vec<Recorded>, Error> {
    let rows = sqlx::query(
        "select id, at, source, actor_id, actor_name, action, guild_id, subject, before, after from audit
        where guild_id = $1 and id < coalesce($5, 9223372036854775807)
            and ($2::bigint is null or actor_id = $2)
            and ($3::text is null or subject = $3)
            and ($4::text is null or action = $4)
        order by id desc limit $6",
    )
    .bind(convert::to_bigint(guild.get())?)
    .bind(filter.actor.map(|id| convert::to_bigint(id.get())).transpose()?)
    .bind(filter.subject)
    .bind(filter.action)
    .bind(filter.before_id)
    .bind(limit)
    // Planned anew each time: which index is of use depends on what is asked for.
    .persistent(false)
    .fetch_all(connection)
    .await?;
    rows.iter().map(recorded).collect()
}

/// Rows that tell of this person, as actor or as one of these names anywhere: for an export.
pub async fn about(connection: &mut Connection, person: UserId, names: &[String]) -> Result<Vec<Recorded>, Error> {
    let mut found = Vec::new();
    for (after, upto) in pieces(connection).await? {
        let rows = sqlx::query(
            "select id, at, source, actor_id, actor_name, action, guild_id, subject, before, after from audit
            where id > $3 and id <= $4 and (
                actor_id = $1 or subject = any ($2) or exists (select from unnest($2::text[]) as name
                    where jsonb_path_exists(before, 'strict $.** ? (@ == $name)', jsonb_build_object('name', name))
                        or jsonb_path_exists(after, 'strict $.** ? (@ == $name)', jsonb_build_object('name', name))))
            order by id",
        )
        .bind(convert::to_bigint(person.get())?)
        .bind(names)
        .bind(after)
        .bind(upto)
        .fetch_all(&mut *connection)
        .await?;
        for row in &rows {
            found.push(recorded(row)?);
        }
    }
    Ok(found)
}

/// Takes a person out of the log: the rows stay, without who, whom and which values. Gives how many there were.
pub async fn forget(connection: &mut Connection, person: UserId, names: &[String]) -> Result<i64, Error> {
    let mut touched = 0;
    for piece in pieces(connection).await? {
        touched += forget_piece(connection, person, names, piece).await?;
    }
    Ok(touched)
}

/// The same for one piece.
pub(super) async fn forget_piece(
    connection: &mut Connection,
    person: UserId,
    names: &[String],
    (after, upto): (i64, i64),
) -> Result<i64, Error> {
    let row = sqlx::query("select audit_forget($1, $2, $3, $4) as touched")
        .bind(convert::to_bigint(person.get())?)
        .bind(names)
        .bind(after)
        .bind(upto)
        .fetch_one(connection)
        .await?;
    Ok(row.try_get("touched")?)
}

/// The id of the last row; 0 when there is none.
pub(super) async fn last(connection: &mut Connection) -> Result<i64, Error> {
    let row = sqlx::query("select coalesce(max(id), 0) as last from audit")
        .fetch_one(connection)
        .await?;
    Ok(row.try_get("last")?)
}

/// The next piece of the log after this id and up to that: ids to begin after and to end with. A statement may not take long.
pub(super) async fn piece(connection: &mut Connection, after: i64, upto: i64) -> Result<Option<(i64, i64)>, Error> {
    let row = sqlx::query("select min(id) as first, max(id) as last from audit where id > $1 and id <= $2")
        .bind(after)
        .bind(upto)
        .fetch_one(connection)
        .await?;
    let (first, last): (Option<i64>, Option<i64>) = (row.try_get("first")?, row.try_get("last")?);
    let piece = |(first, last): (i64, i64)| (first - 1, last.min(first - 1 + AT_ONCE));
    Ok(first.zip(last).map(piece))
}

/// All of the log as it is now, in such pieces.
async fn pieces(connection: &mut Connection) -> Result<Vec<(i64, i64)>, Error> {
    let (mut pieces, last) = (Vec::new(), last(connection).await?);
    let mut after = 0;
    while let Some(piece) = piece(connection, after, last).await? {
        after = piece.1;
        pieces.push(piece);
    }
    Ok(pieces)
}

/// Names come from outside; a column takes 200 characters.
fn shortened(text: &str) -> String {
    storable(text).chars().take(200).collect()
}

fn recorded(row: &PgRow) -> Result<Recorded, Error> {
    Ok(Recorded {
        id: row.try_get("id")?,
        at: row.try_get("at")?,
        entry: Entry {
            actor: Actor {
                source: Source::parse(row.try_get("source")?)?,
                id: row
                    .try_get::<Option<i64>, _>("actor_id")?
                    .map(convert::user)
                    .transpose()?,
                name: row.try_get("actor_name")?,
            },
            action: row.try_get("action")?,
            guild: row
                .try_get::<Option<i64>, _>("guild_id")?
                .map(convert::guild)
                .transpose()?,
            subject: row.try_get("subject")?,
            before: row.try_get("before")?,
            after: row.try_get("after")?,
        },
    })
}
