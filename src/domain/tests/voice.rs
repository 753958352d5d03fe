//! Who is moved and who is left alone, as short stories: late joiners, source channels, leaving by oneself, opting out, going back.

use std::sync::Arc;

use crate::domain::{
    decide::decide,
    event::{Event, Link, State},
    ids::Faction,
    match_facts::{MatchFacts, Status},
    plan::{Decision, Destination, Note},
    record::Placement,
    seats::Seats,
    settings::{ReturnTo, Settings},
    tests::toy::{BAR, LOBBY, Luck, Toy, api, at, channel, facts, lucky, player, run, state, user},
};

const ONE: &str = "match-5cd68867-faction1";
const TWO: &str = "match-5cd68867-faction2";

fn ready() -> MatchFacts {
    facts(Status::Ready, &[11, 12], &[21, 22])
}

fn over() -> MatchFacts {
    facts(Status::Finished, &[11, 12], &[21, 22])
}

fn set(state: &mut State, change: impl FnOnce(&mut Settings)) {
    let settings = state.settings.as_mut().expect("a guild claims it");
    change(Arc::make_mut(settings));
}

fn only_from_the_lobby(state: &mut State) {
    set(state, |settings| settings.source_channels = [channel(LOBBY)].into());
}

fn link(state: &mut State, id: u64, opted_out: bool) {
    let (user, verified) = (user(id), true);
    let link = Link {
        user,
        opted_out,
        verified,
    };
    state.links.insert(player(id), link);
}

/// A 2v2 that is about to begin; the gateway is listened to.
fn heard() -> (State, Toy) {
    let users = [11, 12, 21, 22];
    (state(users), Toy::told(users, true))
}

/// The same, under way: everybody in his channel.
fn standing() -> (State, Toy) {
    let (mut state, mut toy) = heard();
    go(&mut state, &mut toy, api(ready()), 0);
    toy.calls.clear();
    (state, toy)
}

fn go(state: &mut State, toy: &mut Toy, event: Event, seconds: u64) -> Decision {
    run(state, event, at(seconds), toy, &mut lucky)
}

/// What happens when the gateway tells of something: the match is looked at, FACEIT says the same as before.
fn look(state: &mut State, toy: &mut Toy, seconds: u64) -> Decision {
    go(state, toy, Event::Tick, seconds)
}

fn channel_of(state: &State, faction: Faction) -> u64 {
    let slot = state.record.slots.get(&faction);
    slot.and_then(|slot| slot.channel).expect("it stands").get()
}

