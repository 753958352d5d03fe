//! Whose turn it is and by which bot, rule by rule; and how much is sent when Discord never says yes.

mod hot;

use super::*;
use crate::discord::limiter::Told;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn moves(guild: u64) -> Key {
    let route = "PATCH /guilds/{guild}/members/{user}";
    Key { route, resource: guild }
}

fn waiter(key: Key, by: By, joined: Duration) -> Waiter {
    Waiter {
        key,
        by,
        joined,
        last_start: joined + secs(60),
    }
}

fn rank(class: Class, since: i64, nth: u32) -> Rank {
    Rank {
        class,
        since,
        nth,
        number: 0,
    }
}

/// Closes everything until the second 10.
fn closed(line: &mut Line) {
    let key = Key {
        route: "GET /users/@me",
        resource: 0,
    };
    line.join(rank(Class::Create, 0, 0), waiter(key, By::Bot(0), secs(1)));
    let Some((_, Turn::Go { bot, permit })) = line.serve(secs(1)).0.pop() else {
        panic!()
    };
    let (pause, scope) = (secs(9), Scope::Address);
    let verdict = Verdict::Limited { pause, scope };
    line.answered(
        bot,
        permit,
        429,
        &Seen {
            verdict,
            ..Seen::default()
        },
        secs(1),
    );
}

/// Everybody in the order of his turn, answered before the next one goes.
fn gone(line: &mut Line, now: Duration) -> Vec<Rank> {
    let mut gone = Vec::new();
    loop {
        let turns = line.serve(now).0;
        if turns.is_empty() {
            return gone;
        }
        for (rank, turn) in turns {
            let Turn::Go { bot, permit } = turn else {
                panic!("{turn:?}")
            };
            let verdict = Verdict::Passed;
            let seen = Seen {
                verdict,
                ..Seen::default()
            };
            line.answered(bot, permit, 200, &seen, now);
            gone.push(rank);
        }
    }
}

#[test]
fn moves_go_first_then_creates_overwrites_and_deletes_and_within_them_older_matches_and_both_factions_in_turn() {
    let mut line = Line::new(1);
    closed(&mut line);
    let mut wished = Vec::new();
    for class in [
        Class::TearDown,
        Class::Message,
        Class::Overwrite,
        Class::Create,
        Class::Move,
    ] {
        for since in [200, 100] {
            for _faction in 0..2 {
                wished.extend((1..=2).map(|nth| rank(class, since, nth)));
            }
        }
    }
    for (channel, rank) in (0..).zip(&wished) {
        let key = Key {
            route: "any",
            resource: channel,
        };
        line.join(*rank, waiter(key, By::Bot(0), secs(2)));
    }
    assert_eq!(gone(&mut line, secs(9)), []);
    let went: Vec<_> = gone(&mut line, secs(10))
        .into_iter()
        .map(|rank| (rank.class, rank.since, rank.nth))
        .collect();
    let mut expected: Vec<_> = wished.iter().map(|rank| (rank.class, rank.since, rank.nth)).collect();
    expected.sort_unstable();
    assert_eq!(went, expected);
    let mut classes: Vec<Class> = went.iter().map(|(class, ..)| *class).collect();
    classes.dedup();
    assert_eq!(
        classes,
        [
            Class::Move,
            Class::Create,
            Class::Overwrite,
            Class::Message,
            Class::TearDown
        ]
    );
    assert_eq!(
        went[..4],
        [
            (Class::Move, 100, 1),
            (Class::Move, 100, 1),
            (Class::Move, 100, 2),
            (Class::Move, 100, 2)
        ]
    );
}

#[test]
fn what_our_address_is_refused_no_bot_sends_and_then_one_of_them_asks_first() {
    let mut line = Line::new(2);
    line.admit(1, 7);
    closed(&mut line);
    for by in [By::Bot(0), By::Bot(1), By::AnyIn(7), By::Nobody] {
        line.join(rank(Class::Move, 0, 0), waiter(moves(7), by, secs(2)));
    }
    let (turns, again) = line.serve(secs(9));
    assert!(turns.is_empty(), "{turns:?}");
    assert_eq!(again, Some(secs(10)));
    assert_eq!(line.serve(secs(10)).0.len(), 1, "one of them tries it");
    assert_eq!(line.serve(secs(10)), (vec![], None), "the others wait for its answer");
}

#[test]
fn who_would_wait_too_long_is_told_at_once_and_the_others_stay() {
    let mut line = Line::new(1);
    closed(&mut line);
    let short = Waiter {
        last_start: secs(5),
        ..waiter(moves(1), By::AnyIn(1), secs(2))
    };
    line.join(rank(Class::Move, 0, 0), short);
    line.join(rank(Class::Move, 0, 0), waiter(moves(1), By::AnyIn(1), secs(2)));
    let (turns, again) = line.serve(secs(2));
    assert!(
        matches!(turns[..], [(_, Turn::Refused { until })] if until == secs(10)),
        "{turns:?}"
    );
    assert_eq!((again, line.len()), (Some(secs(10)), 1));
}

