//! Everything stored about one person: gathered for an export, or taken out everywhere. Nothing of an erased person stays that tells who he was.

use serde_json::{Map, Value, json};
use sqlx::Row;

use crate::{
    domain::{Timestamp, ids::UserId},
    store::{
        Connection, Error,
        audit::{self, Actor, Entry},
        convert, link_states, linking,
        links::{self, StoredLink},
    },
};

/// What stands in the place of an erased person.
const ERASED: &str = "erased";
/// Deliveries rewritten in one go.
const AT_ONCE: i64 = 200;
/// Names under which FACEIT writes a player's id inside an object that is about him.
const OWN_ID: [&str; 4] = ["id", "player_id", "user_id", "guid"];

/// What was taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    pub linked: bool,
    pub sign_ins: u64,
    pub deliveries: usize,
    pub matches: usize,
}

/// The first half: takes the person's FACEIT names out of recorded deliveries and of what is stored about matches. Repeat it until all is
/// done; it needs the link, so it comes before `finish`. In a running match FACEIT names him again at the next look.
pub async fn scrub(connection: &mut Connection, user: UserId) -> Result<Erased, Error> {
    let mut erased = Erased::default();
    let Some(link) = linking::of_user(connection, user).await? else {
        return Ok(erased);
    };
    let person = Person::of(&link);
    erased.deliveries = scrub_deliveries(connection, &person).await?;
    erased.matches = scrub_matches(connection, &person).await?;
    Ok(erased)
}

/// The second half, in a transaction: the link, open sign-ins, where we placed him, and his part in the audit log.
pub async fn finish(connection: &mut Connection, user: UserId, now: Timestamp) -> Result<Erased, Error> {
    linking::lock(connection).await?;
    let link = linking::of_user(connection, user).await?;
    let mut names = vec![user.to_string()];
    if let Some(link) = &link {
        linking::book_matches_of(connection, &[&link.row], now).await?;
        links::delete(connection, user).await?;
        names.extend([link.row.player.as_str().to_owned(), link.row.nickname.clone()]);
    }
    let sign_ins = link_states::delete_of(connection, user).await?;
    // In open matches the sync that was booked takes him out, once he has left the channel.
    sqlx::query(
        "delete from match_members using matches
        where matches.match_id = match_members.match_id and discord_id = $1 and closed_at is not null",
    )
    .bind(convert::to_bigint(user.get())?)
    .execute(&mut *connection)
    .await?;
    audit::forget(connection, user, &names).await?;
    let entry = Entry {
        actor: Actor::system(),
        action: "person.erased".to_owned(),
        guild: None,
        subject: ERASED.to_owned(),
        before: None,
        after: None,
    };
    audit::record(connection, &entry, now).await?;
    Ok(Erased {
        linked: link.is_some(),
        sign_ins,
        ..Erased::default()
    })
}

/// Everything stored about a person, as JSON for himself.
pub async fn export(connection: &mut Connection, user: UserId) -> Result<Value, Error> {
    let link = linking::of_user(connection, user).await?;
    let mut names = vec![user.to_string()];
    names.extend(link.iter().map(|link| link.row.player.as_str().to_owned()));
    let audit = audit::about(connection, user, &names).await?;
    let audit = audit.iter().map(entry_as_json).collect::<Result<Vec<_>, _>>()?;
    let sign_ins = link_states::of_user(connection, user).await?;
    let sign_ins = sign_ins
        .into_iter()
        .map(convert::to_text)
        .collect::<Result<Vec<_>, _>>()?;
    let placed = placed(connection, user).await?;
    let deliveries = match &link {
        Some(link) => deliveries_naming(connection, &Person::of(link)).await?,
        None => Vec::new(),
    };
    Ok(json!({
        "discord_id": user.to_string(),
        "link": link.as_ref().map(linking::as_json).transpose()?,
        "open_sign_ins": sign_ins,
        "placed_in_matches": placed,
        "deliveries_that_name_you": deliveries,
        "audit_log": audit,
    }))
}

fn entry_as_json(row: &audit::Recorded) -> Result<Value, Error> {
    Ok(json!({
        "at": convert::to_text(row.at)?,
        "source": row.entry.actor.source.as_str(),
        "by": row.entry.actor.name,
        "action": row.entry.action,
        "guild_id": row.entry.guild.map(|guild| guild.to_string()),
        "before": row.entry.before,
        "after": row.entry.after,
    }))
}

