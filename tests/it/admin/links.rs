//! Links through the API: who may see whose, and linking members by hand.

use std::time::Duration;

use muster::store::linking::{self, By};
use muster::store::links::{LinkRow, Method as How};
use muster::{
    domain::ids::{GuildId, PlayerId, UserId},
    store::audit::Actor,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::browser::{Browser, HUB, OURS, STAFF_ROLE, THEIRS, id_of, world};
use crate::support::{
    bodies::{game, nickname},
    bot::{Bot, member},
};

const LINKS: &str = "/api/guilds/1000/links";
const NOBODY: Option<u64> = None;

/// FACEIT knows all of them; bo is staff of our guild.
async fn start(linked: &[&str]) -> (Bot, Browser) {
    let mut world = world();
    let players = ["nova", "rex", "ada", "bo", "cleo", "dan", "zed"];
    world["faceit"]["players"] = players
        .iter()
        .map(|name| json!({"player_id": format!("p-{name}"), "nickname": nickname(name)}))
        .collect();
    let bot = Bot::start_in(world, linked).await;
    let owner = Browser::of(&bot, "nova").await;
    assert_eq!(owner.set(OURS, json!({"staff_roles": [STAFF_ROLE]})).await.0, 200);
    let staff = Browser::of(&bot, "bo").await;
    (bot, staff)
}

fn of(name: &str) -> String {
    format!("{LINKS}/{}", id_of(name))
}

/// Links as somebody did it himself in a guild's Discord, or elsewhere.
async fn link(bot: &Bot, player: &str, name: &str, how: How, guild: Option<u64>) {
    let row = LinkRow {
        player: PlayerId::new(format!("p-{player}")),
        user: UserId::new(member(name)).unwrap(),
        nickname: nickname(player),
    };
    let by = By {
        actor: Actor::discord(row.user, name),
        guild: guild.and_then(GuildId::new),
        at: bot.clock.now(),
    };
    let mut tx = bot.app.sync.sources.pool.begin().await.unwrap();
    let linked = linking::link(&mut tx, &row, how, &by).await.unwrap();
    assert!(matches!(linked, linking::Linked::Done { .. }), "{linked:?}");
    tx.commit().await.unwrap();
}

async fn names(browser: &Browser, path: &str) -> Vec<String> {
    let (status, page) = browser.get(path).await;
    assert_eq!(status, 200, "{path}: {page}");
    let links = page["links"].as_array().unwrap().iter();
    links
        .map(|link| link["nickname"].as_str().unwrap().to_owned())
        .collect()
}

/// Action, subject, and whether something stood there before and after.
async fn changes(browser: &Browser) -> Vec<(String, String, bool, bool)> {
    let (status, page) = browser.get("/api/guilds/1000/audit?limit=200").await;
    assert_eq!(status, 200, "{page}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let changes = page["changes"].as_array().unwrap().iter();
    let links = changes.filter(|change| text(&change["action"]).starts_with("link."));
    links
        .map(|change| {
            (
                text(&change["action"]),
                text(&change["subject"]),
                !change["before"].is_null(),
                !change["after"].is_null(),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_see_links_of_people_who_played_or_linked_in_their_server_and_of_nobody_else() {
    let (bot, staff) = start(&["nova", "rex", "dan", "lou"]).await;
    let others = Browser::of(&bot, "dan").await;
    let claim = json!({"kind": "hub", "id": HUB});
    let theirs = format!("/api/guilds/{THEIRS}/competitions");
    assert_eq!(others.call(Method::POST, &theirs, Some(claim)).await.0, 201);
    assert_eq!(names(&staff, LINKS).await, Vec::<String>::new());
    // Nova and rex play here, dan there; cleo linked herself here, ada in a direct message.
    let ours = game("1-ours", "READY", &["nova"], &["rex"]);
    let mut foreign = game("1-theirs", "READY", &["dan"], &["zed"]);
    foreign.hub = HUB;
    bot.play(&ours, "match_status_ready", 2).await;
    bot.play(&foreign, "match_status_ready", 2).await;
    link(&bot, "cleo", "cleo", How::Manual, Some(1000)).await;
    link(&bot, "ada", "ada", How::Manual, NOBODY).await;
    assert_eq!(names(&staff, LINKS).await, ["Nova", "Rex", "Cleo"]);
    let there = format!("/api/guilds/{THEIRS}/links");
    assert_eq!(names(&others, &there).await, ["Dan"]);
    // By name, by either id; a member by his Discord id although he never played here, a stranger not at all.
    for (search, found) in [
        ("no", &["Nova"][..]),
        ("p-rex", &["Rex"]),
        (&id_of("cleo"), &["Cleo"]),
        (&id_of("ada"), &["Ada"]),
        ("Ada", &[]),
        ("p-ada", &[]),
        (&id_of("dan"), &[]),
        ("Dan", &[]),
        ("p-dan", &[]),
        ("%", &[]),
        ("_ova", &[]),
        ("' or 1=1 --", &[]),
    ] {
        let path = format!("{LINKS}?search={}", search.replace('%', "%25").replace(' ', "+"));
        assert_eq!(names(&staff, &path).await, found, "{search}");
    }
    // Linked anew elsewhere: what was linked here is no more.
    bot.clock.advance(Duration::from_secs(1));
    let by = By {
        actor: Actor::cli(),
        guild: None,
        at: bot.clock.now(),
    };
    let mut tx = bot.app.sync.sources.pool.begin().await.unwrap();
    linking::unlink(&mut tx, UserId::new(member("cleo")).unwrap(), &by)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    link(&bot, "cleo", "cleo", How::Manual, NOBODY).await;
    assert_eq!(names(&staff, LINKS).await, ["Nova", "Rex"]);

    bot.play(&ours.status("FINISHED"), "match_status_finished", 3).await;
    bot.play(&foreign.status("FINISHED"), "match_status_finished", 3).await;
    bot.advance(Duration::from_secs(61)).await;
    assert_eq!(names(&staff, LINKS).await, ["Nova", "Rex"]);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_links_follow_each_other_and_forged_cursors_are_refused() {
    let (bot, staff) = start(&[]).await;
    for name in ["nova", "rex", "ada", "bo", "cleo"] {
        link(&bot, name, name, How::Manual, Some(1000)).await;
    }
    let (mut seen, mut path) = (Vec::new(), format!("{LINKS}?limit=2"));
    loop {
        let (_, page) = staff.get(&path).await;
        seen.extend(names(&staff, &path).await);
        let Some(next) = page["next"].as_str() else { break };
        path = format!("{LINKS}?limit=2&cursor={next}");
    }
    assert_eq!(seen, ["Nova", "Rex", "Ada", "Bo", "Cleo"]);
    for query in [
        "cursor=2001",
        "cursor=MA",
        "cursor=LTE",
        "cursor=JyBvciAxPTE",
        "cursor=",
        "limit=0",
        "limit=201",
        "limit=x",
        "search=",
        "search=%00",
        "page=2",
    ] {
        let (status, refused) = staff.get(&format!("{LINKS}?{query}")).await;
        assert_eq!((status, &refused["error"]), (400, &json!("malformed")), "{query}");
    }
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_link_and_unlink_members_with_a_line_in_the_log_and_the_running_match_follows() {
    let (bot, staff) = start(&[]).await;
    let owner = Browser::of(&bot, "nova").await;
    let ours = game("1-link", "READY", &["nova"], &["rex"]);
    bot.play(&ours, "match_status_ready", 2).await;
    bot.connect("rex", "1011");
    bot.settle().await;
    let (status, made) = staff
        .call(Method::PUT, &of("rex"), Some(json!({"nickname": "Rex"})))
        .await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(
        (&made["faceit_id"], &made["verified_method"], &made["verified_at"]),
        (&json!("p-rex"), &json!("staff"), &Value::Null)
    );
    bot.settle().await;
    assert!(
        bot.seat("rex").is_some_and(|seat| seat.ends_with("faction2")),
        "{}",
        bot.picture()
    );
    // The same again changes nothing, another account takes its place.
    let (status, again) = staff
        .call(Method::PUT, &of("rex"), Some(json!({"faceit_id": "p-rex"})))
        .await;
    assert_eq!((status, again), (200, made));
    assert_eq!(
        staff
            .call(Method::PUT, &of("rex"), Some(json!({"faceit_id": "p-zed"})))
            .await
            .0,
        200
    );
    assert_eq!(
        staff.call(Method::DELETE, &of("rex"), None).await,
        (200, json!({"ok": true}))
    );
    assert_eq!(staff.call(Method::DELETE, &of("rex"), None).await.0, 404);
    let rex = id_of("rex");
    let log = changes(&owner).await;
    let expected = [
        ("link.removed", true, false),
        ("link.added", false, true),
        ("link.taken_over", true, true),
        ("link.confirmed", true, true),
        ("link.added", false, true),
    ];
    let expected = expected.map(|(action, before, after)| (action.to_owned(), rex.clone(), before, after));
    assert_eq!(log, expected);
    bot.play(&ours.status("FINISHED"), "match_status_finished", 3).await;
    bot.advance(Duration::from_secs(61)).await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_stays_and_nobody_outside_the_server_loses_or_gets_a_link() {
    let (bot, staff) = start(&[]).await;
    link(&bot, "ada", "ada", How::Oauth, Some(1000)).await;
    link(&bot, "cleo", "cleo", How::Manual, Some(1000)).await;
    link(&bot, "dan", "dan", How::Manual, Some(2000)).await;
    let put = |who: &'static str, player: &'static str| {
        let staff = &staff;
        async move {
            staff
                .call(Method::PUT, &of(who), Some(json!({"faceit_id": format!("p-{player}")})))
                .await
        }
    };
    for (who, player, words) in [
        ("rex", "ada", "only he can give it up"),
        ("ada", "rex", "unlink him first"),
        ("rex", "dan", "somebody who is not in this server"),
    ] {
        let (status, refused) = put(who, player).await;
        assert_eq!((status, &refused["error"]), (409, &json!("taken")), "{refused}");
        let said = refused.to_string();
        assert!(said.contains(words), "{said}");
        assert!(!said.contains(&id_of("dan")) && !said.contains(&id_of("ada")), "{said}");
    }
    // What a member only typed gives way.
    assert_eq!(put("rex", "cleo").await.0, 200);
    assert_eq!(
        staff.get(&format!("{LINKS}?search={}", id_of("cleo"))).await.1["links"],
        json!([])
    );
    // No member, no Discord id, no player.
    for user in [&id_of("dan"), "2999", "0", "x", "9223372036854775808", "%00"] {
        let path = format!("{LINKS}/{user}");
        let (status, refused) = staff
            .call(Method::PUT, &path, Some(json!({"faceit_id": "p-zed"})))
            .await;
        assert_eq!((status, &refused["error"]), (404, &json!("not_found")), "{user}");
        assert_eq!(staff.call(Method::DELETE, &path, None).await.0, 404, "{user}");
    }
    for body in [
        json!({"faceit_id": "nobody"}),
        json!({"faceit_id": "../hubs/x"}),
        json!({"faceit_id": ".."}),
        json!({"faceit_id": "a\u{0}b"}),
        json!({"nickname": "rex rex rex"}),
        json!({"nickname": ""}),
        json!({"nickname": "Rex", "faceit_id": "p-rex"}),
        json!({}),
        json!({"nickname": 7}),
        json!([]),
        json!({"nickname": "Rex", "verified_method": "oauth"}),
    ] {
        let (status, refused) = staff.call(Method::PUT, &of("rex"), Some(body.clone())).await;
        assert_eq!(
            (status, &refused["error"]),
            (422, &json!("invalid")),
            "{body}: {refused}"
        );
    }
    let dan = Browser::of(&bot, "dan").await;
    assert_eq!(names(&dan, &format!("/api/guilds/{THEIRS}/links")).await, ["Dan"]);
    bot.finish().await;
}
