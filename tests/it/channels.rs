//! The channels themselves, through the whole bot: who may enter, where they are made, and what happens when they can't be made or are gone.

use std::time::Duration;

use muster::{
    domain::{
        ids::{ChannelId, Faction, GuildId, MatchId, PlayerId, RoleId, UserId},
        job::JobKey,
        settings::Settings,
    },
    simulator::{ControlError, Fault, Side},
    store::{self, links::LinkRow},
};
use serde_json::{Value, json};

use crate::support::{
    bodies::{Match, game},
    bot::{BOT, Bot, CATEGORY, GUILD, LOBBY, PEOPLE, member, world},
    database::eventually,
};

const ID: &str = "1-5cd68867-0001";
const ONE: &str = "match-5cd68867-faction1";
const MINUTE: Duration = Duration::from_secs(60);
const STAFF: u64 = 50;
const CASTERS: u64 = 60;
const SPEAK: u64 = 1 << 21;
/// All that the bot needs, and the same without Manage Channels.
const INVITED: u64 = 53_478_928;
const WITHOUT_MANAGE: u64 = INVITED - 16;

fn nova_and_ada() -> Match {
    game(ID, "READY", &["nova"], &["ada"])
}

/// Gives the guild settings of its own.
async fn set(bot: &Bot, change: impl FnOnce(&mut Settings)) {
    let mut settings = Settings::new(guild());
    settings.category = ChannelId::new(CATEGORY.parse().expect("a number"));
    settings.lobby = ChannelId::new(LOBBY.parse().expect("a number"));
    change(&mut settings);
    let mut conn = bot.app.sync.sources.pool.acquire().await.expect("a connection");
    store::guilds::save(&mut conn, &settings, None, bot.clock.now())
        .await
        .expect("saved");
}

fn guild() -> GuildId {
    GuildId::new(GUILD.parse().expect("a number")).expect("above zero")
}

/// All channels: id, name, parent.
fn all(bot: &Bot) -> Vec<(String, String, Option<String>)> {
    let guild = bot.simulator.guild(GUILD).expect("there is a guild");
    let channels = guild["channels"].as_array().expect("channels").iter();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    channels
        .map(|channel| {
            let own = |key: &str| text(&channel[key]).unwrap_or_default();
            (own("id"), own("name"), text(&channel["parent_id"]))
        })
        .collect()
}

fn id_of(bot: &Bot, name: &str) -> String {
    let found = all(bot).into_iter().find(|(_, known, _)| known == name);
    found
        .unwrap_or_else(|| panic!("there is no {name}\n{}", bot.picture()))
        .0
}

/// Names of the channels of matches, wherever they are.
fn made(bot: &Bot) -> Vec<String> {
    let names = all(bot).into_iter().map(|(_, name, _)| name);
    names.filter(|name| name.starts_with("match-")).collect()
}

/// What people see who ask for the plan.
async fn plan(bot: &Bot, id: &str) -> String {
    let preview = bot.app.sync.sources.preview(&MatchId::new(id), None).await;
    preview.expect("the database answers").to_string()
}

/// Requests to Discord that were to change something, since the journal was cleared.
fn attempts(bot: &Bot) -> Vec<String> {
    let calls = bot.calls().into_iter();
    calls.filter(|call| !call.starts_with("GET ")).collect()
}

