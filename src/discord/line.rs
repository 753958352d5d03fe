//! Those who wait to send, in the order of their turn, and the bots they may be sent by. Pure: time comes in, nothing is sent here.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::discord::{
    closing::Closing,
    invalid::Invalid,
    limiter::{Key, LONGEST_DOUBLING, Limiter, Permit, Scope, Seen, Verdict, Wait},
};

/// What comes first when not everything can be sent at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Somebody asked, and looks at the screen.
    Answer,
    /// Somebody waits to be moved into the channel of a running match.
    Move,
    Create,
    Overwrite,
    /// Something to read, and the list of commands.
    Message,
    /// Deletes, and moves home.
    TearDown,
}

impl Class {
    /// The label under which metrics count it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Move => "move",
            Self::Create => "create",
            Self::Overwrite => "overwrite",
            Self::Message => "message",
            Self::TearDown => "tear_down",
        }
    }
}

/// Whose turn it is: within a class older matches first, within a match everybody's first before anybody's second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    pub class: Class,
    /// When the match began, in any unit.
    pub since: i64,
    /// The how manieth of its faction it is, so that the two factions take turns.
    pub nth: u32,
    /// No two are equal.
    pub number: u64,
}

/// Who may send it. Bots are numbered, the main one is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    Bot(usize),
    /// Without a token; the path itself holds one.
    Nobody,
    /// Any bot that can move people in this guild.
    AnyIn(u64),
}

/// One who waits.
#[derive(Clone, Copy, Debug)]
pub struct Waiter {
    pub key: Key,
    pub by: By,
    pub joined: Duration,
    /// Later than this it is not worth sending.
    pub last_start: Duration,
}

/// What becomes of one who waited.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    Go {
        bot: usize,
        permit: Permit,
    },
    /// It would have to wait longer than it may.
    Refused {
        until: Duration,
    },
    /// Nothing is sent any more: the main bot's token is refused.
    Unauthorized,
}

/// A further bot that can't move people in a guild, or (without one) anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// 1 for the first of `DISCORD_MOVER_TOKENS`.
    pub bot: usize,
    pub guild: Option<u64>,
    pub why: String,
}

/// After this long in line, somebody may overtake: one at a time, and no more often than this.
const LONG: Duration = Duration::from_secs(15);
const OVERTAKE_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Bot {
    limiter: Limiter,
    bad_token: bool,
    /// The guilds that it was seen in.
    seen_in: BTreeSet<u64>,
    /// The guilds that it is not to be asked in until then, and why.
    left_out_of: BTreeMap<u64, (Duration, String)>,
}

#[derive(Debug)]
pub struct Line {
    /// The main bot is the first. The last is none: what needs no token is counted for itself.
    bots: Vec<Bot>,
    waiting: BTreeMap<Rank, Waiter>,
    invalid: Invalid,
    /// All that this address sends.
    address: Closing,
    overtaken_at: Duration,
    next: u64,
}

impl Line {
    pub fn new(bots: usize) -> Self {
        let bot = || Bot {
            limiter: Limiter::default(),
            bad_token: false,
            seen_in: BTreeSet::new(),
            left_out_of: BTreeMap::new(),
        };
        Self {
            bots: (0..=bots.max(1)).map(|_| bot()).collect(),
            waiting: BTreeMap::new(),
            invalid: Invalid::default(),
            address: Closing::default(),
            overtaken_at: Duration::ZERO,
            next: 0,
        }
    }

    /// Joins the line; `rank.number` is given here. The turn comes with a `serve`.
    pub fn join(&mut self, rank: Rank, waiter: Waiter) -> Rank {
        self.next += 1;
        let rank = Rank {
            number: self.next,
            ..rank
        };
        self.waiting.insert(rank, waiter);
        rank
    }

    /// Leaves without a turn.
    pub fn leave(&mut self, rank: Rank) -> Option<Waiter> {
        self.waiting.remove(&rank)
    }

