//! When a channel can't be made, is gone, or its guild can't be reached.

use std::{sync::Arc, time::Duration};

use crate::domain::{
    decide::decide,
    event::{Event, State},
    guild::{Away, Overflow},
    ids::{Faction, RoleId},
    match_facts::Status,
    plan::{Action, Decision, Note, Outcome},
    record::Obstacle,
    seats::Fullness,
    settings::Settings,
    tests::toy::{LOBBY, Luck, Toy, api, at, channel, facts, lucky, run, state, user},
};

const ONE: &str = "match-5cd68867-faction1";
const TWO: &str = "match-5cd68867-faction2";
const CATEGORY: u64 = 9;
const FURTHER: u64 = 10;
const DAY: u64 = 24 * 3600;

fn set(state: &mut State, change: impl FnOnce(&mut Settings)) {
    let settings = state.settings.as_mut().expect("a guild claims it");
    change(Arc::make_mut(settings));
}

fn ready() -> Event {
    api(facts(Status::Ready, &[11], &[21]))
}

/// One against one, in a guild with a category.
fn scene() -> (State, Toy) {
    let (mut state, mut toy) = (state([11, 21]), Toy::new([11, 21]));
    set(&mut state, |settings| settings.category = Some(channel(CATEGORY)));
    toy.channels.insert(channel(CATEGORY), ("Matches".to_owned(), None));
    (state, toy)
}

fn go(state: &mut State, toy: &mut Toy, event: Event, seconds: u64) -> Decision {
    run(state, event, at(seconds), toy, &mut lucky)
}

/// What the gateway says of how full it is.
fn full(channels: usize, in_category: usize) -> Option<Fullness> {
    Some(Fullness {
        channels,
        by_category: [(channel(CATEGORY), in_category)].into(),
    })
}

