//! Stories as text: what people and FACEIT do, line by line, and the pictures that must come of it (fixtures/scenarios/README.md).

use std::{fmt::Write as _, time::Duration};

use muster::simulator::Fault;
use serde_json::json;

use super::{
    bodies::{self, Match},
    bot::{BAR, Bot, GUILD, LOBBY, PEOPLE, world},
};

/// Plays a story and returns it with its pictures and counts as they came out: equal to `story` when all is as told.
pub async fn play(story: &str) -> String {
    let mut bot = Bot::start_in(world(), &[]).await;
    let mut games: Vec<Match> = Vec::new();
    let mut told = String::new();
    let mut lines = story.lines().peekable();
    while let Some(line) = lines.next() {
        let _ = writeln!(told, "{line}");
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] | ["#", ..] => {}
            ["link", "everybody"] => bot.link(&PEOPLE).await,
            ["link", names @ ..] => bot.link(names).await,
            ["away", names @ ..] => names.iter().for_each(|name| bot.disconnect(name)),
            ["in", "lobby", names @ ..] => names.iter().for_each(|name| bot.connect(name, LOBBY)),
            ["in", "bar", names @ ..] => names.iter().for_each(|name| bot.connect(name, BAR)),
            ["faceit", id, status, rest @ ..] => {
                let game = game(id, status, rest, &games);
                bot.faceit_says(&game);
                games.retain(|known| known.id != game.id);
                games.push(game);
            }
            ["faceit-forgets", id] => bot.simulator.remove_match(id).expect("it knew the match"),
            ["faceit-is", "down"] => bot.simulator.fault(down()).expect("a fault"),
            ["faceit-is", "back"] => bot.simulator.clear_faults(),
            ["webhook", event, id, version] => {
                let game = games
                    .iter()
                    .find(|game| game.id == *id)
                    .unwrap_or_else(|| panic!("no match {id}"));
                let version = version.trim_start_matches('v').parse().expect("a version such as v5");
                let answer = bot.deliver(&game.webhook(event, version)).await;
                assert_eq!(answer.status, 200, "{line}: {answer:?}");
                bot.settle().await;
            }
            ["wait", seconds] => {
                let seconds = seconds.trim_end_matches('s').parse().expect("seconds such as 60s");
                bot.advance(Duration::from_secs(seconds)).await;
            }
            ["restart"] => bot = bot.restart().await,
            ["permissions", bits] => bot
                .simulator
                .set_bot_permissions(GUILD, bits.parse().expect("a number"))
                .expect("there is a guild"),
            ["calls", ..] => {
                bot.settle().await;
                let calls = bot.calls().len();
                bot.simulator.clear_journal();
                told.truncate(told.len() - line.len() - 1);
                let _ = writeln!(told, "calls {calls}");
            }
            ["picture"] => {
                bot.settle().await;
                while lines.next_if(|line| line.starts_with("  ")).is_some() {}
                for line in in_order(&bot.picture()) {
                    let _ = writeln!(told, "  {line}");
                }
            }
            _ => panic!("the story has a line that nobody understands: {line}"),
        }
    }
    bot.finish().await;
    told
}

/// `faceit 1-abc READY nova rex vs ada bo`; without names the rosters stay as they were.
fn game(id: &str, status: &str, rest: &[&str], games: &[Match]) -> Match {
    if rest.is_empty() {
        let known = games.iter().find(|game| game.id == id);
        return known.map_or_else(|| bodies::game(id, status, &[], &[]), |game| game.status(status));
    }
    let versus = rest
        .iter()
        .position(|word| *word == "vs")
        .expect("'vs' between the rosters");
    bodies::game(id, status, &rest[..versus], &rest[versus + 1..])
}

/// Both channels of a match are created at the same time: which one Discord lists first is chance.
fn in_order(picture: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = picture.lines().collect();
    for run in lines.chunk_by_mut(|a, b| [a, b].iter().all(|line| line.trim_start().starts_with("match-"))) {
        run.sort_unstable();
    }
    lines
}

/// FACEIT's API answers 503 until further notice.
fn down() -> Fault {
    serde_json::from_value(json!({"path": "/data/v4/matches/*", "status": 503, "times": 1_000_000})).expect("a fault")
}
