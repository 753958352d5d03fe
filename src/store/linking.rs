//! Changes of links by players and staff: each with its audit rows and the sync of the running matches it touches, in one transaction of the
//! caller's. Which proof weighs more than which is settled here, on the locked table, so that no race breaks one-to-one.

use serde_json::{Value, json};

use crate::{
    domain::{
        Timestamp,
        ids::{GuildId, PlayerId, UserId},
        job::JobKey,
    },
    store::{
        Connection, Error,
        audit::{self, Actor, Entry},
        convert, jobs,
        links::{self, LinkRow, Method, StoredLink},
        storable,
    },
};

/// Who makes a change, where and when.
#[derive(Clone, Debug)]
pub struct By {
    pub actor: Actor,
    pub guild: Option<GuildId>,
    pub at: Timestamp,
}

/// What became of a wish to link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Linked {
    Done {
        link: StoredLink,
        /// The same two were linked before; only how we know has changed, if anything.
        known: bool,
        /// Links that had to give way.
        lost: Vec<StoredLink>,
    },
    /// The FACEIT account belongs to another Discord account, on grounds that this does not outweigh.
    PlayerTaken(StoredLink),
    /// The Discord account has another FACEIT account, on such grounds.
    UserTaken(StoredLink),
}

/// The link of a Discord account.
pub async fn of_user(connection: &mut Connection, user: UserId) -> Result<Option<StoredLink>, Error> {
    let found = links::find(connection, &[], &[user]).await?;
    Ok(found.into_iter().next())
}

pub async fn of_player(connection: &mut Connection, player: &PlayerId) -> Result<Option<StoredLink>, Error> {
    let found = links::find(connection, &[player.as_str()], &[]).await?;
    Ok(found.into_iter().next())
}

/// By the nickname when it was last read, in any case: how staff look somebody up.
pub async fn by_nickname(connection: &mut Connection, nickname: &str) -> Result<Vec<StoredLink>, Error> {
    links::named(connection, nickname).await
}

/// Links two accounts. A typed link takes nobody's place. A staff link takes that of unproven ones, a proven one that of all that are not proven; what
/// was proven stays until its owner or staff unlink it.
pub async fn link(connection: &mut Connection, row: &LinkRow, method: Method, by: &By) -> Result<Linked, Error> {
    lock(connection).await?;
    let touched = links::find(connection, &[row.player.as_str()], &[row.user]).await?;
    let same = |link: &&StoredLink| link.row.player == row.player && link.row.user == row.user;
    let known = touched.iter().find(same).cloned();
    let others: Vec<StoredLink> = touched.iter().filter(|link| !same(link)).cloned().collect();
    if let Some(stays) = others.iter().find(|other| !outweighs(method, other.method)) {
        return Ok(if stays.row.player == row.player {
            Linked::PlayerTaken(stays.clone())
        } else {
            Linked::UserTaken(stays.clone())
        });
    }
    let opted_out = touched.iter().any(|link| link.row.user == row.user && link.opted_out);
    let proven_now = method == Method::Oauth;
    let method = known.as_ref().map_or(method, |known| better(known.method, method));
    let link = StoredLink {
        row: LinkRow {
            nickname: storable(&row.nickname).into_owned(),
            ..row.clone()
        },
        method,
        opted_out,
        linked_at: known.as_ref().map_or(by.at, |known| known.linked_at),
        verified_at: if proven_now {
            Some(by.at)
        } else {
            known.as_ref().and_then(|known| known.verified_at)
        },
    };
    for lost in &others {
        links::delete(connection, lost.row.user).await?;
        record(
            connection,
            by,
            "link.taken_over",
            lost.row.user,
            Some(lost),
            Some(&link),
        )
        .await?;
    }
    links::put(connection, &link, by.at).await?;
    let action = if known.is_some() {
        "link.confirmed"
    } else {
        "link.added"
    };
    record(connection, by, action, row.user, known.as_ref(), Some(&link)).await?;
    let people: Vec<&LinkRow> = others.iter().map(|lost| &lost.row).chain([&link.row]).collect();
    book_matches_of(connection, &people, by.at).await?;
    Ok(Linked::Done {
        link,
        known: known.is_some(),
        lost: others,
    })
}

fn weight(method: Method) -> u8 {
    match method {
        Method::Manual | Method::Import => 1,
        Method::Staff => 2,
        Method::Oauth => 3,
    }
}

/// Whether a new link puts an old one to another account out. A typed one never does, and proof yields to nothing.
fn outweighs(new: Method, old: Method) -> bool {
    match new {
        Method::Manual | Method::Import => false,
        Method::Staff | Method::Oauth => old != Method::Oauth,
    }
}

