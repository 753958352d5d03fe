//! Erases a person: nothing stays that tells who he was, in any table. What says who he is goes at once, with his link; then what is large, piece by
//! piece, each for itself and with a note of how far it is, so that it goes on after whatever happens.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    domain::{Timestamp, ids::UserId, job::JobKey},
    store::{
        Connection, Error,
        audit::{self, Actor, Entry},
        convert,
        discord_tokens::{self, SealedTokens},
        erasings, jobs, link_states, linking, links, match_steps,
        person::{self, ERASED, Person},
        users,
    },
};

/// A message in Discord that is to say what became of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub application: u64,
    /// Whoever has it can change the message; Discord takes it for 15 minutes.
    pub token: String,
    /// Discord's code of the language.
    pub language: String,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message in Discord")
    }
}

/// Where a scrubbing stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scrubbing {
    person: Person,
    next: Piece,
    /// The last row of the audit log from before he asked.
    log_upto: i64,
    /// Rewritten so far.
    pub deliveries: usize,
    pub matches: usize,
    pub messages: Vec<Message>,
    /// Whether they say already that it takes longer.
    pub announced: bool,
}

/// What is looked through next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Piece {
    /// Those with smaller ids, the newest first.
    Deliveries(i64),
    /// Those with greater ids.
    Matches(String),
    /// Deliveries that came in the meantime.
    Late,
    /// Rows of the audit log with greater ids.
    Log(i64),
    /// What has come up about him since he asked.
    Rest,
    Nothing,
}

/// More messages than anybody presses in a quarter of an hour.
const MESSAGES: usize = 10;

/// Begins, on the caller's transaction, or adds to what is under way: his link, open sign-ins, his account in the admin part with its sessions and
/// tokens, and where we placed him are gone with it, and the job for the rest is booked. Gives the tokens, which Discord still takes.
pub async fn begin(
    connection: &mut Connection,
    user: UserId,
    message: Message,
    now: Timestamp,
) -> Result<Option<SealedTokens>, Error> {
    linking::lock(connection).await?;
    let under_way = erasings::lock_of(connection, user).await?;
    let person = Person::of(connection, user).await?;
    let tokens = discord_tokens::find(connection, user).await?;
    if let Some(link) = &person.link {
        linking::book_matches_of(connection, &[&link.row], now).await?;
        links::delete(connection, user).await?;
    }
    link_states::delete_of(connection, user).await?;
    users::remove(connection, user).await?;
    forget_places(connection, user).await?;
    let mut scrubbing = Scrubbing {
        person,
        next: Piece::Deliveries(i64::MAX),
        log_upto: audit::last(connection).await?,
        deliveries: 0,
        matches: 0,
        messages: Vec::new(),
        announced: false,
    };
    if let Some((_, before)) = under_way {
        scrubbing.person.add(&before.person);
        scrubbing.deliveries = before.deliveries;
        scrubbing.matches = before.matches;
        scrubbing.messages = before.messages;
    }
    scrubbing.messages.truncate(MESSAGES - 1);
    scrubbing.messages.push(message);
    if scrubbing.person.players.is_empty() {
        scrubbing.next = Piece::Log(0);
    }
    let number = erasings::put(connection, user, &scrubbing, now).await?;
    jobs::book(connection, &JobKey::erasing(number), now).await?;
    Ok(tokens)
}

impl Scrubbing {
    /// Whether nothing is left to look through.
    pub fn is_done(&self) -> bool {
        self.next == Piece::Nothing
    }

    /// Takes him out of one more piece of what is stored. In a running match FACEIT names him again at the next look.
    pub async fn step(&mut self, connection: &mut Connection, now: Timestamp) -> Result<(), Error> {
        self.next = match self.next.clone() {
            Piece::Deliveries(before) => {
                let next = self.step_deliveries(connection, before).await?;
                next.map_or(Piece::Matches(String::new()), Piece::Deliveries)
            }
            Piece::Matches(after) => {
                let next = self.step_matches(connection, &after).await?;
                next.map_or(Piece::Late, Piece::Matches)
            }
            Piece::Late => {
                self.step_deliveries(connection, i64::MAX).await?;
                Piece::Log(0)
            }
            Piece::Log(after) => match audit::piece(connection, after, self.log_upto).await? {
                Some(piece) => {
                    audit::forget_piece(connection, self.person.user, &self.person.ids(), piece).await?;
                    Piece::Log(piece.1)
                }
                None => Piece::Rest,
            },
            Piece::Rest => {
                self.finish(connection, now).await?;
                Piece::Nothing
            }
            Piece::Nothing => Piece::Nothing,
        };
        Ok(())
    }

    /// Gives where the next piece begins; None at the end.
    async fn step_deliveries(&mut self, connection: &mut Connection, before: i64) -> Result<Option<i64>, Error> {
        let (found, next) = person::deliveries_before(connection, &self.person, before).await?;
        for delivery in &found {
            self.person.learn_names(&delivery.body);
        }
        for delivery in found {
            let mut body = delivery.body;
            self.person.scrub(&mut body);
            sqlx::query("update deliveries set body = $2 where id = $1")
                .bind(delivery.id)
                .bind(body.to_string().into_bytes())
                .execute(&mut *connection)
                .await?;
            self.deliveries += 1;
        }
        Ok(next)
    }

    async fn step_matches(&mut self, connection: &mut Connection, after: &str) -> Result<Option<String>, Error> {
        let (found, next) = person::matches_after(connection, &self.person, after).await?;
        for (id, mut facts) in found {
            self.person.learn_names(&facts);
            self.person.scrub(&mut facts);
            sqlx::query("update matches set facts = $2 where match_id = $1")
                .bind(id)
                .bind(facts)
                .execute(&mut *connection)
                .await?;
            self.matches += 1;
        }
        Ok(next)
    }

    /// Whoever has linked himself or signed in again since is there anew: what that left is for another wish.
    async fn finish(&self, connection: &mut Connection, now: Timestamp) -> Result<(), Error> {
        let user = self.person.user;
        let linked = linking::of_user(connection, user).await?.is_some();
        if !linked && users::find(connection, user).await?.is_none() {
            forget_places(connection, user).await?;
            let mut after = self.log_upto;
            while let Some(piece) = audit::piece(connection, after, i64::MAX).await? {
                audit::forget_piece(connection, user, &self.person.ids(), piece).await?;
                after = piece.1;
            }
        }
        let entry = Entry {
            actor: Actor::system(),
            action: "person.erased".to_owned(),
            guild: None,
            subject: ERASED.to_owned(),
            before: None,
            after: None,
        };
        audit::record(connection, &entry, now).await?;
        Ok(())
    }
}

/// Where we placed him. In open matches the sync that was booked takes him out, once he has left the channel.
async fn forget_places(connection: &mut Connection, user: UserId) -> Result<(), Error> {
    match_steps::forget(connection, user).await?;
    sqlx::query(
        "delete from match_members using matches
        where matches.match_id = match_members.match_id and discord_id = $1 and closed_at is not null",
    )
    .bind(convert::to_bigint(user.get())?)
    .execute(&mut *connection)
    .await?;
    sqlx::query("delete from guild_people where discord_id = $1")
        .bind(convert::to_bigint(user.get())?)
        .execute(connection)
        .await?;
    Ok(())
}
