//! `/muster …`: staff's own server, its people and matches; and nobody else's.

use std::time::Duration;

use muster::{
    domain::{
        ids::{GuildId, UserId},
        settings::{ClaimKind, Settings},
    },
    simulator::Ask,
    store::{
        self,
        audit::{Actor, Entry, Filter},
        guild_changes, guilds,
        linking::{self, By},
        links::{LinkRow, Method},
    },
};
use serde_json::{Value, json};

use super::{fault, link_of};
use crate::support::{
    asker::{Shown, pressed, typed},
    bodies::{Match, game},
    bot::{BAR, Bot, GUILD, member, world},
    database::eventually,
};

const THEIRS: &str = "2000";
const ID: &str = "1-5eed0000-0001";
/// A match of the other server.
const FOREIGN: &str = "1-0ther000-0001";
const REFEREES: u64 = 1100;

/// In our server lou may manage the server, kim is its administrator, jun has a staff role, ivo owns it; the rest are players. dan owns the other
/// server, where gus and lou are members, too; zoe is only there.
fn two_servers() -> Value {
    let mut world = world();
    let ours = &mut world["guilds"][0];
    ours["owner_id"] = json!(member("ivo").to_string());
    ours["roles"] = json!([
        {"id": REFEREES.to_string(), "name": "Referees"},
        {"id": "1101", "name": "Bosses", "permissions": "8"},
        {"id": "1102", "name": "Managers", "permissions": "32"},
    ]);
    for (name, role) in [("lou", "1102"), ("kim", "1101"), ("jun", "1100")] {
        let members = ours["members"].as_array_mut().unwrap();
        let id = member(name).to_string();
        let one = members.iter_mut().find(|one| one["id"] == id.as_str()).unwrap();
        one["roles"] = json!([role]);
    }
    let someone = |id: u64, name: &str| json!({"id": id.to_string(), "name": name});
    let theirs = json!({
        "id": THEIRS, "name": "Others", "owner_id": member("dan").to_string(), "bot_permissions": "53478928",
        "categories": [{"id": "2010", "name": "Games"}],
        "voice_channels": [{"id": "2011", "name": "Hall"}],
        "text_channels": [{"id": "2013", "name": "chat"}],
        "members": [
            someone(member("dan"), "Dan"), someone(member("gus"), "Gus"), someone(member("lou"), "Lou"), someone(2999, "Zoe"),
        ],
    });
    world["guilds"].as_array_mut().unwrap().push(theirs);
    let players = ["Nova", "Rex", "Ada", "Zoe"];
    let players = players.map(|name| json!({"player_id": format!("p-{}", name.to_lowercase()), "nickname": name}));
    world["faceit"] = json!({"players": players});
    world
}

async fn bot(linked: &[&str]) -> Bot {
    let bot = Bot::start_in(two_servers(), linked).await;
    let settings = Settings {
        staff_roles: [REFEREES.to_string().parse().unwrap()].into(),
        ..bot.config.guild.settings().unwrap()
    };
    store_settings(&bot, &settings).await;
    bot
}

async fn store_settings(bot: &Bot, settings: &Settings) {
    let mut conn = bot.app.sync.sources.pool.acquire().await.unwrap();
    guilds::save(&mut conn, settings, None, bot.clock.now()).await.unwrap();
}

/// The other server claims a hub of its own and plays a match there.
async fn foreign_match(bot: &Bot) -> Match {
    let theirs: GuildId = THEIRS.parse().unwrap();
    store_settings(bot, &Settings::new(theirs)).await;
    let mut tx = bot.app.sync.sources.pool.begin().await.unwrap();
    let claimed = guild_changes::claim(&mut tx, &Actor::cli(), theirs, ClaimKind::Hub, "hub-2", bot.clock.now()).await;
    assert_eq!(claimed.unwrap(), theirs);
    tx.commit().await.unwrap();
    let game = Match {
        hub: "hub-2",
        ..game(FOREIGN, "READY", &["gus"], &["dan"])
    };
    bot.play(&game, "match_status_ready", 1).await;
    assert_eq!(bot.record(FOREIGN).await.guild, Some(theirs));
    game
}

