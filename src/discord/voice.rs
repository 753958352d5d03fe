//! Who sits in which voice channel, and which channels there are, as the gateway tells it: ids only. Holds no names, no permissions, and
//! decides nothing.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

pub use crate::domain::seats::{Fullness, Kind, Place, Snapshot};
use crate::domain::{
    ids::{ChannelId, GuildId, UserId},
    plan::{Outcome, Seat},
    seats::{Heard, Seated},
};

/// Clones share it. Reading and writing take about a microsecond, and no lock is held between two calls.
#[derive(Clone, Debug, Default)]
pub struct VoiceMap(Arc<RwLock<HashMap<GuildId, Guild>>>);

#[derive(Debug, Default)]
struct Guild {
    seats: HashMap<UserId, Seated>,
    channels: BTreeMap<ChannelId, Place>,
    unavailable: bool,
    /// Restored, or not heard of for too long: nothing is to be decided by it.
    stale: bool,
    /// Where we are moving people ourselves: their events are no news.
    moving: HashMap<UserId, Option<ChannelId>>,
}

impl VoiceMap {
    /// Discord told us of this guild, has not taken it back since, and we are listening. During an outage the last that was known stands.
    pub fn is_known(&self, guild: GuildId) -> bool {
        self.read().get(&guild).is_some_and(|guild| !guild.stale)
    }

    /// All guilds that are known.
    pub fn guilds(&self) -> Vec<GuildId> {
        let mut guilds: Vec<_> = self.read().keys().copied().collect();
        guilds.sort();
        guilds
    }

    /// Where somebody sits; None too when the guild is not known.
    pub fn channel_of(&self, guild: GuildId, user: UserId) -> Option<ChannelId> {
        let guilds = self.read();
        let seated = guilds.get(&guild)?.known()?.seats.get(&user)?;
        Some(seated.channel)
    }

    /// Whether somebody is in voice, by the last that was told, be that stale; None when nothing ever was.
    pub fn was_in_voice(&self, guild: GuildId, user: UserId) -> Option<bool> {
        let guilds = self.read();
        guilds.get(&guild).map(|guild| guild.seats.contains_key(&user))
    }

    /// Where each of these sits; who is missing is not in voice. None while the guild is not known.
    pub fn seats(
        &self,
        guild: GuildId,
        users: impl IntoIterator<Item = UserId>,
    ) -> Option<BTreeMap<UserId, ChannelId>> {
        let guilds = self.read();
        let seats = &guilds.get(&guild)?.known()?.seats;
        let seated = |user: UserId| Some((user, seats.get(&user)?.channel));
        Some(users.into_iter().filter_map(seated).collect())
    }

    /// What a match may know: where these people sit, everybody in its `own` channels, and which of the `asked` channels people can be moved to.
    /// None while the guild is not known.
    pub fn hear(
        &self,
        guild: GuildId,
        people: &BTreeSet<UserId>,
        own: &BTreeSet<ChannelId>,
        asked: &BTreeSet<ChannelId>,
    ) -> Option<Heard> {
        let guilds = self.read();
        let guild = guilds.get(&guild)?.known()?;
        let named = people.iter().filter_map(|user| Some((*user, *guild.seats.get(user)?)));
        let mut seated: BTreeMap<_, _> = named.collect();
        if !own.is_empty() {
            let there = guild.seats.iter().filter(|(_, seated)| own.contains(&seated.channel));
            seated.extend(there.map(|(user, seated)| (*user, *seated)));
        }
        let voice = |channel: &&ChannelId| {
            let place = guild.channels.get(*channel);
            place.is_some_and(|place| matches!(place.kind, Kind::Voice | Kind::Stage))
        };
        Some(Heard {
            seated,
            channels: asked.iter().filter(voice).copied().collect(),
        })
    }

    /// Who sits in a channel, in the order of their ids.
    pub fn seated_in(&self, guild: GuildId, channel: ChannelId) -> Vec<UserId> {
        let mut seated: Vec<_> = match self.read().get(&guild).and_then(Guild::known) {
            Some(guild) => guild.seated_in(channel),
            None => Vec::new(),
        };
        seated.sort();
        seated
    }

