//! Further categories and what is known of guilds: what is saved is what is loaded, who waits, who is woken.

use std::collections::{BTreeMap, BTreeSet};

use muster::{
    domain::{
        guild::{Away, Overflow},
        ids::{ChannelId, Faction, GuildId, MatchId},
        job::JobKey,
        record::{Blocked, Obstacle, Record, Slot},
        rooms::Category,
    },
    store::{
        Connection, affected, guild_states, jobs,
        overflow_categories::{self, Waiting},
        records,
    },
};
use proptest::{collection, option, prelude::*, strategy::ValueTree, test_runner::TestRunner};

use super::at;
use crate::support::database::Database;

fn guild() -> GuildId {
    GuildId::new(1000).unwrap()
}

fn channel(id: u64) -> ChannelId {
    ChannelId::new(id).unwrap()
}

fn categories() -> impl Strategy<Value = BTreeMap<u32, Category>> {
    let times = || (0_u64..100_000).prop_map(|seconds| at(seconds as i64));
    let obstacle = prop_oneof![
        Just(Obstacle::Refused),
        Just(Obstacle::GuildFull),
        times().prop_map(Obstacle::Later)
    ];
    let blocked = ("[^\\x00]{0,9}", times(), obstacle).prop_map(|(why, at, by)| Blocked { why, at, by });
    let fields = (
        1_u64..99,
        "[^\\x00]{1,9}",
        option::of(times()),
        any::<bool>(),
        option::of(times()),
        collection::btree_set((500_u64..600).prop_map(channel), 0..3),
        option::of(blocked),
    );
    collection::btree_map(2_u32..9, fields, 0..4).prop_map(|all| {
        let all = all.into_iter();
        all.map(
            |(number, (base, name, time, bound, uncertain_since, strays, blocked))| {
                let bound = bound || time.is_none();
                let category = Category {
                    base: channel(base),
                    name,
                    intended_at: time.filter(|_| !bound),
                    channel: bound.then(|| channel(100 + u64::from(number))),
                    uncertain_since,
                    strays,
                    blocked,
                };
                (number, category)
            },
        )
        .collect()
    })
}

#[tokio::test]
async fn categories_are_saved_over_whatever_was_there_and_only_those_that_are_bound_are_used() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let mut generate = TestRunner::deterministic();
    for _ in 0..100 {
        let saved = categories().new_tree(&mut generate).unwrap().current();
        overflow_categories::save(c, guild(), &saved, at(1)).await.unwrap();
        assert_eq!(overflow_categories::load(c, guild()).await.unwrap(), saved);
        let view = guild_states::load(c, guild()).await.unwrap();
        let bound = saved.values().filter_map(|category| {
            Some(Overflow {
                channel: category.channel?,
                base: category.base,
            })
        });
        assert_eq!(view.overflow, bound.collect::<Vec<_>>());
        let mut unmade = saved.values().filter(|category| category.channel.is_none());
        let why = unmade.find_map(|category| Some(category.blocked.as_ref()?.why.clone()));
        assert_eq!(view.overflow_blocked, why);
    }
}

fn slot(channel_id: Option<u64>, category: u64, blocked: Option<Obstacle>) -> Slot {
    Slot {
        name: "blue".into(),
        category: Some(channel(category)),
        intended_at: None,
        channel: channel_id.map(channel),
        uncertain_since: None,
        strays: BTreeSet::new(),
        access: BTreeSet::new(),
        blocked: blocked.map(|by| Blocked {
            why: "because".into(),
            at: at(0),
            by,
        }),
        gone_at: None,
        access_blocked: None,
    }
}

async fn save(c: &mut Connection, id: &str, slots: Vec<Slot>, over: bool) {
    let mut record = Record::new(MatchId::new(id), at(0));
    record.guild = Some(guild());
    record.ended_at = over.then(|| at(5));
    record.slots = Faction::BOTH.into_iter().zip(slots).collect();
    records::save(c, &record, at(1)).await.unwrap();
}