async fn placed(connection: &mut Connection, user: UserId) -> Result<Vec<Value>, Error> {
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

async fn deliveries_naming(connection: &mut Connection, person: &Person) -> Result<Vec<Value>, Error> {
    let rows =
        sqlx::query("select event, match_id, received_at from deliveries where position($1 in body) > 0 order by id")
            .bind(person.id.as_bytes())
            .fetch_all(connection)
            .await?;
    let value = |row: &sqlx::postgres::PgRow| {
        Ok(json!({
            "event": row.try_get::<String, _>("event")?,
            "match_id": row.try_get::<Option<String>, _>("match_id")?,
            "received_at": convert::to_text(row.try_get("received_at")?)?,
        }))
    };
    rows.iter().map(value).collect()
}

/// Who is to be taken out.
struct Person {
    id: String,
    nickname: String,
}

impl Person {
    fn of(link: &StoredLink) -> Self {
        Self {
            id: link.row.player.as_str().to_owned(),
            nickname: link.row.nickname.clone(),
        }
    }

    /// Takes him out of a body: an object that is about him keeps nothing but a placeholder, elsewhere texts that are his id, his nickname or the
    /// team named after him are replaced. Other words may contain his nickname by chance and stay.
    fn scrub(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                let own = OWN_ID
                    .iter()
                    .find(|key| fields.get(**key).is_some_and(|id| *id == *self.id));
                if let Some(key) = own {
                    *fields = Map::from_iter([
                        ((*key).to_owned(), json!(ERASED)),
                        ("nickname".to_owned(), json!(ERASED)),
                    ]);
                    return;
                }
                fields.values_mut().for_each(|field| self.scrub(field));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.scrub(item)),
            Value::String(text) if *text == self.id || *text == self.nickname => ERASED.clone_into(text),
            Value::String(text) if text.strip_prefix("team_") == Some(&self.nickname) => {
                *text = format!("team_{ERASED}");
            }
            _ => {}
        }
    }

    fn is_named_in(&self, value: &Value) -> bool {
        let mut without = value.clone();
        self.scrub(&mut without);
        without != *value
    }
}

async fn scrub_deliveries(connection: &mut Connection, person: &Person) -> Result<usize, Error> {
    let (mut count, mut after) = (0, 0);
    loop {
        let rows = sqlx::query(
            "select id, body from deliveries
            where id > $1 and (position($2 in body) > 0 or position($3 in body) > 0) order by id limit $4",
        )
        .bind(after)
        .bind(person.id.as_bytes())
        .bind(person.nickname.as_bytes())
        .bind(AT_ONCE)
        .fetch_all(&mut *connection)
        .await?;
        let Some(last) = rows.last() else { return Ok(count) };
        after = last.try_get::<i64, _>("id")?;
        for row in &rows {
            // Only JSON is ever stored. What is not would be no loss.
            let mut body: Value = serde_json::from_slice(row.try_get("body")?).unwrap_or(Value::Null);
            if !body.is_null() && !person.is_named_in(&body) {
                continue;
            }
            person.scrub(&mut body);
            sqlx::query("update deliveries set body = $2 where id = $1")
                .bind(row.try_get::<i64, _>("id")?)
                .bind(body.to_string().into_bytes())
                .execute(&mut *connection)
                .await?;
            count += 1;
        }
    }
}

async fn scrub_matches(connection: &mut Connection, person: &Person) -> Result<usize, Error> {
    let rows = sqlx::query(
        "select match_id, facts from matches
        where jsonb_path_exists(facts, 'strict $.** ? (@ == $id)', jsonb_build_object('id', $1::text)) order by match_id",
    )
    .bind(&person.id)
    .fetch_all(&mut *connection)
    .await?;
    for row in &rows {
        let mut facts: Value = row.try_get("facts")?;
        person.scrub(&mut facts);
        sqlx::query("update matches set facts = $2 where match_id = $1")
            .bind(row.try_get::<String, _>("match_id")?)
            .bind(facts)
            .execute(&mut *connection)
            .await?;
    }
    Ok(rows.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_taken_out_of_a_body_and_nobody_else_is() {
        let person = Person {
            id: "p-ann".to_owned(),
            nickname: "ann".to_owned(),
        };
        let mut body = json!({"teams": [
            {"id": "t1", "name": "team_ann", "leader_id": "p-ann", "roster": [
                {"id": "p-ann", "nickname": "ann", "game_id": "7656", "game_name": "Ann!"},
                {"id": "p-anna", "nickname": "anna", "game_id": "7657", "game_name": "annie"},
            ]},
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
            ], "ann": 1, "note": "annual"})
        );
        assert!(!person.is_named_in(&body));
    }
}
