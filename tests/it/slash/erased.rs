//! What is left of somebody who erased himself: every column of every table is searched for him.

use std::{collections::BTreeSet, time::Duration};

use muster::{
    domain::{
        ids::{GuildId, PlayerId, UserId},
        settings::Settings,
    },
    simulator::Ask,
    store::{
        Pool,
        audit::{self, Actor, Entry},
        discord_tokens::{self, SealedTokens},
        guilds,
        link_states::{self, Wish},
        linking::{self, By},
        links::{LinkRow, Method},
        sessions::{self, StoredSession},
        users::{self, Profile},
    },
};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use time::OffsetDateTime;

use super::oneself::exported;
use crate::support::{
    asker::{Shown, pressed, typed},
    bodies::game,
    bot::{BOT, Bot, GUILD, LOBBY, world},
    database::{Database, eventually},
};

/// His Discord id, and a word that is in all of his names: his FACEIT id and nicknames, the team called after him, his names in Discord. Neither may
/// come about by chance.
pub const ID: u64 = 772_613_990_417_735_512;
const WORD: &str = "quillfeather";
const REPORTS: &str = "1013";

/// Tables that may name people. What is left there after an erasure is an exception with a reason, in `ALLOWED`.
const PERSONAL: [&str; 16] = [
    "active_matches",
    "audit",
    "deliveries",
    "discord_tokens",
    "erasings",
    "gateway_guilds",
    "guild_people",
    "jobs",
    "link_states",
    "match_members",
    "match_reports",
    "match_steps",
    "matches",
    "player_links",
    "sessions",
    "users",
];
/// Tables that have nothing to do with anybody.
const IMPERSONAL: [&str; 11] = [
    "_sqlx_migrations",
    "command_lists",
    "gateway_lease",
    "gateway_sessions",
    "guild_competitions",
    "guild_states",
    "guilds",
    "overflow_categories",
    "service_pause",
    "used_states",
    "workers",
];
/// Who sits in voice at this moment, written anew every few seconds: no record of anybody, and needed to go on after a restart.
const IN_VOICE: &str = "gateway_guilds.users";
/// Who may enter a channel of a running match, as long as Discord does not let us change it; goes with the channel.
const ACCESS: &str = "active_matches.access";
/// FACEIT names the players of a running match at every look, whoever they are; so does what staff reads about it.
const FACTS: &str = "matches.facts";
const REPORT: [&str; 2] = ["match_reports.wanted", "match_reports.said"];

pub fn id() -> UserId {
    UserId::new(ID).unwrap()
}

pub async fn bot() -> Bot {
    Bot::start_in(with_him(world()), &["rex"]).await
}

pub fn with_him(mut world: Value) -> Value {
    let members = world["guilds"][0]["members"].as_array_mut().unwrap();
    members.push(json!({"id": ID.to_string(), "name": "Quillfeather on Discord", "voice_channel_id": LOBBY}));
    let may = json!([{"id": BOT, "type": 1, "allow": "3072", "deny": "0"}]);
    world["guilds"][0]["text_channels"] = json!([{"id": REPORTS, "name": "staff", "permission_overwrites": may}]);
    world
}

pub fn as_him(command: &str) -> Ask {
    Ask {
        user_id: ID.to_string(),
        ..typed("nova", command, json!({}))
    }
}

pub fn row(player: &str, nickname: &str) -> LinkRow {
    LinkRow {
        player: PlayerId::new(player),
        user: id(),
        nickname: nickname.to_owned(),
    }
}

/// He linked himself, to another account at first; signed in to the admin part, did something there, and is about to sign in at FACEIT.
pub async fn signed_up(bot: &Bot) {
    sign_up(&bot.app.sync.sources.pool, bot.clock.now()).await;
}

