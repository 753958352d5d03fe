//! The message that staff read about a running match: posted once, kept right, taken away at the end, and never in the way of a move.

use std::time::Duration;

use muster::{
    domain::{ids::MatchId, job::JobKey, report::Wish, settings::Settings},
    simulator::{Cut, Fault, Post},
    store::{guilds, jobs, match_reports, workers::WorkerId},
};
use serde_json::{Value, json};

use crate::support::{
    bodies::{Match, game},
    bot::{BAR, BOT, Bot, LOBBY, world},
    database::eventually,
};

const ID: &str = "1-5eed0000-0007";
const REPORTS: &str = "1013";
const OTHER: &str = "1014";
/// View Channel, Send Messages, Read Message History.
const WRITE: &str = "68608";
/// Longer than Discord knows a nonce.
const LONG: Duration = Duration::from_secs(400);
/// Longer than a message rests between two changes.
const SOON: Duration = Duration::from_secs(15);

fn a_match() -> Match {
    game(ID, "READY", &["nova", "rex"], &["ada", "bo"])
}

/// The usual world with two text channels that the bot may write into.
fn with_text() -> Value {
    let mut world = world();
    let may = json!([{ "id": BOT, "type": 1, "allow": WRITE, "deny": "0" }]);
    world["guilds"][0]["text_channels"] = json!([
        { "id": REPORTS, "name": "staff", "permission_overwrites": may },
        { "id": OTHER, "name": "others", "permission_overwrites": may },
    ]);
    world
}

async fn set(bot: &Bot, change: impl FnOnce(&mut Settings)) {
    let mut conn = bot.app.sync.sources.pool.acquire().await.unwrap();
    let stored = guilds::load(&mut conn, bot.config.guild.id.unwrap()).await.unwrap();
    let version = stored.as_ref().map(|stored| stored.version);
    let mut settings = stored.map_or_else(|| bot.config.guild.settings().unwrap(), |stored| stored.settings);
    change(&mut settings);
    guilds::save(&mut conn, &settings, version, bot.clock.now())
        .await
        .unwrap();
}

async fn start(linked: &[&str]) -> Bot {
    start_in(with_text(), linked).await
}

async fn start_in(world: Value, linked: &[&str]) -> Bot {
    let bot = Bot::start_in(world, linked).await;
    set(&bot, |settings| settings.report_channel = REPORTS.parse().ok()).await;
    bot
}

/// What can be read in a channel.
fn said(bot: &Bot, channel: &str) -> Vec<Post> {
    let posts = bot.simulator.posts().into_iter();
    posts
        .filter(|post| post.channel_id.to_string() == channel && !post.deleted)
        .collect()
}

async fn over(bot: &Bot) {
    bot.play(&a_match().status("FINISHED"), "match_status_finished", 9)
        .await;
    bot.advance(Duration::from_secs(3600)).await;
}

#[tokio::test]
async fn staff_read_once_who_is_missing_and_why_and_the_message_goes_at_the_end() {
    let bot = start(&["nova", "rex", "ada"]).await;
    bot.run("ada", "optout").await;
    bot.disconnect("rex");
    bot.play(&a_match(), "match_status_ready", 1).await;
    let [post] = &said(&bot, REPORTS)[..] else {
        panic!("{:?}", bot.simulator.posts())
    };
    let lines: Vec<_> = post.content.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "Not linked (they type `/link`): Bo",
            "Not in voice: Rex",
            "Opted out: Ada"
        ]
    );
    assert!(post.content.contains("/room/1-5eed0000-0007"), "{}", post.content);
    assert_eq!(post.allowed_mentions, json!({ "parse": [] }), "nobody is pinged");
    over(&bot).await;
    assert_eq!(said(&bot, REPORTS).len(), 0);
    bot.finish().await;
}

#[tokio::test]
async fn it_is_changed_not_repeated_and_not_every_moment() {
    let bot = start(&["nova", "rex", "ada", "bo"]).await;
    for name in ["rex", "ada"] {
        bot.disconnect(name);
    }
    bot.play(&a_match(), "match_status_ready", 1).await;
    for name in ["rex", "ada"] {
        bot.connect(name, LOBBY);
        bot.settle().await;
    }
    assert_eq!(said(&bot, REPORTS)[0].edits, 0, "it rests for a while");
    bot.advance(SOON).await;
    let posts = said(&bot, REPORTS);
    assert_eq!((posts.len(), posts[0].edits), (1, 1));
    assert!(
        posts[0].content.ends_with("Everybody is in his channel."),
        "{}",
        posts[0].content
    );
    bot.advance(Duration::from_secs(300)).await;
    assert_eq!(said(&bot, REPORTS)[0].edits, 1, "nothing is new");
    over(&bot).await;
    bot.finish().await;
}