    /// How many sit in voice, in all guilds.
    pub fn seated(&self) -> usize {
        self.read().values().map(|guild| guild.seats.len()).sum()
    }

    /// Seats somebody, or takes him out of voice; gives where he sat. Of an unknown guild nothing is kept.
    pub fn set(&self, guild: GuildId, user: UserId, channel: Option<ChannelId>) -> Option<ChannelId> {
        let mut guilds = self.write();
        guilds.get_mut(&guild)?.seat(user, channel)
    }

    /// Discord was asked where somebody is: its answer counts for more than what was told, of which something may be lost. Nobody is told of it.
    pub fn correct(&self, guild: GuildId, user: UserId, seat: Seat) {
        let channel = match seat {
            Seat::Nowhere => None,
            Seat::In(channel) => Some(channel),
            Seat::Elsewhere => return,
        };
        if let Some(guild) = self.write().get_mut(&guild) {
            guild.seat(user, channel);
        }
    }

    /// Makes all of a guild new.
    pub fn replace_guild(
        &self,
        guild: GuildId,
        seats: impl IntoIterator<Item = (UserId, ChannelId)>,
        channels: impl IntoIterator<Item = (ChannelId, Place)>,
    ) {
        let channels = channels.into_iter().collect();
        let mut guilds = self.write();
        let anew = !guilds.contains_key(&guild);
        let known = guilds.entry(guild).or_default();
        let seated = |(user, channel): (UserId, ChannelId)| {
            let fresh = match known.seats.get(&user) {
                Some(before) => before.fresh && before.channel == channel,
                // Who was not there when we last looked has come meanwhile.
                None => !anew,
            };
            (user, Seated { channel, fresh })
        };
        let seats = seats.into_iter().map(seated).collect();
        known.seats = seats;
        known.channels = channels;
        known.unavailable = false;
        known.stale = false;
    }

    /// The channels of a guild, those that the bot may not see among them. None while the guild is not known.
    pub fn channels(&self, guild: GuildId) -> Option<BTreeMap<ChannelId, Place>> {
        Some(self.read().get(&guild)?.known()?.channels.clone())
    }

    /// One channel; None when it is not there or the guild is not known.
    pub fn place(&self, guild: GuildId, channel: ChannelId) -> Option<Place> {
        self.read().get(&guild)?.known()?.channels.get(&channel).copied()
    }

    /// How full the guild is. None while it is not known.
    pub fn fullness(&self, guild: GuildId) -> Option<Fullness> {
        let guilds = self.read();
        let channels = &guilds.get(&guild)?.known()?.channels;
        let mut by_category = BTreeMap::new();
        for parent in channels.values().filter_map(|place| place.parent) {
            *by_category.entry(parent).or_default() += 1;
        }
        Some(Fullness {
            channels: channels.len(),
            by_category,
        })
    }

    /// A channel that is there from now on.
    pub fn set_channel(&self, guild: GuildId, channel: ChannelId, place: Place) {
        if let Some(guild) = self.write().get_mut(&guild) {
            guild.channels.insert(channel, place);
        }
    }

    /// A change of a channel. One that is not there stays so: Discord may tell of a change after the deletion (facts/discord.md 2.4).
    pub fn change_channel(&self, guild: GuildId, channel: ChannelId, place: Place) {
        let mut guilds = self.write();
        if let Some(known) = guilds
            .get_mut(&guild)
            .and_then(|guild| guild.channels.get_mut(&channel))
        {
            *known = place;
        }
    }

    /// Nobody sits in a channel that is gone; gives who did.
    pub fn remove_channel(&self, guild: GuildId, channel: ChannelId) -> Vec<UserId> {
        let mut guilds = self.write();
        let Some(guild) = guilds.get_mut(&guild) else {
            return Vec::new();
        };
        guild.channels.remove(&channel);
        let mut seated = guild.seated_in(channel);
        for user in &seated {
            guild.seats.remove(user);
        }
        seated.sort();
        seated
    }

    /// The bot is not in the guild any more.
    pub fn remove_guild(&self, guild: GuildId) {
        self.write().remove(&guild);
    }

    /// We don't listen any more.
    pub fn clear(&self) {
        self.write().clear();
    }