#[test]
fn nobody_waits_for_ever_behind_those_with_priority() {
    let mut line = Line::new(1);
    let full = Told {
        limit: 1,
        remaining: 0,
        reset_after: secs(1),
    };
    let home = waiter(moves(1), By::AnyIn(1), secs(2));
    let (mut now, mut went_home) = (secs(1), None);
    // Twice as many moves as the bucket takes.
    while now < secs(40) {
        line.join(rank(Class::Move, 0, 0), waiter(moves(1), By::AnyIn(1), now));
        if now == secs(2) {
            line.join(rank(Class::TearDown, 0, 0), home);
        }
        for (rank, turn) in line.serve(now).0 {
            let Turn::Go { bot, permit } = turn else {
                panic!("{turn:?}")
            };
            let seen = Seen {
                told: Some(full),
                bucket: None,
                verdict: Verdict::Passed,
            };
            line.answered(bot, permit, 200, &seen, now);
            if rank.class == Class::TearDown {
                went_home = Some(now);
            }
        }
        now += Duration::from_millis(500);
    }
    let went_home = went_home.expect("it starved");
    assert!(
        went_home > home.joined + LONG,
        "the others go first for a while: {went_home:?}"
    );
}

#[test]
fn further_bots_take_their_share_once_they_were_seen_and_leave_it_when_they_can_not() {
    let mut line = Line::new(3);
    line.admit(1, 7);
    line.admit(2, 7);
    line.leave_out(2, 7, "Missing Permissions, 50013", secs(1000));
    (0..20).for_each(|nth| _ = line.join(rank(Class::Move, 0, nth), waiter(moves(7), By::AnyIn(7), secs(1))));
    let by: Vec<usize> = line
        .serve(secs(1))
        .0
        .into_iter()
        .map(|(_, turn)| match turn {
            Turn::Go { bot, .. } => bot,
            other => panic!("{other:?}"),
        })
        .collect();
    let count = |bot| by.iter().filter(|by| **by == bot).count();
    assert_eq!((count(0), count(1), count(2)), (10, 10, 0));
    line.join(rank(Class::Move, 0, 0), waiter(moves(8), By::AnyIn(8), secs(1)));
    assert!(
        matches!(line.serve(secs(1)).0[..], [(_, Turn::Go { bot: 0, .. })]),
        "nobody else was seen in guild 8"
    );
}

#[test]
fn a_bot_that_is_left_out_is_named_once_and_asked_again_after_a_while() {
    let mut line = Line::new(3);
    line.admit(1, 7);
    assert!(line.leave_out(1, 7, "Missing Access, 50001", secs(600)), "it is news");
    assert_eq!(line.takes_part(1, 7, secs(599)), Some(false));
    assert_eq!(line.takes_part(1, 7, secs(600)), None, "to be found out anew");
    assert!(!line.leave_out(1, 7, "Missing Access, 50001", secs(1200)), "known");
    assert!(
        line.leave_out(1, 7, "Unknown Guild, 10004", secs(1200)),
        "another reason"
    );
    line.bad_token(2);
    let named = |bot, guild, why: &str| LeftOut {
        bot,
        guild,
        why: why.to_owned(),
    };
    let expected = [
        named(1, Some(7), "Unknown Guild, 10004"),
        named(2, None, "Discord refuses its token"),
    ];
    assert_eq!(line.left_out(), expected);
    line.admit(1, 7);
    assert_eq!(line.left_out(), expected[1..]);
    assert_eq!(line.takes_part(2, 7, secs(9999)), Some(false));
}

#[test]
fn a_bad_token_stops_everything_and_what_is_shared_with_others_is_not_our_fault() {
    let mut line = Line::new(1);
    for (scope, counted) in [(Scope::Shared, 0), (Scope::Route, 1)] {
        line.join(
            rank(Class::Create, 0, 0),
            waiter(moves(counted + 1), By::Bot(0), secs(1)),
        );
        let Some((_, Turn::Go { bot, permit })) = line.serve(secs(1)).0.pop() else {
            panic!()
        };
        let verdict = Verdict::Limited { pause: secs(1), scope };
        line.answered(
            bot,
            permit,
            429,
            &Seen {
                verdict,
                ..Seen::default()
            },
            secs(1),
        );
        assert_eq!(u64::from(line.invalid(secs(1))), counted);
    }
    assert!(line.bad_token(0) && !line.bad_token(0), "it is news once");
    line.join(rank(Class::Move, 0, 0), waiter(moves(9), By::AnyIn(9), secs(1)));
    assert!(matches!(line.serve(secs(1)).0[..], [(_, Turn::Unauthorized)]));
}
