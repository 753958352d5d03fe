//! The story: what happens on FACEIT and who walks where, step by step. Its scenes are in `scenes`; here is what they are told with.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::future::join_all;
use muster::{
    clock::Clock,
    store::{self, Pool},
};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    bodies::{api_match, webhook},
    browser::Browser,
    cast::{Match, PEOPLE, Person},
    control::{Control, Guild},
    report::{Cause, Counts, Late, Stood, moved},
    scenes::STEPS,
    show::{Show, Who},
    watch::Watcher,
};

/// How long something that must come is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between looks at what can't be waited on.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How much later than Discord's bucket fills up it is used again: clocks and answers are not that exact.
const BUCKET_MARGIN: Duration = Duration::from_millis(300);

/// What is known after the story that no journal tells.
#[derive(Debug, Default)]
pub struct Told {
    /// Ids of the matches.
    pub matches: BTreeSet<&'static str>,
    /// What the service answered to deliveries: `accepted`, `duplicate` …
    pub answers: BTreeMap<String, usize>,
    pub stood: Vec<Stood>,
    pub late: Vec<Late>,
    /// How many people go back at the end of their matches.
    pub returns: usize,
    /// Match id and address.
    pub recordings: Vec<(&'static str, String)>,
    /// Where everybody who was ever in voice should sit at the end; None for out of voice.
    pub seats: BTreeMap<String, Option<String>>,
    /// What did not come, or came out wrong.
    pub problems: Vec<String>,
}

/// A webhook call, ready to be made.
#[derive(Clone, Debug)]
pub struct Call {
    pub body: Value,
    pub headline: String,
}

pub struct Story<'a> {
    pub control: &'a Control,
    pub show: &'a Show,
    pub watcher: &'a Watcher,
    pub pool: &'a Pool,
    /// How long channels stay after the end of a match.
    pub grace: Duration,
    pub clock: Clock,
    pub told: Told,
    /// Where players reach the service with their browsers.
    pub service: &'a str,
    linked: BTreeSet<&'static str>,
    step: usize,
    serial: usize,
}

impl<'a> Story<'a> {
    pub fn new(
        control: &'a Control,
        show: &'a Show,
        watcher: &'a Watcher,
        pool: &'a Pool,
        service: &'a str,
        grace: Duration,
    ) -> Self {
        let seats = PEOPLE
            .iter()
            .filter_map(|person| Some((person.discord_id(), Some(person.seat()?.to_owned()))));
        let told = Told {
            seats: seats.collect(),
            ..Told::default()
        };
        let linked = PEOPLE.iter().filter(|person| person.is_linked());
        Self {
            control,
            show,
            watcher,
            pool,
            service,
            grace,
            clock: Clock::system(),
            told,
            linked: linked.map(|person| person.name).collect(),
            step: 0,
            serial: 0,
        }
    }

    /// Turns to the next step.
    pub fn next_step(&mut self) {
        if let Some((title, explanation)) = STEPS.get(self.step) {
            self.step += 1;
            self.show.step(self.step, STEPS.len(), title, explanation);
        }
    }

    /// Time to read.
    pub async fn pause(&self, seconds: f64) {
        sleep(Duration::from_secs_f64(seconds)).await;
    }

    /// FACEIT's Data API says this about the match from now on.
    pub async fn publish(&mut self, played: &mut Match, status: &'static str) -> anyhow::Result<()> {
        let now = self.clock.now().unix_timestamp();
        let over = played.finished_at.is_some();
        played.status = status;
        match status {
            // Played again, it is configured again.
            "CONFIGURING" | "READY" if over || played.configured_at.is_none() => {
                played.configured_at = Some(now);
                played.finished_at = None;
            }
            "FINISHED" => {
                played.started_at = played.configured_at;
                played.finished_at = Some(now);
            }
            "CANCELLED" | "ABORTED" => played.finished_at = Some(now),
            _ => {}
        }
        self.told.matches.insert(played.id);
        self.control.put_match(played.id, &api_match(played)).await
    }

    /// A new webhook call about the match; `what` completes "the match …".
    pub fn call(&mut self, played: &Match, event: &str, version: u32, what: &str) -> Call {
        self.serial += 1;
        let [first, second] = &played.teams;
        Call {
            body: webhook(played, event, version, self.serial, self.clock.now()),
            headline: format!(
                "{} {} ({} - {}) {what}",
                played.title,
                played.short_id(),
                first.name,
                second.name
            ),
        }
    }

