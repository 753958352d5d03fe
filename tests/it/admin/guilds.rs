//! Which servers somebody looks after, and what there is to choose from in them.

use std::time::Duration;

use serde_json::{Value, json};

use super::browser::{Browser, EMPTY, OURS, STAFF_ROLE, THEIRS, bot, id_of};

fn ids(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    list.iter().map(|one| one["id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_sees_the_servers_in_which_he_is_staff_or_more() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "nova").await;
    let staff = Browser::of(&bot, "bo").await;
    assert_eq!(staff.get("/api/guilds").await, (200, json!([])));
    assert_eq!(owner.set(OURS, json!({"staff_roles": [STAFF_ROLE]})).await.0, 200);
    let seen = |role: &str| json!([{"id": OURS, "name": "Kiosk", "icon": null, "role": role, "installed": true}]);
    assert_eq!(owner.get("/api/guilds").await, (200, seen("owner")));
    // The setting counts at once.
    assert_eq!(staff.get("/api/guilds").await, (200, seen("staff")));
    assert_eq!(
        Browser::of(&bot, "rex").await.get("/api/guilds").await,
        (200, seen("admin"))
    );
    assert_eq!(
        Browser::of(&bot, "cleo").await.get("/api/guilds").await,
        (200, json!([]))
    );
    let (_, others) = Browser::of(&bot, "dan").await.get("/api/guilds").await;
    assert_eq!(ids(&others), [THEIRS]);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_discord_does_not_tell_in_time_is_unknown_and_holds_nothing_up() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "nova").await;
    assert_eq!(owner.set(OURS, json!({"staff_roles": [STAFF_ROLE]})).await.0, 200);
    let staff = Browser::of(&bot, "bo").await;
    let path = format!("/members/{}", id_of("bo"));
    let fault = json!({"path": path, "method": "GET", "delay_ms": 30_000, "times": 9});
    bot.simulator.fault(serde_json::from_value(fault).unwrap()).unwrap();
    let (status, guilds) = staff.get("/api/guilds").await;
    assert_eq!(
        (status, &guilds[0]["id"], &guilds[0]["role"]),
        (200, &json!(OURS), &Value::Null),
        "{guilds}"
    );
    bot.simulator.clear_faults();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bot_is_invited_into_the_very_server_and_is_seen_there_soon_after() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "finn").await;
    let (status, guild) = owner.get(&format!("/api/guilds/{EMPTY}")).await;
    assert_eq!((status, &guild["installed"]), (200, &json!(false)), "{guild}");
    for path in ["channels", "roles"] {
        let (status, refused) = owner.get(&format!("/api/guilds/{EMPTY}/{path}")).await;
        assert_eq!((status, &refused["error"]), (409, &json!("bot_missing")), "{path}");
    }
    let (_, invite) = owner.get(&format!("/api/guilds/{EMPTY}/bot-install-url")).await;
    let url = url::Url::parse(invite["url"].as_str().unwrap()).unwrap();
    let field = |name: &str| {
        url.query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    assert_eq!(field("guild_id").as_deref(), Some(EMPTY));
    assert_eq!(field("permissions").as_deref(), Some("53478928"));
    assert_eq!(field("client_id").as_deref(), Some("900000000000000001"));
    assert_eq!(field("scope").as_deref(), Some("bot applications.commands"));
    bot.simulator.add_bot(EMPTY, "900000000000000001", 53_478_928).unwrap();
    bot.clock.advance(Duration::from_secs(6));
    let (_, guild) = owner.get(&format!("/api/guilds/{EMPTY}")).await;
    assert_eq!(guild["installed"], json!(true));
    assert_eq!(owner.get(&format!("/api/guilds/{EMPTY}/roles")).await.0, 200);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_come_as_discord_shows_them_with_what_the_bot_may_do_in_each() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "nova").await;
    let (status, voice) = owner.get(&format!("/api/guilds/{OURS}/channels")).await;
    assert_eq!(status, 200, "{voice}");
    // One that the bot can't view is not there.
    assert_eq!(ids(&voice), ["1011", "1012", "1010", "1020", "1021", "1022"]);
    let corner = json!({
        "id": "1021", "name": "Corner", "kind": "voice", "category": "1020",
        "bot": {"view": true, "connect": true, "move_members": true, "manage_channels": true, "send_messages": false},
    });
    assert_eq!(voice[4], corner);
    let locked = json!({"view": true, "connect": false, "move_members": false, "manage_channels": false, "send_messages": false});
    assert_eq!(voice[5]["bot"], locked);
    assert_eq!(voice[2]["kind"], "category");
    let (_, all) = owner.get(&format!("/api/guilds/{OURS}/channels?text=true")).await;
    assert_eq!(
        ids(&all),
        ["1013", "1011", "1012", "1010", "1020", "1023", "1021", "1022"]
    );
    for query in ["text=perhaps", "test=true"] {
        let (status, refused) = owner.get(&format!("/api/guilds/{OURS}/channels?{query}")).await;
        assert_eq!((status, &refused["error"]), (400, &json!("malformed")), "{query}");
    }
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_come_from_the_highest_down_without_everyone() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "nova").await;
    let (status, roles) = owner.get(&format!("/api/guilds/{OURS}/roles")).await;
    assert_eq!(status, 200, "{roles}");
    let names: Vec<_> = roles
        .as_array()
        .unwrap()
        .iter()
        .map(|role| (&role["name"], &role["managed"]))
        .collect();
    let expected = [
        ("Muster", true),
        ("Managers", false),
        ("Bosses", false),
        ("Referees", false),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, managed)| (json!(name), json!(managed)))
        .collect();
    assert_eq!(
        names,
        expected
            .iter()
            .map(|(name, managed)| (name, managed))
            .collect::<Vec<_>>()
    );
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_check_says_of_a_server_what_the_doctor_would_and_nothing_of_others() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "nova").await;
    let (status, report) = owner.get(&format!("/api/guilds/{OURS}/check")).await;
    assert_eq!((status, &report["healthy"]), (200, &json!(true)), "{report}");
    assert!(
        report.to_string().contains("Kiosk") && !report.to_string().contains("Others"),
        "{report}"
    );
    let other = Browser::of(&bot, "finn").await;
    let (status, report) = other.get(&format!("/api/guilds/{EMPTY}/check")).await;
    assert_eq!((status, &report["healthy"]), (200, &json!(false)), "{report}");
    assert!(
        report.to_string().contains(EMPTY) && !report.to_string().contains("Kiosk"),
        "{report}"
    );
    // Asked again at once, nobody is bothered.
    bot.simulator.clear_journal();
    assert_eq!(other.get(&format!("/api/guilds/{EMPTY}/check")).await.1, report);
    assert_eq!(bot.calls(), Vec::<String>::new());
    bot.finish().await;
}