    /// Discord has an outage there: what is known stands.
    pub fn set_unavailable(&self, guild: GuildId) {
        if let Some(guild) = self.write().get_mut(&guild) {
            guild.unavailable = true;
        }
    }

    pub fn is_unavailable(&self, guild: GuildId) -> bool {
        self.read().get(&guild).is_some_and(|guild| guild.unavailable)
    }

    /// We are about to move somebody, or to take him out of voice: that it comes to pass is no news to anybody.
    pub fn expect_move(&self, guild: GuildId, user: UserId, channel: Option<ChannelId>) {
        if let Some(guild) = self.write().get_mut(&guild) {
            guild.moving.insert(user, channel);
        }
    }

    /// What came of the move, None when it was never answered. Unless an event has told more about him meanwhile, he sits where the answer says:
    /// so whoever looks next need not wait for the event, and loses nothing when it never comes.
    pub fn end_move(&self, guild: GuildId, user: UserId, outcome: Option<&Outcome>) {
        let mut guilds = self.write();
        let Some(guild) = guilds.get_mut(&guild) else { return };
        let Some(target) = guild.moving.remove(&user) else {
            return;
        };
        match outcome {
            Some(Outcome::Done) => guild.seat(user, target),
            Some(Outcome::Absent) => guild.seat(user, None),
            _ => None,
        };
    }

    /// Somebody changed his seat: whether that is a move of ours. Wherever else he went, we expect it no longer.
    pub fn was_our_move(&self, guild: GuildId, user: UserId, channel: Option<ChannelId>) -> bool {
        let mut guilds = self.write();
        let moving = guilds.get_mut(&guild).and_then(|guild| guild.moving.remove(&user));
        moving == Some(channel)
    }

    /// All that is known of a guild.
    pub fn snapshot(&self, guild: GuildId) -> Option<Snapshot> {
        let guilds = self.read();
        let guild = guilds.get(&guild)?;
        Some(Snapshot {
            seats: guild
                .seats
                .iter()
                .map(|(user, seated)| (*user, seated.channel))
                .collect(),
            channels: guild.channels.clone(),
            unavailable: guild.unavailable,
        })
    }

    /// Makes a guild what it was. It counts as known only once what has happened since is told.
    pub fn restore(&self, guild: GuildId, snapshot: Snapshot) {
        let restored = Guild {
            seats: snapshot
                .seats
                .into_iter()
                .map(|(user, channel)| (user, Seated { channel, fresh: false }))
                .collect(),
            channels: snapshot.channels,
            unavailable: snapshot.unavailable,
            stale: true,
            moving: HashMap::new(),
        };
        self.write().insert(guild, restored);
    }

    /// Whether we hear of everything that happens in a guild, and have heard of all that did.
    pub fn set_stale(&self, guild: GuildId, stale: bool) {
        if let Some(guild) = self.write().get_mut(&guild) {
            guild.stale = stale;
        }
    }

    // No write leaves it half done, so what a panicking thread left behind is whole.
    fn read(&self) -> RwLockReadGuard<'_, HashMap<GuildId, Guild>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<GuildId, Guild>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guild {
    fn known(&self) -> Option<&Self> {
        (!self.stale).then_some(self)
    }

    fn seated_in(&self, channel: ChannelId) -> Vec<UserId> {
        let there = self.seats.iter().filter(|(_, seated)| seated.channel == channel);
        there.map(|(user, _)| *user).collect()
    }

