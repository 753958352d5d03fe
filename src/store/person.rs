//! Who somebody is in what is stored: his accounts, and how he is found and taken out of FACEIT's bodies. Reads tables that grow in pieces: no
//! statement goes through all of one.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::Row;

use crate::{
    domain::ids::{PlayerId, UserId},
    store::{Connection, Error, convert, linking, links::StoredLink},
};

/// What stands in the place of an erased person.
pub(super) const ERASED: &str = "erased";
/// Rows that one statement looks through.
pub(super) const AT_ONCE: i64 = 2_000;
/// Names under which FACEIT writes a player's id inside an object that is about him.
const OWN_ID: [&str; 4] = ["id", "player_id", "user_id", "guid"];
/// What a team is called, or somebody of whom nothing else is said. A nickname may be any word: elsewhere the same word is not his.
const CALLED: [&str; 2] = ["name", "nickname"];

/// A person's accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub user: UserId,
    #[serde(skip)]
    pub link: Option<StoredLink>,
    /// FACEIT accounts that are his: the linked one, and those that he once proved and nobody else has now.
    pub(super) players: Vec<String>,
    /// What these were called, as far as we know.
    pub(super) nicknames: Vec<String>,
}

impl Person {
    pub async fn of(connection: &mut Connection, user: UserId) -> Result<Self, Error> {
        let link = linking::of_user(connection, user).await?;
        let mut person = Self {
            user,
            players: link.iter().map(|link| link.row.player.as_str().to_owned()).collect(),
            nicknames: link.iter().map(|link| link.row.nickname.clone()).collect(),
            link,
        };
        for (player, nickname) in proven_before(connection, user).await? {
            let other = linking::of_player(connection, &PlayerId::new(&player)).await?;
            if other.is_some_and(|link| link.row.user != user) {
                continue;
            }
            add(&mut person.players, player);
            add(&mut person.nicknames, nickname);
        }
        Ok(person)
    }

    /// The same person, as he was known before.
    pub(super) fn add(&mut self, before: &Self) {
        for player in &before.players {
            add(&mut self.players, player.clone());
        }
        for nickname in &before.nicknames {
            add(&mut self.nicknames, nickname.clone());
        }
    }

    /// All texts that stand for him and for nobody else, and whom staff looked up in vain by a nickname of his.
    pub(super) fn ids(&self) -> Vec<String> {
        let looked_up = self.nicknames.iter().map(|name| linking::nickname_as_subject(name));
        let user = self.user.to_string();
        [user]
            .into_iter()
            .chain(self.players.iter().cloned())
            .chain(looked_up)
            .collect()
    }

    /// What to look for in a body.
    pub(super) fn needles(&self) -> Vec<Vec<u8>> {
        let texts = self.players.iter().chain(&self.nicknames);
        texts
            .filter(|text| !text.is_empty())
            .map(|text| text.as_bytes().to_vec())
            .collect()
    }

    /// Takes him out of a body: an object that is about him keeps nothing but a placeholder, elsewhere his ids, his nicknames and the team named
    /// after him are replaced.
    pub(super) fn scrub(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                let own = OWN_ID
                    .iter()
                    .find(|key| fields.get(**key).is_some_and(|id| self.is_player(id)));
                if let Some(key) = own {
                    *fields = Map::from_iter([
                        ((*key).to_owned(), json!(ERASED)),
                        ("nickname".to_owned(), json!(ERASED)),
                    ]);
                    return;
                }
                // Somebody else may have the same nickname by now.
                let of_somebody = fields.contains_key("nickname") && OWN_ID.iter().any(|key| fields.contains_key(*key));
                for (key, field) in fields.iter_mut() {
                    match field {
                        Value::String(text) if !of_somebody && CALLED.contains(&key.as_str()) => self.rename(text),
                        _ => self.scrub(field),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.scrub(item)),
            id if self.is_player(id) => *id = json!(ERASED),
            _ => {}
        }
    }

    fn is_player(&self, value: &Value) -> bool {
        value
            .as_str()
            .is_some_and(|id| self.players.iter().any(|own| own == id))
    }