#[tokio::test]
async fn it_can_stay_and_say_that_the_match_is_over() {
    let bot = start(&["nova"]).await;
    set(&bot, |settings| settings.set("report_at_end", "close").unwrap()).await;
    bot.play(&a_match(), "match_status_ready", 1).await;
    over(&bot).await;
    let [post] = &said(&bot, REPORTS)[..] else { panic!() };
    assert!(post.content.ends_with("It is over."), "{}", post.content);
    let mut conn = bot.app.sync.sources.pool.acquire().await.unwrap();
    let id = MatchId::new(ID);
    let left = match_reports::load(&mut conn, &id).await.unwrap();
    assert_eq!(left, None, "nothing is remembered of it");
    drop(conn);
    bot.finish().await;
}

#[tokio::test]
async fn a_post_whose_answer_is_lost_is_no_second_message() {
    let bot = start(&["nova"]).await;
    lose_an_answer(&bot);
    bot.play(&a_match(), "match_status_ready", 1).await;
    bot.advance(SOON).await;
    assert_eq!(said(&bot, REPORTS).len(), 1);
    let posts = bot
        .calls()
        .iter()
        .filter(|call| call.starts_with("POST") && call.contains("/channels/1013/messages "))
        .count();
    assert_eq!(posts, 2, "{:?}", bot.calls());
    over(&bot).await;
    assert_eq!(said(&bot, REPORTS).len(), 0);
    bot.finish().await;
}

#[tokio::test]
async fn a_post_whose_answer_is_lost_is_no_second_message_even_when_discord_stays_away_for_long() {
    let bot = start(&["nova", "rex", "ada", "bo"]).await;
    bot.disconnect("rex");
    lose_an_answer(&bot);
    bot.play(&a_match(), "match_status_ready", 1).await;
    let lost = &said(&bot, REPORTS)[0];
    // More than is listed at once, and what somebody copies is none of ours.
    let copy = format!("Look, <@{BOT}>: {}", lost.content);
    for n in 0..120 {
        bot.simulator
            .write_as("2001", REPORTS, if n == 60 { &copy } else { "gg" })
            .unwrap();
    }
    bot.advance(LONG).await;
    bot.connect("rex", LOBBY);
    bot.settle().await;
    bot.advance(SOON).await;
    let ours: Vec<_> = said(&bot, REPORTS)
        .into_iter()
        .filter(|post| post.author.to_string() == BOT)
        .collect();
    let [post] = &ours[..] else { panic!("{ours:?}") };
    assert_eq!(post.id, lost.id);
    assert!(
        post.content.ends_with("Everybody is in his channel."),
        "{}",
        post.content
    );
    over(&bot).await;
    assert!(said(&bot, REPORTS).iter().all(|post| post.author.to_string() != BOT));
    bot.finish().await;
}

#[tokio::test]
async fn a_post_that_never_came_about_is_made_up_for_and_what_others_wrote_is_not_taken_for_it() {
    let bot = start(&["nova"]).await;
    let cut = Fault {
        method: Some("POST".to_owned()),
        path: "/channels/1013/messages".to_owned(),
        drop: Some(Cut::Before),
        ..Fault::default()
    };
    bot.simulator.fault(cut).unwrap();
    bot.play(&a_match(), "match_status_ready", 1).await;
    let copy = format!("<@{BOT}> https://www.faceit.com/en/cs2/room/{ID}>)");
    bot.simulator.write_as("2001", REPORTS, &copy).unwrap();
    bot.advance(LONG).await;
    let posts = said(&bot, REPORTS);
    assert_eq!(posts.len(), 2, "{posts:?}");
    over(&bot).await;
    let posts = said(&bot, REPORTS);
    assert_eq!((posts.len(), &posts[0].content), (1, &copy), "his stays");
    bot.finish().await;
}

#[tokio::test]
async fn where_it_may_not_read_what_was_before_it_is_posted_anyway() {
    let mut world = with_text();
    world["guilds"][0]["text_channels"][0]["permission_overwrites"][0]["allow"] = json!("3072");
    let bot = start_in(world, &["nova"]).await;
    lose_an_answer(&bot);
    bot.play(&a_match(), "match_status_ready", 1).await;
    bot.advance(LONG).await;
    assert_eq!(said(&bot, REPORTS).len(), 2);
    over(&bot).await;
    assert_eq!(said(&bot, REPORTS).len(), 1, "it knows of one");
    bot.finish().await;
}