    /// Seats somebody, or takes him out of voice; gives where he sat. Who changes channels came not straight to where he is.
    fn seat(&mut self, user: UserId, channel: Option<ChannelId>) -> Option<ChannelId> {
        let before = self.seats.get(&user).map(|seated| seated.channel);
        match channel {
            Some(channel) if before == Some(channel) => {}
            Some(channel) => {
                let fresh = before.is_none();
                self.seats.insert(user, Seated { channel, fresh });
            }
            None => _ = self.seats.remove(&user),
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guild() -> GuildId {
        GuildId::new(1).unwrap()
    }

    fn user(id: u64) -> UserId {
        UserId::new(id).unwrap()
    }

    fn channel(id: u64) -> ChannelId {
        ChannelId::new(id).unwrap()
    }

    fn voice(parent: Option<u64>) -> Place {
        Place {
            kind: Kind::Voice,
            parent: parent.map(channel),
        }
    }

    /// Two in the lobby, one in the bar.
    fn map() -> VoiceMap {
        let map = VoiceMap::default();
        let seats = [(user(1), channel(10)), (user(2), channel(10)), (user(3), channel(11))];
        let category = Place {
            kind: Kind::Category,
            parent: None,
        };
        let channels = [
            (channel(5), category),
            (channel(10), voice(Some(5))),
            (channel(11), voice(None)),
        ];
        map.replace_guild(guild(), seats, channels);
        map
    }

    #[test]
    fn nothing_is_known_of_a_guild_that_was_never_seen() {
        let map = VoiceMap::default();
        assert_eq!(map.set(guild(), user(1), Some(channel(10))), None);
        map.set_channel(guild(), channel(10), voice(None));
        map.set_unavailable(guild());
        assert!(!map.is_known(guild()));
        assert_eq!(map.seats(guild(), [user(1)]), None);
        assert_eq!(map.channel_of(guild(), user(1)), None);
        assert_eq!(map.channels(guild()), None);
    }

    #[test]
    fn clones_share_who_sits_where() {
        let map = map();
        let other = map.clone();
        assert_eq!(map.set(guild(), user(1), Some(channel(11))), Some(channel(10)));
        assert_eq!(map.set(guild(), user(2), None), Some(channel(10)));
        assert_eq!(map.set(guild(), user(2), None), None, "told twice");
        assert_eq!(other.seated_in(guild(), channel(11)), [user(1), user(3)]);
        let seats = other.seats(guild(), [user(1), user(2)]).unwrap();
        assert_eq!(seats, BTreeMap::from([(user(1), channel(11))]));
        assert_eq!(other.seated(), 2);
    }

    #[test]
    fn a_new_picture_of_a_guild_leaves_nothing_of_the_old_one() {
        let map = map();
        map.replace_guild(
            guild(),
            [(user(1), channel(10)), (user(2), channel(11)), (user(4), channel(10))],
            [(channel(10), voice(None)), (channel(11), voice(None))],
        );
        assert_eq!(map.seated(), 3);
        assert_eq!(map.seated_in(guild(), channel(11)), [user(2)]);
        assert_eq!(map.place(guild(), channel(5)), None);
    }

    #[test]
    fn an_outage_keeps_what_is_known_and_a_removal_drops_it() {
        let map = map();
        map.set_unavailable(guild());
        assert!(map.is_known(guild()) && map.is_unavailable(guild()));
        assert_eq!(map.channel_of(guild(), user(1)), Some(channel(10)));
        map.replace_guild(guild(), [], []);
        assert!(!map.is_unavailable(guild()));
        map.remove_guild(guild());
        assert!(!map.is_known(guild()));
    }

    #[test]
    fn nobody_sits_in_a_channel_that_is_gone() {
        let map = map();
        assert_eq!(map.remove_channel(guild(), channel(10)), [user(1), user(2)]);
        assert_eq!(map.channel_of(guild(), user(1)), None);
        assert_eq!(map.channels(guild()).unwrap().len(), 2);
        assert_eq!(map.remove_channel(guild(), channel(10)), []);
    }

    #[test]
    fn channels_are_counted_in_all_and_by_category() {
        let map = map();
        map.set_channel(guild(), channel(12), voice(Some(5)));
        map.change_channel(guild(), channel(11), voice(Some(5)));
        map.change_channel(guild(), channel(99), voice(Some(5)));
        let fullness = map.fullness(guild()).unwrap();
        assert_eq!(fullness.channels, 4);
        assert_eq!(fullness.by_category, BTreeMap::from([(channel(5), 3)]));
    }

    #[test]
    fn a_move_of_ours_is_known_as_such_once_and_only_where_it_went() {
        let map = map();
        map.expect_move(guild(), user(1), Some(channel(20)));
        assert!(map.was_our_move(guild(), user(1), Some(channel(20))));
        assert!(!map.was_our_move(guild(), user(1), Some(channel(20))), "once");
        map.expect_move(guild(), user(1), Some(channel(20)));
        assert!(!map.was_our_move(guild(), user(1), None), "he hung up");
        map.expect_move(guild(), user(1), Some(channel(20)));
        map.end_move(guild(), user(1), None);
        assert!(!map.was_our_move(guild(), user(1), Some(channel(20))));
    }

    #[test]
    fn the_answer_to_a_move_seats_people_unless_an_event_has_told_more() {
        let map = map();
        let (to, done) = (Some(channel(20)), Some(&Outcome::Done));
        map.expect_move(guild(), user(1), to);
        map.end_move(guild(), user(1), done);
        assert_eq!(map.channel_of(guild(), user(1)), to);
        assert_eq!(map.set(guild(), user(1), to), to, "the event is no news");
        // The event is here first, and he has gone on.
        map.expect_move(guild(), user(2), to);
        map.set(guild(), user(2), to);
        assert!(map.was_our_move(guild(), user(2), to));
        map.set(guild(), user(2), Some(channel(11)));
        map.end_move(guild(), user(2), done);
        assert_eq!(map.channel_of(guild(), user(2)), Some(channel(11)));
        // That he hung up was never told.
        map.expect_move(guild(), user(3), to);
        map.end_move(guild(), user(3), Some(&Outcome::Absent));
        assert_eq!(map.channel_of(guild(), user(3)), None);
        map.correct(guild(), user(3), Seat::In(channel(10)));
        map.correct(guild(), user(3), Seat::Elsewhere);
        assert_eq!(map.channel_of(guild(), user(3)), Some(channel(10)));
    }

    #[test]
    fn a_match_hears_of_its_people_of_whoever_sits_in_its_channels_and_which_channels_exist() {
        let map = map();
        map.set(guild(), user(4), Some(channel(11)));
        map.set(guild(), user(4), Some(channel(10)));
        map.set(guild(), user(5), Some(channel(10)));
        let ids = |ids: &[u64]| ids.iter().map(|id| channel(*id)).collect::<BTreeSet<_>>();
        let people = BTreeSet::from([user(3), user(9)]);
        let heard = map.hear(guild(), &people, &ids(&[10]), &ids(&[5, 11, 12])).unwrap();
        let seats: Vec<_> = heard
            .seated
            .iter()
            .map(|(who, seated)| (who.get(), seated.channel.get(), seated.fresh))
            .collect();
        let expected = [
            (1, 10, false),
            (2, 10, false),
            (3, 11, false),
            (4, 10, false),
            (5, 10, true),
        ];
        assert_eq!(seats, expected, "only who came straight there is fresh");
        assert_eq!(heard.channels, ids(&[11]), "nobody is moved to a category");
        map.set_stale(guild(), true);
        assert_eq!(map.hear(guild(), &people, &ids(&[10]), &ids(&[])), None);
    }

    #[test]
    fn who_came_while_we_did_not_listen_is_fresh_and_who_only_moved_is_not() {
        let (map, other) = (map(), VoiceMap::default());
        other.restore(guild(), map.snapshot(guild()).unwrap());
        let seats = [(user(1), channel(11)), (user(2), channel(10)), (user(7), channel(10))];
        other.replace_guild(guild(), seats, [(channel(10), voice(None))]);
        let heard = other.hear(guild(), &(1..9).map(user).collect(), &BTreeSet::new(), &BTreeSet::new());
        let fresh = heard.unwrap().seated.into_iter().filter(|(_, seated)| seated.fresh);
        assert_eq!(fresh.map(|(user, _)| user).collect::<Vec<_>>(), [user(7)]);
    }

    #[test]
    fn a_snapshot_brings_everything_back() {
        let (map, other) = (map(), VoiceMap::default());
        map.set_unavailable(guild());
        other.restore(guild(), map.snapshot(guild()).unwrap());
        assert!(!other.is_known(guild()), "not before what happened since is told");
        assert_eq!(other.seats(guild(), [user(1)]), None);
        assert_eq!(
            [1, 9].map(|id| other.was_in_voice(guild(), user(id))),
            [Some(true), Some(false)]
        );
        other.set_stale(guild(), false);
        assert_eq!(other.channel_of(guild(), user(1)), Some(channel(10)));
        assert_eq!(other.snapshot(guild()), map.snapshot(guild()));
        assert_eq!(other.guilds(), [guild()]);
    }
}
