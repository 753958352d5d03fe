//! Matches through the API: the list, and all that is known of one.

use muster::store::match_list::{Which, statement};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row};

use super::browser::{self, Browser, OURS, STAFF_ROLE, THEIRS, bot};
use crate::support::{
    bodies::game,
    bot::{Bot, LOBBY, PEOPLE, member},
};

pub const MATCHES: &str = "/api/guilds/1000/matches";

/// The usual world of the admin part, with all players in our lobby.
pub fn world() -> Value {
    let mut world = browser::world();
    let players = PEOPLE.iter().map(|name| {
        let roles = match *name {
            "rex" => json!(["1101"]),
            "bo" => json!([STAFF_ROLE]),
            _ => json!([]),
        };
        json!({"id": member(name).to_string(), "name": name, "roles": roles, "voice_channel_id": LOBBY})
    });
    world["guilds"][0]["members"] = players.collect();
    world
}

/// A bot in that world in which bo is staff, and he.
pub async fn staffed(world: Value, linked: &[&str]) -> (Bot, Browser) {
    let bot = Bot::start_in(world, linked).await;
    let owner = Browser::of(&bot, "nova").await;
    assert_eq!(owner.set(OURS, json!({"staff_roles": [STAFF_ROLE]})).await.0, 200);
    let staff = Browser::of(&bot, "bo").await;
    (bot, staff)
}

pub async fn one(browser: &Browser, id: &str) -> Value {
    let (status, found) = browser.get(&format!("{MATCHES}/{id}")).await;
    assert_eq!(status, 200, "{found}");
    found
}

async fn run(bot: &Bot, sql: &str) {
    let pool = &bot.app.sync.sources.pool;
    sqlx::query(AssertSqlSafe(sql)).execute(pool).await.unwrap();
}

