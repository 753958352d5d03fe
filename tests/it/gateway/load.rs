//! Many events at once: heartbeats go out all the same, and what is kept does not grow with them.

use std::cell::Cell;

use serde_json::json;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_go_out_while_events_pour_in() {
    let mut world = world();
    // A client that misses two of these is thrown out.
    world["gateway"]["heartbeat_interval_ms"] = json!(1_500);
    let bot = Bot::start_in(world, &PEOPLE).await;
    bot.play(&a_match(), "match_status_ready", 2).await;
    bot.simulator.clear_gateway_counts();
    let finn = Cell::new(LOBBY);
    eventually("there were some heartbeats", || async {
        // As much as it can take, and no more, or it would have to be waited for afterwards: Finn goes last.
        if bot.app.voice.channel_of(guild(), user("finn")) == Some(channel(finn.get())) {
            for _ in 0..100 {
                for (name, channel) in [("dan", BAR), ("cleo", BAR), ("dan", LOBBY), ("cleo", LOBBY)] {
                    bot.connect(name, channel);
                }
            }
            finn.set(if finn.get() == LOBBY { BAR } else { LOBBY });
            bot.connect("finn", finn.get());
        }
        bot.simulator.gateway().counts.heartbeats >= 4
    })
    .await;
    bot.settle().await;
    println!("{} events", bot.simulator.gateway().sessions[0].seq);
    let counts = bot.simulator.gateway().counts;
    assert_eq!((counts.connections, counts.closed.len()), (0, 0), "{counts:?}");
    knows_the_truth(&bot);
    assert_eq!(
        (bot.app.voice.guilds().len(), bot.app.voice.seated()),
        (1, PEOPLE.len())
    );
    bot.finish().await;
}
