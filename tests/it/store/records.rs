//! Records: what is saved is what is loaded, and the queries around them.

use std::collections::{BTreeMap, BTreeSet};

use muster::{
    domain::{
        Timestamp,
        ids::{ChannelId, Faction, GuildId, MatchId, PlayerId, UserId},
        job::JobKey,
        match_facts::{Competition, MatchFacts, Player, Side, Status},
        record::{Blocked, Member, Obstacle, Placement, Record, Slot},
    },
    store::{
        Connection, jobs,
        match_members::{Whom, request_move},
        records::{self, Counts},
    },
};
use proptest::{collection, option, prelude::*, strategy::ValueTree, test_runner::TestRunner};

use super::at;
use crate::support::database::Database;

fn times() -> impl Strategy<Value = Timestamp> {
    (0i64..4_000_000_000_000_000).prop_map(|micros| {
        Timestamp::from_unix_timestamp_nanos(i128::from(micros) * 1_000).expect("before the year 2100")
    })
}

fn texts() -> impl Strategy<Value = String> {
    "[^\\x00]{0,12}"
}

fn ids<T: std::fmt::Debug>(new: fn(u64) -> Option<T>) -> impl Strategy<Value = T> {
    (1..=i64::MAX as u64).prop_map(move |id| new(id).expect("not zero"))
}

fn statuses() -> impl Strategy<Value = Status> {
    prop_oneof![
        Just(Status::Ready),
        Just(Status::Finished),
        Just(Status::Gone),
        "[A-Z_]{1,12}".prop_map(|word| Status::parse(&word)),
    ]
}

fn facts() -> impl Strategy<Value = MatchFacts> {
    let player = (texts(), texts()).prop_map(|(id, nickname)| Player {
        id: PlayerId::new(id),
        nickname,
    });
    let side =
        (texts(), texts(), any::<bool>(), collection::vec(player, 0..8)).prop_map(|(team_id, name, bye, roster)| {
            Side {
                team_id,
                name,
                bye,
                roster,
            }
        });
    let competition = (texts(), texts(), texts(), texts()).prop_map(|(id, kind, name, organizer_id)| Competition {
        id,
        kind,
        name,
        organizer_id,
    });
    let sides = collection::btree_map(prop_oneof![Just(Faction::One), Just(Faction::Two)], side, 0..3);
    let four_times = (
        option::of(times()),
        option::of(times()),
        option::of(times()),
        option::of(times()),
    );
    (statuses(), sides, competition, texts(), option::of(texts()), four_times).prop_map(
        |(status, sides, competition, game, map, (scheduled_at, configured_at, started_at, finished_at))| MatchFacts {
            status,
            sides,
            competition,
            region: game.chars().rev().collect(),
            game,
            map,
            scheduled_at,
            configured_at,
            started_at,
            finished_at,
        },
    )
}

/// Slots as `decide` makes them: for a reason, and not intended once bound.
fn slots() -> impl Strategy<Value = Slot> {
    let channels = || collection::btree_set(ids(ChannelId::new), 0..3);
    let obstacle = prop_oneof![
        Just(Obstacle::Refused),
        Just(Obstacle::NoRoom),
        Just(Obstacle::GuildFull),
        times().prop_map(Obstacle::Later),
    ];
    let blocked = (texts(), times(), obstacle).prop_map(|(why, at, by)| Blocked { why, at, by });
    let state = (
        option::of(ids(ChannelId::new)),
        option::of(times()),
        option::of(times()),
        channels(),
        option::of(blocked),
    );
    let rest = (
        "[^\\x00]{1,20}",
        option::of(ids(ChannelId::new)),
        collection::btree_set(ids(UserId::new), 0..6),
        option::of((texts(), times())),
        option::of(times()),
        times(),
    );
    (state, rest).prop_map(
        |(
            (channel, intended_at, uncertain_since, strays, blocked),
            (name, category, access, access_blocked, gone_at, other),
        )| {
            let mut slot = Slot {
                name,
                category,
                intended_at: intended_at.filter(|_| channel.is_none()),
                channel,
                uncertain_since,
                strays,
                access,
                blocked,
                gone_at,
                access_blocked: access_blocked.map(|(why, at)| Blocked {
                    why,
                    at,
                    by: Obstacle::Refused,
                }),
            };
            if !slot.has_reason() {
                slot.intended_at = Some(other);
            }
            slot
        },
    )
}

fn members() -> impl Strategy<Value = BTreeMap<UserId, Member>> {
    let placement = prop_oneof![
        Just(Placement::Moved),
        Just(Placement::Absent),
        Just(Placement::Outside),
        Just(Placement::NotInGuild),
        texts().prop_map(Placement::Refused),
    ];
    let faction = prop_oneof![Just(Faction::One), Just(Faction::Two)];
    let came_from = option::of(ids(ChannelId::new));
    let member = (faction, placement, statuses(), times(), came_from, any::<i64>()).prop_map(
        |(faction, placement, tried_in, tried_at, came_from, answered)| Member {
            faction,
            placement,
            tried_in,
            tried_at,
            came_from,
            // Counted by whoever asks, not by whoever saves.
            asked: 0,
            answered,
        },
    );
    collection::btree_map(ids(UserId::new), member, 0..12)
}

