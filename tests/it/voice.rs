//! The whole bot and the people in voice: late joiners, source channels, leaving by oneself, opting out, substitutes, and the way back.

use std::time::Duration;

use muster::{
    app::App,
    domain::{
        ids::{ChannelId, GuildId, MatchId, PlayerId, UserId},
        settings::{ReturnTo, Settings},
    },
    simulator::{Entry, EventFault, Side, Upset, Whose},
    store::{
        self,
        audit::Actor,
        linking::By,
        links::{LinkRow, Method},
        match_members::{Whom, request_move},
    },
};

use crate::support::{
    bodies::{Match, game, nickname},
    bot::{BAR, Bot, GUILD, LOBBY, PEOPLE, member, metrics},
    database::eventually,
};

const ID: &str = "1-5eed0000-0001";
const ONE: &str = "match-5eed0000-faction1";
const TWO: &str = "match-5eed0000-faction2";

fn a_match() -> Match {
    game(ID, "CONFIGURING", &["nova", "rex"], &["ada", "bo"])
}

fn user(name: &str) -> UserId {
    UserId::new(member(name)).expect("above zero")
}

fn channel(id: &str) -> ChannelId {
    id.parse().expect("an id")
}

/// A bot whose guild has these settings; everybody is linked and sits in the lobby.
async fn start(change: impl FnOnce(&mut Settings)) -> Bot {
    let bot = Bot::start(&PEOPLE).await;
    let mut settings = bot.config.guild.settings().expect("there is a guild");
    change(&mut settings);
    let mut conn = bot.app.sync.sources.pool.acquire().await.expect("a connection");
    let saved = store::guilds::save(&mut conn, &settings, None, bot.clock.now()).await;
    saved.expect("saved");
    drop(conn);
    bot
}

async fn over(bot: &Bot, game: &Match) {
    bot.play(&game.status("FINISHED"), "match_status_finished", 90).await;
    bot.advance(Duration::from_secs(61)).await;
}

fn by(bot: &Bot, name: &str) -> By {
    By {
        actor: Actor::discord(user(name), nickname(name)),
        guild: GuildId::new(GUILD.parse().expect("a number")),
        at: bot.clock.now(),
    }
}

async fn opt_out(bot: &Bot, name: &str, out: bool) {
    let mut tx = bot.app.sync.sources.pool.begin().await.expect("a transaction");
    let set = store::linking::set_opted_out(&mut tx, user(name), out, &by(bot, name)).await;
    set.expect("set");
    tx.commit().await.expect("committed");
}