fn muster(name: &str, command: &str, options: Value) -> Ask {
    typed(name, &format!("muster {command}"), options)
}

fn about(name: &str) -> Value {
    json!({"member": {"user": member(name).to_string()}})
}

/// Newest first, without what came by other ways than Discord.
async fn audited(bot: &Bot) -> Vec<String> {
    let mut conn = bot.app.sync.sources.pool.acquire().await.unwrap();
    let rows = store::audit::list(&mut conn, &Filter::default(), 100).await.unwrap();
    let of_discord = rows
        .into_iter()
        .filter(|row| row.entry.actor.source == store::audit::Source::Discord);
    of_discord
        .map(|row| {
            let (by, guild) = (row.entry.actor.id.unwrap(), row.entry.guild.unwrap());
            format!("{by} in {guild}: {} {}", row.entry.action, row.entry.subject)
        })
        .collect()
}

async fn newest(bot: &Bot) -> Entry {
    let mut conn = bot.app.sync.sources.pool.acquire().await.unwrap();
    let mut rows = store::audit::list(&mut conn, &Filter::default(), 1).await.unwrap();
    rows.remove(0).entry
}

/// What somebody was told by direct message.
fn told(bot: &Bot, name: &str) -> Vec<String> {
    let posts = bot.simulator.posts().into_iter();
    posts
        .filter(|post| post.to.is_some_and(|to| to.0 == member(name)))
        .map(|post| post.content)
        .collect()
}

async fn prove(bot: &Bot, name: &str) {
    let by = By {
        actor: Actor::system(),
        guild: None,
        at: bot.clock.now(),
    };
    let row = link_of(bot, name).await.unwrap().row;
    let mut tx = bot.app.sync.sources.pool.begin().await.unwrap();
    linking::link(&mut tx, &row, Method::Oauth, &by).await.unwrap();
    tx.commit().await.unwrap();
}

fn a_match() -> Match {
    game(ID, "READY", &["nova", "rex"], &["ada", "bo"])
}

async fn over(bot: Bot, game: &Match) {
    bot.play(&game.status("FINISHED"), "match_status_finished", 9).await;
    bot.advance(Duration::from_secs(3600)).await;
    bot.finish().await;
}

/// Every subcommand, as somebody would type it.
fn all(name: &str) -> Vec<Ask> {
    let id = json!({"match": ID});
    vec![
        muster(name, "who", about("nova")),
        muster(
            name,
            "link",
            json!({"member": {"user": member("bo").to_string()}, "nickname": "Rex"}),
        ),
        muster(name, "unlink", about("nova")),
        muster(name, "verify", about("nova")),
        muster(name, "match", id.clone()),
        muster(name, "move", id.clone()),
        muster(name, "teardown", id),
        muster(name, "pause", json!({})),
        muster(name, "resume", json!({})),
    ]
}

#[tokio::test]
async fn who_is_not_staff_is_told_so_and_nothing_changes() {
    let bot = bot(&["nova"]).await;
    bot.play(&a_match(), "match_status_ready", 1).await;
    let button = bot.ask(&muster("lou", "teardown", json!({"match": ID}))).await;
    let before = (bot.record(ID).await, link_of(&bot, "nova").await, bot.channels());
    for ask in all("nova") {
        bot.ask(&ask)
            .await
            .says("is for this server's staff")
            .says("Nothing was done");
    }
    let typing = Ask {
        focused: Some("match".to_owned()),
        ..muster("nova", "match", json!({"match": ""}))
    };
    assert_eq!(bot.send(&typing).await.body["data"]["choices"], json!([]));
    // Whoever makes up a button, and whoever is no longer staff when he presses his.
    bot.simulator
        .set_roles_of(GUILD, &member("lou").to_string(), &[])
        .unwrap();
    bot.press("lou", &button).await.says("is for this server's staff");
    bot.settle().await;
    assert_eq!(
        (bot.record(ID).await, link_of(&bot, "nova").await, bot.channels()),
        before
    );
    assert_eq!(audited(&bot).await, Vec::<String>::new());
    over(bot, &a_match()).await;
}