fn a_record() -> impl Strategy<Value = Record> {
    let own = (
        ids(GuildId::new),
        option::of(facts()),
        option::of(any::<i64>()),
        times(),
        option::of(times()),
        option::of(times()),
        option::of(times()),
        collection::btree_set(texts(), 0..4),
    );
    let slots = collection::btree_map(prop_oneof![Just(Faction::One), Just(Faction::Two)], slots(), 0..3);
    (own, slots, members()).prop_map(
        |((guild, facts, last_version, first_seen_at, live_since, ended_at, closed_at, demo_urls), slots, members)| {
            Record {
                id: MatchId::new("1-a"),
                guild: Some(guild),
                facts,
                last_version,
                first_seen_at,
                live_since,
                ended_at,
                closed_at,
                teardown_at: None,
                demo_urls,
                slots,
                members,
            }
        },
    )
}

fn new(id: &str) -> Record {
    Record {
        guild: GuildId::new(1000),
        ..Record::new(MatchId::new(id), at(0))
    }
}

fn channel(id: u64) -> ChannelId {
    ChannelId::new(id).unwrap()
}

fn bound(id: u64, strays: &[u64]) -> Slot {
    Slot {
        name: "blue".into(),
        category: None,
        intended_at: None,
        channel: Some(channel(id)),
        uncertain_since: None,
        strays: strays.iter().copied().map(channel).collect(),
        access: BTreeSet::new(),
        blocked: None,
        gone_at: None,
        access_blocked: None,
    }
}

async fn save(c: &mut Connection, record: &Record) {
    records::save(c, record, at(1)).await.unwrap();
}

#[tokio::test]
async fn what_is_saved_is_what_is_loaded_over_whatever_was_there() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let id = MatchId::new("1-a");
    assert_eq!(records::load(c, &id).await.unwrap(), None);
    let mut generate = TestRunner::deterministic();
    for _ in 0..200 {
        let record = a_record().new_tree(&mut generate).unwrap().current();
        save(c, &record).await;
        assert_eq!(records::load(c, &id).await.unwrap(), Some(record));
    }
}

#[tokio::test]
async fn a_record_that_did_not_change_is_not_written() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let mut generate = TestRunner::deterministic();
    let strategy = a_record().prop_filter("all tables", |record| {
        !record.slots.is_empty() && !record.members.is_empty()
    });
    let record = strategy.new_tree(&mut generate).unwrap().current();
    let versions = async |c: &mut Connection| -> Vec<String> {
        sqlx::query_scalar(
            "select xmin::text from matches union all select xmin::text from active_matches
            union all select xmin::text from match_members",
        )
        .fetch_all(c)
        .await
        .unwrap()
    };
    save(c, &record).await;
    let before = versions(c).await;
    records::save(c, &record, at(500)).await.unwrap();
    assert_eq!(versions(c).await, before);
}

#[tokio::test]
async fn zero_bytes_are_left_out_of_texts() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let mut record = new("1-a");
    let mut facts = MatchFacts::bare(Status::Ready);
    facts.competition.name = "a\0b".into();
    record.facts = Some(facts);
    record.demo_urls = ["x\0y".to_owned()].into();
    record.slots.insert(
        Faction::One,
        Slot {
            name: "a\0b".into(),
            ..bound(5, &[])
        },
    );
    save(c, &record).await;
    let loaded = records::load(c, &record.id).await.unwrap().unwrap();
    assert_eq!(loaded.facts.unwrap().competition.name, "ab");
    assert_eq!(loaded.slots[&Faction::One].name, "ab");
    assert_eq!(loaded.demo_urls.into_iter().collect::<Vec<_>>(), ["xy"]);
}

#[tokio::test]
async fn the_database_refuses_what_must_not_be() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let with = |slot: Slot| {
        let mut record = new("1-b");
        record.slots.insert(Faction::One, slot);
        record
    };
    let mut first = new("1-a");
    first.slots.insert(Faction::One, bound(5, &[]));
    save(c, &first).await;
    let empty = Slot {
        channel: None,
        ..bound(6, &[])
    };
    let intended_and_bound = Slot {
        intended_at: Some(at(0)),
        ..bound(6, &[])
    };
    let cases = [
        (with(bound(5, &[])), "active_matches_channel_id_key"),
        (with(empty), "row_has_reason"),
        (with(intended_and_bound), "intended_until_bound"),
        (with(bound(u64::MAX, &[])), "too large"),
    ];
    for (record, constraint) in cases {
        let error = records::save(c, &record, at(1)).await.unwrap_err();
        assert!(error.to_string().contains(constraint), "{error}");
        assert!(!error.is_unavailable());
    }
}

