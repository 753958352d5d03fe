//! The bot at the gateway: what it knows of who sits where, whatever happens to its connections, its sessions, the events, and itself.

use std::collections::BTreeMap;

use muster::{
    domain::ids::{ChannelId, GuildId, UserId},
    simulator::{Simulator, Whose},
};
use serde_json::Value;

use crate::support::{
    bodies::{Match, game},
    bot::{BAR, Bot, GUILD, LOBBY, PEOPLE, member, world},
    database::eventually,
};

mod events;
mod final_codes;
mod interactions;
mod load;
mod paces;
mod processes;
mod restarts;
mod sessions;
mod shards;
mod silence;

fn everybody() -> Whose {
    Whose::default()
}

fn guild() -> GuildId {
    GUILD.parse().expect("an id")
}

fn user(name: &str) -> UserId {
    UserId::new(member(name)).expect("above zero")
}

fn channel(id: &str) -> ChannelId {
    id.parse().expect("an id")
}

/// Everybody's seat as the simulator knows it.
fn true_seats(simulator: &Simulator) -> BTreeMap<UserId, ChannelId> {
    let guild = simulator.guild(GUILD).expect("there is a guild");
    let members = guild["members"].as_array().expect("members").iter();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let seated = members.filter_map(|member| {
        let (id, seat) = (text(&member["id"])?, text(&member["voice_channel_id"])?);
        Some((id.parse().expect("an id"), channel(&seat)))
    });
    seated.collect()
}

/// What the bot takes for everybody's seat; None while it does not know.
fn known_seats(bot: &Bot) -> Option<BTreeMap<UserId, ChannelId>> {
    bot.app.voice.seats(guild(), PEOPLE.map(user))
}

#[track_caller]
fn knows_the_truth(bot: &Bot) {
    assert_eq!(known_seats(bot), Some(true_seats(&bot.simulator)), "{}", bot.picture());
}

/// New sessions and resumed ones since the simulator started.
fn begun_and_resumed(simulator: &Simulator) -> (u64, u64) {
    let counts = simulator.gateway().counts;
    (counts.identifies, counts.resumes)
}

/// Waits for so many sessions, and until all that was told in the last one is taken in.
async fn sessions(bot: &Bot, begun: u64, resumed: u64) {
    eventually("the session is there", || async {
        begun_and_resumed(&bot.simulator) == (begun, resumed)
    })
    .await;
    bot.gateway_ready().await;
    assert_eq!(begun_and_resumed(&bot.simulator), (begun, resumed));
}

/// Nova and Rex against Ada and Bo.
fn a_match() -> Match {
    game(
        "1-9a7e0000-0000-4000-8000-000000000001",
        "READY",
        &["nova", "rex"],
        &["ada", "bo"],
    )
}

/// How often FACEIT was asked about the match since the journal was cleared: as often as it was looked at.
fn looks(simulator: &Simulator) -> usize {
    let asked = format!("/data/v4/matches/{}", a_match().id);
    simulator.journal().iter().filter(|entry| entry.path == asked).count()
}