/// The ids of a list, all pages of it.
async fn walk(browser: &Browser, query: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = browser.get(&format!("{MATCHES}?limit=4{query}{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        let rows = page["matches"].as_array().unwrap();
        assert!(rows.len() <= 4 && (page["next"].is_null() || rows.len() == 4), "{page}");
        ids.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { return ids };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn matches_are_listed_newest_first_page_by_page_by_state_and_by_time() {
    let (bot, staff) = staffed(world(), &[]).await;
    assert_eq!(staff.get(MATCHES).await, (200, json!({"matches": [], "next": null})));
    // Two of each age; every fourth is closed, ending, running or waiting.
    let rows = "insert into matches (match_id, guild_id, status, first_seen_at, live_since, ended_at, closed_at, updated_at)
        select '1-' || lpad(n::text, 2, '0'), 1000, 'READY', at, case when n % 4 < 3 then at end,
            case when n % 4 < 2 then at end, case when n % 4 < 1 then at end, at
        from (select n, '2026-11-20 12:00Z'::timestamptz + n / 2 * interval '1 hour' as at from generate_series(0, 11) n) t";
    run(&bot, rows).await;
    run(&bot, "insert into matches (match_id, guild_id, first_seen_at, updated_at) values ('1-theirs', 2000, '2026-11-20Z', '2026-11-20Z')").await;
    let named = |numbers: &[usize]| numbers.iter().map(|n| format!("1-{n:02}")).collect::<Vec<_>>();
    assert_eq!(walk(&staff, "").await, named(&[11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]));
    for (state, expected) in [
        ("closed", &[8, 4, 0][..]),
        ("ending", &[9, 5, 1]),
        ("running", &[10, 6, 2]),
        ("waiting", &[11, 7, 3]),
        ("open", &[11, 10, 9, 7, 6, 5, 3, 2, 1]),
    ] {
        assert_eq!(
            walk(&staff, &format!("&state={state}")).await,
            named(expected),
            "{state}"
        );
    }
    let evening = "&from=2026-11-20T13:00:00Z&to=2026-11-20T15:00:00Z";
    assert_eq!(walk(&staff, evening).await, named(&[5, 4, 3, 2]));
    assert_eq!(walk(&staff, &format!("{evening}&state=ending")).await, named(&[5]));
    for query in [
        "state=lost",
        "from=yesterday",
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=x",
        "cursor=",
        "guild=2000",
        // Before what the database can hold, and no id.
        "cursor=LTk5OTk5OTk5OTk5OTk5OTk5IDE",
        "cursor=MCAA",
    ] {
        let (status, refused) = staff.get(&format!("{MATCHES}?{query}")).await;
        assert_eq!(
            (status, &refused["error"]),
            (400, &json!("malformed")),
            "{query}: {refused}"
        );
    }
    let (_, others) = Browser::of(&bot, "dan")
        .await
        .get(&format!("/api/guilds/{THEIRS}/matches"))
        .await;
    assert_eq!(others["matches"][0]["id"], "1-theirs");
    run(&bot, "delete from matches").await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_a_long_list_reads_no_more_than_it_shows() {
    let bot = bot().await;
    // Of very many, all but a few are closed.
    let rows =
        "insert into matches (match_id, guild_id, status, first_seen_at, live_since, ended_at, closed_at, updated_at)
        select '1-' || n, 1000 + n % 2, 'FINISHED', at, at, at, case when n % 500 > 0 then at end, at
        from (select n, '2026-11-20Z'::timestamptz + n * interval '1 s' as at from generate_series(1, 20000) n) t";
    run(&bot, rows).await;
    run(&bot, "analyze matches").await;
    for which in [Which::All, Which::Open] {
        let explain = format!(
            "explain (analyze, timing off, costs off, summary off) {}",
            statement(which)
        );
        let plan = sqlx::query(AssertSqlSafe(explain))
            .bind(1000_i64)
            .bind(None::<time::OffsetDateTime>)
            .bind(None::<time::OffsetDateTime>)
            .bind(time::OffsetDateTime::from_unix_timestamp(1_795_140_000).unwrap())
            .bind("1-9")
            .bind(11_i64)
            .fetch_all(&bot.app.sync.sources.pool)
            .await
            .unwrap();
        let plan = plan
            .iter()
            .map(|row| row.get::<String, _>(0))
            .collect::<Vec<_>>()
            .join("\n");
        assert!(
            plan.contains("Index Scan") && plan.contains("actual rows=11"),
            "{which:?}\n{plan}"
        );
        for slow in ["Seq Scan on matches", "Sort", "Rows Removed by Filter"] {
            assert!(!plan.contains(slow), "{which:?}: {slow}\n{plan}");
        }
    }
    run(&bot, "delete from matches").await;
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_match_shows_its_rosters_with_link_and_voice_its_channels_and_its_plan() {
    let (bot, staff) = staffed(world(), &["nova", "rex", "ada"]).await;
    bot.disconnect("ada");
    bot.settle().await;
    let played = game("1-aaaaaaaa-1", "READY", &["nova", "rex"], &["ada", "eve"]);
    bot.play(&played, "match_status_ready", 3).await;
    let listed = &staff.get(MATCHES).await.1["matches"][0];
    let found = one(&staff, "1-aaaaaaaa-1").await;
    for field in [
        "id",
        "state",
        "status",
        "competition",
        "teams",
        "first_seen_at",
        "channels",
        "blocked",
    ] {
        assert_eq!(found[field], listed[field], "{field}");
    }
    assert_eq!(
        (&found["state"], &found["status"], &found["channels"], &found["blocked"]),
        (&json!("running"), &json!("READY"), &json!(2), &json!(false))
    );
    assert_eq!(found["competition"]["name"], "Kiosk League");
    let blue = &found["factions"][0];
    let channel = bot
        .record("1-aaaaaaaa-1")
        .await
        .slots
        .into_values()
        .next()
        .unwrap()
        .channel
        .unwrap();
    assert_eq!(blue["channel"]["id"], channel.to_string());
    assert_eq!(blue["channel"]["category"], "1010");
    let nova = &blue["players"][0];
    assert_eq!(
        (&nova["id"], &nova["nickname"], &nova["link"]),
        (
            &json!("p-nova"),
            &json!("Nova"),
            &json!({"user_id": "2001", "verified": false, "opted_out": false})
        )
    );
    assert_eq!(
        nova["voice"],
        json!({"state": "in_team_channel", "channel_id": channel.to_string()})
    );
    assert_eq!(
        (&nova["placement"]["state"], &nova["placement"]["came_from"]),
        (&json!("moved"), &json!(LOBBY))
    );
    let [ada, eve] = [0, 1].map(|at| &found["factions"][1]["players"][at]);
    assert_eq!(ada["voice"], json!({"state": "not_in_voice", "channel_id": null}));
    assert_eq!(
        (&eve["link"], &eve["placement"], &eve["voice"]["state"]),
        (&Value::Null, &Value::Null, &json!("unknown"))
    );
    let plan = &found["plan"];
    let text = plan["text"].as_str().unwrap();
    assert!(
        text.starts_with("match 1-aaaaaaaa-1: READY\n") && text.contains("nothing to do"),
        "{text}"
    );
    assert_eq!(plan["steps"], json!([]));
    assert!(
        plan["notes"]
            .as_array()
            .unwrap()
            .contains(&json!("Eve (faction2) is not linked to a Discord account")),
        "{plan}"
    );
    assert!(plan["look_again"].is_string());
    // What would be done is said line by line.
    bot.link(&["eve"]).await;
    let plan = &one(&staff, "1-aaaaaaaa-1").await["plan"];
    let steps: Vec<_> = plan["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (&step["kind"], &step["faction"], &step["user_id"]))
        .collect();
    let eve = json!(member("eve").to_string());
    assert!(
        steps.contains(&(&json!("grant_access"), &json!("faction2"), &eve)),
        "{plan}"
    );
    assert!(
        steps.contains(&(&json!("move_member"), &json!("faction2"), &eve)),
        "{plan}"
    );
    bot.finish().await;
}