    fn rename(&self, text: &mut String) {
        let own = |name: &str| self.nicknames.iter().chain(&self.players).any(|own| own == name);
        if own(text) {
            ERASED.clone_into(text);
        } else if text.strip_prefix("team_").is_some_and(own) {
            *text = format!("team_{ERASED}");
        }
    }

    pub(super) fn is_named_in(&self, value: &Value) -> bool {
        let mut without = value.clone();
        self.scrub(&mut without);
        without != *value
    }

    /// What FACEIT called him at other times, from a body that names him.
    pub(super) fn learn_names(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                if OWN_ID
                    .iter()
                    .any(|key| fields.get(*key).is_some_and(|id| self.is_player(id)))
                    && let Some(name) = fields.get("nickname").and_then(Value::as_str)
                {
                    add(&mut self.nicknames, name.to_owned());
                }
                fields.values().for_each(|field| self.learn_names(field));
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn_names(item)),
            _ => {}
        }
    }
}

fn add(to: &mut Vec<String>, text: String) {
    if !text.is_empty() && text != ERASED && !to.contains(&text) {
        to.push(text);
    }
}

/// FACEIT accounts that he once proved to be his, as the audit log tells: id and nickname.
async fn proven_before(connection: &mut Connection, user: UserId) -> Result<Vec<(String, String)>, Error> {
    let rows = sqlx::query(
        "select distinct link ->> 'faceit_id' as faceit_id, coalesce(link ->> 'nickname', '') as nickname
        from audit cross join lateral (values (before), (after)) as of (link)
        where subject = $1 and starts_with(action, 'link.') and link ->> 'discord_id' = $1 and link ->> 'method' = 'oauth'
            and link ->> 'faceit_id' is not null
        order by 1, 2",
    )
    .bind(user.to_string())
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("faceit_id")?, row.try_get("nickname")?)))
        .collect()
}

/// A delivery that may name him.
pub(super) struct Found {
    pub id: i64,
    pub event: String,
    pub match_id: Option<String>,
    pub received_at: crate::domain::Timestamp,
    /// Only JSON is ever stored.
    pub body: Value,
}

/// One piece of the deliveries, the newest first: those before this id that name him, and where the next piece begins; None at the end.
pub(super) async fn deliveries_before(
    connection: &mut Connection,
    person: &Person,
    before: i64,
) -> Result<(Vec<Found>, Option<i64>), Error> {
    let rows = sqlx::query(
        "with piece as materialized (
            select id, event, match_id, received_at, body from deliveries where id < $1 order by id desc limit $3
        )
        select last, hit.* from (select min(id) as last from piece) as reached
        left join piece as hit on exists (select from unnest($2::bytea[]) as needle where position(needle in body) > 0)
        order by id desc",
    )
    .bind(before)
    .bind(person.needles())
    .bind(AT_ONCE)
    .fetch_all(connection)
    .await?;
    let (mut found, mut next) = (Vec::new(), None);
    for row in &rows {
        next = row.try_get("last")?;
        let Some(id) = row.try_get::<Option<i64>, _>("id")? else {
            continue;
        };
        let body: Value = serde_json::from_slice(row.try_get("body")?).unwrap_or(Value::Null);
        if body.is_null() || person.is_named_in(&body) {
            found.push(Found {
                id,
                event: row.try_get("event")?,
                match_id: row.try_get("match_id")?,
                received_at: row.try_get("received_at")?,
                body,
            });
        }
    }
    Ok((found, next))
}

