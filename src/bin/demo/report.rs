//! The figures, all from what was recorded (the simulator's journal, the database, the guild), and what is wrong, if anything is.

use std::{collections::BTreeSet, fmt, time::Duration};

use anyhow::Context;
use muster::{
    clock::Clock,
    domain::ids::MatchId,
    simulator::{Entry, Side},
    store::{self, Pool},
};
use serde::Serialize;

use crate::{
    cast::{LATENCY_MS, Person},
    control::{Control, Guild},
    story::Told,
};

/// What the journal says so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub channels_created: usize,
    pub channels_deleted: usize,
    pub moves: usize,
    pub discord_requests: usize,
    pub faceit_requests: usize,
    pub rate_limited: usize,
}

impl Counts {
    pub fn of(journal: &[Entry]) -> Self {
        let done = |entry: &&Entry| (200..300).contains(&entry.status);
        let discord = || journal.iter().filter(|entry| entry.side == Side::Discord);
        Self {
            channels_created: discord().filter(|entry| is_create(entry)).filter(done).count(),
            channels_deleted: discord().filter(|entry| is_delete(entry)).filter(done).count(),
            moves: discord().filter(|entry| moved(entry).is_some()).filter(done).count(),
            discord_requests: discord().count(),
            faceit_requests: journal.len() - discord().count(),
            rate_limited: discord().filter(|entry| entry.status == 429).count(),
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            channels_created,
            channels_deleted,
            moves,
            discord_requests,
            faceit_requests,
            rate_limited,
        } = self;
        write!(
            f,
            "made {channels_created} channels, deleted {channels_deleted} | moved {moves} people | {discord_requests} \
             requests to Discord, {rate_limited} rate-limited | {faceit_requests} to FACEIT"
        )
    }
}

fn is_create(entry: &Entry) -> bool {
    entry.method == "POST" && entry.path.contains("/guilds/") && entry.path.ends_with("/channels")
}

fn is_delete(entry: &Entry) -> bool {
    entry.method == "DELETE"
        && entry
            .path
            .rsplit_once('/')
            .is_some_and(|(head, _)| head.ends_with("/channels"))
}

/// In which guild a request moves whom.
pub fn moved(entry: &Entry) -> Option<(&str, &str)> {
    let (_, path) = entry.path.split_once("/guilds/")?;
    let (guild, user) = path.split_once("/members/")?;
    (entry.method == "PATCH").then_some((guild, user))
}

/// When Discord had moved somebody, since then; None when it never did. A move is taken to be done when Discord has answered it.
fn moved_after(journal: &[Entry], user: &str, since_ms: u64) -> Option<u64> {
    let done = |entry: &&Entry| {
        let whom = moved(entry).map(|(_, user)| user);
        entry.at_ms >= since_ms && whom == Some(user) && (200..300).contains(&entry.status)
    };
    let first = journal.iter().find(done)?;
    Some(first.at_ms + LATENCY_MS - since_ms)
}

/// Somebody who could not be moved with the others, and for whose move he was himself the cause.
#[derive(Clone, Debug)]
pub struct Late {
    pub name: &'static str,
    pub user: String,
    pub by: Cause,
    /// By the simulator's clock, just before he did it.
    pub since_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Joined,
    Linked,
}

/// From the delivery of an event that makes a match stand until the last of its present players was moved.
#[derive(Clone, Debug)]
pub struct Stood {
    pub title: String,
    /// By the simulator's clock, just before FACEIT called.
    pub delivered_ms: u64,
    /// Discord ids of those who were linked and in voice then.
    pub present: Vec<String>,
}

