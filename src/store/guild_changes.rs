//! Changes of what a guild wants, whole: the row, its line in the audit log, and the matches to be looked at again, all on the caller's
//! transaction. What may be changed by whom is decided elsewhere.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    domain::{
        Timestamp,
        ids::{GuildId, MatchId},
        job::JobKey,
        setting_text::KEYS,
        settings::{ClaimKind, Settings},
    },
    store::{
        Connection, Error,
        audit::{self, Actor, Entry},
        competitions, guilds,
        guilds::Saved,
        jobs, listener,
    },
};

/// Stores settings that were made from `before`, which had the version `expected`; None when nothing was stored.
pub async fn save(
    connection: &mut Connection,
    actor: &Actor,
    before: &Settings,
    after: &Settings,
    expected: Option<i64>,
    now: Timestamp,
) -> Result<Saved, Error> {
    let saved = guilds::save(connection, after, expected, now).await?;
    if saved == Saved::Changed {
        return Ok(saved);
    }
    let changed: Vec<_> = KEYS
        .into_iter()
        .filter(|key| before.get(key) != after.get(key))
        .collect();
    let texts = |settings: &Settings| {
        let texts = changed.iter().map(|key| (*key, settings.get(key)));
        json!(texts.collect::<BTreeMap<_, _>>())
    };
    let subject = after.guild.to_string();
    let values = (Some(texts(before)), Some(texts(after)));
    note(connection, actor, "guild.changed", after.guild, &subject, values, now).await?;
    let matches = competitions::open_matches_in(connection, after.guild).await?;
    look_again(connection, &matches, now).await?;
    Ok(saved)
}

/// Makes all matches of a competition those of a guild that has settings; gives whose they are now: another guild's claim stands.
pub async fn claim(
    connection: &mut Connection,
    actor: &Actor,
    guild: GuildId,
    kind: ClaimKind,
    id: &str,
    now: Timestamp,
) -> Result<GuildId, Error> {
    let owner = competitions::claim(connection, guild, kind, id, now).await?;
    if owner == guild {
        let after = json!({ "kind": kind.as_str() });
        note(connection, actor, "guild.claimed", guild, id, (None, Some(after)), now).await?;
        let matches = competitions::open_matches_of(connection, id).await?;
        look_again(connection, &matches, now).await?;
    }
    Ok(owner)
}

/// Gives a claim up; false when this guild had none.
pub async fn release(
    connection: &mut Connection,
    actor: &Actor,
    guild: GuildId,
    id: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    if !competitions::release(connection, guild, id).await? {
        return Ok(false);
    }
    note(connection, actor, "guild.released", guild, id, (None, None), now).await?;
    let matches = competitions::open_matches_of(connection, id).await?;
    look_again(connection, &matches, now).await?;
    Ok(true)
}

async fn note(
    connection: &mut Connection,
    actor: &Actor,
    action: &str,
    guild: GuildId,
    subject: &str,
    (before, after): (Option<Value>, Option<Value>),
    now: Timestamp,
) -> Result<(), Error> {
    let entry = Entry {
        actor: actor.clone(),
        action: action.to_owned(),
        guild: Some(guild),
        subject: subject.to_owned(),
        before,
        after,
    };
    audit::record(connection, &entry, now).await?;
    Ok(())
}

async fn look_again(connection: &mut Connection, matches: &[MatchId], now: Timestamp) -> Result<(), Error> {
    for id in matches {
        jobs::book(connection, &JobKey::sync_match(id), now).await?;
    }
    listener::notify(connection).await
}