/// So many channels of others, from this id on.
fn strangers(from: u64, count: u64, parent: Option<&str>) -> Vec<Value> {
    let ids = from..from + count;
    ids.map(|id| json!({"id": id.to_string(), "name": format!("s{id}"), "parent_id": parent}))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_may_enter_and_speak_spectators_may_listen_and_nobody_else_gets_in() {
    let mut world = world();
    world["guilds"][0]["roles"] =
        json!([{"id": STAFF.to_string(), "name": "Staff"}, {"id": CASTERS.to_string(), "name": "Casters"}]);
    for (name, role) in [("gus", STAFF), ("hana", CASTERS)] {
        let at = PEOPLE.iter().position(|known| *known == name).expect("known");
        world["guilds"][0]["members"][at]["roles"] = json!([role.to_string()]);
    }
    let bot = Bot::start_in(world, &["nova", "ada"]).await;
    set(&bot, |settings| {
        settings.staff_roles.extend(RoleId::new(STAFF));
        // One of them was deleted since.
        settings
            .spectator_roles
            .extend([CASTERS, 61].into_iter().filter_map(RoleId::new));
    })
    .await;
    bot.play(&nova_and_ada(), "match_status_ready", 5).await;
    assert_eq!(bot.seat("nova").as_deref(), Some(ONE));
    let channel = id_of(&bot, ONE);
    let enter = |name: &str| {
        bot.simulator
            .connect_as_user(GUILD, &member(name).to_string(), &channel)
    };
    assert_eq!((enter("gus"), enter("hana"), enter("nova")), (Ok(()), Ok(()), Ok(())));
    for outsider in ["ivo", "ada"] {
        assert!(matches!(enter(outsider), Err(ControlError::Barred(_))), "{outsider}");
    }
    let seen = bot.simulator.guild(GUILD).expect("there is a guild");
    let seen = seen["channels"].as_array().expect("channels").iter();
    let ours = seen.filter(|channel| channel["name"] == ONE);
    let overwrites: Vec<&Value> = ours
        .flat_map(|channel| channel["permission_overwrites"].as_array())
        .flatten()
        .collect();
    let casters = overwrites
        .iter()
        .find(|overwrite| overwrite["id"].as_str() == Some("60"));
    assert_eq!(casters.expect("listed")["deny"], SPEAK.to_string());
    bot.play(&nova_and_ada().status("FINISHED"), "match_status_finished", 6)
        .await;
    bot.advance(MINUTE).await;
    bot.finish().await;
}

/// Thirty matches with two linked players each, who all sit in the lobby.
fn crowd() -> (Value, Vec<Match>, Vec<LinkRow>) {
    let mut world = world();
    let plenty = json!({"limit": 1000, "per_ms": 1000});
    world["limits"] = json!({
        "member_edit": plenty, "channel_create": plenty, "global_per_second": 1000, "faceit_per_second": 1000,
    });
    let ids = 3001..3061_u64;
    world["guilds"][0]["members"] = ids
        .clone()
        .map(|id| json!({"id": id.to_string(), "name": format!("m{id}"), "voice_channel_id": LOBBY}))
        .collect();
    let games = ids.clone().step_by(2).map(|id| {
        let (one, two) = (format!("m{id}"), format!("m{}", id + 1));
        game(&format!("1-{id:08}-0001"), "READY", &[&one], &[&two])
    });
    let links = ids.clone().map(|id| LinkRow {
        player: PlayerId::new(format!("p-m{id}")),
        user: UserId::new(id).expect("above zero"),
        nickname: format!("m{id}"),
    });
    (world, games.collect(), links.collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_matches_at_once_overflow_into_one_further_category_and_nothing_is_left_of_it() {
    let (world, games, links) = crowd();
    let bot = Bot::start_in(world, &[]).await;
    let mut tx = bot.app.sync.sources.pool.begin().await.expect("a transaction");
    let imported = store::links::import(&mut tx, &links, bot.clock.now()).await;
    imported.expect("the database answers").expect("no clash");
    tx.commit().await.expect("committed");
    for game in &games {
        bot.faceit_says(game);
    }
    let deliveries = games.iter().map(|game| {
        let body = game.webhook("match_status_ready", 5);
        let bot = &bot;
        async move { bot.deliver(&body).await }
    });
    for answer in futures::future::join_all(deliveries).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    bot.settle().await;
    assert_eq!(made(&bot).len(), 60, "{}", bot.picture());
    let further = id_of(&bot, "Matches 2");
    let inside = |parent: &str| {
        all(&bot)
            .iter()
            .filter(|(_, _, of)| of.as_deref() == Some(parent))
            .count()
    };
    assert_eq!(inside(CATEGORY) + inside(&further), 60);
    assert!(inside(CATEGORY) >= 49, "{}", bot.picture());
    let alone = all(&bot)
        .iter()
        .filter(|(_, name, _)| name.starts_with("Matches"))
        .count();
    assert_eq!(alone, 2, "one further category: {}", bot.picture());
    for link in &links {
        let seat = bot.simulator.guild(GUILD).expect("there is a guild");
        let of_match = format!("match-{:08}", link.user.get() - (link.user.get() + 1) % 2);
        let here = seat["channels"].as_array().expect("channels").iter();
        let mut here = here.filter(|channel| {
            channel["members"]
                .as_array()
                .is_some_and(|all| all.contains(&json!(link.user.to_string())))
        });
        let name = here
            .next()
            .map(|channel| channel["name"].as_str().unwrap_or_default().to_owned());
        assert!(
            name.as_deref().is_some_and(|name| name.starts_with(&of_match)),
            "{name:?} is not of {of_match}"
        );
    }
    let created = attempts(&bot)
        .iter()
        .filter(|call| call.starts_with("POST") && call.ends_with("201"))
        .count();
    assert_eq!(created, 61);

    for game in &games {
        bot.faceit_says(&game.status("FINISHED"));
        bot.deliver(&game.status("FINISHED").webhook("match_status_finished", 6))
            .await;
    }
    bot.settle().await;
    bot.advance(MINUTE).await;
    bot.advance(MINUTE).await;
    let mut names: Vec<String> = all(&bot).into_iter().map(|(_, name, _)| name).collect();
    names.sort();
    assert_eq!(
        names,
        ["Bar", "Lobby", "Matches"],
        "what others made stays, and nothing else"
    );
    let limited: Vec<String> = bot.calls().into_iter().filter(|call| call.ends_with(" 429")).collect();
    assert_eq!(limited, Vec::<String>::new());
    assert_eq!(bot.jobs().await, []);
    bot.finish().await;
}

/// The guild's own category has room for `room` channels.
fn nearly_full(room: u64) -> Value {
    let mut world = world();
    let text = strangers(4000, 50 - room, Some(CATEGORY));
    world["guilds"][0]["text_channels"] = json!(text);
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_further_category_whose_answer_was_lost_is_found_and_not_made_twice() {
    let bot = Bot::start_in(nearly_full(1), &["nova", "ada"]).await;
    let lost = Fault {
        method: Some("POST".to_owned()),
        path: "/channels".to_owned(),
        drop: Some(muster::simulator::Cut::After),
        ..Fault::default()
    };
    bot.simulator.fault(lost).expect("a fault");
    bot.play(&nova_and_ada(), "match_status_ready", 5).await;
    bot.advance(Duration::from_secs(5)).await;
    assert!(bot.simulator.waiting_faults().is_empty());
    let further: Vec<_> = all(&bot)
        .into_iter()
        .filter(|(_, name, _)| name == "Matches 2")
        .collect();
    assert_eq!(further.len(), 1, "{}", bot.picture());
    let inside = all(&bot)
        .iter()
        .filter(|(_, _, parent)| parent.as_deref() == Some(&further[0].0))
        .count();
    assert_eq!(inside, 2, "{}", bot.picture());
    bot.play(&nova_and_ada().status("CANCELLED"), "match_status_cancelled", 6)
        .await;
    bot.advance(MINUTE).await;
    assert!(
        all(&bot).iter().all(|(_, name, _)| name != "Matches 2"),
        "{}",
        bot.picture()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_match_that_writes_down_too_late_that_it_waits_is_not_forgotten() {
    let bot = Bot::start_in(nearly_full(0), &["nova", "ada", "rex", "bo"]).await;
    let late = game("1-5cd68867-0002", "READY", &["rex"], &["bo"]);
    // It has seen that there is no room, and can't write it down until somebody else has got his further category.
    let mut held = bot.app.sync.sources.pool.begin().await.expect("a transaction");
    sqlx::query("insert into matches (match_id, first_seen_at, updated_at) values ($1, now(), now())")
        .bind(&late.id)
        .execute(&mut *held)
        .await
        .expect("the row is ours");
    bot.faceit_says(&late);
    bot.deliver(&late.webhook("match_status_ready", 5)).await;
    eventually("its run waits for the row", || bot.is_blocked("insert into matches%")).await;
    bot.faceit_says(&nova_and_ada());
    bot.deliver(&nova_and_ada().webhook("match_status_ready", 5)).await;
    eventually("the other has its channels", async || made(&bot).len() == 2).await;
    held.rollback().await.expect("the row is nobody's");
    bot.settle().await;
    assert_eq!(made(&bot).len(), 4, "{}", bot.picture());
    for game in [&late, &nova_and_ada()] {
        bot.play(&game.status("FINISHED"), "match_status_finished", 6).await;
    }
    bot.advance(MINUTE).await;
    assert_eq!(made(&bot), Vec::<String>::new(), "{}", bot.picture());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_further_category_in_which_somebody_put_his_own_channel_stays() {
    let bot = Bot::start_in(nearly_full(0), &["nova", "ada"]).await;
    bot.play(&nova_and_ada(), "match_status_ready", 5).await;
    let further = id_of(&bot, "Matches 2");
    // He drags one of his into it.
    let addresses = bot.simulator.addresses();
    let drag = reqwest::Client::builder().no_proxy().build().expect("a client");
    let drag = drag
        .patch(format!("{}/channels/4000", addresses.discord_api))
        .header("authorization", format!("Bot {}", addresses.bot_token))
        .json(&json!({"parent_id": further}));
    assert_eq!(drag.send().await.expect("an answer").status(), 200);
    bot.play(&nova_and_ada().status("FINISHED"), "match_status_finished", 6)
        .await;
    bot.advance(MINUTE).await;
    bot.advance(MINUTE).await;
    assert_eq!(made(&bot), Vec::<String>::new());
    assert_eq!(id_of(&bot, "Matches 2"), further);
    bot.simulator.delete_channel("4000").expect("it is there");
    bot.settle().await;
    assert!(
        all(&bot).iter().all(|(_, name, _)| name != "Matches 2"),
        "{}",
        bot.picture()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_category_without_further_ones_is_blocked_and_goes_on_when_there_is_room() {
    let bot = Bot::start_in(nearly_full(0), &["nova", "ada"]).await;
    set(&bot, |settings| settings.overflow = false).await;
    bot.play(&nova_and_ada(), "match_status_ready", 5).await;
    assert_eq!(
        attempts(&bot),
        Vec::<String>::new(),
        "the gateway tells that it is full"
    );
    let plan = plan(&bot, ID).await;
    assert!(
        plan.contains("category 1010 is full (50 channels)") && plan.contains("OVERFLOW_CATEGORIES"),
        "{plan}"
    );
    bot.simulator.delete_channel("4000").expect("it is there");
    bot.simulator.delete_channel("4001").expect("it is there");
    bot.settle().await;
    assert_eq!(made(&bot).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_deleted_by_hand_is_made_again_at_once_while_somebody_needs_it() {
    let bot = Bot::start(&["nova", "ada"]).await;
    bot.play(&nova_and_ada(), "match_status_ready", 5).await;
    let first = id_of(&bot, ONE);
    bot.simulator.delete_channel(&first).expect("it is there");
    bot.settle().await;
    let second = id_of(&bot, ONE);
    assert_ne!(first, second);
    assert_eq!(bot.record(ID).await.slots[&Faction::One].gone_at, None);
    let nova = member("nova").to_string();
    assert_eq!(bot.simulator.connect_as_user(GUILD, &nova, &second), Ok(()));

    // Nobody of the other faction is linked any more: it stays away.
    let mut conn = bot.app.sync.sources.pool.acquire().await.expect("a connection");
    sqlx::query("delete from player_links where faceit_id = 'p-ada'")
        .execute(&mut *conn)
        .await
        .expect("deleted");
    drop(conn);
    bot.simulator
        .delete_channel(&id_of(&bot, "match-5cd68867-faction2"))
        .expect("it is there");
    bot.settle().await;
    assert_eq!(made(&bot), [ONE]);
    let plan = plan(&bot, ID).await;
    assert!(plan.contains("somebody deleted the channel of faction2"), "{plan}");
    bot.link(&["ada"]).await;
    bot.advance(MINUTE).await;
    assert_eq!(made(&bot).len(), 2);
    bot.play(&nova_and_ada().status("FINISHED"), "match_status_finished", 6)
        .await;
    bot.advance(MINUTE).await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_deleted_by_hand_during_the_grace_period_or_unseen_is_just_gone() {
    let bot = Bot::start(&["nova", "ada"]).await;
    bot.play(&nova_and_ada(), "match_status_ready", 5).await;
    bot.play(&nova_and_ada().status("FINISHED"), "match_status_finished", 6)
        .await;
    bot.simulator.clear_journal();
    bot.simulator.delete_channel(&id_of(&bot, ONE)).expect("it is there");
    bot.settle().await;
    assert_eq!(attempts(&bot), Vec::<String>::new());
    bot.advance(MINUTE).await;
    assert_eq!(made(&bot), Vec::<String>::new());
    assert!(bot.record(ID).await.closed_at.is_some());
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_the_gateway_missed_is_asked_for_and_not_made_twice() {
    let bot = Bot::start(&["nova", "ada"]).await;
    bot.play(&nova_and_ada(), "match_status_ready", 5).await;
    let channel = id_of(&bot, ONE);
    // As after an event that was lost.
    let id = ChannelId::new(channel.parse().expect("a number")).expect("above zero");
    bot.app.voice.remove_channel(guild(), id);
    bot.simulator.clear_journal();
    bot.advance(MINUTE).await;
    let asked = bot
        .calls()
        .iter()
        .any(|call| call.starts_with("GET") && call.contains(&format!("/channels/{channel} 200")));
    assert!(asked, "{:?}", bot.calls());
    assert_eq!((attempts(&bot), id_of(&bot, ONE)), (vec![], channel));
    bot.play(&nova_and_ada().status("FINISHED"), "match_status_finished", 6)
        .await;
    bot.advance(MINUTE).await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_permission_is_named_not_tried_again_and_goes_on_when_it_is_back() {
    let bot = Bot::start(&["nova", "ada"]).await;
    bot.simulator
        .set_bot_permissions(GUILD, WITHOUT_MANAGE)
        .expect("there is a guild");
    bot.settle().await;
    bot.play(&nova_and_ada(), "match_status_ready", 5).await;
    let seen = plan(&bot, ID).await;
    assert!(
        seen.contains("the bot lacks Manage Channels for the whole server"),
        "{seen}"
    );
    assert_eq!(attempts(&bot).len(), 2, "one for each channel");
    bot.simulator.clear_journal();
    for _ in 0..5 {
        bot.advance(MINUTE).await;
    }
    assert_eq!(attempts(&bot), Vec::<String>::new());
    bot.simulator
        .set_bot_permissions(GUILD, INVITED)
        .expect("there is a guild");
    bot.settle().await;
    assert_eq!(bot.seat("nova").as_deref(), Some(ONE), "at once");

    // The same in the category, for the next match. Its refusal is later than what was told before.
    bot.advance(Duration::from_secs(1)).await;
    let deny = json!([{"id": GUILD, "type": 0, "deny": "16"}]);
    bot.simulator
        .set_overwrites(CATEGORY, &deny)
        .expect("there is a category");
    bot.settle().await;
    let other = game("1-6ab3defc-0002", "READY", &["nova"], &["ada"]);
    bot.play(&other, "match_status_ready", 5).await;
    let seen = plan(&bot, &other.id).await;
    assert!(
        seen.contains("lacks Manage Channels in category 'Matches', denied there to @everyone"),
        "{seen}"
    );
    bot.advance(MINUTE).await;
    bot.simulator
        .set_overwrites(CATEGORY, &json!([]))
        .expect("there is a category");
    bot.settle().await;
    assert_eq!(made(&bot).len(), 4);
    for game in [nova_and_ada(), other] {
        bot.play(&game.status("FINISHED"), "match_status_finished", 6).await;
    }
    bot.advance(MINUTE).await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_discord_did_not_tell_is_tried_again_when_somebody_asks_for_it() {
    let bot = Bot::start(&["nova", "ada"]).await;
    bot.simulator
        .set_bot_permissions(GUILD, WITHOUT_MANAGE)
        .expect("there is a guild");
    bot.settle().await;
    bot.play(&nova_and_ada(), "match_status_ready", 5).await;
    let lose = json!({"event": "GUILD_ROLE_UPDATE", "action": "lose"});
    bot.simulator
        .upset_events(serde_json::from_value(lose).expect("a fault"))
        .expect("a fault");
    bot.simulator
        .set_bot_permissions(GUILD, INVITED)
        .expect("there is a guild");
    bot.advance(MINUTE).await;
    assert_eq!(made(&bot), Vec::<String>::new());
    let id = MatchId::new(ID);
    let mut conn = bot.app.sync.sources.pool.acquire().await.expect("a connection");
    store::guild_states::note_wish(&mut conn, &id, bot.clock.now())
        .await
        .expect("noted");
    store::jobs::book(&mut conn, &JobKey::sync_match(&id), bot.clock.now())
        .await
        .expect("booked");
    drop(conn);
    bot.settle().await;
    assert_eq!(made(&bot).len(), 2);
    bot.play(&nova_and_ada().status("FINISHED"), "match_status_finished", 6)
        .await;
    bot.advance(MINUTE).await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_can_t_be_deleted_is_kept_until_it_can_be() {
    let bot = Bot::start(&["nova", "ada"]).await;
    bot.play(&nova_and_ada(), "match_status_ready", 5).await;
    bot.simulator.set_bot_permissions(GUILD, 0).expect("there is a guild");
    bot.simulator
        .set_overwrites(&id_of(&bot, ONE), &json!([{"id": GUILD, "type": 0, "deny": "1049600"}]))
        .expect("it is there");
    bot.settle().await;
    bot.play(&nova_and_ada().status("ABORTED"), "match_status_aborted", 6)
        .await;
    bot.advance(MINUTE).await;
    let seen = plan(&bot, ID).await;
    assert!(seen.contains("lacks View Channel in channel"), "{seen}");
    // The other channel's end was news about the category: it may be tried once more for that.
    bot.advance(MINUTE).await;
    bot.simulator.clear_journal();
    bot.advance(MINUTE).await;
    bot.advance(MINUTE).await;
    assert_eq!(attempts(&bot), Vec::<String>::new());
    bot.simulator
        .set_overwrites(&id_of(&bot, ONE), &json!([]))
        .expect("it is there");
    bot.simulator
        .set_bot_permissions(GUILD, INVITED)
        .expect("there is a guild");
    bot.settle().await;
    assert_eq!(made(&bot), Vec::<String>::new());
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_is_thrown_out_parks_its_matches_and_tidies_up_when_it_is_let_in_again() {
    let bot = Bot::start(&["nova", "ada", "rex", "bo"]).await;
    let running = game("1-6ab3defc-0002", "READY", &["rex"], &["bo"]);
    bot.play(&nova_and_ada(), "match_status_ready", 5).await;
    bot.simulator.remove_bot(GUILD, BOT).expect("it was there");
    bot.settle().await;
    bot.simulator.clear_journal();
    bot.play(&nova_and_ada().status("FINISHED"), "match_status_finished", 6)
        .await;
    bot.play(&running, "match_status_ready", 5).await;
    bot.advance(MINUTE).await;
    bot.advance(MINUTE).await;
    assert_eq!(bot.calls(), Vec::<String>::new(), "nothing is asked of that guild");
    for id in [ID, &running.id] {
        let seen = plan(&bot, id).await;
        assert!(
            seen.contains("parked: the bot was removed from the Discord server"),
            "{seen}"
        );
    }
    assert!(
        bot.jobs()
            .await
            .iter()
            .all(|job| job.dead_at.is_none() && job.last_error.is_none())
    );
    for _ in 0..4 {
        bot.advance(Duration::from_secs(3600)).await;
    }
    assert!(
        attempts(&bot).len() <= 12,
        "now and then it is seen whether the bot is back: {:?}",
        bot.calls()
    );
    assert_eq!(bot.record(ID).await.slots.len(), 2, "its channels are not forgotten");
    bot.simulator.add_bot(GUILD, BOT, INVITED).expect("let in");
    bot.settle().await;
    let short = |name: &str| made(&bot).iter().filter(|known| known.contains(name)).count();
    assert_eq!((short("5cd68867"), short("6ab3defc")), (0, 2), "{}", bot.picture());
    assert_eq!(bot.seat("rex").as_deref(), Some("match-6ab3defc-faction1"));
    bot.play(&running.status("FINISHED"), "match_status_finished", 6).await;
    bot.advance(MINUTE).await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_is_never_let_in_again_gives_its_channels_up_in_the_end() {
    let bot = Bot::start(&["nova", "ada"]).await;
    bot.play(&nova_and_ada(), "match_status_ready", 5).await;
    bot.simulator.remove_bot(GUILD, BOT).expect("it was there");
    bot.settle().await;
    for _ in 0..4 {
        bot.advance(Duration::from_secs(24 * 3600)).await;
    }
    let record = bot.record(ID).await;
    assert!(record.closed_at.is_some() && record.slots.is_empty());
    assert_eq!(bot.jobs().await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn during_an_outage_of_the_guild_nothing_is_asked_and_afterwards_everything_goes_on() {
    let bot = Bot::start(&["nova", "ada"]).await;
    bot.simulator.set_outage(GUILD, true).expect("there is a guild");
    bot.settle().await;
    bot.simulator.clear_journal();
    bot.play(&nova_and_ada(), "match_status_ready", 5).await;
    bot.advance(MINUTE).await;
    assert_eq!(bot.calls(), Vec::<String>::new());
    bot.simulator.set_outage(GUILD, false).expect("there is a guild");
    bot.settle().await;
    assert_eq!(bot.seat("nova").as_deref(), Some(ONE));
    bot.play(&nova_and_ada().status("FINISHED"), "match_status_finished", 6)
        .await;
    bot.advance(MINUTE).await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guild_with_499_channels_is_refused_before_anything_is_sent_until_one_is_deleted() {
    let mut world = world();
    // The category, the lobby and the bar are three of them.
    world["guilds"][0]["text_channels"] = json!(strangers(4000, 496, None));
    let bot = Bot::start_in(world, &["nova", "ada"]).await;
    bot.play(&nova_and_ada(), "match_status_ready", 5).await;
    let seen = plan(&bot, ID).await;
    assert!(
        seen.contains("has room for 1 more of its 500 channels, and this match needs 2"),
        "{seen}"
    );
    bot.advance(MINUTE).await;
    assert_eq!(attempts(&bot), Vec::<String>::new());
    let metrics = reqwest::Client::builder().no_proxy().build().expect("a client");
    let metrics = metrics.get(format!("http://{}/metrics", bot.app.address)).send().await;
    let metrics = metrics.expect("an answer").text().await.expect("a text");
    assert!(
        metrics.contains("muster_channels_blocked_total{why=\"guild_full\"} 2"),
        "{metrics}"
    );
    bot.simulator.delete_channel("4000").expect("it is there");
    bot.settle().await;
    assert_eq!(all(&bot).len(), 500);
    assert_eq!(bot.seat("nova").as_deref(), Some(ONE));
    bot.play(&nova_and_ada().status("FINISHED"), "match_status_finished", 6)
        .await;
    bot.advance(MINUTE).await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discords_daily_limit_is_shown_and_not_run_into_again() {
    let mut world = world();
    world["limits"]["channels_per_day"] = json!(2);
    let bot = Bot::start_in(world, &["nova", "ada", "rex", "bo"]).await;
    bot.play(&nova_and_ada(), "match_status_ready", 5).await;
    assert_eq!(made(&bot).len(), 2);
    bot.simulator.clear_journal();
    let second = game("1-6ab3defc-0002", "READY", &["rex"], &["bo"]);
    bot.play(&second, "match_status_ready", 5).await;
    let refused = attempts(&bot).len();
    assert!((1..=2).contains(&refused), "{:?}", attempts(&bot));
    let seen = plan(&bot, &second.id).await;
    assert!(
        seen.contains("is blocked: not before ") && seen.contains("500 a day"),
        "{seen}"
    );
    for _ in 0..3 {
        bot.advance(Duration::from_secs(3600)).await;
    }
    assert_eq!(attempts(&bot).len(), refused, "nothing more was sent");
    for game in [nova_and_ada(), second] {
        bot.play(&game.status("FINISHED"), "match_status_finished", 6).await;
    }
    bot.advance(MINUTE).await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_is_said_by_readyz_and_nothing_more_is_sent() {
    let bot = Bot::start(&["nova", "ada"]).await;
    bot.simulator
        .reset_token(BOT, "another-token")
        .expect("there is the bot");
    bot.play(&nova_and_ada(), "match_status_ready", 5).await;
    let ask = reqwest::Client::builder().no_proxy().build().expect("a client");
    let ready = ask
        .get(format!("http://{}/readyz", bot.app.address))
        .send()
        .await
        .expect("an answer");
    assert_eq!(ready.status(), 503);
    let body: Value = ready.json().await.expect("a body");
    assert_eq!(body["checks"]["discord_token"]["ok"], json!(false), "{body}");
    let sent = || {
        let journal = bot.simulator.journal().into_iter();
        journal
            .filter(|entry| entry.side == Side::Discord && entry.status == 401)
            .count()
    };
    let refused = sent();
    assert!(refused >= 1);
    for _ in 0..3 {
        bot.advance(Duration::from_secs(120)).await;
    }
    assert_eq!(sent(), refused);
    assert_eq!(made(&bot), Vec::<String>::new());
}
