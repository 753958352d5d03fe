//! `muster doctor` and `/readyz?verbose`: every kind of trouble has its line, which names what is wrong, where, and what to do.

use muster::simulator::{Fault, Options, Simulator, WorldFile};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::support::{
    bot::{CATEGORY, GUILD, LOBBY, SECRET, world},
    database::Database,
    service::{Place, Ran, run},
};

/// The usual place in a world that was changed first.
async fn place_in(change: impl FnOnce(&mut Value)) -> (Place, Simulator) {
    let mut world = world();
    change(&mut world);
    let world = WorldFile::parse(&world.to_string()).expect("the world fits together");
    let options = Options {
        webhook_secret: SECRET.to_owned(),
        ..Options::default()
    };
    let simulator = Simulator::start(world, options).await.expect("the simulator starts");
    let mut place = Place::new(&[]).await;
    let addresses = simulator.addresses();
    place.set("DISCORD_API_URL", &addresses.discord_api);
    place.set("DISCORD_TOKEN", &addresses.bot_token);
    place.set("FACEIT_API_URL", &addresses.faceit_api);
    (place, simulator)
}

/// The one line of the report that is not ok.
fn the_line(ran: &Ran, code: i32) -> &str {
    assert_eq!(ran.code, Some(code), "{ran:#?}");
    assert_eq!(ran.stderr, "", "it says all on standard output");
    let mut lines = ran.stdout.lines().collect::<Vec<_>>();
    let summary = lines.pop().expect("a summary");
    assert!(summary.contains(" checks, "), "{summary}");
    lines.retain(|line| !line.starts_with("ok "));
    assert_eq!(lines.len(), 1, "{}", ran.stdout);
    lines[0]
}

