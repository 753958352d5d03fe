//! Rules as short stories, one plan each.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::domain::{
    absorb::absorb,
    decide::decide,
    event::{Announced, Event},
    match_facts::{MatchFacts, Side, Status},
    plan::{Decision, Note, Outcome},
    tests::toy::{FOREIGN, LOBBY, Luck, Toy, api, at, channel, facts, lucky, run, state, user, webhook},
};
use crate::domain::{event::State, ids::Faction, record::Placement};

const ONE: &str = "match-5cd68867-faction1";
const TWO: &str = "match-5cd68867-faction2";

fn set(ids: &[u64]) -> BTreeSet<u64> {
    ids.iter().copied().collect()
}

/// A 2v2 that stands, everybody in his channel.
fn standing() -> (State, Toy) {
    let (mut state, mut toy) = (state([11, 12, 21, 22]), Toy::new([11, 12, 21, 22]));
    run(
        &mut state,
        api(facts(Status::Ready, &[11, 12], &[21, 22])),
        at(0),
        &mut toy,
        &mut lucky,
    );
    (state, toy)
}

fn go(state: &mut State, toy: &mut Toy, event: Event, seconds: u64) -> Decision {
    run(state, event, at(seconds), toy, &mut lucky)
}

#[test]
fn a_ready_match_gets_two_channels_and_then_its_players() {
    let mut state = state([11, 21]);
    let ready = facts(Status::Ready, &[11, 12], &[21]);
    let first = decide(&mut state, &api(ready.clone()), at(0));
    insta::assert_snapshot!(first, @r"
    - create voice channel 'match-5cd68867-faction1' for faction1, open to 1 linked player
    - create voice channel 'match-5cd68867-faction2' for faction2, open to 1 linked player
      (Nick12 (faction1) is not linked to a Discord account)
    ");
    let mut toy = Toy::new([11, 21]);
    let mut state = super::toy::state([11, 21]);
    let last = go(&mut state, &mut toy, api(ready), 0);
    assert_eq!(toy.who_sits_in(ONE), set(&[11]));
    assert_eq!(toy.who_sits_in(TWO), set(&[21]));
    assert_eq!(toy.calls.len(), 4);
    assert_eq!(last.look_again, Some(at(60)));
}

#[test]
fn a_five_a_side_match_needs_twelve_calls_and_a_repeated_delivery_none() {
    let users: Vec<u64> = (11..16).chain(21..26).collect();
    let (mut state, mut toy) = (state(users.clone()), Toy::new(users));
    let ready = facts(Status::Ready, &[11, 12, 13, 14, 15], &[21, 22, 23, 24, 25]);
    go(&mut state, &mut toy, api(ready.clone()), 0);
    assert_eq!(toy.calls.len(), 12);
    go(&mut state, &mut toy, api(ready), 1);
    go(&mut state, &mut toy, Event::Tick, 61);
    assert_eq!(toy.calls.len(), 12);
}

#[test]
fn a_scheduled_match_waits_and_is_looked_at_rarely_until_its_time_comes() {
    let (mut state, mut toy) = (state([11, 21]), Toy::new([11, 21]));
    let mut scheduled = facts(Status::Scheduled, &[11], &[21]);
    scheduled.scheduled_at = Some(at(86_400 * 3));
    let decision = go(&mut state, &mut toy, api(scheduled.clone()), 0);
    assert_eq!(decision.look_again, Some(at(3600)));
    assert_eq!(decision.notes, [Note::Waiting("it is only scheduled".to_owned())]);
    let decision = go(&mut state, &mut toy, api(scheduled), 86_400 * 3 - 30);
    assert_eq!(decision.look_again, Some(at(86_400 * 3 + 30)));
    assert!(toy.calls.is_empty());
}

#[test]
fn a_match_without_both_rosters_or_against_a_bye_gets_no_channel() {
    let (mut state, mut toy) = (state([11]), Toy::new([11]));
    go(&mut state, &mut toy, api(facts(Status::Configuring, &[11], &[])), 0);
    let mut bye = facts(Status::Ready, &[11], &[]);
    bye.sides.insert(
        Faction::Two,
        Side {
            bye: true,
            ..Side::default()
        },
    );
    let decision = go(&mut state, &mut toy, api(bye), 1);
    assert_eq!(
        decision.notes,
        [Note::Waiting("one side is a bye: nobody to play against".to_owned())]
    );
    assert!(toy.calls.is_empty());
}

#[test]
fn after_the_grace_people_go_to_the_lobby_and_the_channels_go() {
    let (mut state, mut toy) = standing();
    let decision = go(
        &mut state,
        &mut toy,
        api(facts(Status::Finished, &[11, 12], &[21, 22])),
        100,
    );
    assert_eq!(decision.look_again, Some(at(160)));
    assert_eq!(toy.made(), [ONE, TWO]);
    let last = go(&mut state, &mut toy, Event::Tick, 160);
    assert!(toy.made().is_empty());
    assert!(
        [11, 12, 21, 22]
            .iter()
            .all(|id| toy.seats.get(&user(*id)) == Some(&channel(LOBBY)))
    );
    assert_eq!(
        last,
        Decision {
            notes: vec![Note::Closed],
            ..Decision::default()
        }
    );
}

#[test]
fn at_the_end_nobody_is_dragged_out_of_a_channel_he_went_to_by_himself() {
    let (mut state, mut toy) = standing();
    toy.seats.insert(user(12), channel(FOREIGN));
    go(
        &mut state,
        &mut toy,
        api(facts(Status::Aborted, &[11, 12], &[21, 22])),
        100,
    );
    go(&mut state, &mut toy, Event::Tick, 160);
    assert_eq!(toy.seats.get(&user(12)), Some(&channel(FOREIGN)));
    assert!(
        toy.channels.contains_key(&channel(FOREIGN)),
        "somebody else's channel of the same name stays"
    );
}

#[test]
fn a_cancelled_match_that_runs_again_within_the_grace_keeps_its_channels() {
    let (mut state, mut toy) = standing();
    go(
        &mut state,
        &mut toy,
        api(facts(Status::Cancelled, &[11, 12], &[21, 22])),
        10,
    );
    go(
        &mut state,
        &mut toy,
        api(facts(Status::Configuring, &[11, 12], &[21, 22])),
        20,
    );
    let decision = go(&mut state, &mut toy, Event::Tick, 80);
    assert_eq!(toy.made(), [ONE, TWO]);
    assert!(decision.notes.is_empty());
    assert_eq!(state.record.live_since, Some(at(20)));
}

#[test]
fn a_finished_match_that_runs_again_much_later_gets_new_channels_for_its_new_roster() {
    let (mut state, mut toy) = standing();
    go(
        &mut state,
        &mut toy,
        api(facts(Status::Finished, &[11, 12], &[21, 22])),
        10,
    );
    go(&mut state, &mut toy, Event::Tick, 70);
    assert!(toy.made().is_empty());
    toy.seats.insert(user(13), channel(LOBBY));
    state.links.insert(
        super::toy::player(13),
        crate::domain::event::Link {
            user: user(13),
            opted_out: false,
            verified: true,
        },
    );
    go(
        &mut state,
        &mut toy,
        api(facts(Status::Ready, &[11, 13], &[21, 22])),
        1600,
    );
    assert_eq!(toy.who_sits_in(ONE), set(&[11, 13]));
    assert_eq!(state.record.closed_at, None);
}

#[test]
fn a_substitute_gets_in_and_the_removed_player_out() {
    let (mut state, mut toy) = standing();
    toy.seats.insert(user(13), channel(LOBBY));
    state.links.insert(
        super::toy::player(13),
        crate::domain::event::Link {
            user: user(13),
            opted_out: false,
            verified: true,
        },
    );
    go(
        &mut state,
        &mut toy,
        api(facts(Status::Ready, &[11, 13], &[21, 22])),
        30,
    );
    assert_eq!(toy.who_sits_in(ONE), set(&[11, 13]));
    assert_eq!(toy.seats.get(&user(12)), Some(&channel(LOBBY)));
    assert_eq!(state.record.slots[&Faction::One].access, [user(11), user(13)].into());
    assert!(!state.record.members.contains_key(&user(12)));
}

#[test]
fn when_access_cannot_be_changed_the_substitute_is_still_moved_and_nothing_is_tried_twice() {
    let (mut state, mut toy) = standing();
    toy.seats.insert(user(13), channel(LOBBY));
    state.links.insert(
        super::toy::player(13),
        crate::domain::event::Link {
            user: user(13),
            opted_out: false,
            verified: true,
        },
    );
    let calls = toy.calls.len();
    let mut refuse_access = [Luck::Refused, Luck::Refused].into_iter();
    let mut luck = || refuse_access.next().unwrap_or(Luck::Fine);
    let ready = facts(Status::Ready, &[11, 13], &[21, 22]);
    let decision = run(&mut state, api(ready.clone()), at(30), &mut toy, &mut luck);
    assert_eq!(toy.who_sits_in(ONE), set(&[11, 13]));
    assert_eq!(
        decision.notes,
        [Note::AccessBlocked {
            faction: Faction::One,
            why: "no".to_owned()
        }]
    );
    let after = toy.calls.len();
    assert!(after > calls);
    go(&mut state, &mut toy, api(ready), 90);
    assert_eq!(toy.calls.len(), after);
}

#[test]
fn an_answer_without_rosters_does_not_empty_the_channels() {
    let (mut state, mut toy) = standing();
    let calls = toy.calls.len();
    go(&mut state, &mut toy, api(MatchFacts::bare(Status::Ready)), 30);
    assert_eq!(toy.calls.len(), calls);
}

#[test]
fn somebody_absent_is_tried_again_when_the_match_goes_on() {
    let (mut state, mut toy) = (state([11, 21]), Toy::new([21]));
    go(&mut state, &mut toy, api(facts(Status::Configuring, &[11], &[21])), 0);
    assert_eq!(state.record.members[&user(11)].placement, Placement::Absent);
    toy.seats.insert(user(11), channel(LOBBY));
    let decision = go(&mut state, &mut toy, Event::Tick, 60);
    assert_eq!(
        decision.notes,
        [Note::NotInVoice {
            faction: Faction::One,
            nickname: "Nick11".to_owned()
        }]
    );
    go(&mut state, &mut toy, api(facts(Status::Ready, &[11], &[21])), 90);
    assert_eq!(toy.who_sits_in(ONE), set(&[11]));
}

#[test]
fn who_opted_out_is_let_in_but_never_moved() {
    let (mut state, mut toy) = (state([11, 21]), Toy::new([11, 21]));
    state
        .links
        .values_mut()
        .for_each(|link| link.opted_out = link.user == user(11));
    go(&mut state, &mut toy, api(facts(Status::Ready, &[11], &[21])), 0);
    assert_eq!(toy.seats.get(&user(11)), Some(&channel(LOBBY)));
    assert!(state.record.slots[&Faction::One].access.contains(&user(11)));
}

#[test]
fn an_older_webhook_never_moves_a_match_back() {
    let (mut state, mut toy) = (state([11, 21]), Toy::new([11, 21]));
    go(&mut state, &mut toy, webhook(16, facts(Status::Ready, &[11], &[21])), 0);
    go(
        &mut state,
        &mut toy,
        webhook(6, facts(Status::Cancelled, &[11], &[21])),
        5,
    );
    assert_eq!(
        state.record.facts.as_ref().map(|facts| &facts.status),
        Some(&Status::Ready)
    );
    assert_eq!(state.record.ended_at, None);
}

#[test]
fn a_match_past_the_hard_age_is_torn_down_though_faceit_says_it_runs() {
    let (mut state, mut toy) = standing();
    let hours = 8 * 3600;
    let ongoing = || api(facts(Status::Ongoing, &[11, 12], &[21, 22]));
    let decision = go(&mut state, &mut toy, ongoing(), hours - 20);
    assert_eq!(decision.look_again, Some(at(hours)));
    go(&mut state, &mut toy, ongoing(), hours);
    assert_eq!(toy.made(), [ONE, TWO]);
    go(&mut state, &mut toy, ongoing(), hours + 60);
    assert!(toy.made().is_empty());
    assert_eq!(go(&mut state, &mut toy, ongoing(), hours + 120).look_again, None);
}

#[test]
fn what_staff_takes_down_goes_without_grace_and_stays_away_unless_faceit_runs_it_again() {
    let (mut state, mut toy) = standing();
    let ready = || api(facts(Status::Ready, &[11, 12], &[21, 22]));
    state.record.teardown_at = Some(at(10));
    let decision = go(&mut state, &mut toy, ready(), 10);
    assert!(toy.made().is_empty());
    assert_eq!(decision.notes, [Note::TakenDown, Note::Closed]);
    assert_eq!(decision.look_again, None);
    go(
        &mut state,
        &mut toy,
        api(facts(Status::Ongoing, &[11, 12], &[21, 22])),
        300,
    );
    assert!(toy.made().is_empty());

    go(
        &mut state,
        &mut toy,
        api(facts(Status::Cancelled, &[11, 12], &[21, 22])),
        400,
    );
    go(&mut state, &mut toy, ready(), 500);
    assert_eq!(toy.made(), [ONE, TWO]);
}

#[test]
fn staff_cuts_a_grace_period_short() {
    let (mut state, mut toy) = standing();
    let finished = || api(facts(Status::Finished, &[11, 12], &[21, 22]));
    go(&mut state, &mut toy, finished(), 10);
    assert_eq!(toy.made(), [ONE, TWO]);
    state.record.teardown_at = Some(at(11));
    go(&mut state, &mut toy, finished(), 11);
    assert!(toy.made().is_empty());
}

#[test]
fn a_create_without_an_answer_is_looked_for_before_anything_is_created_again() {
    let (mut state, mut toy) = (state([11, 21]), Toy::new([11, 21]));
    let mut lost = [Luck::LostAfter, Luck::LostBefore].into_iter();
    let ready = || api(facts(Status::Ready, &[11], &[21]));
    run(&mut state, ready(), at(0), &mut toy, &mut || {
        lost.next().unwrap_or(Luck::Fine)
    });
    assert_eq!(toy.made(), [ONE]);
    go(&mut state, &mut toy, ready(), 2);
    assert_eq!(toy.made(), [ONE, TWO]);
    assert_eq!(toy.who_sits_in(ONE), set(&[11]));
}

#[test]
fn a_create_that_takes_effect_late_is_found_and_removed_at_the_end() {
    let (mut state, mut toy) = (state([11, 21]), Toy::new([11, 21]));
    let mut lost = [Luck::LostBefore].into_iter();
    let ready = || api(facts(Status::Ready, &[11], &[21]));
    run(&mut state, ready(), at(0), &mut toy, &mut || {
        lost.next().unwrap_or(Luck::Fine)
    });
    go(&mut state, &mut toy, ready(), 2);
    toy.channels.insert(channel(5000), (ONE.to_owned(), Some(at(30))));
    go(&mut state, &mut toy, api(facts(Status::Finished, &[11], &[21])), 40);
    go(&mut state, &mut toy, Event::Tick, 100);
    assert!(toy.made().is_empty());
    assert!(state.record.closed_at.is_some());
}

#[test]
fn a_refused_create_is_shown_and_tried_again_only_after_ten_minutes() {
    let (mut state, mut toy) = (state([11, 21]), Toy::new([11, 21]));
    let ready = || api(facts(Status::Ready, &[11], &[21]));
    run(&mut state, ready(), at(0), &mut toy, &mut || Luck::Refused);
    assert_eq!(toy.calls.len(), 2);
    let decision = go(&mut state, &mut toy, ready(), 60);
    assert_eq!(toy.calls.len(), 2);
    assert_eq!(
        decision.notes[0],
        Note::Blocked {
            faction: Faction::One,
            why: "no".to_owned()
        }
    );
    go(&mut state, &mut toy, ready(), 600);
    assert_eq!(toy.made(), [ONE, TWO]);
}

#[test]
fn when_the_api_lags_behind_its_own_webhook_we_look_again_soon() {
    let (mut state, mut toy) = (state([11, 21]), Toy::new([11, 21]));
    state.announced = Some(Announced {
        status: Status::Ready,
        version: Some(13),
        at: at(0),
    });
    let decision = go(&mut state, &mut toy, api(MatchFacts::bare(Status::Gone)), 1);
    assert_eq!(decision.look_again, Some(at(6)));
    let decision = go(&mut state, &mut toy, api(facts(Status::Ready, &[11], &[21])), 6);
    assert_eq!(decision.look_again, Some(at(66)));
    assert_eq!(toy.made(), [ONE, TWO]);
}

#[test]
fn a_match_put_off_to_another_day_loses_its_channels_and_is_waited_for() {
    let (mut state, mut toy) = standing();
    let mut later = facts(Status::Scheduled, &[11, 12], &[21, 22]);
    later.scheduled_at = Some(at(86_400));
    go(&mut state, &mut toy, api(later.clone()), 10);
    go(&mut state, &mut toy, api(later.clone()), 70);
    assert!(toy.made().is_empty());
    let decision = go(&mut state, &mut toy, api(later), 130);
    assert_eq!(decision.look_again, Some(at(130) + Duration::from_secs(3600)));
    assert_eq!(state.record.closed_at, None);
}

#[test]
fn a_channel_that_is_gone_is_forgotten_and_made_again() {
    let (mut state, mut toy) = (state([11, 12, 21]), Toy::new([11, 21]));
    go(
        &mut state,
        &mut toy,
        api(facts(Status::Configuring, &[11, 12], &[21])),
        0,
    );
    let gone = *toy
        .channels
        .iter()
        .find(|(_, (name, at))| name == ONE && at.is_some())
        .expect("it stands")
        .0;
    toy.channels.remove(&gone);
    toy.seats.insert(user(11), channel(LOBBY));
    toy.seats.insert(user(12), channel(LOBBY));
    go(&mut state, &mut toy, api(facts(Status::Ready, &[11, 12], &[21])), 30);
    assert_eq!(toy.who_sits_in(ONE), set(&[11, 12]));
    assert_eq!(toy.made().len(), 2);
}

#[test]
fn a_refused_look_for_a_lost_channel_is_not_repeated_at_once_and_nothing_is_created_meanwhile() {
    let (mut state, mut toy) = (state([11, 21]), Toy::new([11, 21]));
    let ready = || api(facts(Status::Ready, &[11], &[21]));
    run(&mut state, ready(), at(0), &mut toy, &mut || Luck::LostAfter);
    let calls = toy.calls.len();
    run(&mut state, ready(), at(2), &mut toy, &mut || Luck::Refused);
    assert_eq!(toy.calls.len(), calls + 2, "one look for each faction");
    go(&mut state, &mut toy, ready(), 60);
    assert_eq!(toy.calls.len(), calls + 2);
    go(&mut state, &mut toy, ready(), 602);
    assert_eq!(toy.made(), [ONE, TWO], "found, not made again");
}

#[test]
fn a_step_that_was_never_sent_leaves_nothing_to_look_for_and_is_planned_again() {
    let (mut state, mut toy) = (state([11, 21]), Toy::new([11, 21]));
    let ready = || api(facts(Status::Ready, &[11], &[21]));
    let asked = decide(&mut state, &ready(), at(0));
    let not_sent = asked
        .actions
        .iter()
        .map(|action| (action.clone(), Outcome::NotSent))
        .collect();
    let again = decide(&mut state, &Event::Outcomes(not_sent), at(1));
    assert_eq!(again.actions, asked.actions);
    // It was called off before the creates had their turn.
    let not_sent = asked
        .actions
        .into_iter()
        .map(|action| (action, Outcome::NotSent))
        .collect();
    absorb(&mut state, &Event::Outcomes(not_sent), at(2));
    assert_eq!(state.record.slots, BTreeMap::new());
    go(&mut state, &mut toy, ready(), 3);
    toy.calls.clear();
    // A move, and then the end, which also has to wait for its turn.
    let moves = vec![Luck::NotSent; 2];
    state.record.members.clear();
    let mut moves = moves.into_iter();
    run(&mut state, ready(), at(4), &mut toy, &mut || {
        moves.next().unwrap_or(Luck::Fine)
    });
    assert_eq!((toy.who_sits_in(ONE), toy.who_sits_in(TWO)), (set(&[11]), set(&[21])));
    let mut luck = [Luck::NotSent, Luck::Fine].into_iter().cycle();
    let over = || api(facts(Status::Finished, &[], &[]));
    run(&mut state, over(), at(5), &mut toy, &mut lucky);
    run(&mut state, over(), at(70), &mut toy, &mut || {
        luck.next().unwrap_or(Luck::Fine)
    });
    assert!(state.record.closed_at.is_some());
    assert_eq!(toy.who_sits_in(ONE), set(&[]));
}
