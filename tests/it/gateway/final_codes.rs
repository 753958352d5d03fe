//! Codes after which Discord wants no further connection: said plainly, and left at that.

use super::*;
use crate::support::bot::BOT;

async fn is_given_up(bot: &Bot, code: u16, advice: &str) {
    eventually("it has given up", || async {
        let (status, body) = bot.get("/readyz").await;
        status == 503 && body.contains(&code.to_string()) && body.contains(advice)
    })
    .await;
    assert!(bot.app.shards.fatal().is_some());
    assert!(!bot.app.voice.is_known(guild()), "what it knew grows old");
    assert_eq!(bot.get("/healthz").await.0, 200, "deliveries are still taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_is_given_up_after_a_final_code_and_readyz_says_what_to_do() {
    let mut bot = Bot::start(&[]).await;
    for (code, advice) in [
        (4004, "Reset Token"),
        (4010, "leave DISCORD_SHARDS out"),
        (4011, "leave DISCORD_SHARDS out or raise it"),
        (4012, "install a newer version of Muster"),
        (4013, "GUILDS and GUILD_VOICE_STATES"),
        (4014, "GUILDS and GUILD_VOICE_STATES"),
    ] {
        let connections = bot.simulator.gateway().counts.connections;
        assert_eq!(bot.simulator.end_connections(&everybody(), Some(code)), 1);
        is_given_up(&bot, code, advice).await;
        // Whoever tends the shard has left: nobody is there to connect once more.
        assert_eq!(bot.simulator.gateway().counts.connections, connections);
        bot = bot.restart().await;
    }
    assert_eq!(bot.get("/readyz").await.0, 200);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_reset_ends_the_shard_and_turns_readyz_red() {
    let bot = Bot::start(&[]).await;
    bot.simulator.reset_token(BOT, "another-token").expect("there is a bot");
    is_given_up(&bot, 4004, "set DISCORD_TOKEN to it").await;
    assert!(bot.app.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_bad_token_from_the_start_no_connection_is_made() {
    let bot = Bot::start_deaf(world(), |config| {
        config.discord.token = "not-the-token".to_owned().into()
    })
    .await;
    eventually("readyz says what to do", || async {
        let (status, body) = bot.get("/readyz").await;
        status == 503 && body.contains("Reset Token") && body.contains("where its gateway is")
    })
    .await;
    assert_eq!(bot.simulator.gateway().counts.connections, 0);
    assert!(bot.app.stop().await, "it can be stopped while it waits");
}