async fn due(c: &mut Connection) -> Vec<String> {
    let all = jobs::list(c).await.unwrap().into_iter();
    all.map(|job| job.key.as_str().to_owned()).collect()
}

#[tokio::test]
async fn who_waits_for_room_is_counted_by_match_and_woken_and_taken_places_are_counted_by_category() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let waits = || slot(None, 10, Some(Obstacle::NoRoom));
    save(c, "1-a", vec![waits(), waits()], false).await;
    let stray = Slot {
        strays: [channel(77)].into(),
        ..slot(Some(31), 10, None)
    };
    save(c, "1-b", vec![stray, waits()], false).await;
    save(c, "1-c", vec![waits(), slot(Some(32), 11, None)], true).await;
    save(c, "1-d", vec![slot(None, 10, Some(Obstacle::Refused))], false).await;
    assert_eq!(
        overflow_categories::waiting(c, guild()).await.unwrap(),
        Waiting {
            needed: vec![2, 1],
            full: [channel(10)].into(),
        }
    );
    let view = guild_states::load(c, guild()).await.unwrap();
    assert_eq!(view.taken, [(channel(10), 2), (channel(11), 1)].into());

    affected::book_waiting(c, guild(), at(9)).await.unwrap();
    assert_eq!(due(c).await, ["match:1-a", "match:1-b", "match:1-c"]);
}

#[tokio::test]
async fn guilds_with_further_categories_are_looked_after() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let category = Category {
        base: channel(10),
        name: "Matches 2".into(),
        intended_at: None,
        channel: Some(channel(20)),
        uncertain_since: None,
        strays: BTreeSet::new(),
        blocked: None,
    };
    let one = BTreeMap::from([(2, category)]);
    overflow_categories::save(c, guild(), &one, at(1)).await.unwrap();
    assert_eq!(overflow_categories::without_job(c).await.unwrap(), [guild()]);
    let both = [guild(), GuildId::new(2000).unwrap()];
    assert_eq!(affected::book_categories(c, &both, at(9)).await.unwrap(), 1);
    assert_eq!(due(c).await, [JobKey::sync_guild(guild()).as_str()]);
    assert!(overflow_categories::without_job(c).await.unwrap().is_empty());
}

#[tokio::test]
async fn since_when_the_bot_is_away_is_kept_and_changes_are_noted_only_where_they_matter() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    guild_states::set_away(c, &[guild()], at(1)).await.unwrap();
    guild_states::set_away(c, &[guild()], at(7)).await.unwrap();
    let (since, checked_at) = (at(1), at(7));
    let away = guild_states::load(c, guild()).await.unwrap().away;
    assert_eq!(away, Some(Away { since, checked_at }));
    guild_states::set_back(c, &[guild()]).await.unwrap();
    assert_eq!(guild_states::load(c, guild()).await.unwrap().away, None);

    let noted = async |c: &mut Connection, now| {
        guild_states::note_rights(c, &[guild()], now).await.unwrap();
        guild_states::note_room(c, &[guild()], now).await.unwrap();
        let view = guild_states::load(c, guild()).await.unwrap();
        (view.rights_at, view.room_at)
    };
    assert_eq!(noted(c, at(10)).await, (None, None));
    save(c, "1-a", vec![slot(None, 10, Some(Obstacle::Refused))], false).await;
    assert_eq!(noted(c, at(11)).await, (Some(at(11)), None));
    save(c, "1-b", vec![slot(None, 10, Some(Obstacle::GuildFull))], false).await;
    assert_eq!(noted(c, at(12)).await, (Some(at(12)), Some(at(12))));
    guild_states::note_wish(c, &MatchId::new("1-b"), at(13)).await.unwrap();
    let view = guild_states::load(c, guild()).await.unwrap();
    assert_eq!((view.rights_at, view.room_at), (Some(at(13)), Some(at(13))));
}
