//! Several shards in one process: each hears of its own guilds, begins in turn, and resumes.

use muster::discord::shards::Status;
use serde_json::json;

use super::*;

/// Of shard 1 of two, and of shard 1 of four.
const OTHER: u64 = 1 << 22;

fn two_guilds() -> Value {
    let mut world = world();
    let other = json!({
        "id": OTHER.to_string(), "name": "Cellar", "bot_permissions": "53478928",
        "voice_channels": [{"id": "5011", "name": "Den", "parent_id": null}],
        "members": [{"id": "6001", "name": "Zoe", "voice_channel_id": "5011"}],
    });
    world["guilds"].as_array_mut().expect("guilds").push(other);
    world["gateway"]["guilds_per_shard"] = json!(1);
    world
}

/// Zoe's seat.
fn zoe(bot: &Bot) -> Option<ChannelId> {
    let guild = GuildId::new(OTHER).expect("above zero");
    bot.app.voice.channel_of(guild, UserId::new(6001).expect("above zero"))
}

async fn all_up(bot: &Bot, count: usize) {
    eventually("all shards are up", || async {
        let all = bot.app.shards.all();
        all.len() == count && all.values().all(|status| *status == Status::Up)
    })
    .await;
    bot.gateway_ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_shards_as_discord_recommends_hear_of_all_guilds_and_resume() {
    let mut world = two_guilds();
    world["gateway"]["shards"] = json!(2);
    let bot = Bot::start_deaf(world, |_| {}).await;
    all_up(&bot, 2).await;
    knows_the_truth(&bot);
    assert_eq!(zoe(&bot), Some(channel("5011")));
    let bot = bot
        .restart_after(async |simulator| {
            simulator.disconnect(&OTHER.to_string(), "6001").expect("she was there");
            simulator
                .connect(GUILD, &member("nova").to_string(), BAR)
                .expect("he can");
        })
        .await;
    all_up(&bot, 2).await;
    assert_eq!(begun_and_resumed(&bot.simulator), (2, 2));
    knows_the_truth(&bot);
    assert_eq!(zoe(&bot), None);
    // Only the one whose connection ends is away for a moment.
    bot.simulator.end_connections(
        &muster::simulator::Whose {
            shard: Some(1),
            ..everybody()
        },
        None,
    );
    bot.simulator
        .connect(&OTHER.to_string(), "6001", "5011")
        .expect("she can");
    eventually("the shard is back", || async {
        begun_and_resumed(&bot.simulator) == (2, 3)
    })
    .await;
    all_up(&bot, 2).await;
    assert_eq!(zoe(&bot), Some(channel("5011")));
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_number_of_shards_begins_new_sessions() {
    let mut world = two_guilds();
    world["gateway"]["shards"] = json!(2);
    let mut bot = Bot::start_deaf(world, |_| {}).await;
    all_up(&bot, 2).await;
    bot.config.discord.shards = Some(4);
    let bot = bot.restart().await;
    all_up(&bot, 4).await;
    assert_eq!(begun_and_resumed(&bot.simulator), (6, 0));
    knows_the_truth(&bot);
    assert_eq!(zoe(&bot), Some(channel("5011")));
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_begin_one_after_the_other_as_discord_wants_it() {
    let mut world = two_guilds();
    world["gateway"]["shards"] = json!(2);
    world["gateway"]["max_concurrency"] = json!(1);
    let bot = Bot::start_deaf(world, |_| {}).await;
    all_up(&bot, 2).await;
    let counts = bot.simulator.gateway().counts;
    assert_eq!(
        (counts.identifies, counts.identifies_refused),
        (2, 0),
        "each waited for its turn"
    );
    assert_eq!(counts.connections, 2);
    bot.finish().await;
}
