//! What a guild's settings change: whether anything is done at all, and when.

use std::sync::Arc;

use crate::domain::{
    event::{Event, State},
    match_facts::Status,
    plan::Note,
    settings::{OpenWhen, Settings},
    tests::toy::{Toy, api, at, facts, lucky, run, state, user},
};

fn set(state: &mut State, change: impl FnOnce(&mut Settings)) {
    let settings = state.settings.as_mut().expect("a guild claims it");
    change(Arc::make_mut(settings));
}

#[test]
fn a_match_that_no_guild_claims_is_left_alone_until_one_does() {
    let (mut state, mut toy) = (state([11, 21]), Toy::new([11, 21]));
    let settings = state.settings.take();
    let ready = || api(facts(Status::Ready, &[11], &[21]));
    let decision = run(&mut state, ready(), at(0), &mut toy, &mut lucky);
    assert_eq!(decision.notes, [Note::Unclaimed]);
    assert_eq!(decision.look_again, Some(at(600)));
    assert!(toy.calls.is_empty());
    state.settings = settings;
    run(&mut state, ready(), at(10), &mut toy, &mut lucky);
    assert_eq!(toy.made().len(), 2);
}

#[test]
fn a_match_that_no_guild_claims_is_closed_when_it_is_over_or_forgotten() {
    let (mut over, mut forgotten, mut toy) = (state([]), state([]), Toy::new([]));
    over.settings = None;
    forgotten.settings = None;
    let decision = run(
        &mut over,
        api(facts(Status::Finished, &[11], &[21])),
        at(0),
        &mut toy,
        &mut lucky,
    );
    assert_eq!((decision.look_again, over.record.closed_at), (None, Some(at(0))));
    run(
        &mut forgotten,
        api(facts(Status::Ready, &[11], &[21])),
        at(0),
        &mut toy,
        &mut lucky,
    );
    let decision = run(&mut forgotten, Event::Tick, at(24 * 3600), &mut toy, &mut lucky);
    assert_eq!(decision.look_again, None);
}

#[test]
fn a_paused_guild_is_not_touched_and_goes_on_where_it_was() {
    let (mut state, mut toy) = (state([11, 21]), Toy::new([11, 21]));
    run(
        &mut state,
        api(facts(Status::Ready, &[11], &[21])),
        at(0),
        &mut toy,
        &mut lucky,
    );
    let calls = toy.calls.len();
    set(&mut state, |settings| settings.paused = true);
    run(
        &mut state,
        api(facts(Status::Finished, &[11], &[21])),
        at(10),
        &mut toy,
        &mut lucky,
    );
    let decision = run(&mut state, Event::Tick, at(1000), &mut toy, &mut lucky);
    assert_eq!((toy.calls.len(), decision.notes), (calls, vec![Note::Paused]));
    assert_eq!(decision.look_again, Some(at(1060)));
    assert_eq!(state.record.closed_at, None);
    set(&mut state, |settings| settings.paused = false);
    run(&mut state, Event::Tick, at(1001), &mut toy, &mut lucky);
    assert!(toy.made().is_empty());
    assert_eq!(state.record.closed_at, Some(at(1001)));
}

#[test]
fn a_guild_may_want_channels_only_when_somebody_is_linked() {
    let (mut state, mut toy) = (state([]), Toy::new([11, 21]));
    set(&mut state, |settings| settings.open_when = OpenWhen::SomebodyLinked);
    let ready = || api(facts(Status::Ready, &[11], &[21]));
    run(&mut state, ready(), at(0), &mut toy, &mut lucky);
    assert!(toy.calls.is_empty());
    let links = super::toy::state([11]).links;
    state.links = links;
    run(&mut state, ready(), at(60), &mut toy, &mut lucky);
    assert_eq!(toy.made().len(), 2);
}

#[test]
fn where_only_proven_links_count_the_others_are_left_alone() {
    let (mut state, mut toy) = (state([11, 21]), Toy::new([11, 21]));
    set(&mut state, |settings| settings.verified_links_only = true);
    state
        .links
        .values_mut()
        .for_each(|link| link.verified = link.user == user(21));
    let decision = run(
        &mut state,
        api(facts(Status::Ready, &[11], &[21])),
        at(0),
        &mut toy,
        &mut lucky,
    );
    assert!(matches!(&decision.notes[..], [Note::NotVerified { nickname, .. }] if nickname == "Nick11"));
    assert_eq!(toy.calls.len(), 3, "two channels, one move");
}
