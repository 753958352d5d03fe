//! The six promises of the core, over random lives of a match: statuses, rosters, failures, waiting times.

use proptest::prelude::*;

use crate::domain::{
    decide::decide,
    event::{Event, State},
    match_facts::Status,
    plan::Action,
    seats::Seats,
    tests::toy::{FOREIGN, LOBBY, Luck, MADE, Toy, api, at, channel, facts, lucky, run, state, webhook},
};

const USERS: [u64; 6] = [11, 12, 13, 21, 22, 23];

#[derive(Clone, Debug)]
struct Step {
    status: Status,
    one: Vec<u64>,
    two: Vec<u64>,
    wait: u64,
    luck: Vec<u8>,
}

fn status() -> impl Strategy<Value = Status> {
    prop::sample::select(vec![
        Status::Scheduled,
        Status::CaptainPick,
        Status::Configuring,
        Status::Ready,
        Status::Ongoing,
        Status::Finished,
        Status::Cancelled,
        Status::Aborted,
        Status::Gone,
        Status::Other("HALF_TIME".to_owned()),
    ])
}

fn step() -> impl Strategy<Value = Step> {
    let roster = || prop::sample::subsequence(USERS.to_vec(), 0..=4);
    (
        status(),
        roster(),
        roster(),
        0_u64..3000,
        prop::collection::vec(0_u8..10, 0..12),
    )
        .prop_map(|(status, one, two, wait, luck)| Step {
            status,
            one,
            two,
            wait,
            luck,
        })
}

fn luck(bytes: &[u8]) -> impl FnMut() -> Luck + '_ {
    let mut bytes = bytes.iter().copied();
    move || match bytes.next() {
        Some(0 | 1) => Luck::LostBefore,
        Some(2 | 3) => Luck::LostAfter,
        Some(4 | 5) => Luck::NotSent,
        _ => Luck::Fine,
    }
}

/// Plays the steps, retrying after two seconds whenever a run was cut short, and returns the time afterwards.
fn play(state: &mut State, toy: &mut Toy, steps: &[Step], faults: bool) -> u64 {
    let mut now = 0;
    for step in steps {
        let event = || api(facts(step.status.clone(), &step.one, &step.two));
        if faults {
            run(state, event(), at(now), toy, &mut luck(&step.luck));
        }
        settle(state, toy, event(), &mut now);
        now += step.wait;
        settle(state, toy, Event::Tick, &mut now);
    }
    now
}

/// Runs until a run needs nothing any more.
fn settle(state: &mut State, toy: &mut Toy, event: Event, now: &mut u64) {
    for _ in 0..6 {
        *now += 2;
        let decision = run(state, event.clone(), at(*now), toy, &mut lucky);
        if decision.actions.is_empty() {
            return;
        }
    }
    panic!("it does not come to rest: {state:#?}");
}