#[tokio::test]
async fn staff_is_who_owns_or_manages_the_server_or_has_its_staff_role() {
    let bot = bot(&["nova"]).await;
    for staff in ["ivo", "kim", "lou", "jun"] {
        bot.ask(&muster(staff, "who", about("nova"))).await.says("**Nova**");
    }
    // Where another role is staff, it is no longer jun.
    let mut conn = bot.app.sync.sources.pool.acquire().await.unwrap();
    let stored = guilds::load(&mut conn, GUILD.parse().unwrap()).await.unwrap().unwrap();
    let settings = Settings {
        staff_roles: [1101.to_string().parse().unwrap()].into(),
        ..stored.settings
    };
    guilds::save(&mut conn, &settings, Some(stored.version), bot.clock.now())
        .await
        .unwrap();
    drop(conn);
    bot.ask(&muster("jun", "who", about("nova")))
        .await
        .says("is for this server's staff");
    bot.finish().await;
}

#[tokio::test]
async fn the_staff_of_one_server_sees_and_touches_nothing_of_another() {
    let bot = bot(&["nova", "gus"]).await;
    let game = foreign_match(&bot).await;
    let zoe = LinkRow {
        player: muster::domain::ids::PlayerId::new("p-zoe"),
        user: UserId::new(2999).unwrap(),
        nickname: "Zoe".to_owned(),
    };
    let by = By {
        actor: Actor::system(),
        guild: None,
        at: bot.clock.now(),
    };
    let mut tx = bot.app.sync.sources.pool.begin().await.unwrap();
    linking::link(&mut tx, &zoe, Method::Manual, &by).await.unwrap();
    tx.commit().await.unwrap();
    let before = (bot.record(FOREIGN).await, bot.simulator.picture(Some(THEIRS)).unwrap());

    for command in ["match", "move", "teardown"] {
        let shown = bot.ask(&muster("lou", command, json!({"match": FOREIGN}))).await;
        shown.says("This server has no match");
        assert_eq!(shown.buttons(), [], "{command}");
    }
    // A button of his own that he has pressed in the other server, and there he is no staff; and one with another match in it.
    bot.play(&a_match(), "match_status_ready", 1).await;
    let button = bot.ask(&muster("lou", "teardown", json!({"match": ID}))).await;
    let elsewhere = Ask {
        guild_id: THEIRS.to_owned(),
        ..pressed("lou", &button, &button.buttons()[0].1)
    };
    bot.ask(&elsewhere).await.says("is for this server's staff");
    let typing = Ask {
        focused: Some("match".to_owned()),
        ..muster("lou", "match", json!({"match": ""}))
    };
    let choices = bot.send(&typing).await.body["data"]["choices"].clone();
    assert_eq!(choices.as_array().unwrap().len(), 1, "{choices}");
    assert_eq!(choices[0]["value"], ID);
    assert_eq!(choices[0]["name"], "team – team · READY · 5eed0000");

    // People who are only there.
    let only_there = json!({"member": {"user": "2999"}});
    for command in ["who", "unlink", "verify"] {
        bot.ask(&muster("lou", command, only_there.clone()))
            .await
            .says("name a member of this server");
    }
    bot.ask(&muster("lou", "who", json!({"nickname": "zoe"})))
        .await
        .says("Nobody in this server is linked to a FACEIT account called **zoe**");
    bot.ask(&muster(
        "lou",
        "link",
        json!({"member": {"user": member("bo").to_string()}, "nickname": "Zoe"}),
    ))
    .await
    .says("linked to somebody who is not in this server");
    bot.ask(&muster("lou", "who", json!({"nickname": "gus"})))
        .await
        .says("**Gus**");

    // Pause and resume are of the server they are asked in.
    bot.ask(&muster("lou", "pause", json!({}))).await.says("Paused");
    let mut conn = bot.app.sync.sources.pool.acquire().await.unwrap();
    let theirs = guilds::load(&mut conn, THEIRS.parse().unwrap()).await.unwrap().unwrap();
    assert!(!theirs.settings.paused);
    drop(conn);
    bot.ask(&muster("lou", "resume", json!({}))).await.says("goes on");
    bot.settle().await;
    assert_eq!(
        (bot.record(FOREIGN).await, bot.simulator.picture(Some(THEIRS)).unwrap()),
        before
    );
    let mut conn = bot.app.sync.sources.pool.acquire().await.unwrap();
    assert!(linking::of_user(&mut conn, zoe.user).await.unwrap().is_some());
    drop(conn);
    bot.play(&game.status("FINISHED"), "match_status_finished", 9).await;
    over(bot, &a_match()).await;
}

