//! Events become changes of the map, and news for whoever books. Nothing is written and nobody is waited for.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    discord::VoiceMap,
    domain::{
        ids::{ChannelId, GuildId, UserId},
        seats::Snapshot,
    },
    gateway::events::Event,
};

/// What matches may have to be looked at for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// They changed their seats.
    Seats(GuildId, Vec<UserId>),
    ChannelGone(GuildId, ChannelId, Vec<UserId>),
    /// The bot may do other things there than before.
    Permissions(GuildId),
    /// What happened there while we did not listen, nobody knows.
    Back(GuildId),
    /// The bot was removed.
    Gone(Vec<GuildId>),
}

/// The guilds of one shard.
#[derive(Debug)]
pub(super) struct Guilds {
    voice: VoiceMap,
    here: BTreeSet<GuildId>,
    /// Announced by a new session, and not told yet.
    awaited: BTreeSet<GuildId>,
    /// Changed since they were last saved.
    changed: BTreeSet<GuildId>,
}

impl Guilds {
    pub fn new(voice: VoiceMap) -> Self {
        Self {
            voice,
            here: BTreeSet::new(),
            awaited: BTreeSet::new(),
            changed: BTreeSet::new(),
        }
    }

    /// Begins where another process, or we ourselves, left off. Nothing of it counts before what has happened since is told.
    pub fn restore(&mut self, guilds: BTreeMap<GuildId, Snapshot>) {
        for (guild, snapshot) in guilds {
            self.here.insert(guild);
            self.voice.restore(guild, snapshot);
        }
    }

    /// We listen no longer: somebody else does, and knows better.
    pub fn forget(&mut self) {
        for guild in std::mem::take(&mut self.here) {
            self.voice.remove_guild(guild);
        }
        self.awaited.clear();
        self.changed.clear();
    }

    /// What we know may not be true any more.
    pub fn set_stale(&self) {
        for guild in &self.here {
            self.voice.set_stale(*guild, true);
        }
    }

