//! The safety net, and what else only time brings to light, with the whole bot.

use std::time::Duration;

use muster::{
    domain::{
        ids::{MatchId, PlayerId, UserId},
        job::JobKey,
    },
    store::{self, links::LinkRow},
    sync::Swept,
};

use crate::support::{
    bodies::game,
    bot::{Bot, CATEGORY, GUILD, PEOPLE, member},
};

const DAY: Duration = Duration::from_secs(24 * 3600);
const HOUR: Duration = Duration::from_secs(3600);

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_match_that_no_webhook_told_of_is_found_through_its_hub() {
    let bot = Bot::start(&PEOPLE).await;
    bot.play(
        &game("1-aaaaaaaa-1", "READY", &["nova"], &["ada"]),
        "match_status_ready",
        3,
    )
    .await;
    let silent = game("1-bbbbbbbb-1", "ONGOING", &["rex"], &["bo"]);
    bot.faceit_says(&silent);
    let swept = bot.app.sync.sweep(DAY).await.expect("it sweeps");
    assert_eq!(
        swept,
        Swept {
            discovered: 1,
            ..Swept::default()
        }
    );
    bot.settle().await;
    let standing: Vec<_> = bot
        .channels()
        .into_iter()
        .map(|(name, people)| (name, people.join(" ")))
        .collect();
    assert!(
        standing.contains(&("match-bbbbbbbb-faction1".to_owned(), "rex".to_owned())),
        "{standing:?}"
    );
    assert_eq!(
        bot.app.sync.sweep(DAY).await.expect("it sweeps"),
        Swept::default(),
        "it is known by now"
    );
    for id in ["1-aaaaaaaa-1", "1-bbbbbbbb-1"] {
        let over = game(id, "FINISHED", &[], &[]);
        bot.play(&over, "match_status_finished", 9).await;
    }
    bot.advance(Duration::from_secs(61)).await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_match_that_runs_again_without_a_webhook_is_found_too() {
    let bot = Bot::start(&PEOPLE).await;
    let match_again = game("1-cccccccc-1", "READY", &["nova"], &["ada"]);
    bot.play(&match_again, "match_status_ready", 3).await;
    bot.play(&match_again.status("FINISHED"), "match_status_finished", 4)
        .await;
    bot.advance(Duration::from_secs(61)).await;
    assert_eq!(bot.channels(), vec![]);
    bot.faceit_says(&match_again.status("READY"));
    // The hub's list is kept for some seconds of real time; nobody has asked for it yet.
    assert_eq!(bot.app.sync.sweep(DAY).await.expect("it sweeps").discovered, 1);
    bot.settle().await;
    assert_eq!(bot.channels().len(), 2);
    bot.play(&match_again.status("FINISHED"), "match_status_finished", 9)
        .await;
    bot.advance(Duration::from_secs(61)).await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_match_whose_job_was_lost_is_booked_again() {
    let bot = Bot::start(&PEOPLE).await;
    let running = game("1-dddddddd-1", "READY", &["nova"], &["ada"]);
    bot.play(&running, "match_status_ready", 3).await;
    let mut conn = bot.database.connection().await;
    sqlx::query("delete from jobs")
        .execute(&mut conn)
        .await
        .expect("deleted");
    bot.faceit_says(&running.status("FINISHED"));
    assert_eq!(bot.app.sync.sweep(DAY).await.expect("it sweeps").rebooked, 1);
    bot.settle().await;
    bot.advance(Duration::from_secs(61)).await;
    assert_eq!(bot.channels(), vec![]);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_deliveries_go_and_what_they_told_stays() {
    let bot = Bot::start(&PEOPLE).await;
    let over = game("1-eeeeeeee-1", "FINISHED", &["nova"], &["ada"]);
    bot.play(&over, "match_demo_ready", 9).await;
    bot.advance(2 * DAY).await;
    bot.play(
        &game("1-ffffffff-1", "FINISHED", &["rex"], &["bo"]),
        "match_status_finished",
        4,
    )
    .await;
    let swept = bot.app.sync.sweep(DAY).await.expect("it sweeps");
    assert_eq!(swept.deliveries_removed, 1);
    let record = bot.record("1-eeeeeeee-1").await;
    assert_eq!(
        record.demo_urls.iter().collect::<Vec<_>>(),
        ["https://demos.example.invalid/1-eeeeeeee-1.dem.zst"]
    );
    bot.advance(Duration::from_secs(61)).await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_that_faceit_never_ends_goes_after_the_hard_age() {
    let bot = Bot::start(&PEOPLE).await;
    bot.play(
        &game("1-abababab-1", "ONGOING", &["nova"], &["ada"]),
        "match_status_ready",
        3,
    )
    .await;
    bot.advance(8 * HOUR - Duration::from_secs(1)).await;
    assert_eq!(bot.channels().len(), 2);
    bot.advance(Duration::from_secs(2)).await;
    bot.advance(Duration::from_secs(61)).await;
    assert_eq!(bot.channels(), vec![]);
    assert_eq!(
        bot.app.sync.sweep(DAY).await.expect("it sweeps").discovered,
        0,
        "it stays closed"
    );
    assert_eq!(bot.jobs().await, vec![]);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_links_in_mid_match_is_moved_and_who_is_unlinked_leaves() {
    let bot = Bot::start(&["nova", "ada"]).await;
    let running = game("1-acacacac-1", "READY", &["nova", "rex"], &["ada"]);
    bot.play(&running, "match_status_ready", 3).await;
    let mut conn = bot.database.connection().await;
    sqlx::query("delete from player_links where faceit_id = 'p-nova'")
        .execute(&mut conn)
        .await
        .expect("unlinked");
    bot.link(&["rex"]).await;
    let now = bot.clock.now();
    store::jobs::book(&mut conn, &JobKey::sync_match(&MatchId::new(&*running.id)), now)
        .await
        .expect("booked");
    bot.settle().await;
    let first = ("match-acacacac-faction1".to_owned(), names(&["rex"]));
    assert_eq!(bot.channels()[0], first);
    assert_eq!(bot.seat("nova").as_deref(), Some("Lobby"));
    bot.play(&running.status("ABORTED"), "match_status_aborted", 9).await;
    bot.advance(Duration::from_secs(61)).await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_would_be_done_and_changes_nothing() {
    let bot = Bot::start(&["nova", "ada"]).await;
    bot.faceit_says(&game("1-adadadad-1", "READY", &["nova", "rex"], &["ada"]));
    let preview = bot
        .app
        .sync
        .sources
        .preview(&MatchId::new("1-adadadad-1"), None)
        .await
        .expect("a plan");
    let text = preview.to_string();
    let shown: Vec<_> = text.lines().filter(|line| !line.contains("look again")).collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    match 1-adadadad-1: READY
      faction1 'team': Nova = member 2001, Rex = not linked
      faction2 'team': Ada = member 2003
      - create voice channel 'match-adadadad-faction1' for faction1 in category 1010, open to 1 linked player
      - create voice channel 'match-adadadad-faction2' for faction2 in category 1010, open to 1 linked player
      - move member 2001 to the channel of faction1
      - move member 2003 to the channel of faction2
      (Rex (faction1) is not linked to a Discord account)
    ");
    assert_eq!(bot.channels(), vec![]);
    assert_eq!(bot.calls(), Vec::<String>::new());
    assert_eq!(bot.jobs().await, vec![]);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_somebody_who_left_the_server_stops_nobody_else() {
    let bot = Bot::start(&["ada"]).await;
    let stranger = LinkRow {
        player: PlayerId::new("p-nova"),
        user: UserId::new(999_999).expect("above zero"),
        nickname: "Nova".to_owned(),
    };
    let mut tx = bot.app.sync.sources.pool.begin().await.expect("a transaction");
    let imported = store::links::import(&mut tx, &[stranger], bot.clock.now()).await;
    imported.expect("the database answers").expect("no clash");
    tx.commit().await.expect("committed");
    let running = game("1-aeaeaeae-1", "READY", &["nova"], &["ada"]);
    bot.play(&running, "match_status_ready", 3).await;
    assert_eq!(bot.seat("ada").as_deref(), Some("match-aeaeaeae-faction2"));
    bot.play(&running.status("FINISHED"), "match_status_finished", 9).await;
    bot.advance(Duration::from_secs(61)).await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_are_private_and_open_to_their_own_players() {
    let bot = Bot::start(&["nova", "ada"]).await;
    let running = game("1-afafafaf-1", "READY", &["nova"], &["ada"]);
    bot.play(&running, "match_status_ready", 3).await;
    let guild = bot.simulator.guild(GUILD).expect("there is a guild");
    let channels = guild["channels"].as_array().expect("channels").iter();
    let ours: Vec<_> = channels.filter(|channel| channel["parent_id"] == CATEGORY).collect();
    assert_eq!(ours.len(), 2);
    for channel in ours {
        let overwrites = channel["permission_overwrites"].as_array().expect("overwrites");
        let of = |id: &str| {
            overwrites
                .iter()
                .find(|overwrite| overwrite["id"] == id)
                .expect("an overwrite")
        };
        // View channel 1 << 10 and connect 1 << 20.
        assert_eq!(of(GUILD)["deny"], "1049600");
        let who = if channel["name"] == "match-afafafaf-faction1" {
            "nova"
        } else {
            "ada"
        };
        assert_eq!(
            of(&member(who).to_string())["allow"],
            "3146752",
            "view, connect and speak"
        );
        assert_eq!(overwrites.len(), 3, "everyone, the bot, the player");
    }
    bot.play(&running.status("FINISHED"), "match_status_finished", 9).await;
    bot.advance(Duration::from_secs(61)).await;
    bot.finish().await;
}
