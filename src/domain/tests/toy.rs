//! A toy Discord for the core alone: channels, seats, and calls that fail before or after they took effect.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use crate::domain::{
    Timestamp,
    decide::decide,
    event::{Event, Link, Reading, Source, State},
    guild::{CHANNELS, Guild, IN_CATEGORY},
    ids::{ChannelId, Faction, GuildId, MatchId, PlayerId, UserId},
    match_facts::{MatchFacts, Player, Side, Status},
    plan::{Action, Decision, Destination, Outcome, Seat},
    record::Record,
    seats::{Fullness, Heard, Seated, Seats},
    settings::Settings,
};

pub const LOBBY: u64 = 7;
pub const FOREIGN: u64 = 8;
pub const BAR: u64 = 9;
/// Channels with higher numbers were made by a match.
pub const MADE: u64 = 1000;

/// How a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Luck {
    Fine,
    LostBefore,
    LostAfter,
    Refused,
    NotSent,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toy {
    /// Name and time of creation.
    pub channels: BTreeMap<ChannelId, (String, Option<Timestamp>)>,
    pub seats: BTreeMap<UserId, ChannelId>,
    pub calls: Vec<Action>,
    /// Who was to be moved, and where he sat then.
    pub moves: Vec<(UserId, Option<ChannelId>, Destination)>,
    /// Whether the gateway is listened to.
    pub heard: bool,
    /// Who came to voice and sits where he came to.
    fresh: BTreeSet<UserId>,
    /// The category that a channel is in.
    pub parents: BTreeMap<ChannelId, ChannelId>,
    /// The bot was removed.
    pub left: bool,
    next: u64,
}

impl Toy {
    /// A guild with a lobby, a bar, somebody else's channel, and everybody of `users` in the lobby.
    pub fn new(users: impl IntoIterator<Item = u64>) -> Self {
        let mut toy = Self {
            next: MADE,
            ..Self::default()
        };
        toy.channels.insert(channel(LOBBY), ("Lobby".to_owned(), None));
        toy.channels.insert(channel(BAR), ("Bar".to_owned(), None));
        toy.channels
            .insert(channel(FOREIGN), ("match-5cd68867-faction1".to_owned(), None));
        toy.seats = users.into_iter().map(|id| (user(id), channel(LOBBY))).collect();
        toy
    }

    /// The same, and whether the gateway is listened to.
    pub fn told(users: impl IntoIterator<Item = u64>, heard: bool) -> Self {
        Self {
            heard,
            ..Self::new(users)
        }
    }

    /// Somebody goes to a channel by himself, or leaves voice.
    pub fn goes(&mut self, id: u64, to: Option<u64>) {
        let who = user(id);
        let was = match to {
            Some(to) => self.seats.insert(who, channel(to)),
            None => self.seats.remove(&who),
        };
        match (was, to) {
            (None, Some(_)) => self.fresh.insert(who),
            (Some(was), Some(to)) if was == channel(to) => false,
            _ => self.fresh.remove(&who),
        };
    }

    /// Where somebody sits.
    pub fn seat(&self, id: u64) -> Option<u64> {
        self.seats.get(&user(id)).map(|channel| channel.get())
    }

    /// What the gateway tells.
    pub fn hear(&self) -> Option<Heard> {
        let seated = |(user, channel): (&UserId, &ChannelId)| {
            let (channel, fresh) = (*channel, self.fresh.contains(user));
            (*user, Seated { channel, fresh })
        };
        self.heard.then(|| Heard {
            seated: self.seats.iter().map(seated).collect(),
            channels: self.channels.keys().copied().collect(),
        })
    }

    /// The channels beyond those that were there from the start.
    pub fn made(&self) -> Vec<&str> {
        self.channels
            .values()
            .filter(|(_, at)| at.is_some())
            .map(|(name, _)| name.as_str())
            .collect()
    }

    pub fn who_sits_in(&self, name: &str) -> BTreeSet<u64> {
        let named = |id: &ChannelId| {
            self.channels
                .get(id)
                .is_some_and(|(known, at)| known == name && at.is_some())
        };
        self.seats
            .iter()
            .filter(|(_, seat)| named(seat))
            .map(|(user, _)| user.get())
            .collect()
    }

    fn perform(&mut self, action: &Action, luck: Luck, now: Timestamp) -> Option<Outcome> {
        if luck == Luck::NotSent {
            return Some(Outcome::NotSent);
        }
        self.calls.push(action.clone());
        if let Action::MoveMember { user, to } = action {
            self.moves.push((*user, self.seats.get(user).copied(), *to));
        }
        match luck {
            Luck::LostBefore => return None,
            Luck::Refused => return Some(Outcome::Refused("no".to_owned())),
            Luck::Fine | Luck::LostAfter if self.left => return Some(Outcome::NotHere),
            Luck::Fine | Luck::LostAfter | Luck::NotSent => {}
        }
        let outcome = match action {
            Action::CreateChannel { name, category, .. } => self.create(name, *category, now),
            Action::FindChannel { name, since, .. } => {
                let fits = |(_, (known, at)): &(&ChannelId, &(String, Option<Timestamp>))| {
                    known == name && at.is_some_and(|at| at >= *since)
                };
                Outcome::Found(self.channels.iter().filter(fits).map(|(id, _)| *id).collect())
            }
            Action::DeleteChannel { channel, .. } => self.remove(*channel),
            Action::GrantAccess { channel, .. }
            | Action::RevokeAccess { channel, .. }
            | Action::CheckChannel { channel, .. } => {
                if self.channels.contains_key(channel) {
                    Outcome::Done
                } else {
                    Outcome::Gone
                }
            }
            Action::LocateMember { user } => {
                Outcome::Seen(self.seats.get(user).map_or(Seat::Nowhere, |seat| Seat::In(*seat)))
            }
            Action::MoveMember { user, to } => self.move_member(*user, *to),
        };
        (luck != Luck::LostAfter).then_some(outcome)
    }