    /// Lets all go whose turn it is. Also says when to ask again at the latest, if time alone will change anything.
    pub fn serve(&mut self, now: Duration) -> (Vec<(Rank, Turn)>, Option<Duration>) {
        let mut turns = Vec::new();
        let mut closed: BTreeMap<(Key, By), Wait> = BTreeMap::new();
        let overtaker = self.overtaker(now);
        let in_line: Vec<Rank> = overtaker.into_iter().chain(self.waiting.keys().copied()).collect();
        for rank in in_line {
            let Some(waiter) = self.waiting.get(&rank).copied() else {
                continue;
            };
            let turn = match closed.get(&(waiter.key, waiter.by)) {
                Some(wait) => Err(*wait),
                None => self.turn(&waiter, now),
            };
            let turn = match turn {
                Ok(turn) => turn,
                Err(wait) => {
                    closed.insert((waiter.key, waiter.by), wait);
                    match wait {
                        Wait::Until(until) if until > waiter.last_start => Turn::Refused { until },
                        _ => continue,
                    }
                }
            };
            if overtaker == Some(rank) {
                self.overtaken_at = now;
            }
            self.waiting.remove(&rank);
            turns.push((rank, turn));
        }
        let again = closed.values().filter_map(|wait| match wait {
            Wait::Until(until) => Some(*until),
            Wait::Answer => None,
        });
        let again = again.min().filter(|_| !self.waiting.is_empty());
        (turns, again)
    }