#[tokio::test]
async fn in_a_direct_message_there_is_no_staff() {
    let bot = bot(&["nova"]).await;
    bot.play(&a_match(), "match_status_ready", 1).await;
    let button = bot.ask(&muster("lou", "teardown", json!({"match": ID}))).await;
    let direct = Ask {
        guild_id: String::new(),
        ..pressed("lou", &button, &button.buttons()[0].1)
    };
    bot.ask(&direct).await.says("not in a direct message");
    assert_eq!(audited(&bot).await, Vec::<String>::new());
    over(bot, &a_match()).await;
}

#[tokio::test]
async fn who_shows_a_link_by_member_or_nickname_and_where_he_plays() {
    let bot = bot(&["nova"]).await;
    bot.ask(&muster("jun", "who", json!({}))).await.says("Name a member");
    bot.ask(&muster("jun", "who", about("rex")))
        .await
        .says("<@2002> is not linked");
    bot.play(&a_match(), "match_status_ready", 1).await;
    bot.run("nova", "optout").await;
    for whom in [about("nova"), json!({"nickname": "nOVA"})] {
        bot.ask(&muster("jun", "who", whom))
            .await
            .says("<@2001> is linked to the FACEIT account **Nova** (p\\-nova) since <t:")
            .says("imported, not proven")
            .says("opted out")
            .says("level 5, ELO 1100")
            .says(&format!("Open match: `{ID}`"));
    }
    bot.simulator
        .fault(fault(
            json!({"path": "/guilds/1000/members/2001", "method": "GET", "status": 503, "times": 9}),
        ))
        .unwrap();
    bot.ask(&muster("jun", "who", json!({"nickname": "nova"})))
        .await
        .says("Discord did not answer");
    bot.simulator.clear_faults();
    over(bot, &a_match()).await;
}

#[tokio::test]
async fn every_look_up_is_recorded_and_what_was_refused_or_suggested_is_not() {
    let bot = bot(&["nova", "gus"]).await;
    bot.play(&a_match(), "match_status_ready", 1).await;
    let nickname = |name: &str| json!({"nickname": name});
    let refused = [
        muster("jun", "who", json!({})),
        muster("jun", "who", json!({"member": {"user": "2999"}})),
        muster("jun", "match", json!({"match": "1-unknown"})),
        muster("nova", "who", about("nova")),
    ];
    for ask in refused {
        bot.ask(&ask).await;
    }
    let typing = Ask {
        focused: Some("match".to_owned()),
        ..muster("jun", "match", json!({"match": ""}))
    };
    bot.send(&typing).await;
    assert_eq!(audited(&bot).await, Vec::<String>::new());
    for (command, options) in [
        ("who", about("nova")),
        ("who", about("rex")),
        ("who", nickname("nOVA")),
        ("who", nickname(" Noone ")),
        ("match", json!({"match": ID})),
    ] {
        bot.ask(&muster("jun", command, options)).await;
    }
    let recorded = [
        &format!("match.viewed {ID}"),
        "link.viewed nickname:noone",
        "link.viewed 2001",
        "link.viewed 2002",
        "link.viewed 2001",
    ];
    let jun = member("jun");
    assert_eq!(
        audited(&bot).await,
        recorded.map(|what| format!("{jun} in 1000: {what}"))
    );
    over(bot, &a_match()).await;
}