    /// A channel or category, within Discord's limits.
    pub fn create(&mut self, name: &str, category: Option<ChannelId>, now: Timestamp) -> Outcome {
        if self.channels.len() >= CHANNELS {
            return Outcome::GuildFull;
        }
        if let Some(category) = category {
            if !self.channels.contains_key(&category) {
                return Outcome::CategoryGone("no category".to_owned());
            }
            if self.inside(category) >= IN_CATEGORY {
                return Outcome::CategoryFull;
            }
        }
        self.next += 1;
        let id = channel(self.next);
        self.channels.insert(id, (name.to_owned(), Some(now)));
        self.parents.extend(category.map(|category| (id, category)));
        Outcome::Created(id)
    }

    pub fn remove(&mut self, channel: ChannelId) -> Outcome {
        let thrown_out = self.seats.extract_if(.., |_, seat| *seat == channel);
        thrown_out.for_each(|(user, _)| _ = self.fresh.remove(&user));
        self.parents
            .retain(|child, parent| *child != channel && *parent != channel);
        match self.channels.remove(&channel) {
            Some(_) => Outcome::Done,
            None => Outcome::Gone,
        }
    }

    pub fn inside(&self, category: ChannelId) -> usize {
        self.parents.values().filter(|parent| **parent == category).count()
    }

    /// As the gateway tells it.
    pub fn fullness(&self) -> Fullness {
        let mut by_category = BTreeMap::new();
        for parent in self.parents.values() {
            *by_category.entry(*parent).or_default() += 1;
        }
        Fullness {
            channels: self.channels.len(),
            by_category,
        }
    }

    fn move_member(&mut self, user: UserId, to: Destination) -> Outcome {
        let target = match to {
            Destination::Slot { channel, .. } | Destination::Lobby(channel) | Destination::Back(channel) => {
                Some(channel)
            }
            Destination::Out => None,
        };
        if target.is_some_and(|target| !self.channels.contains_key(&target)) {
            return Outcome::Gone;
        }
        if !self.seats.contains_key(&user) {
            return Outcome::Absent;
        }
        self.fresh.remove(&user);
        match target {
            Some(target) => self.seats.insert(user, target),
            None => self.seats.remove(&user),
        };
        Outcome::Done
    }
}

/// Runs a match as the sync loop does: decide, act, decide again. Ends early when a call was lost.
pub fn run(state: &mut State, event: Event, now: Timestamp, toy: &mut Toy, luck: &mut dyn FnMut() -> Luck) -> Decision {
    state.seats = Seats::default();
    let mut event = event;
    let mut last = Decision::default();
    for _ in 0..12 {
        state.seats.hear(toy.hear());
        last = decide(state, &event, now);
        if last.actions.is_empty() {
            break;
        }
        let done: Vec<_> = last
            .actions
            .iter()
            .map(|action| {
                let luck = luck();
                (action.clone(), toy.perform(action, luck, now))
            })
            .collect();
        let lost = done.iter().any(|(_, outcome)| outcome.is_none());
        event = Event::Outcomes(
            done.into_iter()
                .filter_map(|(action, outcome)| Some((action, outcome?)))
                .collect(),
        );
        if lost {
            state.seats.hear(toy.hear());
            return decide(state, &event, now);
        }
    }
    last
}

pub fn lucky() -> Luck {
    Luck::Fine
}

pub fn at(seconds: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH + Duration::from_secs(1_790_000_000 + seconds)
}

pub fn user(id: u64) -> UserId {
    UserId::new(id).expect("test ids are above zero")
}

pub fn channel(id: u64) -> ChannelId {
    ChannelId::new(id).expect("test ids are above zero")
}

/// A match whose players `p<n>` are linked to Discord users `n`; nobody else is linked.
pub fn state(linked: impl IntoIterator<Item = u64>) -> State {
    State {
        settings: Some(Arc::new(Settings {
            lobby: Some(channel(LOBBY)),
            ..Settings::new(GuildId::new(1).expect("above zero"))
        })),
        guild: Guild::default(),
        record: Record::new(MatchId::new("1-5cd68867-aa96"), at(0)),
        links: linked
            .into_iter()
            .map(|n| {
                (
                    player(n),
                    Link {
                        user: user(n),
                        opted_out: false,
                        verified: true,
                    },
                )
            })
            .collect(),
        seats: Seats::default(),
        other_matches: BTreeSet::new(),
        announced: None,
    }
}

pub fn player(n: u64) -> PlayerId {
    PlayerId::new(format!("p{n}"))
}

pub fn facts(status: Status, one: &[u64], two: &[u64]) -> MatchFacts {
    let side = |roster: &[u64]| Side {
        name: "team".to_owned(),
        roster: roster
            .iter()
            .map(|n| Player {
                id: player(*n),
                nickname: format!("Nick{n}"),
            })
            .collect(),
        ..Side::default()
    };
    let sides = BTreeMap::from([(Faction::One, side(one)), (Faction::Two, side(two))]);
    MatchFacts {
        sides,
        ..MatchFacts::bare(status)
    }
}

pub fn api(facts: MatchFacts) -> Event {
    Event::Read(Box::new(Reading {
        facts,
        source: Source::Api,
    }))
}

pub fn webhook(version: i64, facts: MatchFacts) -> Event {
    Event::Read(Box::new(Reading {
        facts,
        source: Source::Webhook { version: Some(version) },
    }))
}