impl Stood {
    /// None when somebody was never moved.
    fn until_moved(&self, journal: &[Entry]) -> Option<u64> {
        let people = self.present.iter();
        let waits = people.map(|user| moved_after(journal, user, self.delivered_ms));
        waits.collect::<Option<Vec<u64>>>()?.into_iter().max()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    p50: u64,
    p95: u64,
    max: u64,
}

impl Spread {
    /// By nearest rank.
    fn of(mut samples: Vec<u64>) -> Self {
        samples.sort_unstable();
        let rank = |percent: usize| {
            let at = (samples.len() * percent).div_ceil(100).saturating_sub(1);
            samples.get(at).copied().unwrap_or_default()
        };
        Self {
            p50: rank(50),
            p95: rank(95),
            max: rank(100),
        }
    }
}

/// `--json` prints exactly this.
#[derive(Debug, Serialize)]
pub struct Report {
    pub matches: usize,
    pub deliveries: usize,
    pub channels_created: usize,
    pub channels_deleted: usize,
    pub moves: usize,
    /// Moved because they came to voice later than their match.
    pub late_joiners_moved: usize,
    /// Moved because they linked their account in the middle of their match.
    pub linked_in_mid_match: usize,
    /// Brought back from match channels.
    pub returned: usize,
    pub discord_requests: usize,
    pub rate_limited: usize,
    pub orphans: usize,
    pub dead_jobs: i64,
    pub event_to_moved_ms: Spread,
    #[serde(skip)]
    pub stood: Vec<(String, Option<u64>)>,
    /// How long each waited.
    #[serde(skip)]
    pub late: Vec<(Late, Option<u64>)>,
    #[serde(skip)]
    pub faceit_requests: usize,
    /// What was left over or went wrong; empty after a good run.
    #[serde(skip)]
    pub problems: Vec<String>,
}

impl Report {
    /// `before` is the guild as it was at the beginning; `returned` is how many people were seen to be brought back.
    pub async fn make(
        told: &Told,
        before: &Guild,
        returned: usize,
        control: &Control,
        pool: &Pool,
    ) -> anyhow::Result<Self> {
        let (journal, guild) = (control.journal().await?, control.guild().await?);
        let counts = Counts::of(&journal);
        let mut problems = told.problems.clone();
        let known: BTreeSet<&str> = before.channels.iter().map(|channel| channel.id.as_str()).collect();
        let orphans: Vec<&str> = guild
            .channels
            .iter()
            .filter(|channel| !known.contains(channel.id.as_str()))
            .map(|channel| channel.name.as_str())
            .collect();
        problems.extend(orphans.iter().map(|name| format!("the channel {name} was left behind")));
        for entry in control.unknown().await? {
            problems.push(format!(
                "the simulator does not know the request {} {}",
                entry.method, entry.path
            ));
        }
        problems.extend(wrong_seats(told, &guild));

        let mut connection = pool.acquire().await.context("the database")?;
        let jobs = store::jobs::counts(&mut connection, Clock::system().now()).await?;
        for job in store::jobs::list_dead(&mut connection).await? {
            let why = job.last_error.unwrap_or_default();
            problems.push(format!("the job {} is dead: {why}", job.key));
        }
        for id in store::records::open(&mut connection).await? {
            problems.push(format!("match {id} is still open"));
        }
        for (id, url) in &told.recordings {
            let record = store::records::load(&mut connection, &MatchId::new(*id)).await?;
            if !record.is_some_and(|record| record.demo_urls.contains(url)) {
                problems.push(format!("the recording {url} was not kept with match {id}"));
            }
        }

        let stood: Vec<_> = told
            .stood
            .iter()
            .map(|stood| (stood.title.clone(), stood.until_moved(&journal)))
            .collect();
        for (title, _) in stood.iter().filter(|(_, ms)| ms.is_none()) {
            problems.push(format!("not everybody who was there was moved: {title}"));
        }
        let waited = |late: &Late| moved_after(&journal, &late.user, late.since_ms);
        let late: Vec<_> = told.late.iter().map(|late| (late.clone(), waited(late))).collect();
        for (late, _) in late.iter().filter(|(_, ms)| ms.is_none()) {
            problems.push(format!("{} came late and was never moved", late.name));
        }
        if returned != told.returns {
            let expected = told.returns;
            problems.push(format!(
                "{returned} people were brought back from match channels, not {expected}"
            ));
        }
        if counts.rate_limited > 0 {
            problems.push(format!(
                "Discord refused {} requests by its rate limit",
                counts.rate_limited
            ));
        }
        let moved = |by| late.iter().filter(|(late, ms)| late.by == by && ms.is_some()).count();
        Ok(Self {
            matches: told.matches.len(),
            deliveries: told.answers.values().sum(),
            channels_created: counts.channels_created,
            channels_deleted: counts.channels_deleted,
            moves: counts.moves,
            late_joiners_moved: moved(Cause::Joined),
            linked_in_mid_match: moved(Cause::Linked),
            returned,
            discord_requests: counts.discord_requests,
            rate_limited: counts.rate_limited,
            orphans: orphans.len(),
            dead_jobs: jobs.dead,
            event_to_moved_ms: Spread::of(stood.iter().filter_map(|(_, ms)| *ms).collect()),
            stood,
            late,
            faceit_requests: counts.faceit_requests,
            problems,
        })
    }