#[tokio::test]
async fn link_ties_a_member_to_a_player_and_moves_him_at_once() {
    let bot = bot(&[]).await;
    bot.play(&a_match(), "match_status_ready", 1).await;
    assert_eq!(bot.seat("nova").as_deref(), Some("Lobby"));
    let link = |nickname: &str| {
        let mut options = about("nova");
        options["nickname"] = json!(nickname);
        muster("jun", "link", options)
    };
    bot.ask(&link("nova"))
        .await
        .says("knows nobody called exactly **nova**");
    bot.ask(&link("Nova"))
        .await
        .says("<@2001> is linked to the FACEIT account **Nova** now");
    let stored = link_of(&bot, "nova").await.unwrap();
    assert_eq!((stored.row.player.as_str(), stored.method), ("p-nova", Method::Staff));
    bot.settle().await;
    assert_eq!(bot.seat("nova").as_deref(), Some("match-5eed0000-faction1"));
    let jun = member("jun");
    assert_eq!(audited(&bot).await, [format!("{jun} in 1000: link.added 2001")]);
    eventually("he is told", async || told(&bot, "nova").len() == 1).await;
    bot.ask(&link("Nova")).await.says("was linked to **Nova** already");
    over(bot, &a_match()).await;
}

#[tokio::test]
async fn a_staff_link_takes_over_what_is_not_proven_and_never_what_is() {
    let bot = bot(&["nova", "rex"]).await;
    let link = |name: &str, nickname: &str| {
        let mut options = about(name);
        options["nickname"] = json!(nickname);
        muster("lou", "link", options)
    };
    // Rex was imported as Rex, and is Nova in truth: both old links go.
    bot.ask(&link("rex", "Nova"))
        .await
        .says("<@2002> is linked to the FACEIT account **Nova** now")
        .says("The link of <@2001> to **Nova** is gone")
        .says("The link of <@2002> to **Rex** is gone");
    assert_eq!(link_of(&bot, "nova").await, None);
    eventually("the loser is told", async || told(&bot, "nova").len() == 1).await;
    assert!(
        told(&bot, "nova")[0].contains("no longer linked"),
        "{:?}",
        told(&bot, "nova")
    );
    let lou = member("lou");
    let mut audited = audited(&bot).await;
    audited.sort();
    assert_eq!(
        audited,
        ["link.added 2002", "link.taken_over 2001", "link.taken_over 2002"]
            .map(|what| format!("{lou} in 1000: {what}"))
    );

    prove(&bot, "rex").await;
    let before = link_of(&bot, "rex").await;
    bot.ask(&link("nova", "Nova"))
        .await
        .says("<@2002> has proven that **Nova** is his");
    bot.ask(&link("rex", "Ada"))
        .await
        .says("<@2002> has proven that he is **Nova**");
    assert_eq!(
        (link_of(&bot, "rex").await, link_of(&bot, "nova").await),
        (before, None)
    );
    bot.finish().await;
}