#[tokio::test]
async fn a_post_whose_answer_was_lost_is_looked_for_again_when_the_channel_comes_into_sight() {
    let bot = start(&["nova"]).await;
    lose_an_answer(&bot);
    bot.play(&a_match(), "match_status_ready", 1).await;
    let hidden = json!([{ "id": BOT, "type": 1, "allow": "0", "deny": "1024" }]);
    bot.simulator.set_overwrites(REPORTS, &hidden).unwrap();
    bot.advance(LONG).await;
    let may = json!([{ "id": BOT, "type": 1, "allow": WRITE, "deny": "0" }]);
    bot.simulator.set_overwrites(REPORTS, &may).unwrap();
    bot.advance(LONG * 2).await;
    assert_eq!(said(&bot, REPORTS).len(), 1);
    over(&bot).await;
    assert_eq!(said(&bot, REPORTS).len(), 0);
    bot.finish().await;
}

#[tokio::test]
async fn a_message_that_staff_delete_is_not_posted_again() {
    let bot = start(&["nova", "rex"]).await;
    bot.disconnect("rex");
    bot.play(&a_match(), "match_status_ready", 1).await;
    bot.simulator
        .delete_post(&said(&bot, REPORTS)[0].id.to_string())
        .unwrap();
    bot.connect("rex", BAR);
    bot.advance(SOON).await;
    bot.disconnect("rex");
    bot.advance(SOON).await;
    assert_eq!(said(&bot, REPORTS).len(), 0);
    over(&bot).await;
    bot.finish().await;
}

#[tokio::test]
async fn without_permission_the_players_are_moved_all_the_same_and_it_is_tried_again_later() {
    let mut world = with_text();
    world["guilds"][0]["text_channels"][0]["permission_overwrites"] = json!([]);
    let bot = start_in(world, &["nova"]).await;
    bot.play(&a_match(), "match_status_ready", 1).await;
    assert_eq!(bot.seat("nova").as_deref(), Some("match-5eed0000-faction1"));
    let mut conn = bot.app.sync.sources.pool.acquire().await.unwrap();
    let id = MatchId::new(ID);
    let stored = match_reports::load(&mut conn, &id).await.unwrap().unwrap();
    drop(conn);
    let (why, _) = stored.report.blocked.expect("it is refused");
    assert!(why.contains("Send Messages"), "{why}");
    let tries = || {
        bot.calls()
            .iter()
            .filter(|call| call.contains("/channels/1013/messages"))
            .count()
    };
    bot.advance(Duration::from_secs(60)).await;
    assert_eq!(tries(), 1, "it is not tried all the time");
    set(&bot, |settings| settings.report_channel = OTHER.parse().ok()).await;
    bot.advance(Duration::from_secs(60)).await;
    assert_eq!(said(&bot, OTHER).len(), 1, "another channel is tried at once");
    over(&bot).await;
    bot.finish().await;
}

#[tokio::test]
async fn it_moves_with_the_setting_and_goes_with_it() {
    let bot = start(&["nova"]).await;
    bot.play(&a_match(), "match_status_ready", 1).await;
    assert_eq!(said(&bot, REPORTS).len(), 1);
    set(&bot, |settings| settings.report_channel = OTHER.parse().ok()).await;
    bot.advance(Duration::from_secs(61)).await;
    assert_eq!((said(&bot, REPORTS).len(), said(&bot, OTHER).len()), (0, 1));
    set(&bot, |settings| settings.report_channel = None).await;
    bot.advance(Duration::from_secs(61)).await;
    assert_eq!(said(&bot, OTHER).len(), 0);
    over(&bot).await;
    bot.finish().await;
}

#[tokio::test]
async fn while_the_server_is_paused_nothing_is_written() {
    let bot = start(&["nova", "rex"]).await;
    bot.disconnect("rex");
    bot.play(&a_match(), "match_status_ready", 1).await;
    set(&bot, |settings| settings.paused = true).await;
    bot.connect("rex", LOBBY);
    bot.advance(Duration::from_secs(120)).await;
    assert_eq!(said(&bot, REPORTS)[0].edits, 0);
    set(&bot, |settings| settings.paused = false).await;
    bot.advance(Duration::from_secs(120)).await;
    bot.advance(SOON).await;
    assert_eq!(said(&bot, REPORTS)[0].edits, 1);
    over(&bot).await;
    bot.finish().await;
}

/// The next post is carried out, and its answer lost.
fn lose_an_answer(bot: &Bot) {
    let lost = Fault {
        method: Some("POST".to_owned()),
        path: "/channels/1013/messages".to_owned(),
        drop: Some(Cut::After),
        ..Fault::default()
    };
    bot.simulator.fault(lost).unwrap();
}

