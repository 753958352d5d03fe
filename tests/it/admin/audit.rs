//! The audit log through the API: one server's own, in pages, filtered.

use muster::{
    domain::ids::{GuildId, UserId},
    store::audit::{self, Actor, Entry},
};
use serde_json::{Value, json};

use super::browser::{Browser, OURS, bot, id_of};
use crate::support::bot::{Bot, member};

const AUDIT: &str = "/api/guilds/1000/audit";

async fn record(bot: &Bot, actor: Actor, action: &str, guild: Option<u64>, subject: &str) {
    let entry = Entry {
        actor,
        action: action.to_owned(),
        guild: guild.and_then(GuildId::new),
        subject: subject.to_owned(),
        before: Some(json!({"was": subject})),
        after: Some(json!({"is": subject})),
    };
    let mut connection = bot.app.sync.sources.pool.acquire().await.unwrap();
    audit::record(&mut connection, &entry, bot.clock.now()).await.unwrap();
}

async fn subjects(browser: &Browser, query: &str) -> Vec<Value> {
    let (status, page) = browser.get(&format!("{AUDIT}?{query}")).await;
    assert_eq!(status, 200, "{query}: {page}");
    let changes = page["changes"].as_array().unwrap().iter();
    changes.map(|change| change["subject"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admins_read_the_log_of_their_server_page_by_page_and_nothing_of_others() {
    let bot = bot().await;
    let admin = Browser::of(&bot, "rex").await;
    let ann = || Actor::discord(UserId::new(member("ada")).unwrap(), "Ada");
    for subject in ["1", "2", "3", "4", "5"] {
        record(&bot, Actor::cli(), "link.removed", Some(1000), subject).await;
        record(&bot, Actor::cli(), "link.removed", Some(2000), "theirs").await;
        record(&bot, Actor::system(), "person.erased", None, "nobody's").await;
    }
    record(&bot, ann(), "guild.changed", Some(1000), OURS).await;
    record(&bot, ann(), "link.taken_over", Some(1000), "a stranger").await;
    let web = Actor::web(UserId::new(member("ada")).unwrap(), "ada");
    record(&bot, web, "link.taken_over", Some(1000), "a member").await;
    let all = json!(["a member", null, OURS, "5", "4", "3", "2", "1"]);
    assert_eq!(json!(subjects(&admin, "").await), all);
    let (mut seen, mut query) = (Vec::new(), "limit=3".to_owned());
    loop {
        let (_, page) = admin.get(&format!("{AUDIT}?{query}")).await;
        seen.extend(subjects(&admin, &query).await);
        let Some(next) = page["next"].as_str() else { break };
        query = format!("limit=3&cursor={next}");
    }
    assert_eq!(json!(seen), all);
    for (query, found) in [
        ("action=guild.changed", json!([OURS])),
        ("action=guild", json!([])),
        ("subject=4", json!(["4"])),
        ("subject=theirs", json!([])),
        ("subject=a+stranger", json!([])),
        ("subject=a+member", json!(["a member"])),
        (&format!("actor={}", id_of("ada")), json!(["a member", null, OURS])),
        (&format!("actor={}&action=guild.changed", id_of("ada")), json!([OURS])),
        ("action=%27+or+1%3D1+--", json!([])),
    ] {
        assert_eq!(json!(subjects(&admin, query).await), found, "{query}");
    }
    let (_, page) = admin.get(&format!("{AUDIT}?limit=2")).await;
    let (member, stranger) = (&page["changes"][0], &page["changes"][1]);
    assert_eq!(
        (&member["before"], &stranger["before"]),
        (&json!({"was": "a member"}), &Value::Null)
    );
    assert!(
        !stranger["after"].is_null() && stranger["source"] == "discord",
        "{stranger}"
    );
    for query in [
        "cursor=5",
        "cursor=LTE",
        "cursor=MA",
        "cursor=eA",
        "actor=0",
        "actor=x",
        "subject=%00",
        "limit=1000",
    ] {
        let (status, refused) = admin.get(&format!("{AUDIT}?{query}")).await;
        assert_eq!((status, &refused["error"]), (400, &json!("malformed")), "{query}");
    }
    bot.finish().await;
}