#[tokio::test]
async fn unlink_undoes_even_a_proven_link_and_he_leaves_the_match_channel() {
    let bot = bot(&["nova"]).await;
    prove(&bot, "nova").await;
    bot.play(&a_match(), "match_status_ready", 1).await;
    assert_ne!(bot.seat("nova").as_deref(), Some("Lobby"));
    bot.ask(&muster("lou", "unlink", about("nova")))
        .await
        .says("<@2001> is no longer linked to **Nova**");
    bot.settle().await;
    assert_eq!(
        (link_of(&bot, "nova").await, bot.seat("nova").as_deref()),
        (None, Some("Lobby"))
    );
    eventually("he is told", async || told(&bot, "nova").len() == 1).await;
    let lou = member("lou");
    assert_eq!(audited(&bot).await, [format!("{lou} in 1000: link.removed 2001")]);
    bot.ask(&muster("lou", "unlink", about("nova")))
        .await
        .says("is not linked");
    assert_eq!(audited(&bot).await.len(), 1, "nothing changed, nothing to record");
    over(bot, &a_match()).await;
}

#[tokio::test]
async fn verify_reads_a_member_again_and_records_it_also_when_nothing_is_new() {
    let bot = bot(&["nova"]).await;
    bot.ask(&muster("jun", "verify", about("rex")))
        .await
        .says("<@2002> is not linked");
    bot.ask(&muster("jun", "verify", about("nova")))
        .await
        .says("is still **Nova**")
        .says("ELO 1100");
    let jun = member("jun");
    assert_eq!(audited(&bot).await, [format!("{jun} in 1000: link.checked 2001")]);
    let row = newest(&bot).await;
    assert_eq!((&row.before, row.before.is_some()), (&row.after, true));
    let renamed =
        json!({"path": "/players/p-nova", "status": 200, "body": {"player_id": "p-nova", "nickname": "Nova_2"}});
    bot.simulator.fault(fault(renamed)).unwrap();
    bot.ask(&muster("jun", "verify", about("nova")))
        .await
        .says("is **Nova\\_2** now, and was **Nova**");
    assert_eq!(link_of(&bot, "nova").await.unwrap().row.nickname, "Nova_2");
    assert_eq!(
        audited(&bot).await,
        ["link.renamed 2001", "link.checked 2001"].map(|what| format!("{jun} in 1000: {what}"))
    );
    let gone = json!({"path": "/players/p-nova", "status": 404});
    bot.simulator.fault(fault(gone)).unwrap();
    bot.ask(&muster("jun", "verify", about("nova")))
        .await
        .says("does not know the account **Nova\\_2**");
    let all = audited(&bot).await;
    assert_eq!((all.len(), &all[0]), (3, &format!("{jun} in 1000: link.checked 2001")));
    bot.finish().await;
}

/// The plan that `shown` holds, in its text or as a file.
fn plan(shown: &Shown) -> String {
    let file = shown.seen["files"][0]["text"].as_str();
    file.unwrap_or_else(|| shown.text()).to_owned()
}

#[tokio::test]
async fn match_shows_the_match_with_its_plan_by_id_or_address() {
    let bot = bot(&["nova"]).await;
    bot.play(&a_match(), "match_status_ready", 1).await;
    for given in [
        ID.to_owned(),
        format!(" https://www.faceit.com/en/cs2/room/{ID}/scoreboard"),
    ] {
        let shown = bot.ask(&muster("jun", "match", json!({"match": given}))).await;
        let plan = plan(&shown);
        assert!(plan.contains(&format!("match {ID}: READY")), "{plan}");
        assert!(plan.contains("Nova = member 2001, Rex = not linked"), "{plan}");
        assert!(
            plan.contains("(Rex (faction1) is not linked to a Discord account)"),
            "{plan}"
        );
    }
    bot.ask(&muster("jun", "match", json!({"match": "1-unknown"})))
        .await
        .says("This server has no match");
    bot.ask(&muster("jun", "match", json!({"match": "no id"})))
        .await
        .says("can't be a match");
    over(bot, &a_match()).await;
}