fn upset(action: Upset) -> EventFault {
    EventFault {
        event: "VOICE_STATE_UPDATE".to_owned(),
        action,
        skip: 0,
        times: 1,
        until: 0,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_joiner_is_moved_the_moment_he_connects_and_being_told_twice_costs_nothing() {
    let bot = Bot::start(&PEOPLE).await;
    bot.disconnect("nova");
    bot.settle().await;
    bot.play(&a_match(), "match_status_configuring", 5).await;
    assert_eq!(bot.calls().len(), 2 + 3, "nobody absent costs a call");
    bot.play(&a_match().status("READY"), "match_status_ready", 6).await;
    assert_eq!(bot.calls().len(), 2 + 3);
    bot.simulator.upset_events(upset(Upset::Repeat)).expect("a fault");
    bot.connect("nova", BAR);
    bot.settle().await;
    assert_eq!(bot.seat("nova").as_deref(), Some(ONE));
    assert_eq!(bot.calls().len(), 2 + 4);
    bot.advance(Duration::from_secs(60)).await;
    assert_eq!(bot.calls().len(), 2 + 4, "nor does the next look");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_people_in_source_channels_are_moved_and_whoever_enters_one() {
    let bot = start(|settings| settings.source_channels = [channel(LOBBY)].into()).await;
    bot.connect("nova", BAR);
    bot.disconnect("ada");
    bot.settle().await;
    bot.play(&a_match(), "match_status_configuring", 5).await;
    assert_eq!(bot.seat("nova").as_deref(), Some("Bar"));
    bot.connect("ada", BAR);
    bot.settle().await;
    assert_eq!(bot.seat("ada").as_deref(), Some("Bar"));
    let preview = bot.app.sync.sources.preview(&MatchId::new(ID), None).await;
    let plan = preview.expect("a plan").to_string();
    assert!(
        plan.contains("nothing to do")
            && plan.contains("Nova (faction1) is in a voice channel that nobody is moved from"),
        "{plan}"
    );
    assert_eq!(bot.calls().len(), 2 + 2);
    bot.connect("ada", LOBBY);
    bot.connect("nova", LOBBY);
    bot.settle().await;
    assert_eq!(
        bot.channels(),
        [
            (ONE.to_owned(), names(&["nova", "rex"])),
            (TWO.to_owned(), names(&["ada", "bo"]))
        ]
    );
    assert_eq!(bot.calls().len(), 2 + 4);
    over(&bot, &a_match()).await;
    bot.finish().await;
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_elsewhere_is_left_there_and_who_hangs_up_and_comes_back_is_moved_again() {
    let bot = Bot::start(&PEOPLE).await;
    bot.play(&a_match(), "match_status_configuring", 5).await;
    bot.simulator.clear_journal();
    bot.connect("nova", BAR);
    bot.settle().await;
    bot.connect("nova", LOBBY);
    bot.play(&a_match().status("READY"), "match_status_ready", 6).await;
    bot.disconnect("rex");
    bot.settle().await;
    assert_eq!(bot.seat("nova").as_deref(), Some("Lobby"));
    assert_eq!(bot.calls(), Vec::<String>::new());
    bot.connect("rex", LOBBY);
    bot.settle().await;
    assert_eq!(bot.seat("rex").as_deref(), Some(ONE));
    // Without anybody having looked in between.
    bot.disconnect("rex");
    bot.connect("rex", BAR);
    bot.settle().await;
    assert_eq!(bot.seat("rex").as_deref(), Some(ONE));
    assert_eq!(bot.calls().len(), 2);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_it_is_moved_again_and_staff_may_ask_for_everybody() {
    let bot = Bot::start(&PEOPLE).await;
    bot.play(&a_match(), "match_status_configuring", 5).await;
    for name in ["nova", "rex", "ada"] {
        bot.connect(name, BAR);
    }
    bot.settle().await;
    let (id, now) = (MatchId::new(ID), bot.clock.now());
    let ask = async |whom| {
        let mut conn = bot.app.sync.sources.pool.acquire().await.expect("a connection");
        let asked = request_move(&mut conn, &id, whom, now).await;
        assert!(asked.expect("asked"), "the match runs");
        drop(conn);
        bot.settle().await;
    };
    ask(Whom::One(user("nova"))).await;
    let seats = ["nova", "rex", "ada"].map(|name| bot.seat(name));
    assert_eq!(
        seats.each_ref().map(|seat| seat.as_deref()),
        [Some(ONE), Some("Bar"), Some("Bar")]
    );
    ask(Whom::Everybody).await;
    assert_eq!(
        bot.channels(),
        [
            (ONE.to_owned(), names(&["nova", "rex"])),
            (TWO.to_owned(), names(&["ada", "bo"]))
        ]
    );
    bot.connect("nova", BAR);
    bot.settle().await;
    assert_eq!(bot.seat("nova").as_deref(), Some("Bar"), "once");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_opted_out_is_never_moved_and_who_opts_in_is_moved_at_once() {
    let bot = Bot::start(&PEOPLE).await;
    opt_out(&bot, "nova", true).await;
    bot.play(&a_match(), "match_status_configuring", 5).await;
    bot.disconnect("nova");
    bot.settle().await;
    bot.connect("nova", LOBBY);
    bot.settle().await;
    assert_eq!(bot.seat("nova").as_deref(), Some("Lobby"));
    assert_eq!(bot.calls().len(), 2 + 3);
    opt_out(&bot, "nova", false).await;
    bot.settle().await;
    assert_eq!(bot.seat("nova").as_deref(), Some(ONE));
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_linked_during_the_match_is_moved_at_once() {
    let bot = Bot::start(&["nova", "ada", "bo"]).await;
    bot.play(&a_match(), "match_status_configuring", 5).await;
    assert_eq!(bot.seat("rex").as_deref(), Some("Lobby"));
    let row = LinkRow {
        player: PlayerId::new("p-rex"),
        user: user("rex"),
        nickname: "Rex".to_owned(),
    };
    let mut tx = bot.app.sync.sources.pool.begin().await.expect("a transaction");
    let linked = store::linking::link(&mut tx, &row, Method::Oauth, &by(&bot, "rex")).await;
    linked.expect("linked");
    tx.commit().await.expect("committed");
    bot.settle().await;
    assert_eq!(bot.seat("rex").as_deref(), Some(ONE));
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_substitute_comes_in_from_wherever_he_is_and_who_is_replaced_goes_back() {
    let bot = Bot::start(&PEOPLE).await;
    bot.connect("rex", BAR);
    bot.disconnect("eve");
    bot.settle().await;
    bot.play(&a_match(), "match_status_configuring", 5).await;
    let substituted = game(ID, "READY", &["nova", "cleo"], &["eve", "bo"]);
    bot.simulator.clear_journal();
    bot.play(&substituted, "match_status_ready", 6).await;
    assert_eq!(
        bot.channels(),
        [
            (ONE.to_owned(), names(&["cleo", "nova"])),
            (TWO.to_owned(), names(&["bo"]))
        ]
    );
    assert_eq!(bot.seat("rex").as_deref(), Some("Bar"), "where he came from");
    assert_eq!(bot.seat("ada").as_deref(), Some("Lobby"));
    assert_eq!(
        bot.calls().len(),
        2 + 2 + 1 + 2,
        "let in, taken off, moved in, moved out"
    );
    bot.connect("eve", BAR);
    bot.settle().await;
    assert_eq!(bot.seat("eve").as_deref(), Some(TWO));
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_end_people_go_back_to_where_they_came_from_and_others_to_the_lobby() {
    let bot = Bot::start(&PEOPLE).await;
    bot.connect("nova", BAR);
    bot.settle().await;
    bot.play(&a_match(), "match_status_configuring", 5).await;
    let one = bot.record(ID).await.slots.values().next().and_then(|slot| slot.channel);
    // Somebody of the staff looks in.
    bot.connect("kim", &one.expect("it stands").to_string());
    bot.settle().await;
    bot.simulator.clear_journal();
    over(&bot, &a_match()).await;
    let seats = ["nova", "rex", "ada", "bo", "kim"].map(|name| bot.seat(name));
    let seats = seats.each_ref().map(|seat| seat.as_deref());
    assert_eq!(
        seats,
        [Some("Bar"), Some("Lobby"), Some("Lobby"), Some("Lobby"), Some("Lobby")]
    );
    assert_eq!(bot.calls().len(), 5 + 2);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_go_back_goes_to_the_lobby() {
    let bot = Bot::start(&PEOPLE).await;
    bot.connect("nova", BAR);
    bot.settle().await;
    bot.play(&a_match(), "match_status_configuring", 5).await;
    bot.simulator.delete_channel(BAR).expect("it was there");
    bot.settle().await;
    over(&bot, &a_match()).await;
    assert_eq!(bot.seat("nova").as_deref(), Some("Lobby"));
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guild_may_want_everybody_in_the_lobby_or_nobody_moved() {
    for (return_to, seat) in [(ReturnTo::Lobby, Some("Lobby")), (ReturnTo::Stay, None)] {
        let bot = start(|settings| settings.return_to = return_to).await;
        bot.connect("nova", BAR);
        bot.settle().await;
        bot.play(&a_match(), "match_status_configuring", 5).await;
        over(&bot, &a_match()).await;
        assert_eq!(bot.seat("nova").as_deref(), seat, "{return_to:?}");
        bot.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_joins_and_leaves_while_the_bot_is_down_is_seen_to_after_the_start() {
    let mut bot = Bot::start(&PEOPLE).await;
    bot.connect("rex", BAR);
    for name in ["ada", "bo"] {
        bot.disconnect(name);
    }
    bot.settle().await;
    bot.play(&a_match(), "match_status_configuring", 5).await;
    for (resumed, late) in [(true, "ada"), (false, "bo")] {
        bot.simulator.clear_journal();
        bot = bot
            .restart_after(async |simulator| {
                if !resumed {
                    simulator.refuse_resumes(1);
                }
                let connect = |name: &str, channel| simulator.connect(GUILD, &member(name).to_string(), channel);
                connect(late, LOBBY).expect("he can be there");
                connect("nova", BAR).expect("he can be there");
            })
            .await;
        bot.settle().await;
        assert_eq!(bot.seat(late).as_deref(), Some(TWO));
        assert_eq!(bot.seat("nova").as_deref(), Some("Bar"), "he left by himself");
        assert_eq!(bot.calls().len(), 1, "{:?}", bot.calls());
        bot.simulator.clear_gateway_counts();
    }
    over(&bot, &a_match()).await;
    assert_eq!(bot.seat("rex").as_deref(), Some("Bar"), "where he came from is kept");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_while_the_gateway_is_lost_is_moved_when_it_is_back() {
    let bot = Bot::start(&PEOPLE).await;
    bot.disconnect("nova");
    bot.settle().await;
    bot.play(&a_match(), "match_status_configuring", 5).await;
    bot.simulator.end_connections(&Whose::default(), None);
    bot.connect("nova", LOBBY);
    eventually("he is moved", async || bot.seat("nova").as_deref() == Some(ONE)).await;
    bot.gateway_ready().await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_without_the_gateway_telling_of_it_is_found_within_ten_minutes() {
    let bot = Bot::start(&PEOPLE).await;
    bot.disconnect("nova");
    bot.settle().await;
    bot.play(&a_match(), "match_status_configuring", 5).await;
    bot.simulator.upset_events(upset(Upset::Lose)).expect("a fault");
    bot.connect("nova", LOBBY);
    bot.settle().await;
    assert_eq!(bot.seat("nova").as_deref(), Some("Lobby"));
    bot.advance(Duration::from_secs(600)).await;
    assert_eq!(bot.seat("nova").as_deref(), Some(ONE));
    // The answer was as good as the event: where he is now is known.
    bot.simulator.clear_journal();
    bot.advance(Duration::from_secs(600)).await;
    assert_eq!(bot.calls(), Vec::<String>::new());
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comings_and_goings_ask_nothing_of_faceit_within_half_a_minute_and_put_off_no_look() {
    let bot = Bot::start(&PEOPLE).await;
    bot.play(&a_match(), "match_status_configuring", 5).await;
    let asked = || {
        let of_faceit = |entry: &Entry| entry.side == Side::Faceit;
        bot.simulator.journal().into_iter().filter(of_faceit).count()
    };
    bot.advance(Duration::from_secs(61)).await;
    let before = asked();
    for channel in [BAR, LOBBY, BAR] {
        bot.advance(Duration::from_secs(5)).await;
        bot.connect("nova", channel);
        bot.settle().await;
    }
    bot.disconnect("nova");
    bot.advance(Duration::from_secs(5)).await;
    bot.connect("nova", BAR);
    bot.settle().await;
    assert_eq!(bot.seat("nova").as_deref(), Some(ONE));
    assert_eq!(asked(), before);
    // The next look is not put off, nor is a webhook.
    bot.advance(Duration::from_secs(41)).await;
    assert_eq!(asked(), before + 1);
    bot.advance(Duration::from_secs(1)).await;
    bot.play(&a_match().status("READY"), "match_status_ready", 6).await;
    assert_eq!(asked(), before + 2);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_could_not_be_moved_is_moved_when_the_bot_may() {
    let bot = Bot::start(&PEOPLE).await;
    bot.disconnect("nova");
    bot.settle().await;
    bot.play(&a_match(), "match_status_configuring", 5).await;
    let may_not_move = 53_478_928 - 16_777_216;
    let permit = |bits| {
        bot.simulator
            .set_bot_permissions(GUILD, bits)
            .expect("there is a guild")
    };
    permit(may_not_move);
    bot.connect("nova", BAR);
    bot.settle().await;
    assert_eq!(bot.seat("nova").as_deref(), Some("Bar"));
    bot.advance(Duration::from_secs(60)).await;
    let tried = |call: &String| call.starts_with("PATCH ") && call.contains(&member("nova").to_string());
    assert_eq!(bot.calls().iter().filter(|call| tried(call)).count(), 1, "refused once");
    permit(53_478_928);
    bot.settle().await;
    assert_eq!(bot.seat("nova").as_deref(), Some(ONE));
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_only_one_listens_and_late_joiners_are_moved_whichever_looks() {
    let bot = Bot::start(&PEOPLE).await;
    let second = App::start(&bot.config, bot.clock.clone(), metrics())
        .await
        .expect("it starts");
    let everybody = ["nova", "rex", "ada", "bo", "cleo", "dan"];
    for name in everybody {
        bot.disconnect(name);
    }
    bot.settle().await;
    let game = game(ID, "CONFIGURING", &["nova", "rex", "ada"], &["bo", "cleo", "dan"]);
    bot.play(&game, "match_status_configuring", 5).await;
    for round in 0..3 {
        for name in everybody {
            bot.connect(name, BAR);
            // Whichever of the two is faster.
            second.wake.notify_one();
            bot.settle().await;
            assert_ne!(bot.seat(name).as_deref(), Some("Bar"), "{name} in round {round}");
        }
        for name in everybody {
            bot.disconnect(name);
            second.wake.notify_one();
            bot.settle().await;
        }
    }
    assert!(second.stop().await, "it stopped in time");
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_home_from_one_match_is_moved_on_to_the_next() {
    let bot = start(|settings| settings.source_channels = [channel(LOBBY)].into()).await;
    bot.play(&a_match(), "match_status_configuring", 5).await;
    bot.play(&a_match().status("FINISHED"), "match_status_finished", 7)
        .await;
    let next = game("1-5eed0002-0002", "READY", &["nova", "cleo"], &["dan", "eve"]);
    bot.play(&next, "match_status_ready", 8).await;
    assert_eq!(
        bot.seat("nova").as_deref(),
        Some(ONE),
        "still in the channel of the first"
    );
    bot.advance(Duration::from_secs(61)).await;
    assert_eq!(
        bot.channels(),
        [
            ("match-5eed0002-faction1".to_owned(), names(&["cleo", "nova"])),
            ("match-5eed0002-faction2".to_owned(), names(&["dan", "eve"])),
        ]
    );
    bot.finish().await;
}
