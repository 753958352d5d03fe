//! Slash commands, as the people who run them see it.

mod arrival;
mod erased;
mod erasing;
mod linking;
mod my_match;
mod oneself;
mod staff;

use muster::{
    simulator::Fault,
    store::{self, linking as links, links::StoredLink},
};
use serde_json::{Value, json};

use crate::support::bot::{Bot, member, world};

/// A world in which FACEIT knows everybody of these, and each is in the guild.
async fn bot(players: &[&str], linked: &[&str]) -> Bot {
    let players: Vec<Value> = players
        .iter()
        .map(|name| json!({"player_id": format!("p-{}", name.to_lowercase()), "nickname": name}))
        .collect();
    let mut world = world();
    world["faceit"] = json!({"players": players});
    Bot::start_in(world, linked).await
}

fn fault(fault: Value) -> Fault {
    serde_json::from_value(fault).unwrap()
}

async fn link_of(bot: &Bot, name: &str) -> Option<StoredLink> {
    let user = muster::domain::ids::UserId::new(member(name)).unwrap();
    let mut conn = bot.app.sync.sources.pool.acquire().await.unwrap();
    links::of_user(&mut conn, user).await.unwrap()
}

async fn audited(bot: &Bot) -> Vec<String> {
    let mut conn = bot.app.sync.sources.pool.acquire().await.unwrap();
    let rows = store::audit::list(&mut conn, &store::audit::Filter::default(), 100).await;
    rows.unwrap()
        .into_iter()
        .map(|row| format!("{} {} {}", row.entry.actor.source, row.entry.action, row.entry.subject))
        .collect()
}