#[tokio::test]
async fn a_plan_too_long_for_a_message_comes_as_a_file() {
    let names: Vec<String> = (0..10)
        .map(|n| format!("{n}-of-a-very-long-line-of-kings-and-queens"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let bot = bot(&[]).await;
    let long = game(ID, "READY", &names[..5], &names[5..]);
    bot.simulator.set_bot_permissions(GUILD, 1024).unwrap();
    bot.play(&long, "match_status_ready", 1).await;
    let shown = bot.ask(&muster("jun", "match", json!({"match": ID}))).await;
    assert_eq!(shown.seen["files"][0]["name"], "plan.txt", "{}", shown.seen);
    assert!(plan(&shown).contains("is blocked"), "{}", plan(&shown));
    bot.simulator.set_bot_permissions(GUILD, 53_478_928).unwrap();
    bot.advance(Duration::from_secs(700)).await;
    over(bot, &long).await;
}

#[tokio::test]
async fn move_brings_everybody_in_again_wherever_he_went() {
    let bot = bot(&["nova", "ada"]).await;
    bot.play(&a_match(), "match_status_ready", 1).await;
    bot.connect("nova", BAR);
    bot.connect("ada", BAR);
    bot.settle().await;
    assert_eq!(bot.seat("nova").as_deref(), Some("Bar"));
    bot.ask(&muster("jun", "move", json!({"match": ID})))
        .await
        .says("wherever he went meanwhile");
    bot.settle().await;
    assert_eq!(bot.seat("nova").as_deref(), Some("match-5eed0000-faction1"));
    assert_eq!(bot.seat("ada").as_deref(), Some("match-5eed0000-faction2"));
    let jun = member("jun");
    assert_eq!(audited(&bot).await, [format!("{jun} in 1000: match.move {ID}")]);
    bot.play(&a_match().status("FINISHED"), "match_status_finished", 2)
        .await;
    bot.ask(&muster("jun", "move", json!({"match": ID})))
        .await
        .says("does not run");
    assert_eq!(audited(&bot).await.len(), 1);
    bot.advance(Duration::from_secs(3600)).await;
    bot.finish().await;
}

#[tokio::test]
async fn teardown_asks_once_more_and_then_ends_the_match_until_faceit_runs_it_again() {
    let bot = bot(&["nova"]).await;
    bot.play(&a_match(), "match_status_ready", 1).await;
    let shown = bot.ask(&muster("jun", "teardown", json!({"match": ID}))).await;
    shown.says("End the match 1\\-5eed0000\\-0001 here?");
    bot.settle().await;
    assert_eq!(bot.channels().len(), 2, "not before he says so");
    bot.press("jun", &shown).await.says("ended here");
    bot.settle().await;
    assert_eq!((bot.channels().len(), bot.seat("nova").as_deref()), (0, Some("Lobby")));
    let jun = member("jun");
    assert_eq!(audited(&bot).await, [format!("{jun} in 1000: match.teardown {ID}")]);
    let row = newest(&bot).await;
    let (before, after) = (row.before.unwrap(), row.after.unwrap());
    assert_eq!(
        (&before["status"], &before["teardown_at"]),
        (&json!("READY"), &Value::Null)
    );
    assert!(after["teardown_at"].is_string(), "{after}");
    bot.run("nova", "match").await.says("No match of yours is running");

    // FACEIT still plays it; that is no reason.
    bot.play(&a_match().status("ONGOING"), "match_status_ready", 2).await;
    bot.advance(Duration::from_secs(120)).await;
    assert_eq!(bot.channels().len(), 0, "{}", bot.picture());
    bot.ask(&muster("jun", "move", json!({"match": ID})))
        .await
        .says("does not run");

    // Cancelled and run anew under the same id.
    bot.play(&a_match().status("CANCELLED"), "match_status_cancelled", 3)
        .await;
    bot.play(&a_match(), "match_status_ready", 4).await;
    assert_eq!(bot.channels().len(), 2, "{}", bot.picture());
    bot.press("jun", &bot.ask(&muster("jun", "teardown", json!({"match": ID}))).await)
        .await
        .says("ended here");
    bot.settle().await;
    assert_eq!(bot.channels().len(), 0, "{}", bot.picture());
    bot.ask(&muster("jun", "teardown", json!({"match": "1-unknown"})))
        .await
        .says("no match");
    bot.press("jun", &bot.ask(&muster("jun", "teardown", json!({"match": ID}))).await)
        .await
        .says("does not run");
    over(bot, &a_match()).await;
}

#[tokio::test]
async fn teardown_cuts_a_grace_period_short() {
    let bot = bot(&["nova"]).await;
    bot.play(&a_match(), "match_status_ready", 1).await;
    bot.play(&a_match().status("FINISHED"), "match_status_finished", 2)
        .await;
    assert_eq!(bot.channels().len(), 2);
    bot.press("jun", &bot.ask(&muster("jun", "teardown", json!({"match": ID}))).await)
        .await
        .says("ended here");
    bot.settle().await;
    assert_eq!(bot.channels().len(), 0, "{}", bot.picture());
    bot.finish().await;
}

#[tokio::test]
async fn while_a_server_is_paused_nothing_is_done_there_and_then_all_of_it() {
    // Nothing is stored for it: what the environment says is kept.
    let bot = Bot::start_in(two_servers(), &["nova"]).await;
    bot.ask(&muster("lou", "resume", json!({}))).await.says("is not paused");
    bot.ask(&muster("lou", "pause", json!({}))).await.says("Paused");
    bot.ask(&muster("lou", "pause", json!({}))).await.says("paused already");
    let lou = member("lou");
    assert_eq!(audited(&bot).await, [format!("{lou} in 1000: guild.changed 1000")]);
    let mut conn = bot.app.sync.sources.pool.acquire().await.unwrap();
    let stored = guilds::load(&mut conn, GUILD.parse().unwrap()).await.unwrap().unwrap();
    let from_environment = bot.config.guild.settings().unwrap();
    let paused = Settings {
        paused: true,
        ..from_environment
    };
    assert_eq!(stored.settings, paused);
    drop(conn);
    bot.play(&a_match(), "match_status_ready", 1).await;
    assert_eq!(bot.channels().len(), 0);
    bot.ask(&muster("lou", "move", json!({"match": ID})))
        .await
        .says("it happens after `/muster resume`");
    bot.ask(&muster("lou", "resume", json!({}))).await.says("goes on");
    bot.settle().await;
    assert_eq!(bot.seat("nova").as_deref(), Some("match-5eed0000-faction1"));

    // Everything is paused by the operators.
    let pause = async |begin: bool| {
        let (now, actor) = (bot.clock.now(), Actor::cli());
        let mut tx = bot.app.sync.sources.pool.begin().await.unwrap();
        if begin {
            store::service_pause::begin(&mut tx, &actor, None, now).await.unwrap();
        } else {
            store::service_pause::end(&mut tx, &actor, now).await.unwrap();
        }
        tx.commit().await.unwrap();
    };
    pause(true).await;
    bot.ask(&muster("lou", "move", json!({"match": ID})))
        .await
        .says("paused everywhere");
    bot.settle().await;
    pause(false).await;
    over(bot, &a_match()).await;
}

#[tokio::test]
async fn staff_is_answered_in_german_too() {
    let bot = bot(&[]).await;
    for (name, says) in [
        ("nova", "für das Team dieses Servers"),
        ("jun", "mit keinem FACEIT-Konto verknüpft"),
    ] {
        let ask = Ask {
            locale: Some("de".to_owned()),
            ..muster(name, "who", about("rex"))
        };
        bot.ask(&ask).await.says(says);
    }
    bot.finish().await;
}