#[tokio::test]
async fn a_wish_to_be_moved_again_books_the_match_and_survives_a_run_that_began_before_it() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let mut record = new("1-a");
    let users = [1, 2].map(|id| UserId::new(id).unwrap());
    for user in users {
        record.put(user, Faction::One, Placement::Moved, &Status::Ready, at(1));
    }
    save(c, &record).await;
    assert!(request_move(c, &record.id, Whom::One(users[0]), at(2)).await.unwrap());
    assert!(request_move(c, &record.id, Whom::Everybody, at(3)).await.unwrap());
    let booked: Vec<_> = jobs::list(c).await.unwrap().into_iter().map(|job| job.key).collect();
    assert_eq!(booked, [JobKey::sync_match(&record.id)]);
    // A run that knows nothing of it saves what it has done.
    record.members.get_mut(&users[1]).unwrap().tried_at = at(4);
    save(c, &record).await;
    let mut record = records::load(c, &record.id).await.unwrap().unwrap();
    assert_eq!(
        record.members.values().map(|member| member.asked).collect::<Vec<_>>(),
        [2, 1]
    );
    assert!(record.members.values().all(Member::is_asked));
    // The next one answers it.
    for user in users {
        record.put(user, Faction::One, Placement::Moved, &Status::Ready, at(5));
    }
    save(c, &record).await;
    let record = records::load(c, &record.id).await.unwrap().unwrap();
    assert!(!record.members.values().any(Member::is_asked));
}

#[tokio::test]
async fn nobody_is_moved_again_in_a_match_that_is_over_or_unknown() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let mut over = new("1-a");
    over.ended_at = Some(at(1));
    save(c, &over).await;
    for id in ["1-a", "1-unknown"] {
        let id = MatchId::new(id);
        assert!(!request_move(c, &id, Whom::Everybody, at(2)).await.unwrap());
    }
    assert_eq!(jobs::list(c).await.unwrap(), []);
}

#[tokio::test]
async fn open_matches_are_listed_and_those_that_nobody_would_look_at_again() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    for id in ["1-c", "1-a", "1-b"] {
        save(c, &new(id)).await;
    }
    let mut closed = new("1-d");
    closed.closed_at = Some(at(9));
    save(c, &closed).await;
    jobs::schedule(c, &JobKey::sync_match(&MatchId::new("1-b")), at(60))
        .await
        .unwrap();

    assert_eq!(records::open(c).await.unwrap(), ["1-a", "1-b", "1-c"].map(MatchId::new));
    assert_eq!(
        records::open_without_job(c).await.unwrap(),
        ["1-a", "1-c"].map(MatchId::new)
    );
}

#[tokio::test]
async fn a_channel_of_another_match_is_told() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let mut mine = new("1-a");
    mine.slots.insert(Faction::One, bound(1, &[2]));
    save(c, &mine).await;
    let mut other = new("1-b");
    other.slots.insert(Faction::Two, bound(3, &[4, 5]));
    save(c, &other).await;
    let asked: Vec<_> = (1..=7).map(channel).collect();
    let found = records::bound_elsewhere(c, &asked, &mine.id).await.unwrap();
    assert_eq!(found, [3, 4, 5].map(channel).into());
    let found = records::bound_elsewhere(c, &[channel(4)], &mine.id).await.unwrap();
    assert_eq!(found, [channel(4)].into());
    assert!(records::bound_elsewhere(c, &[], &mine.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn hubs_with_matches_that_changed_of_late_are_listed_once() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let played = [
        ("1-a", "hub", "h2", 10),
        ("1-b", "hub", "h1", 20),
        ("1-c", "hub", "h2", 20),
        ("1-d", "hub", "old", 1),
    ];
    let others = [("1-e", "championship", "x", 20), ("1-f", "hub", "", 20)];
    for (id, kind, competition, second) in played.into_iter().chain(others) {
        let mut record = new(id);
        let mut facts = MatchFacts::bare(Status::Ready);
        facts.competition.kind = kind.into();
        facts.competition.id = competition.into();
        record.facts = Some(facts);
        records::save(c, &record, at(second)).await.unwrap();
    }
    save(c, &new("1-g")).await;
    assert_eq!(records::recent_hubs(c, at(10)).await.unwrap(), ["h1", "h2"]);
    assert_eq!(records::recent_hubs(c, at(21)).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn open_matches_channels_and_blocked_slots_are_counted() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    assert_eq!(records::counts(c).await.unwrap(), Counts::default());
    let mut one = new("1-a");
    one.slots.insert(Faction::One, bound(1, &[]));
    let blocked = Blocked {
        why: "the guild is full".into(),
        at: at(0),
        by: Obstacle::GuildFull,
    };
    one.slots.insert(
        Faction::Two,
        Slot {
            channel: None,
            blocked: Some(blocked),
            ..bound(2, &[])
        },
    );
    save(c, &one).await;
    let expected = Counts {
        open: 1,
        channels: 1,
        blocked: 1,
    };
    assert_eq!(records::counts(c).await.unwrap(), expected);
}
