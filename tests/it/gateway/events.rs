//! Events that come twice, late, or not at all; guilds that go and come back.

use muster::simulator::{EventFault, Upset};

use super::*;

fn upset(event: &str, action: Upset, times: u32, until: u32) -> EventFault {
    EventFault {
        event: event.to_owned(),
        action,
        skip: 0,
        times,
        until,
    }
}

const VOICE: &str = "VOICE_STATE_UPDATE";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_twice_counts_once() {
    let bot = Bot::start(&PEOPLE).await;
    bot.play(&a_match(), "match_status_ready", 2).await;
    bot.disconnect("nova");
    bot.settle().await;
    bot.simulator.clear_journal();
    bot.simulator
        .upset_events(upset(VOICE, Upset::Repeat, 1, 0))
        .expect("a fault");
    bot.connect("nova", LOBBY);
    bot.settle().await;
    let once = looks(&bot.simulator);
    assert!(once >= 1, "a player of a running match came");
    // The same again, without the repetition.
    bot.disconnect("nova");
    bot.settle().await;
    bot.simulator.clear_journal();
    bot.connect("nova", LOBBY);
    bot.settle().await;
    assert_eq!(looks(&bot.simulator), once);
    knows_the_truth(&bot);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_whom_no_open_match_concerns_cost_no_look_at_any() {
    let bot = Bot::start(&["nova", "rex", "ada", "bo", "cleo"]).await;
    bot.play(&a_match(), "match_status_ready", 2).await;
    bot.simulator.clear_journal();
    for name in ["cleo", "dan"] {
        bot.connect(name, BAR);
        bot.disconnect(name);
    }
    bot.settle().await;
    assert_eq!((looks(&bot.simulator), bot.calls()), (0, vec![]));
    knows_the_truth(&bot);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_lost_is_made_good_by_the_next_session() {
    let bot = Bot::start(&[]).await;
    bot.simulator
        .upset_events(upset(VOICE, Upset::Lose, 2, 0))
        .expect("a fault");
    bot.connect("nova", BAR);
    bot.disconnect("rex");
    bot.settle().await;
    assert_ne!(known_seats(&bot), Some(true_seats(&bot.simulator)), "nobody told it");
    bot.simulator.invalidate_sessions(&everybody(), false);
    sessions(&bot, 2, 0).await;
    knows_the_truth(&bot);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_deleted_before_a_late_change_of_it_stays_deleted() {
    let bot = Bot::start(&[]).await;
    bot.simulator
        .upset_events(upset("CHANNEL_UPDATE", Upset::Hold, 1, 1))
        .expect("a fault");
    bot.simulator
        .set_overwrites(BAR, &serde_json::json!([]))
        .expect("there is a bar");
    bot.simulator.delete_channel(BAR).expect("there is a bar");
    bot.settle().await;
    assert_eq!(bot.app.voice.place(guild(), channel(BAR)), None);
    assert!(bot.app.voice.place(guild(), channel(LOBBY)).is_some());
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_may_sit_in_channels_whose_events_are_lost() {
    let bot = Bot::start(&PEOPLE).await;
    for event in ["CHANNEL_CREATE", "CHANNEL_UPDATE"] {
        bot.simulator
            .upset_events(upset(event, Upset::Lose, 2, 0))
            .expect("a fault");
    }
    bot.play(&a_match(), "match_status_ready", 2).await;
    knows_the_truth(&bot);
    bot.simulator
        .upset_events(upset("CHANNEL_DELETE", Upset::Lose, 2, 0))
        .expect("a fault");
    let over = a_match().status("FINISHED");
    bot.play(&over, "match_status_finished", 3).await;
    bot.advance(bot.config.guild.grace).await;
    assert_eq!(bot.channels(), vec![]);
    knows_the_truth(&bot);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_match_under_lost_late_and_repeated_events_ends_as_it_should() {
    let bot = Bot::start(&PEOPLE).await;
    for (event, action, until) in [
        (VOICE, Upset::Hold, 2),
        ("CHANNEL_CREATE", Upset::Repeat, 0),
        (VOICE, Upset::Lose, 0),
        ("CHANNEL_CREATE", Upset::Hold, 1),
        (VOICE, Upset::Repeat, 0),
        ("CHANNEL_DELETE", Upset::Hold, 3),
        (VOICE, Upset::Hold, 1),
    ] {
        bot.simulator
            .upset_events(upset(event, action, 1, until))
            .expect("a fault");
    }
    bot.play(&a_match(), "match_status_ready", 2).await;
    bot.play(&a_match().status("FINISHED"), "match_status_finished", 3)
        .await;
    bot.advance(bot.config.guild.grace).await;
    bot.simulator.release_events();
    bot.settle().await;
    assert_eq!(bot.channels(), vec![]);
    for name in ["nova", "rex", "ada", "bo"] {
        assert_eq!(bot.seat(name).as_deref(), Some("Lobby"), "{}", bot.picture());
    }
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_keeps_what_is_known_and_its_end_tells_what_it_hid() {
    let bot = Bot::start(&PEOPLE).await;
    bot.play(&a_match(), "match_status_ready", 2).await;
    bot.simulator.set_outage(GUILD, true).expect("there is a guild");
    bot.settle().await;
    let voice = &bot.app.voice;
    assert!(voice.is_known(guild()) && voice.is_unavailable(guild()));
    knows_the_truth(&bot);
    bot.disconnect("dan");
    bot.settle().await;
    assert!(voice.channel_of(guild(), user("dan")).is_some(), "nobody told it");
    bot.simulator.clear_journal();
    bot.simulator.set_outage(GUILD, false).expect("there is a guild");
    bot.settle().await;
    assert!(!voice.is_unavailable(guild()));
    knows_the_truth(&bot);
    assert!(looks(&bot.simulator) >= 1, "what happened to its matches nobody knows");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guild_that_removes_the_bot_is_forgotten_until_it_takes_it_back() {
    let bot = Bot::start(&[]).await;
    bot.simulator
        .remove_bot(GUILD, crate::support::bot::BOT)
        .expect("it was there");
    bot.settle().await;
    assert_eq!((bot.app.voice.guilds(), bot.app.voice.seated()), (vec![], 0));
    let bot = bot.restart().await;
    assert_eq!(begun_and_resumed(&bot.simulator), (1, 1));
    assert_eq!(bot.app.voice.guilds(), vec![], "nor is it remembered");
    bot.connect("nova", BAR);
    bot.simulator
        .add_bot(GUILD, crate::support::bot::BOT, 53_478_928)
        .expect("it is let in");
    bot.settle().await;
    knows_the_truth(&bot);
    bot.finish().await;
}