#[tokio::test]
async fn a_post_whose_answer_was_lost_says_what_has_become_true_meanwhile() {
    let bot = start(&["nova", "rex", "ada", "bo"]).await;
    bot.disconnect("rex");
    lose_an_answer(&bot);
    bot.play(&a_match(), "match_status_ready", 1).await;
    bot.connect("rex", LOBBY);
    bot.settle().await;
    bot.advance(SOON).await;
    let [post] = &said(&bot, REPORTS)[..] else {
        panic!("{:?}", bot.simulator.posts())
    };
    assert!(
        post.content.ends_with("Everybody is in his channel."),
        "{}",
        post.content
    );
    over(&bot).await;
    bot.finish().await;
}

#[tokio::test]
async fn a_post_whose_answer_was_lost_is_not_forgotten_while_discord_is_busy() {
    let bot = start(&["nova"]).await;
    lose_an_answer(&bot);
    let busy = Fault {
        method: Some("POST".to_owned()),
        path: "/channels/1013/messages".to_owned(),
        status: Some(400),
        body: Some(
            json!({ "code": 20028, "message": "The write action you are performing on the channel has hit the write rate limit" }),
        ),
        ..Fault::default()
    };
    bot.simulator.fault(busy).unwrap();
    bot.play(&a_match(), "match_status_ready", 1).await;
    bot.advance(Duration::from_secs(5)).await;
    set(&bot, |settings| settings.report_channel = None).await;
    // The match is looked at before it is time to try the post again.
    bot.advance(Duration::from_secs(56)).await;
    assert_eq!(said(&bot, REPORTS).len(), 0, "{:?}", bot.calls());
    over(&bot).await;
    bot.finish().await;
}

#[tokio::test]
async fn a_last_word_that_may_not_be_said_is_given_up() {
    let bot = start(&["nova"]).await;
    set(&bot, |settings| settings.set("report_at_end", "close").unwrap()).await;
    bot.play(&a_match(), "match_status_ready", 1).await;
    let refused = Fault {
        method: Some("PATCH".to_owned()),
        path: "/channels/1013/messages/*".to_owned(),
        status: Some(403),
        body: Some(json!({ "code": 50001, "message": "Missing Access" })),
        times: 100,
        ..Fault::default()
    };
    bot.simulator.fault(refused).unwrap();
    over(&bot).await;
    assert!(bot.jobs().await.is_empty(), "{:?}", bot.jobs().await);
    bot.finish().await;
}

#[tokio::test]
async fn whoever_lost_the_match_does_not_bring_its_report_back() {
    let bot = start(&["nova"]).await;
    bot.play(&a_match(), "match_status_ready", 1).await;
    let id = MatchId::new(ID);
    let mut conn = bot.app.sync.sources.pool.acquire().await.unwrap();
    let job = jobs::claim(&mut conn, WorkerId::new(1), 1, bot.clock.now() + SOON * 100).await;
    let late = job.unwrap().pop().expect("the match looks again some time");
    jobs::release(&mut conn, WorkerId::new(1), &late).await.unwrap();
    drop(conn);
    over(&bot).await;
    let wish = Wish::Say {
        channel: REPORTS.parse().unwrap(),
        text: "old news".to_owned(),
    };
    let mut conn = bot.app.sync.sources.pool.acquire().await.unwrap();
    match_reports::want(&mut conn, WorkerId::new(1), &late, &id, &wish, bot.clock.now())
        .await
        .unwrap();
    drop(conn);
    bot.settle().await;
    assert_eq!(said(&bot, REPORTS).len(), 0);
    bot.finish().await;
}

#[tokio::test]
async fn a_run_of_the_match_and_one_of_its_report_do_not_wait_for_each_other() {
    let bot = start(&["nova", "rex", "ada", "bo"]).await;
    bot.disconnect("rex");
    bot.play(&a_match(), "match_status_ready", 1).await;
    bot.connect("rex", LOBBY);
    bot.settle().await;
    // As a run of the match does that has something new to say.
    let id = MatchId::new(ID);
    let mut tx = bot.app.sync.sources.pool.begin().await.unwrap();
    match_reports::lock(&mut tx, &id).await.unwrap();
    bot.clock.advance(SOON);
    bot.simulator.advance(SOON);
    eventually("the report is written down", || async {
        bot.app.wake.notify_one();
        bot.is_blocked("%match_reports%").await
    })
    .await;
    jobs::book(&mut tx, &JobKey::report_match(&id), bot.clock.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    bot.settle().await;
    bot.advance(SOON).await;
    assert_eq!(said(&bot, REPORTS)[0].edits, 1, "neither had to be tried again");
    over(&bot).await;
    bot.finish().await;
}