#[test]
fn nobody_absent_costs_a_call_and_a_late_joiner_is_moved_at_once() {
    let (mut state, mut toy) = heard();
    toy.goes(12, None);
    let decision = go(&mut state, &mut toy, api(ready()), 0);
    insta::assert_snapshot!(decision, @r"
    nothing to do
      (Nick12 (faction1) was not in voice)
    ");
    assert_eq!(toy.calls.len(), 5, "two channels, three moves");
    go(
        &mut state,
        &mut toy,
        api(facts(Status::Ongoing, &[11, 12], &[21, 22])),
        10,
    );
    assert_eq!(toy.calls.len(), 5, "nor does a new status");
    toy.goes(12, Some(BAR));
    state.seats = Seats::default();
    state.seats.hear(toy.hear());
    let plan = decide(&mut state.clone(), &Event::Tick, at(11));
    insta::assert_snapshot!(plan, @"- move member 12 to the channel of faction1");
    look(&mut state, &mut toy, 11);
    assert_eq!(toy.calls.len(), 6);
    assert_eq!(toy.seat(12), Some(channel_of(&state, Faction::One)));
    look(&mut state, &mut toy, 12);
    assert_eq!(toy.calls.len(), 6, "told twice");
}

#[test]
fn who_leaves_for_another_channel_is_left_alone_until_he_hangs_up() {
    let (mut state, mut toy) = standing();
    toy.goes(12, Some(BAR));
    let decision = look(&mut state, &mut toy, 10);
    assert_eq!(
        decision.notes,
        [Note::WentElsewhere {
            faction: Faction::One,
            nickname: "Nick12".to_owned()
        }]
    );
    toy.goes(12, Some(LOBBY));
    look(&mut state, &mut toy, 20);
    assert!(toy.calls.is_empty());
    toy.goes(12, None);
    look(&mut state, &mut toy, 30);
    assert!(toy.calls.is_empty());
    assert_eq!(state.record.members[&user(12)].placement, Placement::Absent);
    toy.goes(12, Some(LOBBY));
    look(&mut state, &mut toy, 40);
    assert_eq!(toy.seat(12), Some(channel_of(&state, Faction::One)));
    assert_eq!(toy.calls.len(), 1);
}

#[test]
fn who_hangs_up_and_comes_back_before_anybody_looks_is_a_late_joiner_too() {
    let (mut state, mut toy) = standing();
    toy.goes(12, None);
    toy.goes(12, Some(LOBBY));
    look(&mut state, &mut toy, 10);
    assert_eq!(toy.seat(12), Some(channel_of(&state, Faction::One)));
    toy.goes(12, Some(BAR));
    look(&mut state, &mut toy, 20);
    assert_eq!(toy.seat(12), Some(BAR));
}

#[test]
fn who_enters_by_himself_costs_no_call_and_may_leave_again() {
    let (mut state, mut toy) = heard();
    toy.goes(12, None);
    go(&mut state, &mut toy, api(ready()), 0);
    toy.calls.clear();
    toy.goes(12, Some(channel_of(&state, Faction::One)));
    look(&mut state, &mut toy, 10);
    toy.goes(12, Some(BAR));
    look(&mut state, &mut toy, 20);
    assert!(toy.calls.is_empty());
    assert_eq!(toy.seat(12), Some(BAR));
}

#[test]
fn a_new_life_of_the_match_brings_everybody_in_once_more() {
    let (mut state, mut toy) = standing();
    toy.goes(12, Some(BAR));
    look(&mut state, &mut toy, 10);
    go(
        &mut state,
        &mut toy,
        api(facts(Status::Cancelled, &[11, 12], &[21, 22])),
        20,
    );
    go(&mut state, &mut toy, api(ready()), 30);
    assert_eq!(toy.seat(12), Some(channel_of(&state, Faction::One)));
}

#[test]
fn only_people_in_source_channels_are_moved_and_the_others_when_they_enter_one() {
    let (mut state, mut toy) = heard();
    only_from_the_lobby(&mut state);
    toy.goes(12, Some(BAR));
    let decision = go(&mut state, &mut toy, api(ready()), 0);
    insta::assert_snapshot!(decision, @r"
    nothing to do
      (Nick12 (faction1) is in a voice channel that nobody is moved from; he is moved when he enters one of this server's source channels)
    ");
    assert_eq!(toy.calls.len(), 5);
    toy.goes(12, None);
    look(&mut state, &mut toy, 10);
    toy.goes(12, Some(BAR));
    look(&mut state, &mut toy, 20);
    assert_eq!(toy.calls.len(), 5);
    toy.goes(12, Some(LOBBY));
    look(&mut state, &mut toy, 30);
    assert_eq!(toy.calls.len(), 6);
    assert_eq!(toy.seat(12), Some(channel_of(&state, Faction::One)));
}

#[test]
fn who_sits_in_the_other_teams_channel_is_moved_wherever_people_are_moved_from() {
    let (mut state, mut toy) = standing();
    only_from_the_lobby(&mut state);
    go(
        &mut state,
        &mut toy,
        api(facts(Status::Ready, &[11, 22], &[21, 12])),
        10,
    );
    assert_eq!(toy.who_sits_in(ONE), [11, 22].into());
    assert_eq!(toy.who_sits_in(TWO), [12, 21].into());
    assert_eq!(state.record.members[&user(12)].came_from, Some(channel(LOBBY)));
}

#[test]
fn without_the_gateway_people_are_asked_for_where_only_some_channels_count() {
    let (mut state, mut toy) = heard();
    toy.heard = false;
    only_from_the_lobby(&mut state);
    toy.goes(12, Some(BAR));
    toy.goes(22, None);
    go(&mut state, &mut toy, api(ready()), 0);
    assert_eq!(toy.calls.len(), 2 + 4 + 2, "channels, questions, moves");
    assert_eq!((toy.seat(12), toy.seat(22)), (Some(BAR), None));
    look(&mut state, &mut toy, 60);
    assert_eq!(toy.calls.len(), 8);
    toy.goes(12, Some(LOBBY));
    toy.goes(22, Some(LOBBY));
    go(
        &mut state,
        &mut toy,
        api(facts(Status::Ongoing, &[11, 12], &[21, 22])),
        120,
    );
    assert_eq!(toy.calls.len(), 8 + 4);
    assert_eq!(toy.who_sits_in(ONE), [11, 12].into());
    assert_eq!(toy.who_sits_in(TWO), [21, 22].into());
}

#[test]
fn who_is_absent_for_long_is_asked_for_because_an_event_may_be_lost() {
    let (mut state, mut toy) = heard();
    toy.goes(12, None);
    go(&mut state, &mut toy, api(ready()), 0);
    toy.calls.clear();
    look(&mut state, &mut toy, 599);
    assert!(toy.calls.is_empty());
    look(&mut state, &mut toy, 600);
    look(&mut state, &mut toy, 660);
    assert_eq!(toy.calls.len(), 1, "asked once, and not in voice");
    // His coming is never told: the gateway says he is not there.
    toy.goes(12, Some(LOBBY));
    state.seats = Seats::default();
    let mut deaf = toy.hear().expect("it is listened to");
    deaf.seated.remove(&user(12));
    state.seats.hear(Some(deaf));
    let plan = decide(&mut state.clone(), &Event::Tick, at(1200));
    insta::assert_snapshot!(plan, @"- ask where member 12 is in voice");
    look(&mut state, &mut toy, 1200);
    assert_eq!(toy.seat(12), Some(channel_of(&state, Faction::One)));
}

#[test]
fn who_is_linked_during_the_match_is_let_in_and_moved() {
    let users = [11, 12, 21, 22];
    let (mut state, mut toy) = (state([11, 21, 22]), Toy::told(users, true));
    go(&mut state, &mut toy, api(ready()), 0);
    link(&mut state, 12, false);
    look(&mut state, &mut toy, 10);
    assert_eq!(toy.who_sits_in(ONE), [11, 12].into());
    assert_eq!(toy.calls.len(), 5 + 2, "access and a move");
}

#[test]
fn who_opts_out_is_never_moved_not_even_back_and_who_opts_in_is_moved_at_once() {
    let (mut state, mut toy) = heard();
    link(&mut state, 12, true);
    link(&mut state, 22, true);
    let decision = go(&mut state, &mut toy, api(ready()), 0);
    assert_eq!(toy.seat(12), Some(LOBBY));
    assert_eq!(
        decision.notes[0],
        Note::OptedOut {
            faction: Faction::One,
            nickname: "Nick12".to_owned()
        }
    );
    toy.goes(12, Some(channel_of(&state, Faction::One)));
    look(&mut state, &mut toy, 10);
    link(&mut state, 22, false);
    look(&mut state, &mut toy, 20);
    assert_eq!(toy.seat(22), Some(channel_of(&state, Faction::Two)));
    go(&mut state, &mut toy, api(over()), 30);
    look(&mut state, &mut toy, 90);
    assert!(toy.made().is_empty());
    assert!(toy.moves.iter().all(|(who, ..)| *who != user(12)));
}

#[test]
fn who_opts_out_during_the_match_stays_even_when_he_is_replaced() {
    let (mut state, mut toy) = standing();
    link(&mut state, 12, true);
    look(&mut state, &mut toy, 10);
    go(&mut state, &mut toy, api(facts(Status::Ready, &[11], &[21, 22])), 20);
    assert_eq!(toy.seat(12), Some(channel_of(&state, Faction::One)));
}

#[test]
fn a_new_status_changes_nothing_for_those_whose_seats_are_known() {
    let (mut state, mut toy) = heard();
    toy.goes(12, None);
    go(&mut state, &mut toy, api(ready()), 0);
    let members = state.record.members.clone();
    go(
        &mut state,
        &mut toy,
        api(facts(Status::Ongoing, &[11, 12], &[21, 22])),
        10,
    );
    assert_eq!(state.record.members, members);
}

#[test]
fn without_the_gateway_whom_an_event_speaks_of_is_tried_at_once() {
    let (mut state, mut toy) = heard();
    toy.heard = false;
    toy.goes(12, None);
    go(&mut state, &mut toy, api(ready()), 0);
    toy.goes(12, Some(BAR));
    look(&mut state, &mut toy, 10);
    assert_eq!(toy.seat(12), Some(BAR));
    // Another process hears of it, and notes that he is to be tried.
    let member = state.record.members.get_mut(&user(12)).expect("he was absent");
    member.asked += 1;
    look(&mut state, &mut toy, 11);
    assert_eq!(toy.seat(12), Some(channel_of(&state, Faction::One)));
}

#[test]
fn a_move_that_is_asked_for_is_made_once_wherever_he_went() {
    let (mut state, mut toy) = standing();
    toy.goes(12, Some(BAR));
    look(&mut state, &mut toy, 10);
    let member = state.record.members.get_mut(&user(12)).expect("he was moved");
    member.asked += 1;
    look(&mut state, &mut toy, 20);
    assert_eq!(toy.seat(12), Some(channel_of(&state, Faction::One)));
    assert_eq!(state.record.members[&user(12)].came_from, Some(channel(BAR)));
    toy.goes(12, Some(BAR));
    look(&mut state, &mut toy, 30);
    assert_eq!(toy.seat(12), Some(BAR), "answered");
    assert_eq!(toy.calls.len(), 1);
}

#[test]
fn a_substitute_who_connects_late_comes_in_and_who_is_replaced_goes_back() {
    let (mut state, mut toy) = heard();
    toy.goes(12, Some(BAR));
    go(&mut state, &mut toy, api(ready()), 0);
    link(&mut state, 13, false);
    let substituted = facts(Status::Ready, &[11, 13], &[21, 22]);
    go(&mut state, &mut toy, api(substituted.clone()), 10);
    assert_eq!(toy.seat(12), Some(BAR), "where he came from");
    assert!(!state.record.members.contains_key(&user(12)));
    toy.goes(13, Some(LOBBY));
    go(&mut state, &mut toy, api(substituted), 20);
    assert_eq!(toy.who_sits_in(ONE), [11, 13].into());
}

#[test]
fn who_is_replaced_and_sits_elsewhere_is_not_touched() {
    let (mut state, mut toy) = standing();
    toy.goes(12, Some(BAR));
    go(&mut state, &mut toy, api(facts(Status::Ready, &[11], &[21, 22])), 10);
    assert_eq!(toy.seat(12), Some(BAR));
    assert!(toy.moves.iter().filter(|(who, ..)| *who == user(12)).count() == 1);
    assert!(!state.record.members.contains_key(&user(12)));
}

#[test]
fn at_the_end_everybody_goes_back_to_where_he_came_from() {
    let (mut state, mut toy) = heard();
    toy.goes(12, Some(BAR));
    toy.goes(33, Some(BAR));
    go(&mut state, &mut toy, api(ready()), 0);
    toy.goes(33, Some(channel_of(&state, Faction::Two)));
    go(&mut state, &mut toy, api(over()), 100);
    state.seats = Seats::default();
    state.seats.hear(toy.hear());
    insta::assert_snapshot!(decide(&mut state.clone(), &Event::Tick, at(160)), @r"
    - move member 11 to the lobby 7
    - move member 12 to channel 9, where he came from
    - move member 21 to the lobby 7
    - move member 22 to the lobby 7
    - move member 33 to the lobby 7
    ");
    look(&mut state, &mut toy, 160);
    let seats = [11, 12, 21, 22, 33].map(|id| toy.seat(id));
    assert_eq!(
        seats,
        [Some(LOBBY), Some(BAR), Some(LOBBY), Some(LOBBY), Some(LOBBY)],
        "33 is nobody's player"
    );
    assert!(toy.made().is_empty());
}

#[test]
fn where_he_came_from_is_known_though_the_answer_to_his_move_was_lost_and_in_the_next_life() {
    let (mut state, mut toy) = heard();
    toy.goes(12, Some(BAR));
    let mut third = 0;
    let mut lose_moves = || {
        third += 1;
        if third > 2 { Luck::LostAfter } else { Luck::Fine }
    };
    run(&mut state, api(ready()), at(0), &mut toy, &mut lose_moves);
    look(&mut state, &mut toy, 2);
    go(
        &mut state,
        &mut toy,
        api(facts(Status::Cancelled, &[11, 12], &[21, 22])),
        20,
    );
    go(&mut state, &mut toy, api(ready()), 30);
    assert_eq!(toy.who_sits_in(ONE), [11, 12].into());
    go(&mut state, &mut toy, api(over()), 100);
    look(&mut state, &mut toy, 160);
    assert_eq!(toy.seat(12), Some(BAR));
}

#[test]
fn who_cannot_go_back_goes_to_the_lobby() {
    let bar = channel(BAR);
    let came_from_the_bar = || {
        let (mut state, mut toy) = heard();
        toy.goes(12, Some(BAR));
        go(&mut state, &mut toy, api(ready()), 0);
        go(&mut state, &mut toy, api(over()), 100);
        (state, toy)
    };
    let (mut state, mut toy) = came_from_the_bar();
    toy.channels.remove(&bar);
    let calls = toy.calls.len();
    look(&mut state, &mut toy, 160);
    assert_eq!(
        (toy.seat(12), toy.calls.len()),
        (Some(LOBBY), calls + 4 + 2),
        "it is known to be gone"
    );

    let (mut state, mut toy) = came_from_the_bar();
    let mut refuse_first = true;
    let mut luck = || {
        // Of four moves it is the second that goes to the bar.
        let calls = std::mem::take(&mut refuse_first);
        if calls { Luck::Fine } else { Luck::Refused }
    };
    run(&mut state, Event::Tick, at(160), &mut toy, &mut luck);
    let tried: Vec<_> = toy
        .moves
        .iter()
        .filter(|(who, ..)| *who == user(12))
        .map(|(.., to)| *to)
        .collect();
    assert_eq!(tried[1..], [Destination::Back(bar), Destination::Lobby(channel(LOBBY))]);

    let (mut state, mut toy) = came_from_the_bar();
    state.other_matches.insert(bar);
    look(&mut state, &mut toy, 160);
    assert_eq!(toy.seat(12), Some(LOBBY), "it is a match's channel");
}

#[test]
fn a_refused_move_home_never_blocks_the_deletion() {
    let (mut state, mut toy) = standing();
    go(&mut state, &mut toy, api(over()), 100);
    let mut moves = 0;
    let mut luck = || {
        moves += 1;
        if moves <= 4 { Luck::Refused } else { Luck::Fine }
    };
    run(&mut state, Event::Tick, at(160), &mut toy, &mut luck);
    assert!(toy.made().is_empty());
    assert_eq!(toy.calls.len(), 4 + 2);
}

#[test]
fn a_guild_may_want_everybody_in_the_lobby_or_nobody_moved() {
    for (return_to, seat) in [(ReturnTo::Lobby, Some(LOBBY)), (ReturnTo::Stay, None)] {
        let (mut state, mut toy) = heard();
        set(&mut state, |settings| settings.return_to = return_to);
        toy.goes(12, Some(BAR));
        go(&mut state, &mut toy, api(ready()), 0);
        go(&mut state, &mut toy, api(over()), 100);
        look(&mut state, &mut toy, 160);
        assert_eq!(toy.seat(12), seat, "{return_to:?}");
        assert!(toy.made().is_empty());
    }
}

#[test]
fn without_the_gateway_and_without_a_lobby_nobody_is_asked_for_at_the_end() {
    let (mut state, mut toy) = heard();
    toy.heard = false;
    set(&mut state, |settings| settings.lobby = None);
    go(&mut state, &mut toy, api(ready()), 0);
    go(&mut state, &mut toy, api(over()), 100);
    let calls = toy.calls.len();
    look(&mut state, &mut toy, 160);
    assert_eq!(toy.calls.len(), calls + 2);
}

#[test]
fn a_stray_channel_is_emptied_before_it_is_deleted() {
    let (mut state, mut toy) = standing();
    let stray = channel(5000);
    toy.channels.insert(stray, (ONE.to_owned(), Some(at(1))));
    let slot = state.record.slots.get_mut(&Faction::One).expect("it stands");
    slot.strays.insert(stray);
    toy.goes(12, Some(5000));
    toy.goes(33, Some(5000));
    look(&mut state, &mut toy, 10);
    assert_eq!(toy.who_sits_in(ONE), [11, 12].into());
    assert_eq!(toy.seat(33), Some(LOBBY));
    assert_eq!(toy.made(), [ONE, TWO]);
}

#[test]
fn who_is_refused_waits_ten_minutes_however_often_he_changes_channels() {
    let (mut state, mut toy) = heard();
    let mut calls = 0;
    let mut luck = || {
        calls += 1;
        if calls > 2 { Luck::Refused } else { Luck::Fine }
    };
    run(&mut state, api(ready()), at(0), &mut toy, &mut luck);
    assert_eq!(toy.calls.len(), 6);
    toy.goes(12, Some(BAR));
    look(&mut state, &mut toy, 10);
    assert_eq!(toy.calls.len(), 6);
    look(&mut state, &mut toy, 600);
    assert_eq!(toy.who_sits_in(ONE), [11, 12].into());
}

#[test]
fn who_is_refused_is_tried_again_a_minute_later_when_what_we_may_do_has_changed() {
    let (mut state, mut toy) = heard();
    let mut calls = 0;
    let mut luck = || {
        calls += 1;
        if calls > 2 { Luck::Refused } else { Luck::Fine }
    };
    run(&mut state, api(ready()), at(0), &mut toy, &mut luck);
    state.record.members.values_mut().for_each(|member| member.asked += 1);
    look(&mut state, &mut toy, 59);
    assert_eq!(toy.calls.len(), 6);
    look(&mut state, &mut toy, 60);
    assert_eq!(toy.who_sits_in(ONE), [11, 12].into());
    assert_eq!(toy.who_sits_in(TWO), [21, 22].into());
}