fn says(line: &str, words: &[&str]) {
    for word in words {
        assert!(line.contains(word), "it does not say {word:?}: {line}");
    }
    assert!(line.contains(" → "), "nothing is said about what to do: {line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_all_is_well_every_line_is_ok_and_nothing_was_changed() {
    let (place, simulator) = place_in(|_| {}).await;
    let before = place.dump().await;
    let ran = place.run(&["doctor"]).await;
    println!("{}", ran.stdout);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    for about in [
        "configuration",
        "webhook secret",
        "database",
        "migrations",
        "jobs",
        "FACEIT key",
        "Discord token",
        "Discord application",
        "gateway",
        "server Kiosk (1000), permissions",
        "server Kiosk (1000), category",
        "server Kiosk (1000), lobby",
        "server Kiosk (1000), room",
    ] {
        assert!(
            ran.stdout.contains(&format!("ok       {about}: ")),
            "{about}\n{}",
            ran.stdout
        );
    }
    assert!(ran.stdout.ends_with(", 0 warnings, 0 failed\n"), "{}", ran.stdout);
    assert!(!ran.stdout.contains(SECRET));
    assert_eq!(place.dump().await, before);
    assert!(simulator.journal().iter().all(|entry| entry.method == "GET"));
    assert_eq!(simulator.unknown_requests(), []);

    let ran = place.run(&["doctor", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let report: Value = serde_json::from_str(&ran.stdout).expect("one JSON object");
    assert_eq!(report["healthy"], json!(true));
    let checks = report["checks"].as_array().expect("a list");
    assert!(checks.iter().all(|check| check["verdict"] == "ok"), "{report:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_nothing_set_every_missing_setting_has_a_line_and_what_is_set_is_looked_at_all_the_same() {
    let program = muster::sandbox::process::Program::own("muster").expect("muster is built");
    let ran = run(program.args(["doctor"]).bare_env()).await;
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    for name in [
        "DATABASE_URL",
        "FACEIT_API_KEY",
        "FACEIT_WEBHOOK_SECRET",
        "DISCORD_TOKEN",
        "DISCORD_GUILD_ID",
    ] {
        let line = ran.stdout.lines().find(|line| line.contains(name)).expect(name);
        assert!(line.starts_with("failed   configuration: "), "{line}");
    }
    let (mut place, _simulator) = place_in(|_| {}).await;
    place.set("WORKERS", "many");
    let ran = place.run(&["doctor"]).await;
    says(the_line(&ran, 1), &["failed   configuration: WORKERS", "set WORKERS"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_with_the_settings_and_the_database_is_named() {
    let (mut place, _simulator) = place_in(|_| {}).await;
    place.set("FACEIT_WEBHOOK_SECRET", "k3v9w1");
    let ran = place.run(&["doctor"]).await;
    says(
        the_line(&ran, 0),
        &[
            "warning  webhook secret",
            "16 characters",
            "openssl rand -hex 32",
            "App Studio",
        ],
    );
    place.set("FACEIT_WEBHOOK_SECRET", SECRET);

    let empty = Database::empty().await;
    place.set("DATABASE_URL", empty.url().expose_secret());
    let ran = place.run(&["doctor"]).await;
    says(
        the_line(&ran, 1),
        &["failed   migrations", "0001 deliveries", "muster migrate"],
    );

    place.set("DATABASE_URL", "postgres://muster:hunter2@127.0.0.1:1/muster");
    let ran = place.run(&["doctor"]).await;
    let line = the_line(&ran, 1);
    says(line, &["failed   database", "DATABASE_URL"]);
    assert!(!ran.stdout.contains("hunter2"), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_with_keys_and_tokens_is_named_with_the_place_where_new_ones_are_made() {
    let (mut place, simulator) = place_in(|world| world["faceit_api_key"] = json!("another-key")).await;
    let ran = place.run(&["doctor"]).await;
    says(
        the_line(&ran, 1),
        &["failed   FACEIT key", "FACEIT_API_KEY", "App Studio"],
    );

    place.set("FACEIT_API_KEY", "another-key");
    place.set("DISCORD_TOKEN", "wr0ng");
    let ran = place.run(&["doctor"]).await;
    says(
        the_line(&ran, 1),
        &["failed   Discord token", "Reset Token", "DISCORD_TOKEN"],
    );
    assert!(!ran.stdout.contains("wr0ng"), "{}", ran.stdout);

    place.set("DISCORD_TOKEN", &simulator.addresses().bot_token);
    place.set("DISCORD_MOVER_TOKENS", "m1ssing");
    let ran = place.run(&["doctor"]).await;
    let line = the_line(&ran, 0);
    says(
        line,
        &[
            "warning  server Kiosk (1000), mover bot 1",
            "refuses its token",
            "DISCORD_MOVER_TOKENS",
        ],
    );
    place.set("DISCORD_MOVER_TOKENS", "");

    let few = json!({"url": "wss://gateway.discord.gg", "shards": 1, "session_start_limit":
        {"total": 1000, "remaining": 0, "reset_after": 3_600_000, "max_concurrency": 1}});
    let fault = Fault {
        method: Some("GET".to_owned()),
        path: "/gateway/bot".to_owned(),
        status: Some(200),
        body: Some(few),
        ..Fault::default()
    };
    simulator.fault(fault).expect("a fault");
    let ran = place.run(&["doctor"]).await;
    says(the_line(&ran, 1), &["failed   gateway", "0 of 1000 logins", "60 min"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_permission_is_named_with_the_place_where_it_is_missing() {
    let everyone = |deny: u64| json!([{"id": GUILD, "type": 0, "deny": deny.to_string()}]);
    let (connect, view, manage) = (1 << 20, 1 << 10, 1 << 4);
    let troubles: [(&str, Value, i32, &[&str]); 6] = [
        (
            "/guilds/0/bot_permissions",
            json!((53_478_928u64 - (1 << 24)).to_string()),
            1,
            &[
                "permissions",
                "lacks Move Members for the whole server",
                "Server Settings → Roles",
                "permissions=53478928",
            ],
        ),
        (
            "/guilds/0/voice_channels/0/permission_overwrites",
            everyone(connect),
            1,
            &[
                "lobby",
                "lacks Connect and Move Members in Lobby (1011)",
                "@everyone",
                "Edit Channel → Permissions",
            ],
        ),
        (
            "/guilds/0/voice_channels/0/permission_overwrites",
            everyone(view),
            1,
            &["lobby", "channel 1011 is hidden", "View Channel", "LOBBY_CHANNEL_ID"],
        ),
        (
            "/guilds/0/categories/0/permission_overwrites",
            everyone(manage),
            1,
            &[
                "category",
                "lacks Manage Channels in Matches (1010)",
                "Edit Category → Permissions",
            ],
        ),
        (
            "/guilds/0/voice_channels/1/permission_overwrites",
            everyone(connect),
            0,
            &["warning", "can't move anybody out of Bar (1012)", "source channels"],
        ),
        (
            "/guilds/0/text_channels",
            (0..50)
                .map(|n| json!({"id": (7000 + n).to_string(), "name": "t", "parent_id": CATEGORY}))
                .collect(),
            1,
            &["room in the category", "50 of 50", "delete"],
        ),
    ];
    for (pointer, value, code, words) in troubles {
        let (place, _simulator) = place_in(|world| {
            let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
            world.pointer_mut(parent).expect("it is there")[field] = value;
        })
        .await;
        let ran = place.run(&["doctor"]).await;
        says(the_line(&ran, code), words);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_or_channel_that_is_not_there_is_named_with_the_setting_to_correct() {
    let (mut place, _simulator) = place_in(|_| {}).await;
    place.set("LOBBY_CHANNEL_ID", "999");
    let ran = place.run(&["doctor"]).await;
    says(
        the_line(&ran, 1),
        &["lobby", "there is no channel 999", "LOBBY_CHANNEL_ID"],
    );
    place.set("LOBBY_CHANNEL_ID", CATEGORY);
    let ran = place.run(&["doctor"]).await;
    says(the_line(&ran, 1), &["Matches (1010) is not a voice channel"]);
    place.set("LOBBY_CHANNEL_ID", LOBBY);
    place.set("DISCORD_GUILD_ID", "4242");
    let ran = place.run(&["doctor"]).await;
    let line = the_line(&ran, 1);
    says(
        line,
        &[
            "server 4242",
            "no member",
            "https://discord.com/oauth2/authorize?client_id=",
            "guild_id=4242",
        ],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_checks_stand_behind_readyz_and_asking_often_costs_nothing() {
    let (mut place, simulator) = place_in(|_| {}).await;
    place.set("LOBBY_CHANNEL_ID", "999");
    let serving = place.serve().await;
    let (status, body) = serving.get("/readyz").await;
    let plain: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, plain.get("doctor")), (200, None));
    let (status, body) = serving.get("/readyz?verbose").await;
    let report: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(status, 200, "starting again would not make the lobby");
    assert_eq!(report["doctor"]["healthy"], json!(false), "{report:#}");
    let lines = report["doctor"]["checks"].as_array().expect("a list");
    let failed: Vec<_> = lines.iter().filter(|line| line["verdict"] == "failed").collect();
    let [lobby] = failed[..] else { panic!("{report:#}") };
    assert!(lobby["remedy"].as_str().expect("a remedy").contains("LOBBY_CHANNEL_ID"));
    let asked = |simulator: &Simulator| {
        let journal = simulator.journal();
        journal
            .iter()
            .filter(|entry| entry.path.ends_with("/guilds/1000/channels"))
            .count()
    };
    let before = asked(&simulator);
    for _ in 0..20 {
        assert_eq!(serving.get("/readyz?verbose").await.1, body);
    }
    assert_eq!(asked(&simulator), before);
}