#[test]
fn staff_and_spectators_are_in_the_plan() {
    let (mut state, _) = scene();
    set(&mut state, |settings| {
        settings.staff_roles = [1, 2].into_iter().filter_map(RoleId::new).collect();
        settings.spectator_roles = RoleId::new(3).into_iter().collect();
    });
    insta::assert_snapshot!(decide(&mut state, &ready(), at(0)), @r"
    - create voice channel 'match-5cd68867-faction1' for faction1 in category 9, open to 1 linked player, 2 staff roles, 1 spectator role (listening)
    - create voice channel 'match-5cd68867-faction2' for faction2 in category 9, open to 1 linked player, 2 staff roles, 1 spectator role (listening)
    ");
}

#[test]
fn a_full_category_is_not_asked_and_both_channels_wait_for_a_further_one() {
    let (mut state, mut toy) = scene();
    state.guild.fullness = full(100, 49);
    let decision = go(&mut state, &mut toy, ready(), 0);
    insta::assert_snapshot!(decision, @r"
    nothing to do
      (the channel of faction1 is blocked: category 9 is full (50 channels); a further one is being made)
      (the channel of faction2 is blocked: category 9 is full (50 channels); a further one is being made)
    ");
    assert_eq!((toy.calls.len(), decision.look_again), (0, Some(at(60))));
    toy.channels
        .insert(channel(FURTHER), ("Matches 2".to_owned(), Some(at(1))));
    state.guild.overflow = vec![Overflow {
        channel: channel(FURTHER),
        base: channel(CATEGORY),
    }];
    go(&mut state, &mut toy, ready(), 2);
    assert_eq!((toy.made().len(), toy.inside(channel(FURTHER))), (3, 2));
    assert!(state.record.slots.values().all(|slot| slot.blocked.is_none()));
}

#[test]
fn when_discord_says_that_a_category_is_full_it_is_believed_and_not_asked_again_at_once() {
    let (mut state, mut toy) = scene();
    for id in 500..549 {
        toy.channels.insert(channel(id), ("another's".to_owned(), None));
        toy.parents.insert(channel(id), channel(CATEGORY));
    }
    let decision = go(&mut state, &mut toy, ready(), 0);
    assert_eq!(toy.made(), [ONE], "there was room for one");
    let why = "category 9 is full (50 channels); a further one is being made".to_owned();
    let blocked = Note::Blocked {
        faction: Faction::Two,
        why,
    };
    assert_eq!(decision.notes, [blocked]);
    let calls = toy.calls.len();
    state.guild.closed.clear();
    go(&mut state, &mut toy, ready(), 60);
    assert_eq!(toy.calls.len(), calls);
    state.guild.closed.clear();
    toy.remove(channel(500));
    go(&mut state, &mut toy, ready(), 600);
    assert_eq!(toy.made().len(), 2);
}

#[test]
fn where_nobody_wants_further_categories_a_full_one_says_what_to_do() {
    let (mut state, mut toy) = scene();
    set(&mut state, |settings| settings.overflow = false);
    state.guild.fullness = full(100, 50);
    let decision = go(&mut state, &mut toy, ready(), 0);
    assert!(matches!(&decision.notes[0], Note::Blocked { why, .. } if why.contains("OVERFLOW_CATEGORIES")));
    state.guild.fullness = full(99, 49);
    go(&mut state, &mut toy, ready(), 60);
    assert_eq!(toy.made(), [ONE], "one is better than none");
}

#[test]
fn a_guild_with_room_for_one_channel_only_is_refused_before_anything_is_asked() {
    let (mut state, mut toy) = scene();
    state.guild.fullness = full(499, 3);
    let decision = go(&mut state, &mut toy, ready(), 0);
    insta::assert_snapshot!(decision, @r"
    nothing to do
      (the channel of faction1 is blocked: the Discord server has room for 1 more of its 500 channels, and this match needs 2; delete some that nobody needs)
      (the channel of faction2 is blocked: the Discord server has room for 1 more of its 500 channels, and this match needs 2; delete some that nobody needs)
    ");
    assert!(toy.calls.is_empty());
    state.guild.fullness = full(498, 3);
    go(&mut state, &mut toy, ready(), 60);
    assert!(
        toy.calls.is_empty(),
        "not before a channel was deleted, or ten minutes are over"
    );
    state.guild.room_at = Some(at(61));
    go(&mut state, &mut toy, ready(), 61);
    assert_eq!(toy.made(), [ONE, TWO]);
}

#[test]
fn a_refusal_is_tried_again_when_something_changed_but_not_at_every_change() {
    let (mut state, mut toy) = scene();
    run(&mut state, ready(), at(0), &mut toy, &mut || Luck::Refused);
    assert_eq!(toy.calls.len(), 2);
    state.guild.rights_at = Some(at(5));
    let decision = go(&mut state, &mut toy, ready(), 5);
    assert_eq!((toy.calls.len(), decision.look_again), (2, Some(at(30))));
    run(&mut state, ready(), at(30), &mut toy, &mut || Luck::Refused);
    assert_eq!(toy.calls.len(), 4);
    let decision = go(&mut state, &mut toy, ready(), 300);
    assert_eq!(
        (toy.calls.len(), decision.look_again),
        (4, Some(at(360))),
        "nothing changed since"
    );
    state.guild.rights_at = Some(at(301));
    go(&mut state, &mut toy, ready(), 301);
    assert_eq!(toy.made(), [ONE, TWO]);
}

#[test]
fn access_and_moves_that_were_refused_are_tried_again_when_the_bot_may_do_more() {
    let (mut state, mut toy) = scene();
    go(&mut state, &mut toy, ready(), 0);
    state.links = super::toy::state([11, 12, 21]).links;
    toy.seats.insert(user(12), channel(LOBBY));
    let two = || api(facts(Status::Ready, &[11, 12], &[21]));
    run(&mut state, two(), at(10), &mut toy, &mut || Luck::Refused);
    let calls = toy.calls.len();
    go(&mut state, &mut toy, two(), 100);
    assert_eq!(toy.calls.len(), calls);
    state.guild.rights_at = Some(at(101));
    let decision = go(&mut state, &mut toy, two(), 101);
    assert_eq!((toy.who_sits_in(ONE), decision.notes), ([11, 12].into(), vec![]));
    assert!(state.record.slots[&Faction::One].access.contains(&user(12)));
    assert_eq!(state.record.slots[&Faction::One].access_blocked, None);
}

#[test]
fn what_discord_puts_off_is_not_asked_for_before() {
    let (mut state, mut toy) = scene();
    let plan = decide(&mut state, &ready(), at(0));
    let later = Outcome::Later {
        after: Duration::from_secs(7200),
        why: "a daily limit".to_owned(),
    };
    let outcomes = plan.actions.into_iter().map(|action| (action, later.clone())).collect();
    let decision = decide(&mut state, &Event::Outcomes(outcomes), at(0));
    insta::assert_snapshot!(decision, @r"
    nothing to do
      (the channel of faction1 is blocked: not before 2026-09-21 16:13:20 UTC: a daily limit)
      (the channel of faction2 is blocked: not before 2026-09-21 16:13:20 UTC: a daily limit)
    ");
    state.guild.rights_at = Some(at(60));
    state.guild.room_at = Some(at(60));
    go(&mut state, &mut toy, ready(), 7199);
    assert!(toy.calls.is_empty());
    go(&mut state, &mut toy, ready(), 7200);
    assert_eq!(toy.made(), [ONE, TWO]);
}

/// Stands, and then somebody deletes the first faction's channel.
fn deleted_by_hand() -> (State, Toy) {
    let (mut state, mut toy) = scene();
    go(&mut state, &mut toy, ready(), 0);
    let gone = state.record.slots[&Faction::One].channel.expect("it stands");
    toy.remove(gone);
    state.guild.missing.insert(gone);
    toy.calls.clear();
    (state, toy)
}

#[test]
fn a_channel_that_the_gateway_does_not_know_is_asked_for_before_it_is_made_again() {
    let (mut state, mut toy) = deleted_by_hand();
    let mut seen = state.clone();
    let plan = decide(&mut seen, &ready(), at(10));
    assert_eq!(plan.to_string(), "- ask whether the channel of faction1 is still there");
    let there = Event::Outcomes(vec![(plan.actions[0].clone(), Outcome::Done)]);
    assert_eq!(
        decide(&mut seen, &there, at(10)).actions,
        [],
        "only the gateway missed it"
    );
    toy.seats.insert(user(11), channel(LOBBY));
    go(&mut state, &mut toy, ready(), 10);
    assert_eq!(toy.who_sits_in(ONE), [11].into());
    assert_eq!(state.record.slots[&Faction::One].gone_at, None);
}

#[test]
fn a_deleted_channel_that_nobody_needs_is_made_again_only_when_somebody_does() {
    let (mut state, mut toy) = deleted_by_hand();
    state.links.retain(|_, link| link.user != user(11));
    let decision = go(&mut state, &mut toy, ready(), 10);
    assert!(decision.notes.contains(&Note::ChannelGone { faction: Faction::One }));
    let creates = |action: &Action| matches!(action, Action::CreateChannel { .. });
    assert!(!toy.calls.iter().any(creates));
    state.links = super::toy::state([11, 21]).links;
    go(&mut state, &mut toy, ready(), 60);
    assert_eq!(toy.made().len(), 2);
}

#[test]
fn a_channel_deleted_by_hand_at_the_end_is_just_gone() {
    let (mut state, mut toy) = deleted_by_hand();
    let over = || api(facts(Status::Finished, &[11], &[21]));
    go(&mut state, &mut toy, over(), 10);
    go(&mut state, &mut toy, over(), 70);
    assert!(toy.made().is_empty());
    assert_eq!(state.record.closed_at, Some(at(70)));
}

#[test]
fn a_match_whose_guild_has_an_outage_waits() {
    let (mut state, mut toy) = scene();
    state.guild.outage = true;
    let decision = go(&mut state, &mut toy, ready(), 0);
    assert_eq!(
        (decision.notes, decision.look_again, toy.calls.len()),
        (vec![Note::Outage], Some(at(60)), 0)
    );
}

#[test]
fn a_match_whose_guild_threw_the_bot_out_is_parked_and_goes_on_where_it_was() {
    let (mut state, mut toy) = scene();
    go(&mut state, &mut toy, ready(), 0);
    toy.left = true;
    state.guild.away = Some(Away {
        since: at(10),
        checked_at: at(10),
    });
    toy.calls.clear();
    let over = || api(facts(Status::Finished, &[11], &[21]));
    let decision = go(&mut state, &mut toy, over(), 10);
    insta::assert_snapshot!(decision, @r"
    nothing to do
      (parked: the bot was removed from the Discord server (2026-09-21 14:13:30 UTC); invite it again, and this goes on by itself)
    ");
    assert_eq!((toy.calls.len(), decision.look_again), (0, Some(at(610))));
    let decision = go(&mut state, &mut toy, over(), 610);
    assert!(matches!(&decision.notes[..], [Note::Parked { since }] if *since == at(10)));
    assert_eq!(
        state.guild.away.map(|away| away.checked_at),
        Some(at(610)),
        "asked again, not often"
    );
    assert_eq!(state.record.slots.len(), 2);
    (toy.left, state.guild.away) = (false, None);
    go(&mut state, &mut toy, over(), 700);
    assert!(toy.made().is_empty());
    assert_eq!(state.record.closed_at, Some(at(700)));
}

#[test]
fn a_bot_that_is_never_let_in_again_gives_up_days_after_the_hard_age() {
    let (mut state, mut toy) = scene();
    go(&mut state, &mut toy, ready(), 0);
    toy.left = true;
    let mut parked = |seconds| {
        state.guild.away = Some(Away {
            since: at(10),
            checked_at: at(seconds),
        });
        (go(&mut state, &mut toy, ready(), seconds), state.record.closed_at)
    };
    assert_eq!(parked(3 * DAY).1, None);
    let (decision, closed) = parked(3 * DAY + 8 * 3600);
    assert_eq!(decision.notes, [Note::GivenUp { channels: 2 }]);
    assert_eq!((decision.look_again, closed), (None, Some(at(3 * DAY + 8 * 3600))));
}

#[test]
fn a_bot_that_finds_itself_thrown_out_leaves_no_half_slot_behind() {
    let (mut state, mut toy) = scene();
    toy.left = true;
    let decision = go(&mut state, &mut toy, ready(), 0);
    assert_eq!(decision.notes, [Note::Parked { since: at(0) }]);
    assert!(state.record.slots.is_empty());
    toy.calls.clear();
    go(&mut state, &mut toy, ready(), 60);
    assert!(toy.calls.is_empty());
}

#[test]
fn what_blocks_a_create_does_not_keep_leftovers_from_being_removed() {
    let (mut state, mut toy) = scene();
    run(&mut state, ready(), at(0), &mut toy, &mut || Luck::LostAfter);
    run(&mut state, ready(), at(2), &mut toy, &mut || Luck::LostAfter);
    let slot = state.record.slots.get_mut(&Faction::One).expect("intended");
    slot.blocked = Some(crate::domain::record::Blocked {
        why: "full".to_owned(),
        at: at(3),
        by: Obstacle::GuildFull,
    });
    let over = || api(facts(Status::Finished, &[11], &[21]));
    go(&mut state, &mut toy, over(), 4);
    go(&mut state, &mut toy, over(), 64);
    assert_eq!((toy.made().len(), state.record.closed_at), (0, Some(at(64))));
    let looks = |action: &&Action| matches!(action, Action::FindChannel { .. });
    assert!(toy.calls.iter().filter(looks).count() >= 2);
}
