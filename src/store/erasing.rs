//! Erases a person: nothing stays that tells who he was, in any table. Pieces first, each for itself; the link last, since it says who he is.

use crate::{
    domain::{Timestamp, ids::UserId},
    store::{
        Connection, Error,
        audit::{self, Actor, Entry},
        convert, link_states, linking, links, match_steps,
        person::{self, ERASED, Person},
        users,
    },
};

/// Where a scrubbing stands.
#[derive(Clone, Debug)]
pub struct Scrubbing {
    person: Person,
    next: Piece,
    log: Vec<(i64, i64)>,
    /// The last row of the audit log that is among them.
    pub log_upto: i64,
    /// Rewritten so far.
    pub deliveries: usize,
    pub matches: usize,
}

/// What is looked through next.
#[derive(Clone, Debug)]
enum Piece {
    /// Those with smaller ids, the newest first.
    Deliveries(i64),
    /// Those with greater ids.
    Matches(String),
    /// Deliveries that came in the meantime.
    Late,
    /// Of the audit log, as many as are left.
    Log(Vec<(i64, i64)>),
    Nothing,
}

impl Scrubbing {
    pub async fn begin(connection: &mut Connection, user: UserId) -> Result<Self, Error> {
        let person = Person::of(connection, user).await?;
        let log = audit::pieces(connection, 0).await?;
        let log_upto = log.last().map_or(0, |(_, upto)| *upto);
        let next = if person.players.is_empty() {
            Piece::Log(log.clone())
        } else {
            Piece::Deliveries(i64::MAX)
        };
        Ok(Self {
            person,
            next,
            log,
            log_upto,
            deliveries: 0,
            matches: 0,
        })
    }

    /// Takes him out of one more piece of what is stored; false when nothing is left to look through. In a running match FACEIT names
    /// him again at the next look.
    pub async fn step(&mut self, connection: &mut Connection) -> Result<bool, Error> {
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
                Piece::Log(self.log.clone())
            }
            Piece::Log(mut left) => match left.pop() {
                Some(piece) => {
                    audit::forget_piece(connection, self.person.user, &self.person.ids(), piece).await?;
                    Piece::Log(left)
                }
                None => Piece::Nothing,
            },
            Piece::Nothing => return Ok(false),
        };
        Ok(true)
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
}

/// The rest, in a transaction: the link, open sign-ins, his account in the admin part with its sessions and tokens, where we placed him, and his part
/// in what the audit log has after `log_upto`.
pub async fn finish(connection: &mut Connection, user: UserId, log_upto: i64, now: Timestamp) -> Result<(), Error> {
    linking::lock(connection).await?;
    let person = Person::of(connection, user).await?;
    if let Some(link) = &person.link {
        linking::book_matches_of(connection, &[&link.row], now).await?;
        links::delete(connection, user).await?;
    }
    link_states::delete_of(connection, user).await?;
    users::remove(connection, user).await?;
    match_steps::forget(connection, user).await?;
    // In open matches the sync that was booked takes him out, once he has left the channel.
    sqlx::query(
        "delete from match_members using matches
        where matches.match_id = match_members.match_id and discord_id = $1 and closed_at is not null",
    )
    .bind(convert::to_bigint(user.get())?)
    .execute(&mut *connection)
    .await?;
    sqlx::query("delete from guild_people where discord_id = $1")
        .bind(convert::to_bigint(user.get())?)
        .execute(&mut *connection)
        .await?;
    for piece in audit::pieces(connection, log_upto).await? {
        audit::forget_piece(connection, user, &person.ids(), piece).await?;
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