    /// For people.
    pub fn lines(&self, told: &Told, took: Duration) -> Vec<String> {
        let answers = told.answers.iter().map(|(result, count)| format!("{count} {result}"));
        let answers: Vec<String> = answers.collect();
        let spread = self.event_to_moved_ms;
        let mut lines = vec![
            format!(
                "{} matches in two servers in {:.0} s: hub and cup, one cancelled and played again, one aborted",
                self.matches,
                took.as_secs_f64()
            ),
            format!(
                "  webhooks from FACEIT       {} ({})",
                self.deliveries,
                answers.join(", ")
            ),
            format!(
                "  voice channels             {} made, {} deleted, {} left behind",
                self.channels_created, self.channels_deleted, self.orphans
            ),
            format!(
                "  people moved               {}: {} of them late joiners, {} linked in mid-match, {} back at the end",
                self.moves, self.late_joiners_moved, self.linked_in_mid_match, self.returned
            ),
            format!(
                "  requests                   {} to Discord ({} rate-limited), {} to FACEIT; {LATENCY_MS} ms each",
                self.discord_requests, self.rate_limited, self.faceit_requests
            ),
            format!("  jobs given up              {}", self.dead_jobs),
            format!(
                "  webhook until all moved    p50 {} ms, p95 {} ms, slowest {} ms:",
                spread.p50, spread.p95, spread.max
            ),
        ];
        lines.extend(self.stood.iter().map(|(title, ms)| match ms {
            Some(ms) => format!("      {ms:>5} ms  {title}"),
            None => format!("      never     {title}"),
        }));
        lines.push("  from coming late until moved:".to_owned());
        lines.extend(self.late.iter().map(|(late, ms)| {
            let did = match late.by {
                Cause::Joined => "came to voice",
                Cause::Linked => "linked his account",
            };
            match ms {
                Some(ms) => format!("      {ms:>5} ms  {} {did}", late.name),
                None => format!("      never     {} {did}", late.name),
            }
        }));
        if self.problems.is_empty() {
            lines.push(
                "Nothing was left over: every channel is gone, and everybody is where they should be.".to_owned(),
            );
        } else {
            lines.push("Something is wrong:".to_owned());
            lines.extend(self.problems.iter().map(|problem| format!("  - {problem}")));
        }
        lines
    }
}

/// Whoever is not where the story left him.
fn wrong_seats(told: &Told, guild: &Guild) -> Vec<String> {
    let seats = guild.seats();
    let wrong = told.seats.iter().filter_map(|(user, expected)| {
        let seat = seats.get(user.as_str()).copied();
        let name = Person::with_discord_id(user).map_or(user.as_str(), |person| person.name);
        match (expected, seat) {
            (Some(channel), Some(seat)) if *channel == seat.id => None,
            (None, None) => None,
            (_, Some(seat)) => Some(format!("{name} sits in {} and should not", seat.name)),
            (_, None) => Some(format!("{name} is in no voice channel and should be in one")),
        }
    });
    wrong.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at_ms: u64, method: &str, path: &str, status: u16) -> Entry {
        Entry {
            at_ms,
            side: Side::Discord,
            method: method.to_owned(),
            path: format!("/api/v10{path}"),
            status,
        }
    }

    #[test]
    fn only_what_discord_did_is_counted_as_done() {
        let journal = [
            entry(1, "POST", "/guilds/1000/channels", 201),
            entry(2, "PATCH", "/guilds/1000/members/2001", 429),
            entry(3, "PATCH", "/guilds/1000/members/2001", 200),
            entry(4, "PATCH", "/guilds/1000/members/2002", 400),
            entry(5, "PUT", "/channels/77/permissions/2001", 204),
            entry(6, "DELETE", "/channels/77/permissions/2001", 204),
            entry(7, "DELETE", "/channels/77", 200),
        ];
        let counts = Counts::of(&journal);
        assert_eq!((counts.channels_created, counts.channels_deleted), (1, 1));
        assert_eq!((counts.moves, counts.rate_limited, counts.discord_requests), (1, 1, 7));
    }

    #[test]
    fn a_match_stands_when_the_last_of_its_present_players_was_moved() {
        let stood = Stood {
            title: String::new(),
            delivered_ms: 1_000,
            present: vec!["2001".to_owned(), "2002".to_owned()],
        };
        let mut journal = vec![
            entry(900, "PATCH", "/guilds/1000/members/2002", 200),
            entry(1_300, "PATCH", "/guilds/1000/members/2001", 200),
        ];
        assert_eq!(stood.until_moved(&journal), None);
        journal.push(entry(1_450, "PATCH", "/guilds/1000/members/2002", 200));
        assert_eq!(stood.until_moved(&journal), Some(450 + LATENCY_MS));
    }

    #[test]
    fn only_what_comes_after_counts_as_his_move() {
        let journal = [
            entry(900, "PATCH", "/guilds/1000/members/2001", 200),
            entry(1_200, "PATCH", "/guilds/3000/members/2001", 200),
        ];
        assert_eq!(moved(&journal[1]), Some(("3000", "2001")));
        assert_eq!(moved_after(&journal, "2001", 1_000), Some(200 + LATENCY_MS));
        assert_eq!(moved_after(&journal, "2001", 1_300), None);
        assert_eq!(moved_after(&journal, "2002", 0), None);
    }

    #[test]
    fn percentiles_are_samples_that_occurred() {
        let spread = Spread::of(vec![500, 100, 400, 200, 300]);
        assert_eq!((spread.p50, spread.p95, spread.max), (300, 500, 500));
        assert_eq!(Spread::of(vec![]), Spread::default());
    }
}