    /// The Data API changes, and the webhook is called.
    pub async fn announce(
        &mut self,
        played: &mut Match,
        status: &'static str,
        event: &str,
        version: u32,
    ) -> anyhow::Result<()> {
        self.publish(played, status).await?;
        let call = self.call(played, event, version, &format!("is {status}"));
        self.deliver(&[call]).await
    }

    /// Makes the calls at the same moment.
    pub async fn deliver(&mut self, calls: &[Call]) -> anyhow::Result<()> {
        for call in calls {
            self.show.say(Who::Faceit, &call.headline);
        }
        let answers = join_all(calls.iter().map(|call| self.control.deliver(&call.body))).await;
        for (call, answer) in calls.iter().zip(answers) {
            let answer = answer?;
            let result = match answer.body["result"].as_str() {
                Some(result) if answer.status == 200 => result.to_owned(),
                _ => {
                    let problem = format!("the webhook answered {} to: {}", answer.status, call.headline);
                    self.told.problems.push(problem);
                    "refused".to_owned()
                }
            };
            match result.as_str() {
                "accepted" => {}
                "duplicate" => self
                    .show
                    .say(Who::Muster, "answers 200: had that one already, nothing to do"),
                other => self
                    .show
                    .say(Who::Muster, &format!("says that this delivery is {other}")),
            }
            *self.told.answers.entry(result).or_default() += 1;
        }
        Ok(())
    }

    /// Remembers that a match is about to stand, to measure how long everybody who is there waits.
    pub async fn about_to_stand(&mut self, played: &Match, why: &str) -> anyhow::Result<()> {
        let delivered_ms = self.control.now_ms().await?;
        let guild = self.control.guild().await?;
        let seats = guild.seats();
        let linked = played.players().filter(|person| self.linked.contains(person.name));
        let present: Vec<String> = linked
            .map(Person::discord_id)
            .filter(|user| seats.contains_key(user.as_str()))
            .collect();
        self.told.stood.push(Stood {
            title: format!(
                "{} {}, {} people: {why}",
                played.title,
                played.short_id(),
                present.len()
            ),
            delivered_ms,
            present,
        });
        Ok(())
    }

    /// Somebody goes to a channel by himself, or hangs up; that is where he stays.
    pub async fn walk(&mut self, name: &str, channel: Option<&str>, what: &str) -> anyhow::Result<()> {
        let Some(person) = Person::called(name) else {
            return Ok(());
        };
        let user = person.discord_id();
        self.told.seats.insert(user.clone(), channel.map(str::to_owned));
        self.watcher.expect_walk(&user, channel);
        self.show.say(Who::Player, &format!("{name} {what}"));
        self.control.walk(person, channel).await
    }

    /// Somebody whose match stands comes to a voice channel that people are moved out of; waits until he is where he belongs.
    pub async fn comes_late(&mut self, name: &str, to: &str, what: &str, played: &Match) -> anyhow::Result<()> {
        let Some(person) = Person::called(name) else {
            return Ok(());
        };
        self.late(person, Cause::Joined).await?;
        self.walk(name, Some(to), what).await?;
        self.until_stands(played).await;
        Ok(())
    }

    /// Somebody links his account as players do: by /link, and signing in at FACEIT. Waits until he is where he belongs.
    pub async fn links(&mut self, name: &str, played: &Match) -> anyhow::Result<()> {
        let Some(person) = Person::called(name) else {
            return Ok(());
        };
        self.show.say(Who::Player, &format!("{name} types /link in Discord"));
        let Some(address) = self.control.address_from_command(person, "link").await? else {
            self.told.problems.push("the answer to /link has no address".to_owned());
            return Ok(());
        };
        let browser = Browser::new(self.service)?;
        let page = browser.follow(&address).await?;
        self.show
            .say(Who::Player, &format!("{name} opens the address and signs in at FACEIT"));
        let back = browser.continue_as(&page, &person.faceit_id()).await?;
        self.late(person, Cause::Linked).await?;
        let said = browser.read(&back).await?;
        self.show.say(Who::Muster, &format!("tells him: {said}"));
        self.linked.insert(person.name);
        self.until_stands(played).await;
        Ok(())
    }

