//! `muster doctor` and `/readyz?verbose`: every kind of trouble has its line, which names what is wrong, where, and what to do.

use muster::simulator::Fault;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::support::{
    bodies::game,
    bot::{CATEGORY, ENCRYPTION_KEYS, GUILD, JWT_SECRET, LOBBY, SECRET, world},
    database::{Database, eventually},
    service::{Place, Ran, client, run},
};

/// The usual place, with somebody linked, in a world that was changed first. No service runs yet and nothing was delivered.
async fn place_in(change: impl FnOnce(&mut Value)) -> Place {
    let mut world = world();
    change(&mut world);
    Place::in_world(Database::migrated().await, world, &["ada"]).await
}

/// What a set-up that was never started lacks.
const NOT_STARTED: [&str; 2] = [
    "warning  service: no `muster serve` works on this database",
    "warning  webhook deliveries: none is stored",
];

/// The one line of the report that is not ok, besides those of a set-up that was never started.
fn the_line(ran: &Ran, code: i32) -> &str {
    assert_eq!(ran.code, Some(code), "{ran:#?}");
    assert_eq!(ran.stderr, "", "it says all on standard output");
    let mut lines = ran.stdout.lines().collect::<Vec<_>>();
    let summary = lines.pop().expect("a summary");
    assert!(summary.contains(" checks, "), "{summary}");
    lines.retain(|line| !line.starts_with("ok ") && !NOT_STARTED.iter().any(|known| line.starts_with(known)));
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
    let place = place_in(|_| {}).await;
    let before = place.dump().await;
    let ran = place.run(&["doctor"]).await;
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    for about in [
        "configuration",
        "webhook secret",
        "database",
        "migrations",
        "jobs",
        "linked players",
        "FACEIT key",
        "Discord token",
        "Discord application",
        "slash commands",
        "Discord gateway",
        "server Kiosk (1000), permissions",
        "server Kiosk (1000), category",
        "server Kiosk (1000), lobby",
        "server Kiosk (1000), room",
        "server Kiosk (1000), matches",
    ] {
        assert!(
            ran.stdout.contains(&format!("ok       {about}: ")),
            "{about}\n{}",
            ran.stdout
        );
    }
    for line in NOT_STARTED {
        assert!(ran.stdout.contains(line), "{line}\n{}", ran.stdout);
    }
    assert!(ran.stdout.ends_with(", 2 warnings, 0 failed\n"), "{}", ran.stdout);
    assert!(!ran.stdout.contains(SECRET));
    assert_eq!(place.dump().await, before);
    assert!(place.simulator.journal().iter().all(|entry| entry.method == "GET"));
    assert_eq!(place.simulator.unknown_requests(), []);

    let ran = place.run(&["doctor", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let report: Value = serde_json::from_str(&ran.stdout).expect("one JSON object");
    assert_eq!(report["healthy"], json!(true));
    let checks = report["checks"].as_array().expect("a list");
    let warnings = checks.iter().filter(|check| check["verdict"] != "ok");
    assert_eq!(warnings.count(), NOT_STARTED.len(), "{report:#}");

    // With the service at work and a delivery stored, nothing is left to say.
    let serving = place.serve().await;
    let body = game("1-80a7ad59-07d5-41eb-8d30-d07b885a6ab5", "FINISHED", &["ada"], &["bo"]);
    place.faceit_says(&body);
    assert_eq!(
        serving.deliver(&body.webhook("match_status_finished", 1)).await,
        Some(200)
    );
    let ran = place.run(&["doctor"]).await;
    assert!(
        ran.stdout.contains("ok       service: one `muster serve` works"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.ends_with(", 0 warnings, 0 failed\n"), "{}", ran.stdout);
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
    ] {
        let line = ran.stdout.lines().find(|line| line.contains(name)).expect(name);
        assert!(line.starts_with("failed   configuration: "), "{line}");
    }
    assert!(
        ran.stdout
            .contains("failed   servers: none is known → set DISCORD_GUILD_ID"),
        "{}",
        ran.stdout
    );
    let mut place = place_in(|_| {}).await;
    place.set("WORKERS", "many");
    let ran = place.run(&["doctor"]).await;
    says(the_line(&ran, 1), &["failed   configuration: WORKERS", "set WORKERS"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_with_the_settings_and_the_database_is_named() {
    let mut place = place_in(|_| {}).await;
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
        &[
            "failed   migrations",
            "are not applied yet, from 0001 deliveries to ",
            "muster migrate",
        ],
    );

    place.set("DATABASE_URL", "postgres://muster:hunter2@127.0.0.1:1/muster");
    let ran = place.run(&["doctor"]).await;
    let line = the_line(&ran, 1);
    says(line, &["failed   database", "DATABASE_URL"]);
    assert!(!ran.stdout.contains("hunter2"), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_with_keys_and_tokens_is_named_with_the_place_where_new_ones_are_made() {
    let mut place = place_in(|world| world["faceit_api_key"] = json!("another-key")).await;
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

    let token = place.simulator.addresses().bot_token.clone();
    place.set("DISCORD_TOKEN", &token);
    place.set("DISCORD_MOVER_TOKENS", "m1ssing");
    let ran = place.run(&["doctor"]).await;
    let line = the_line(&ran, 0);
    says(
        line,
        &["warning  mover bot 1", "refuses its token", "DISCORD_MOVER_TOKENS"],
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
    place.simulator.fault(fault).expect("a fault");
    let ran = place.run(&["doctor"]).await;
    says(
        the_line(&ran, 1),
        &["failed   Discord gateway", "0 of 1000 logins", "60 min"],
    );
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
            &[
                "warning",
                "players who sit in Bar (1012) can't be moved",
                "SOURCE_CHANNEL_IDS",
            ],
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
        let mut place = place_in(|world| {
            let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
            world.pointer_mut(parent).expect("it is there")[field] = value;
        })
        .await;
        place.set("OVERFLOW_CATEGORIES", "off");
        let ran = place.run(&["doctor"]).await;
        says(the_line(&ran, code), words);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_or_channel_that_is_not_there_is_named_with_the_setting_to_correct() {
    let mut place = place_in(|_| {}).await;
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
async fn faceit_and_discord_that_are_down_are_told_apart_from_refused_keys() {
    let place = place_in(|_| {}).await;
    let down = |path: &str, times: u32| Fault {
        path: path.to_owned(),
        status: Some(503),
        times,
        ..Fault::default()
    };
    place.simulator.fault(down("/matches/*", 20)).expect("a fault");
    let ran = place.run(&["doctor"]).await;
    let line = the_line(&ran, 1);
    says(
        line,
        &[
            "failed   FACEIT key: unknown",
            "does not answer",
            "503",
            "FACEIT_API_URL",
        ],
    );
    assert!(!line.contains("App Studio"), "{line}");
    place.simulator.clear_faults();
    place.simulator.fault(down("/users/@me", 20)).expect("a fault");
    let ran = place.run(&["doctor"]).await;
    says(
        the_line(&ran, 1),
        &["failed   Discord token: ", "DISCORD_API_URL", "discordstatus.com"],
    );
}

/// A second server and a third, with the bot in all of them.
fn with_more_servers(world: &mut Value) {
    let more = |id: &str, name: &str, lobby: &str| json!({"id": id, "name": name, "voice_channels": [{"id": lobby, "name": "Foyer"}]});
    let guilds = world["guilds"].as_array_mut().expect("a list");
    guilds.extend([more("3000", "League", "3011"), more("4000", "Club", "4011")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_server_is_looked_at_with_its_own_settings() {
    let place = place_in(|world| {
        with_more_servers(world);
        // In the league, nobody can be moved out of the foyer.
        world["guilds"][1]["voice_channels"][0]["permission_overwrites"] =
            json!([{"id": "3000", "type": 0, "deny": (1u64 << 20).to_string()}]);
    })
    .await;
    let done = |ran: Ran| assert_eq!(ran.code, Some(0), "{ran:#?}");
    done(
        place
            .run(&["guilds", "claim", "hub", "hub-of-the-league", "--guild", "3000"])
            .await,
    );
    done(place.run(&["guilds", "set", "lobby=3011", "--guild", "3000"]).await);
    done(
        place
            .run(&["guilds", "claim", "hub", "hub-of-the-club", "--guild", "4000"])
            .await,
    );
    let ran = place.run(&["doctor"]).await;
    for server in ["Kiosk (1000)", "League (3000)", "Club (4000)"] {
        let line = format!("ok       server {server}, permissions: ");
        assert!(ran.stdout.contains(&line), "{line}\n{}", ran.stdout);
    }
    says(
        the_line(&ran, 1),
        &[
            "failed   server League (3000), lobby",
            "lacks Connect and Move Members in Foyer (3011)",
        ],
    );
    done(place.run(&["guilds", "set", "lobby=999", "--guild", "3000"]).await);
    let ran = place.run(&["doctor"]).await;
    assert!(
        ran.stdout.contains("muster guilds set lobby=… --guild 3000"),
        "{}",
        ran.stdout
    );
    done(place.run(&["guilds", "set", "lobby=", "--guild", "3000"]).await);
    done(place.run(&["guilds", "pause", "--guild", "3000"]).await);
    let ran = place.run(&["doctor"]).await;
    assert_eq!(ran.code, Some(0), "nothing fails where nothing is done: {}", ran.stdout);
    assert!(
        ran.stdout.contains("muster guilds resume --guild 3000"),
        "{}",
        ran.stdout
    );
    done(
        place
            .run(&["guilds", "release", "hub-of-the-club", "--guild", "4000"])
            .await,
    );
    let ran = place.run(&["doctor"]).await;
    let line = ran
        .stdout
        .lines()
        .find(|line| line.contains("(4000), claims"))
        .expect("a line");
    says(line, &["warning", "no new match", "muster guilds claim hub"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_waits_for_a_person_is_named_with_its_match_and_dead_jobs_are_counted() {
    let mut place = place_in(|world| world["guilds"][0]["bot_permissions"] = json!("17826816")).await;
    place.set("OPEN_WHEN", "rosters_known");
    let serving = place.serve().await;
    let body = game("1-80a7ad59-07d5-41eb-8d30-d07b885a6ab5", "READY", &["ada"], &["bo"]);
    place.faceit_says(&body);
    assert_eq!(serving.deliver(&body.webhook("match_status_ready", 1)).await, Some(200));
    eventually("both channels are refused", async || {
        let refused = place.count("select count(*) from active_matches where blocked_why is not null");
        refused.await == 2
    })
    .await;
    let ran = place.run(&["doctor"]).await;
    let line = ran
        .stdout
        .lines()
        .find(|line| line.contains("(1000), matches"))
        .expect("a line");
    says(
        line,
        &[
            "warning",
            "one is open; waiting for a person: 1-80a7ad59",
            "Manage Channels",
            "(and 1 more)",
            "muster plan 1-80a7ad59",
        ],
    );
    let killed = sqlx::query("update jobs set dead_at = now(), owner = null, last_error = 'by the test'");
    killed.execute(&place.pool).await.expect("updated");
    let ran = place.run(&["doctor"]).await;
    let line = ran
        .stdout
        .lines()
        .find(|line| line.contains(" jobs: "))
        .expect("a line");
    says(
        line,
        &["warning", "one is dead", "muster jobs list", "muster jobs retry"],
    );
}

const ADMIN: [(&str, &str); 5] = [
    ("DISCORD_CLIENT_ID", "900000000000000001"),
    ("DISCORD_CLIENT_SECRET", "simulated-client-secret"),
    ("PUBLIC_URL", "https://muster.example.org"),
    ("JWT_SECRET", JWT_SECRET),
    ("MUSTER_ENCRYPTION_KEYS", ENCRYPTION_KEYS),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_two_sign_ins_are_tried_and_nothing_secret_is_told() {
    let mut place = place_in(|world| {
        world["oauth"] = json!({"redirect_uris": ["https://muster.example.org/api/auth/callback"]});
    })
    .await;
    let addresses = place.simulator.addresses().clone();
    for (name, value) in ADMIN {
        place.set(name, value);
    }
    place.set("FACEIT_CLIENT_ID", "simulated-faceit-client");
    place.set("FACEIT_CLIENT_SECRET", "simulated-faceit-secret");
    place.set("FACEIT_REDIRECT_URI", "https://muster.example.org/faceit/callback");
    place.set("FACEIT_AUTH_URL", &format!("{}/auth/v1", addresses.control));
    let ran = place.run(&["doctor"]).await;
    assert!(ran.stdout.ends_with(", 2 warnings, 0 failed\n"), "{}", ran.stdout);
    for about in ["FACEIT sign-in", "Discord sign-in", "Discord redirect"] {
        assert!(
            ran.stdout.contains(&format!("ok       {about}: ")),
            "{about}\n{}",
            ran.stdout
        );
    }

    place.set("FACEIT_CLIENT_SECRET", "wr0ng-faceit");
    let ran = place.run(&["doctor"]).await;
    says(
        the_line(&ran, 1),
        &["failed   FACEIT sign-in", "FACEIT_CLIENT_SECRET", "OAuth2 clients"],
    );
    let mut told = ran.stdout;
    place.set("FACEIT_CLIENT_SECRET", "simulated-faceit-secret");
    place.set("DISCORD_CLIENT_SECRET", "wr0ng-discord");
    let ran = place.run(&["doctor"]).await;
    says(
        the_line(&ran, 1),
        &["failed   Discord sign-in", "DISCORD_CLIENT_SECRET"],
    );
    told.push_str(&ran.stdout);
    place.set("DISCORD_CLIENT_SECRET", "simulated-client-secret");
    place.set("PUBLIC_URL", "http://muster.test");
    let ran = place.run(&["doctor"]).await;
    says(
        the_line(&ran, 1),
        &[
            "failed   Discord redirect",
            "http://muster.test/api/auth/callback",
            "OAuth2 → Redirects",
        ],
    );
    told.push_str(&ran.stdout);
    place.set("FACEIT_REDIRECT_URI", "http://localhost/faceit/callback");
    place.set("PUBLIC_URL", "https://muster.example.org");
    let ran = place.run(&["doctor"]).await;
    says(
        the_line(&ran, 0),
        &["warning  FACEIT sign-in", "not https", "FACEIT_REDIRECT_URI"],
    );
    told.push_str(&ran.stdout);

    place.set("DISCORD_MOVER_TOKENS", "a-m0ver-token");
    place.set("JWT_SECRET", "weak");
    told.push_str(&place.run(&["doctor", "--json"]).await.stdout);
    let secrets = [
        SECRET,
        JWT_SECRET,
        "a-m0ver-token",
        "weak\"",
        "wr0ng",
        "a-faceit-key-for-the-tests",
        "simulated-faceit-secret",
        "simulated-client-secret",
        addresses.bot_token.as_str(),
        ENCRYPTION_KEYS,
    ];
    for secret in secrets {
        assert!(!told.contains(secret), "it tells {secret}:\n{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_checks_stand_behind_readyz_where_asking_often_costs_nothing_and_strangers_are_told_nothing() {
    let mut place = place_in(|_| {}).await;
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
    let asked = || {
        let journal = place.simulator.journal();
        let lists = journal
            .iter()
            .filter(|entry| entry.path.ends_with("/guilds/1000/channels"));
        lists.count()
    };
    let before = asked();
    for _ in 0..20 {
        let (_, again) = serving.get("/readyz?verbose").await;
        let again: Value = serde_json::from_str(&again).expect("JSON");
        assert_eq!(again["doctor"], report["doctor"]);
    }
    assert_eq!(asked(), before);
    // As a proxy passes somebody on.
    let address = format!("{}/readyz?verbose", serving.url);
    let request = client().get(address).header("x-forwarded-for", "203.0.113.7");
    let answer = request.send().await.expect("it answers").text().await.expect("a text");
    assert!(
        !answer.contains("LOBBY_CHANNEL_ID") && !answer.contains("Kiosk"),
        "{answer}"
    );
}