    /// Who is first in line.
    pub fn head(&self) -> Option<Rank> {
        self.waiting.keys().next().copied()
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Until when a call like this would have to wait, as far as that is known.
    pub fn opens(&self, waiter: &Waiter, now: Duration) -> Option<Duration> {
        match self.choose(waiter, now) {
            Err(Wait::Until(until)) => Some(until),
            _ => None,
        }
    }

    /// An answer, or none; `status` is 0 then.
    pub fn answered(&mut self, bot: usize, permit: Permit, status: u16, seen: &Seen<'_>, now: Duration) {
        let sent = self.bots[bot].limiter.sent_at(&permit).unwrap_or(now);
        self.overheard(status, seen, sent, now);
        self.bots[bot].limiter.answered(permit, seen, now);
    }

    /// An answer to what may have been sent without a turn: it counts for what all bots share.
    pub fn overheard(&mut self, status: u16, seen: &Seen<'_>, sent: Duration, now: Duration) {
        let shared = matches!(
            seen.verdict,
            Verdict::Limited {
                scope: Scope::Shared,
                ..
            }
        );
        if matches!(status, 401 | 403) || (status == 429 && !shared) {
            self.invalid.count(now);
        }
        match seen.verdict {
            Verdict::Limited {
                pause,
                scope: Scope::Address,
            } => {
                self.address.close(pause, LONGEST_DOUBLING, sent, now);
            }
            Verdict::Passed => self.address.passed(sent),
            Verdict::Lost | Verdict::Failed | Verdict::Limited { .. } => {}
        }
    }

    /// Nothing was sent.
    pub fn cancel(&mut self, bot: usize, permit: Permit) {
        self.bots[bot].limiter.cancel(permit);
    }

    /// Its token is refused; says whether that is news.
    pub fn bad_token(&mut self, bot: usize) -> bool {
        !std::mem::replace(&mut self.bots[bot].bad_token, true)
    }

    pub fn token_is_bad(&self, bot: usize) -> bool {
        self.bots[bot].bad_token
    }

    /// It is in a guild, and from now on moves people there.
    pub fn admit(&mut self, bot: usize, guild: u64) {
        self.bots[bot].seen_in.insert(guild);
        self.bots[bot].left_out_of.remove(&guild);
    }

    /// It can't move people in a guild; says whether that is news.
    pub fn leave_out(&mut self, bot: usize, guild: u64, why: &str, until: Duration) -> bool {
        self.bots[bot].seen_in.remove(&guild);
        let before = self.bots[bot].left_out_of.insert(guild, (until, why.to_owned()));
        before.is_none_or(|(_, before)| before != why)
    }

    /// Which bots are left out where; also those that are about to be asked again.
    pub fn left_out(&self) -> Vec<LeftOut> {
        let further = self.bots.iter().enumerate().take(self.bots.len() - 1).skip(1);
        let out = further.flat_map(|(number, bot)| {
            let everywhere = bot.bad_token.then(|| (None, "Discord refuses its token".to_owned()));
            let somewhere = bot
                .left_out_of
                .iter()
                .map(|(guild, (_, why))| (Some(*guild), why.clone()));
            let places = everywhere.into_iter().chain(somewhere);
            places.map(move |(guild, why)| LeftOut {
                bot: number,
                guild,
                why,
            })
        });
        out.collect()
    }

    /// Whether a bot moves people in a guild; None when that is to be found out.
    pub fn takes_part(&self, bot: usize, guild: u64, now: Duration) -> Option<bool> {
        let bot = &self.bots[bot];
        let left_out = bot.left_out_of.get(&guild).is_some_and(|(until, _)| now < *until);
        if bot.bad_token || left_out {
            Some(false)
        } else {
            bot.seen_in.contains(&guild).then_some(true)
        }
    }

    /// Invalid requests of the last ten minutes.
    pub fn invalid(&self, now: Duration) -> u32 {
        self.invalid.recent(now)
    }

    fn overtaker(&self, now: Duration) -> Option<Rank> {
        if now < self.overtaken_at + OVERTAKE_EVERY {
            return None;
        }
        let long = self.waiting.iter().filter(|(_, waiter)| waiter.joined + LONG <= now);
        long.min_by_key(|(rank, waiter)| (waiter.joined, rank.number))
            .map(|(rank, _)| *rank)
    }

    fn turn(&mut self, waiter: &Waiter, now: Duration) -> Result<Turn, Wait> {
        let bad_token = match waiter.by {
            By::Nobody => false,
            By::AnyIn(_) => self.bots[0].bad_token,
            By::Bot(bot) => self.bots[0].bad_token || self.bots[bot].bad_token,
        };
        if bad_token {
            return Ok(Turn::Unauthorized);
        }
        let bot = self.choose(waiter, now)?;
        let permit = self.bots[bot].limiter.permit(waiter.key, now)?;
        self.invalid.sent(now);
        Ok(Turn::Go { bot, permit })
    }

    /// The bot with most room.
    fn choose(&self, waiter: &Waiter, now: Duration) -> Result<usize, Wait> {
        let opens = self.address.until();
        if now < opens {
            return Err(Wait::Until(opens));
        }
        let is_tried = || self.bots.iter().any(|bot| bot.limiter.is_under_way_since(opens));
        if self.address.is_in_doubt() && is_tried() {
            return Err(Wait::Answer);
        }
        self.invalid.look(now).map_err(Wait::Until)?;
        let key = waiter.key;
        let guild = match waiter.by {
            By::Bot(bot) => return self.bots[bot].limiter.look(key, now).map(|()| bot),
            By::Nobody => {
                let nobody = self.bots.len() - 1;
                return self.bots[nobody].limiter.look(key, now).map(|()| nobody);
            }
            By::AnyIn(guild) => guild,
        };
        let able: Vec<usize> = (0..self.bots.len())
            .filter(|bot| *bot == 0 || self.takes_part(*bot, guild, now) == Some(true))
            .collect();
        let best = able.iter().map(|bot| (self.bots[*bot].limiter.room(key, now), *bot));
        // Of equals the last: the main bot has other things to do, too.
        match best.max() {
            Some((room, bot)) if room > 0 => Ok(bot),
            _ => Err(able
                .iter()
                .filter_map(|bot| self.bots[*bot].limiter.look(key, now).err())
                .reduce(soonest)
                .unwrap_or(Wait::Answer)),
        }
    }
}

fn soonest(a: Wait, b: Wait) -> Wait {
    match (a, b) {
        (Wait::Until(a), Wait::Until(b)) => Wait::Until(a.min(b)),
        (Wait::Until(until), Wait::Answer) | (Wait::Answer, Wait::Until(until)) => Wait::Until(until),
        (Wait::Answer, Wait::Answer) => Wait::Answer,
    }
}

#[cfg(test)]
mod tests;