    async fn late(&mut self, person: &'static Person, by: Cause) -> anyhow::Result<()> {
        self.told.late.push(Late {
            name: person.name,
            user: person.discord_id(),
            by,
            since_ms: self.control.now_ms().await?,
        });
        Ok(())
    }

    /// Waits until the guild looks like that; says so at the end if it never did.
    pub async fn until(&mut self, what: &str, holds: impl Fn(&Guild) -> bool) {
        let mut guild = self.watcher.guild();
        let seen = timeout(PATIENCE, guild.wait_for(|guild| holds(guild))).await;
        if seen.is_err() {
            let problem = format!("not within {} s: {what}", PATIENCE.as_secs());
            self.told.problems.push(problem);
        }
    }

    /// Both channels are there, and all those who are linked and in voice are in their own.
    pub async fn until_stands(&mut self, played: &Match) {
        let what = format!("{} stands with everybody in his channel", played.title);
        let linked = self.linked.clone();
        self.until(&what, |guild| stands(guild, played, &linked)).await;
    }

    pub async fn until_gone(&mut self, played: &Match) {
        let what = format!("the channels of {} are gone", played.title);
        let gone = |guild: &Guild| !played.channels().iter().any(|name| guild.has(name));
        self.until(&what, gone).await;
    }

    /// Waits until no job is due or running: all that was asked for has been done.
    pub async fn until_idle(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut connection = self.pool.acquire().await?;
            let jobs = store::jobs::counts(&mut connection, self.clock.now()).await?;
            drop(connection);
            if jobs.waiting + jobs.running == 0 {
                return Ok(());
            }
            if Instant::now() >= until {
                let problem = format!("after {} s jobs are still running", PATIENCE.as_secs());
                self.told.problems.push(problem);
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Requests to Discord so far.
    pub async fn discord_requests(&self) -> anyhow::Result<usize> {
        Ok(Counts::of(&self.control.journal().await?).discord_requests)
    }

    /// Waits until Discord lets so many people be moved at once in a server, that much later. The story keeps to the limit, so that it shows
    /// Muster and not the waiting.
    pub async fn until_room_for(&self, guild: &str, moves: usize, later: Duration) -> anyhow::Result<()> {
        let rate = self.control.move_limit().await?;
        let limit = rate.limit as usize;
        loop {
            let journal = self.control.journal().await?;
            let edits = journal
                .iter()
                .filter(|entry| moved(entry).is_some_and(|(home, _)| home == guild) && entry.status != 429);
            let (full_at, used) = bucket(
                edits.map(|entry| entry.at_ms),
                rate.per_ms / u64::from(rate.limit.max(1)),
            );
            let now = Duration::from_millis(self.control.now_ms().await?) + later;
            let full = now >= Duration::from_millis(full_at) + BUCKET_MARGIN;
            if full || used + moves <= limit {
                self.show.waiting(None);
                return Ok(());
            }
            let why = format!(
                "waiting: Discord lets a bot move {limit} people per {} s in one server",
                rate.per_ms / 1000
            );
            self.show.waiting(Some(&why));
            sleep(LOOK_EVERY).await;
        }
    }
}

/// When the bucket is full again, and how many were taken since it last was.
fn bucket(times: impl Iterator<Item = u64>, interval_ms: u64) -> (u64, usize) {
    times.fold((0, 0), |(full_at, used), at| {
        let used = if at >= full_at { 1 } else { used + 1 };
        (full_at.max(at) + interval_ms, used)
    })
}

fn stands(guild: &Guild, played: &Match, linked: &BTreeSet<&str>) -> bool {
    let seats = guild.seats();
    played.teams.iter().all(|team| {
        let channel = played.channel(team);
        let people = team.roster.iter().filter_map(|name| Person::called(name));
        guild.has(&channel)
            && people.filter(|person| linked.contains(person.name)).all(|person| {
                let seat = seats.get(person.discord_id().as_str()).copied();
                seat.is_none_or(|seat| seat.name == channel)
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_fills_up_by_one_each_interval() {
        assert_eq!(bucket([0, 10, 20].into_iter(), 1_000), (3_000, 3));
        assert_eq!(bucket([0, 10, 20, 3_000].into_iter(), 1_000), (4_000, 1));
        assert_eq!(bucket([].into_iter(), 1_000), (0, 0));
    }
}