pub async fn sign_up(pool: &Pool, now: OffsetDateTime) {
    let by = |actor: Actor| By {
        actor,
        guild: GUILD.parse().ok(),
        at: now,
    };
    let himself = by(Actor::web(id(), "Quillfeather on Discord"));
    let mut tx = pool.begin().await.unwrap();
    let first = row("p-quillfeather-2", "Quillfeather-2");
    linking::link(&mut tx, &first, Method::Oauth, &himself).await.unwrap();
    linking::unlink(&mut tx, id(), &himself).await.unwrap();
    let second = row("p-quillfeather", "OldQuillfeather");
    linking::link(&mut tx, &second, Method::Oauth, &himself).await.unwrap();
    let staff = by(Actor::discord(UserId::new(2014).unwrap(), "Lou"));
    linking::rename(&mut tx, id(), "Quillfeather", &staff).await.unwrap();
    let entry = Entry {
        actor: himself.actor,
        action: "guild.changed".to_owned(),
        guild: GuildId::new(1000),
        subject: "1000".to_owned(),
        before: None,
        after: None,
    };
    audit::record(&mut tx, &entry, now).await.unwrap();
    let profile = Profile {
        id: id(),
        username: "quillfeather_at_discord".to_owned(),
        global_name: Some("Quillfeather on Discord".to_owned()),
        avatar: None,
    };
    users::save(&mut tx, &profile, true, now).await.unwrap();
    let session = StoredSession {
        id: [7; 32],
        user: id(),
        created_at: now,
        last_seen_at: now,
        expires_at: now + Duration::from_secs(3600),
        user_agent: Some("Quillfeather's browser".to_owned()),
    };
    sessions::insert(&mut tx, &session).await.unwrap();
    let tokens = SealedTokens {
        user: id(),
        key: "1".to_owned(),
        bytes: b"sealed".to_vec(),
        expires_at: now + Duration::from_secs(3600),
    };
    discord_tokens::save(&mut tx, &tokens, now).await.unwrap();
    let wish = Wish {
        user: id(),
        name: "Quillfeather on Discord".to_owned(),
        guild: None,
    };
    link_states::open(&mut tx, "a token", &wish, now).await.unwrap();
    tx.commit().await.unwrap();
}

/// A match of his from its start to its end.
pub async fn played(bot: &Bot, match_id: &str, as_whom: &str) {
    let game = game(match_id, "READY", &[as_whom], &["rex"]);
    bot.play(&game, "match_status_ready", 1).await;
    bot.play(&game.status("FINISHED"), "match_status_finished", 2).await;
    bot.advance(Duration::from_secs(3600)).await;
}