fn better(old: Method, new: Method) -> Method {
    if weight(new) >= weight(old) { new } else { old }
}

/// Removes the link of a Discord account; None when it has none.
pub async fn unlink(connection: &mut Connection, user: UserId, by: &By) -> Result<Option<StoredLink>, Error> {
    lock(connection).await?;
    let Some(link) = of_user(connection, user).await? else {
        return Ok(None);
    };
    links::delete(connection, user).await?;
    record(connection, by, "link.removed", user, Some(&link), None).await?;
    book_matches_of(connection, &[&link.row], by.at).await?;
    Ok(Some(link))
}

/// Whether a player wants to be moved. None when he is not linked; otherwise whether it was different before.
pub async fn set_opted_out(
    connection: &mut Connection,
    user: UserId,
    opted_out: bool,
    by: &By,
) -> Result<Option<bool>, Error> {
    lock(connection).await?;
    let Some(before) = of_user(connection, user).await? else {
        return Ok(None);
    };
    if before.opted_out == opted_out {
        return Ok(Some(false));
    }
    let after = StoredLink {
        opted_out,
        ..before.clone()
    };
    links::put(connection, &after, by.at).await?;
    let action = if opted_out { "link.opted_out" } else { "link.opted_in" };
    record(connection, by, action, user, Some(&before), Some(&after)).await?;
    book_matches_of(connection, &[&before.row], by.at).await?;
    Ok(Some(true))
}

/// Takes over the nickname that FACEIT gives the player now. Not worth an audit row unless it changed.
pub async fn rename(connection: &mut Connection, user: UserId, nickname: &str, by: &By) -> Result<(), Error> {
    lock(connection).await?;
    let Some(before) = of_user(connection, user).await? else {
        return Ok(());
    };
    let nickname = storable(nickname).into_owned();
    if before.row.nickname == nickname {
        return Ok(());
    }
    let mut after = before.clone();
    after.row.nickname = nickname;
    links::put(connection, &after, by.at).await?;
    record(connection, by, "link.renamed", user, Some(&before), Some(&after)).await?;
    Ok(())
}

/// The same when staff asked for it: that is an action of theirs, also when FACEIT has nothing new.
pub async fn checked(connection: &mut Connection, user: UserId, nickname: &str, by: &By) -> Result<(), Error> {
    lock(connection).await?;
    match of_user(connection, user).await? {
        Some(link) if link.row.nickname == storable(nickname) => {
            record(connection, by, "link.checked", user, Some(&link), Some(&link)).await
        }
        _ => rename(connection, user, nickname, by).await,
    }
}

/// Somebody of this nickname, as the subject of an audit row: in one spelling, so that it is found when he is erased.
pub fn nickname_as_subject(nickname: &str) -> String {
    format!("nickname:{}", nickname.trim().to_lowercase())
}

/// Running matches with one of these people on a roster, or placed by us: they are looked at again at once.
pub async fn book_matches_of(connection: &mut Connection, people: &[&LinkRow], now: Timestamp) -> Result<usize, Error> {
    let players: Vec<&str> = people.iter().map(|row| row.player.as_str()).collect();
    let users: Vec<UserId> = people.iter().map(|row| row.user).collect();
    let matches = links::open_matches_of(connection, &players, &users).await?;
    // In the order in which everybody locks them.
    for id in &matches {
        jobs::book(connection, &JobKey::sync_match(id), now).await?;
    }
    Ok(matches.len())
}

/// One change of links at a time; readers go on. Taken before anything else, so that nobody waits for somebody who waits for him.
pub(super) async fn lock(connection: &mut Connection) -> Result<(), Error> {
    links::lock(connection).await
}

async fn record(
    connection: &mut Connection,
    by: &By,
    action: &str,
    subject: UserId,
    before: Option<&StoredLink>,
    after: Option<&StoredLink>,
) -> Result<(), Error> {
    let entry = Entry {
        actor: by.actor.clone(),
        action: action.to_owned(),
        guild: by.guild,
        subject: subject.to_string(),
        before: before.map(as_json).transpose()?,
        after: after.map(as_json).transpose()?,
    };
    audit::record(connection, &entry, by.at).await?;
    Ok(())
}

/// A link as people read it, with ids as texts.
pub fn as_json(link: &StoredLink) -> Result<Value, Error> {
    Ok(json!({
        "faceit_id": link.row.player.as_str(),
        "discord_id": link.row.user.to_string(),
        "nickname": link.row.nickname,
        "method": link.method.as_str(),
        "opted_out": link.opted_out,
        "linked_at": convert::to_text(link.linked_at)?,
        "verified_at": link.verified_at.map(convert::to_text).transpose()?,
    }))
}