/// What people see: channels by name and who sits in them.
fn picture(toy: &Toy) -> (Vec<String>, Vec<(u64, String)>) {
    let mut made: Vec<String> = toy.made().iter().map(|name| (*name).to_owned()).collect();
    made.sort();
    let name = |seat| toy.channels.get(seat).map_or(String::new(), |(name, _)| name.clone());
    (
        made,
        toy.seats.iter().map(|(user, seat)| (user.get(), name(seat))).collect(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plan_do_and_plan_again_is_empty(steps in prop::collection::vec(step(), 1..8), heard in any::<bool>()) {
        let (mut state, mut toy) = (state(USERS), Toy::told(USERS, heard));
        let now = play(&mut state, &mut toy, &steps, true);
        let last = &steps[steps.len() - 1];
        let again = api(facts(last.status.clone(), &last.one, &last.two));
        state.seats = Seats::default();
        state.seats.hear(toy.hear());
        let before = state.record.clone();
        let decision = decide(&mut state, &again, at(now));
        prop_assert_eq!(&decision.actions, &vec![]);
        prop_assert_eq!(state.record.slots, before.slots);
    }

    #[test]
    fn the_order_and_repetition_of_webhooks_does_not_matter(
        steps in prop::collection::vec(step(), 1..6),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let event = |at: usize| {
            let step = &steps[at];
            webhook(at as i64, facts(step.status.clone(), &step.one, &step.two))
        };
        let mut shuffled: Vec<usize> = order.iter().map(|index| index.index(steps.len())).collect();
        shuffled.push(steps.len() - 1);
        shuffled.extend(order.iter().map(|index| index.index(steps.len())));
        let play = |sequence: Vec<usize>| {
            let (mut state, mut toy) = (state(USERS), Toy::new(USERS));
            for which in sequence {
                run(&mut state, event(which), at(0), &mut toy, &mut lucky);
            }
            let facts = state.record.facts.clone().map(|facts| facts.status);
            (facts, state.record.last_version)
        };
        prop_assert_eq!(play((0..steps.len()).collect()), play(shuffled));
    }

    #[test]
    fn random_failures_do_not_change_what_people_see_in_the_end(
        steps in prop::collection::vec(step(), 1..8),
        heard in any::<bool>(),
    ) {
        let (mut calm, mut calm_toy) = (state(USERS), Toy::told(USERS, heard));
        let (mut rough, mut rough_toy) = (state(USERS), Toy::told(USERS, heard));
        // A run more or less shifts the time by seconds: look when no grace period is about to end.
        let mut now = play(&mut calm, &mut calm_toy, &steps, false).max(play(&mut rough, &mut rough_toy, &steps, true)) + 100;
        settle(&mut calm, &mut calm_toy, Event::Tick, &mut now);
        settle(&mut rough, &mut rough_toy, Event::Tick, &mut now);
        let over = facts(Status::Finished, &[], &[]);
        let finish = |state: &mut State, toy: &mut Toy, now: u64| {
            let mut now = now;
            settle(state, toy, api(over.clone()), &mut now);
            now += 100_000;
            settle(state, toy, api(over.clone()), &mut now);
        };
        let standing = |toy: &Toy| picture(toy).0;
        prop_assert_eq!(standing(&calm_toy), standing(&rough_toy));
        finish(&mut calm, &mut calm_toy, now);
        finish(&mut rough, &mut rough_toy, now);
        prop_assert_eq!(standing(&calm_toy), Vec::<String>::new());
        prop_assert_eq!(standing(&rough_toy), Vec::<String>::new());
    }

    #[test]
    fn only_what_is_bound_to_us_is_touched(steps in prop::collection::vec(step(), 1..8), heard in any::<bool>()) {
        let (mut state, mut toy) = (state(USERS), Toy::told(USERS, heard));
        play(&mut state, &mut toy, &steps, true);
        prop_assert!(toy.channels.contains_key(&channel(LOBBY)) && toy.channels.contains_key(&channel(FOREIGN)));
        for action in &toy.calls {
            if let Action::DeleteChannel { channel: deleted, .. } = action {
                prop_assert!(deleted.get() > MADE, "{deleted} was never ours");
            }
        }
    }

    #[test]
    fn look_again_is_never_in_the_past(steps in prop::collection::vec(step(), 1..8)) {
        let (mut state, mut toy) = (state(USERS), Toy::new(USERS));
        let mut now = 0;
        for step in &steps {
            let event = api(facts(step.status.clone(), &step.one, &step.two));
            let decision = run(&mut state, event, at(now), &mut toy, &mut luck(&step.luck));
            if let Some(again) = decision.look_again {
                prop_assert!(again >= at(now));
            } else {
                prop_assert!(state.record.closed_at.is_some());
                prop_assert!(state.record.slots.is_empty());
            }
            now += step.wait;
        }
    }

    #[test]
    fn an_ended_and_expired_match_wants_nothing(
        steps in prop::collection::vec(step(), 1..8),
        ending in 0_usize..4,
        heard in any::<bool>(),
    ) {
        let (mut state, mut toy) = (state(USERS), Toy::told(USERS, heard));
        let mut now = play(&mut state, &mut toy, &steps, true);
        let ending = [Status::Finished, Status::Cancelled, Status::Aborted, Status::Gone][ending].clone();
        settle(&mut state, &mut toy, api(facts(ending, &[11], &[21])), &mut now);
        now += 9 * 3600;
        settle(&mut state, &mut toy, Event::Tick, &mut now);
        prop_assert_eq!(toy.made(), Vec::<&str>::new());
        let decision = decide(&mut state, &Event::Tick, at(now + 1));
        prop_assert_eq!(decision.actions, vec![]);
        prop_assert_eq!(decision.look_again, None);
        prop_assert!(state.record.slots.is_empty() && state.record.members.is_empty());
    }

    #[test]
    fn an_older_version_changes_nothing(newer in step(), older in step()) {
        let (mut state, mut toy) = (state(USERS), Toy::new(USERS));
        run(&mut state, webhook(9, facts(newer.status, &newer.one, &newer.two)), at(0), &mut toy, &mut lucky);
        let before = state.record.clone();
        let reading = facts(older.status, &older.one, &older.two);
        let event = webhook(8, reading);
        run(&mut state, event, at(0), &mut toy, &mut lucky);
        prop_assert_eq!(state.record, before);
    }
}