/// The columns that hold one of these texts anywhere, in any case.
async fn columns_with(database: &Database, needles: &[&str]) -> BTreeSet<String> {
    let mut conn = database.connection().await;
    let columns: Vec<(String, String, String)> = sqlx::query_as(
        "select table_name::text, column_name::text, data_type::text from information_schema.columns
        join information_schema.tables using (table_schema, table_name)
        where table_schema = current_schema() and table_type = 'BASE TABLE'",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    let mut found = BTreeSet::new();
    for (table, column, kind) in columns {
        let text = if kind == "bytea" {
            format!("encode(\"{column}\", 'escape')")
        } else {
            format!("\"{column}\"::text")
        };
        for needle in needles {
            let query = format!("select count(*) from \"{table}\" where position($1 in lower({text})) > 0");
            let rows: i64 = sqlx::query_scalar(AssertSqlSafe(query))
                .bind(needle)
                .fetch_one(&mut conn)
                .await
                .unwrap();
            if rows > 0 {
                found.insert(format!("{table}.{column}"));
            }
        }
    }
    found
}

pub async fn traces(database: &Database) -> BTreeSet<String> {
    columns_with(database, &[&ID.to_string(), WORD]).await
}

/// The same, without what Discord tells anew.
pub async fn left(database: &Database) -> BTreeSet<String> {
    let mut left = traces(database).await;
    left.remove(IN_VOICE);
    left
}

fn tables(columns: &BTreeSet<String>) -> BTreeSet<&str> {
    let parts = columns.iter().filter_map(|column| column.split_once('.'));
    parts.map(|(table, _)| table).collect()
}

/// He says so, and it goes on until his message says that it is done.
async fn erase(bot: &Bot) -> Shown {
    let shown = bot.ask(&as_him("erase")).await;
    press(bot, &shown).await;
    erased(bot, &shown).await
}

pub async fn press(bot: &Bot, shown: &Shown) {
    let button = Ask {
        user_id: ID.to_string(),
        ..pressed("nova", shown, &shown.buttons()[0].1)
    };
    let asked = bot.send(&button).await;
    assert!(matches!(asked.status, 200 | 204), "{asked:?}");
}

pub async fn erased(bot: &Bot, shown: &Shown) -> Shown {
    let now = || Shown {
        seen: bot.simulator.see(&shown.id).unwrap(),
        ..shown.clone()
    };
    eventually("all is erased", async || now().text().contains("Everything is deleted")).await;
    bot.settle().await;
    now()
}

#[tokio::test]
async fn erase_leaves_no_trace_in_any_column_of_any_table() {
    let bot = bot().await;
    signed_up(&bot).await;
    bot.ask(&as_him("optout")).await;
    bot.ask(&as_him("optin")).await;
    played(&bot, "1-a", "quillfeather").await;
    played(&bot, "1-b", "quillfeather-2").await;
    let before = traces(&bot.database).await;
    for table in [
        "audit",
        "deliveries",
        "discord_tokens",
        "guild_people",
        "link_states",
        "match_steps",
        "matches",
        "player_links",
        "sessions",
        "users",
    ] {
        assert!(
            tables(&before).contains(table),
            "{table} holds nothing of him: {before:?}"
        );
    }

    erase(&bot).await.says("4 recorded messages of FACEIT and 2 matches");
    bot.settle().await;
    assert_eq!(left(&bot.database).await, BTreeSet::new());

    // Everybody else is as before, and so is the log but for him.
    let mut conn = bot.database.connection().await;
    assert!(
        linking::of_user(&mut conn, UserId::new(2002).unwrap())
            .await
            .unwrap()
            .is_some()
    );
    let log = audit::list(&mut conn, &audit::Filter::default(), 100).await.unwrap();
    assert_eq!(log.len(), 8, "{log:#?}");
    let of_lou = log.iter().find(|row| row.entry.action == "link.renamed").unwrap();
    assert_eq!(
        (of_lou.entry.actor.name.as_str(), of_lou.entry.subject.as_str()),
        ("Lou", "erased")
    );
    drop(conn);
    bot.finish().await;
}

#[tokio::test]
async fn whom_staff_looked_up_is_in_his_export_and_goes_with_him() {
    let mut world = world();
    world["guilds"][0]["owner_id"] = json!("2014");
    let bot = Bot::start_in(with_him(world), &["rex"]).await;
    signed_up(&bot).await;
    let as_staff = |options: Value| Ask {
        user_id: "2014".to_owned(),
        ..typed("nova", "muster who", options)
    };
    let him = json!({"member": {"user": ID.to_string()}});
    bot.ask(&as_staff(him)).await.says("**Quillfeather**");
    bot.ask(&as_staff(json!({"nickname": "OLDQuillfeather"})))
        .await
        .says("Nobody in this server");
    let listed = exported(&bot.ask(&as_him("export")).await.seen)["audit_log"].to_string();
    assert_eq!(listed.matches("link.viewed").count(), 2, "{listed}");
    erase(&bot).await.says("Everything is deleted");
    assert_eq!(left(&bot.database).await, BTreeSet::new());
    bot.finish().await;
}

#[tokio::test]
async fn every_table_says_whether_it_may_name_people() {
    let bot = bot().await;
    let mut conn = bot.database.connection().await;
    let all: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.tables
        where table_schema = current_schema() and table_type = 'BASE TABLE'",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    let known = |table: &String| PERSONAL.contains(&table.as_str()) || IMPERSONAL.contains(&table.as_str());
    let new: Vec<_> = all.iter().filter(|table| !known(table)).collect();
    assert!(
        new.is_empty(),
        "{new:?}: put it into PERSONAL, have store::erasing and store::exporting see to it and the story above fill it; or into IMPERSONAL"
    );
    drop(conn);
    bot.finish().await;
}

#[tokio::test]
async fn in_a_running_match_only_faceit_goes_on_naming_him_and_only_until_its_end_is_he_known_to_us() {
    let bot = bot().await;
    signed_up(&bot).await;
    let settings = Settings {
        report_channel: REPORTS.parse().ok(),
        ..bot.config.guild.settings().unwrap()
    };
    let mut conn = bot.database.connection().await;
    guilds::save(&mut conn, &settings, None, bot.clock.now()).await.unwrap();
    drop(conn);
    let game = game("1-a", "READY", &["quillfeather"], &["rex"]);
    bot.play(&game, "match_status_ready", 1).await;
    assert!(tables(&traces(&bot.database).await).contains("match_members"));
    assert_eq!(bot.channels().len(), 2);

    erase(&bot).await.says("Everything is deleted");
    bot.settle().await;
    bot.advance(Duration::from_secs(61)).await;
    let allowed = [IN_VOICE, ACCESS, FACTS].into_iter().chain(REPORT);
    let allowed: BTreeSet<String> = allowed.map(str::to_owned).collect();
    let left = traces(&bot.database).await;
    assert!(left.is_subset(&allowed), "{left:?}");
    assert!(
        bot.channels().iter().all(|(_, people)| people.len() < 2),
        "{}",
        bot.picture()
    );

    bot.play(&game.status("FINISHED"), "match_status_finished", 2).await;
    bot.advance(Duration::from_secs(3600)).await;
    let mut ours = columns_with(&bot.database, &[&ID.to_string()]).await;
    ours.remove(IN_VOICE);
    assert_eq!(ours, BTreeSet::new());
    assert!(!tables(&traces(&bot.database).await).contains("match_reports"));
    bot.finish().await;
}

#[tokio::test]
async fn export_and_erase_look_through_large_tables_piece_by_piece_and_say_that_it_takes_longer() {
    let bot = bot().await;
    signed_up(&bot).await;
    let mut conn = bot.database.connection().await;
    // More than two pieces of each; he is named in the first and the last row, and in one in ten between.
    sqlx::query(
        "insert into deliveries (received_at, event, event_id, match_id, payload_version, headers, body)
        select now(), 'match_status_ready', 'e' || n, 'm' || n, 1, '{}',
            convert_to(format('{\"roster\": [{\"id\": \"%s\", \"nickname\": \"Quill\"}]}',
                case when n % 10 = 1 then 'p-quillfeather' else 'p-other' end), 'UTF8')
        from generate_series(1, 8101) as n",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    sqlx::query(
        "insert into matches (match_id, status, facts, first_seen_at, closed_at, updated_at)
        select 'm' || n, 'FINISHED', jsonb_build_object('status', 'FINISHED', 'by', case when n % 10 = 1 then 'p-quillfeather' end),
            now(), now(), now()
        from generate_series(1, 8101) as n",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let all = exported(&bot.ask(&as_him("export")).await.seen);
    let count = |all: &Value, what: &str| all[what].as_array().unwrap().len();
    assert_eq!(count(&all, "deliveries_that_name_you"), 811);
    assert_eq!(count(&all, "matches_that_name_you"), 811);
    assert_eq!(all["complete"], true);
    assert_eq!(all["admin_account"]["username"], "quillfeather_at_discord");
    assert_eq!(count(&all["admin_account"], "sessions"), 1);
    erase(&bot)
        .await
        .says("811 recorded messages of FACEIT and 811 matches");
    assert_eq!(left(&bot.database).await, BTreeSet::new());
    let others: i64 = sqlx::query_scalar(
        "select count(*) from deliveries where position('p-other' in convert_from(body, 'UTF8')) > 0",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    assert_eq!(others, 7290);
    let edits = bot.simulator.journal().into_iter();
    let edits = edits.filter(|entry| entry.method == "PATCH" && entry.path.ends_with("/messages/@original"));
    assert_eq!(
        edits.count(),
        4,
        "the export, the question, that it goes on, and that it is done"
    );
    drop(conn);
    bot.finish().await;
}

#[tokio::test]
async fn an_export_that_is_not_complete_says_so() {
    let bot = bot().await;
    signed_up(&bot).await;
    let mut conn = bot.database.connection().await;
    sqlx::query(
        "insert into deliveries (received_at, event, event_id, match_id, payload_version, headers, body)
        select now(), 'match_status_ready', 'e' || n, 'm' || n, 1, '{}',
            '{\"roster\": [{\"id\": \"p-quillfeather\", \"nickname\": \"Quillfeather\"}]}'
        from generate_series(1, 7000) as n",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    drop(conn);
    let all = exported(&bot.ask(&as_him("export")).await.seen);
    let listed = all["deliveries_that_name_you"].as_array().unwrap();
    assert_eq!((listed.len(), &listed[0]["match_id"]), (6000, &json!("m7000")));
    assert_eq!(all["complete"], false);
    bot.finish().await;
}

#[tokio::test]
async fn whoever_only_signed_in_to_the_admin_part_is_erased_too() {
    let bot = bot().await;
    signed_up(&bot).await;
    let himself = By {
        actor: Actor::system(),
        guild: None,
        at: bot.clock.now(),
    };
    let mut tx = bot.app.sync.sources.pool.begin().await.unwrap();
    linking::unlink(&mut tx, id(), &himself).await.unwrap();
    tx.commit().await.unwrap();
    erase(&bot).await.says("Everything is deleted");
    assert_eq!(left(&bot.database).await, BTreeSet::new());
    bot.finish().await;
}