    /// Everything that changed since the last time; None for guilds that are gone.
    pub fn take_changed(&mut self) -> BTreeMap<GuildId, Option<Snapshot>> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        changed.map(|guild| (guild, self.voice.snapshot(guild))).collect()
    }

    pub fn take_in(&mut self, event: Event) -> Option<News> {
        match event {
            Event::Ready(guilds) => {
                let left: Vec<_> = self
                    .here
                    .iter()
                    .copied()
                    .filter(|guild| !guilds.contains(guild))
                    .collect();
                left.iter().for_each(|guild| self.remove(*guild));
                // Until each of them is told anew: what happened since the last session is lost.
                self.set_stale();
                self.changed.clear();
                self.awaited = guilds.into_iter().collect();
                (!left.is_empty()).then_some(News::Gone(left))
            }
            Event::Resumed => {
                for guild in self.here.difference(&self.awaited) {
                    self.voice.set_stale(*guild, false);
                }
                None
            }
            Event::Guild { guild, seats, channels } => {
                self.voice.replace_guild(guild, seats, channels);
                self.awaited.remove(&guild);
                self.here.insert(guild);
                self.mark(guild);
                Some(News::Back(guild))
            }
            Event::GuildAway(guild) => {
                self.voice.set_unavailable(guild);
                self.mark(guild);
                None
            }
            Event::GuildGone(guild) => {
                self.remove(guild);
                Some(News::Gone(vec![guild]))
            }
            Event::Permissions(guild) => Some(News::Permissions(guild)),
            Event::NewChannel(guild, channel, place) => {
                self.voice.set_channel(guild, channel, place);
                self.mark(guild);
                None
            }
            Event::Channel(guild, channel, place) => {
                self.voice.change_channel(guild, channel, place);
                self.mark(guild);
                Some(News::Permissions(guild))
            }
            Event::ChannelGone(guild, channel) => {
                let seated = self.voice.remove_channel(guild, channel);
                self.mark(guild);
                Some(News::ChannelGone(guild, channel, seated))
            }
            Event::Seat(guild, user, channel) => self.seat(guild, user, channel),
            Event::Interaction(_) => None,
        }
    }

    /// Mute, deafen and the like are told as well, and the same thing may be told twice: only another channel is news.
    fn seat(&mut self, guild: GuildId, user: UserId, channel: Option<ChannelId>) -> Option<News> {
        // Even if it is no news: the answer to a move may have been here before its event.
        self.mark(guild);
        if !self.here.contains(&guild) || self.voice.set(guild, user, channel) == channel {
            return None;
        }
        let ours = self.voice.was_our_move(guild, user, channel);
        (!ours).then(|| News::Seats(guild, vec![user]))
    }

    fn remove(&mut self, guild: GuildId) {
        self.voice.remove_guild(guild);
        self.here.remove(&guild);
        self.awaited.remove(&guild);
        self.changed.insert(guild);
    }

    fn mark(&mut self, guild: GuildId) {
        if self.here.contains(&guild) && !self.awaited.contains(&guild) {
            self.changed.insert(guild);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discord::voice::{Kind, Place};

    fn guild(id: u64) -> GuildId {
        GuildId::new(id).unwrap()
    }

    fn channel(id: u64) -> ChannelId {
        ChannelId::new(id).unwrap()
    }

    fn user(id: u64) -> UserId {
        UserId::new(id).unwrap()
    }

    fn told(seats: &[(u64, u64)]) -> Event {
        let voice = Place {
            kind: Kind::Voice,
            parent: None,
        };
        Event::Guild {
            guild: guild(7),
            seats: seats.iter().map(|(who, seat)| (user(*who), channel(*seat))).collect(),
            channels: vec![(channel(20), voice), (channel(21), voice)],
        }
    }

    fn guilds() -> (VoiceMap, Guilds) {
        let voice = VoiceMap::default();
        let mut guilds = Guilds::new(voice.clone());
        assert_eq!(guilds.take_in(Event::Ready(vec![guild(7), guild(8)])), None);
        assert_eq!(guilds.take_in(told(&[(1, 20)])), Some(News::Back(guild(7))));
        (voice, guilds)
    }

    #[test]
    fn a_change_of_seat_is_news_once_and_a_mute_is_none() {
        let (_, mut guilds) = guilds();
        let hop = Event::Seat(guild(7), user(1), Some(channel(21)));
        assert_eq!(guilds.take_in(hop.clone()), Some(News::Seats(guild(7), vec![user(1)])));
        assert_eq!(guilds.take_in(hop), None);
        let elsewhere = Event::Seat(guild(9), user(1), Some(channel(21)));
        assert_eq!(guilds.take_in(elsewhere), None, "nothing is known of that guild");
    }

    #[test]
    fn a_move_of_our_own_is_no_news() {
        let (voice, mut guilds) = guilds();
        voice.expect_move(guild(7), user(1), Some(channel(21)));
        assert_eq!(guilds.take_in(Event::Seat(guild(7), user(1), Some(channel(21)))), None);
        assert_eq!(voice.channel_of(guild(7), user(1)), Some(channel(21)));
    }

    #[test]
    fn in_a_new_session_a_guild_is_known_when_it_is_told_and_not_before() {
        let (voice, mut guilds) = guilds();
        guilds.take_changed();
        assert_eq!(guilds.take_in(Event::Ready(vec![guild(7)])), None);
        assert!(!voice.is_known(guild(7)), "not before it is told anew");
        guilds.take_in(Event::Seat(guild(7), user(1), Some(channel(21))));
        guilds.take_in(Event::Resumed);
        assert!(!voice.is_known(guild(7)), "nor by a resume in between");
        assert_eq!(
            guilds.take_changed(),
            BTreeMap::new(),
            "nothing to begin with after a restart"
        );
        assert_eq!(guilds.take_in(told(&[(2, 20)])), Some(News::Back(guild(7))));
        assert_eq!(voice.seated_in(guild(7), channel(20)), [user(2)]);
        assert_eq!(guilds.take_changed().len(), 1);
        let news = guilds.take_in(Event::Ready(vec![guild(8)]));
        assert_eq!(news, Some(News::Gone(vec![guild(7)])));
        assert!(!voice.is_known(guild(7)), "it is not announced any more");
    }

    #[test]
    fn an_outage_keeps_and_its_end_is_news_and_a_removal_drops() {
        let (voice, mut guilds) = guilds();
        assert_eq!(guilds.take_in(Event::GuildAway(guild(7))), None);
        assert_eq!(voice.channel_of(guild(7), user(1)), Some(channel(20)));
        assert_eq!(guilds.take_in(told(&[(1, 20)])), Some(News::Back(guild(7))));
        assert_eq!(
            guilds.take_in(Event::GuildGone(guild(7))),
            Some(News::Gone(vec![guild(7)]))
        );
        assert!(!voice.is_known(guild(7)));
    }

    #[test]
    fn what_is_restored_counts_only_when_the_rest_is_told() {
        let (voice, mut before) = guilds();
        let saved = before.take_changed().into_iter();
        let saved = saved.filter_map(|(guild, snapshot)| Some((guild, snapshot?))).collect();
        before.forget();
        assert_eq!(voice.guilds(), []);
        let mut guilds = Guilds::new(voice.clone());
        guilds.restore(saved);
        let news = guilds.take_in(Event::Seat(guild(7), user(2), Some(channel(20))));
        assert_eq!(news, Some(News::Seats(guild(7), vec![user(2)])));
        assert!(!voice.is_known(guild(7)));
        guilds.take_in(Event::Resumed);
        assert_eq!(voice.seated_in(guild(7), channel(20)), [user(1), user(2)]);
    }

    #[test]
    fn a_deleted_channel_is_news_with_those_who_sat_there() {
        let (voice, mut guilds) = guilds();
        let news = guilds.take_in(Event::ChannelGone(guild(7), channel(20)));
        assert_eq!(news, Some(News::ChannelGone(guild(7), channel(20), vec![user(1)])));
        assert_eq!(guilds.take_in(Event::Seat(guild(7), user(1), None)), None);
        assert_eq!(voice.channel_of(guild(7), user(1)), None);
    }
}