/// One piece of the matches: those after this id whose facts name him, with these, and where the next piece begins; None at the end.
pub(super) async fn matches_after(
    connection: &mut Connection,
    person: &Person,
    after: &str,
) -> Result<(Vec<(String, Value)>, Option<String>), Error> {
    let needles: Vec<&String> = person.players.iter().chain(&person.nicknames).collect();
    let rows = sqlx::query(
        "with piece as materialized (select match_id, facts from matches where match_id > $1 order by match_id limit $3)
        select last, hit.* from (select max(match_id) as last from piece) as reached
        left join piece as hit on exists (select from unnest($2::text[]) as needle where position(needle in facts::text) > 0)
        order by match_id",
    )
    .bind(after)
    .bind(needles)
    .bind(AT_ONCE)
    .fetch_all(connection)
    .await?;
    let (mut found, mut next) = (Vec::new(), None);
    for row in &rows {
        next = row.try_get("last")?;
        let Some(id) = row.try_get("match_id")? else {
            continue;
        };
        let facts: Value = row.try_get("facts")?;
        if person.is_named_in(&facts) {
            found.push((id, facts));
        }
    }
    Ok((found, next))
}

/// Where we placed him, or are about to.
pub(super) async fn placed(connection: &mut Connection, user: UserId) -> Result<Vec<Value>, Error> {
    let rows = sqlx::query(
        "select match_id, faction, placement, tried_at from match_members where discord_id = $1 order by tried_at",
    )
    .bind(convert::to_bigint(user.get())?)
    .fetch_all(connection)
    .await?;
    let value = |row: &sqlx::postgres::PgRow| {
        Ok(json!({
            "match_id": row.try_get::<String, _>("match_id")?,
            "faction": row.try_get::<String, _>("faction")?,
            "placement": row.try_get::<String, _>("placement")?,
            "at": convert::to_text(row.try_get("tried_at")?)?,
        }))
    };
    rows.iter().map(value).collect()
}

/// Servers in whose matches he was placed.
pub(super) async fn guilds(connection: &mut Connection, user: UserId) -> Result<Vec<String>, Error> {
    let rows = sqlx::query("select guild_id::text as guild from guild_people where discord_id = $1 order by guild_id")
        .bind(convert::to_bigint(user.get())?)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok(row.try_get("guild")?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann() -> Person {
        Person {
            user: UserId::new(2001).unwrap(),
            link: None,
            players: vec!["p-ann".to_owned()],
            nicknames: vec!["ann".to_owned()],
        }
    }

    #[test]
    fn a_person_is_taken_out_of_a_body_and_nobody_else_is() {
        let person = ann();
        let mut body = json!({"teams": [
            {"id": "t1", "name": "team_ann", "leader_id": "p-ann", "roster": [
                {"id": "p-ann", "nickname": "ann", "game_id": "7656", "game_name": "Ann!"},
                {"id": "p-anna", "nickname": "anna", "game_id": "7657", "game_name": "annie"},
            ]},
            {"id": "t2", "name": "ann", "leader_id": "p-anna", "roster": []},
        ], "ann": 1, "note": "annual"});
        assert!(person.is_named_in(&body));
        person.scrub(&mut body);
        assert_eq!(
            body,
            json!({"teams": [
                {"id": "t1", "name": "team_erased", "leader_id": "erased", "roster": [
                    {"id": "erased", "nickname": "erased"},
                    {"id": "p-anna", "nickname": "anna", "game_id": "7657", "game_name": "annie"},
                ]},
                {"id": "t2", "name": "erased", "leader_id": "p-anna", "roster": []},
            ], "ann": 1, "note": "annual"})
        );
        assert!(!person.is_named_in(&body));
    }

    #[test]
    fn whoever_is_called_like_a_word_of_faceit_or_like_somebody_else_takes_neither_along() {
        let person = Person {
            nicknames: vec!["READY".to_owned()],
            ..ann()
        };
        let body = json!({"status": "READY", "roster": [{"id": "p-eve", "nickname": "READY"}]});
        assert!(!person.is_named_in(&body));
    }

    #[test]
    fn former_names_are_learnt_from_what_faceit_wrote_then() {
        let mut person = ann();
        let body = json!({"teams": [{"name": "team_oldie", "roster": [{"id": "p-ann", "nickname": "oldie"}]}]});
        person.learn_names(&body);
        let mut without = body;
        person.scrub(&mut without);
        assert_eq!(without["teams"][0]["name"], "team_erased");
    }
}
