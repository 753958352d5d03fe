//! The Discord adapter against the simulator: what each call does there, and what it says when it can't.

mod answers;
mod limits;
mod refusals;

use std::{collections::BTreeMap, time::Duration};

use muster::{
    clock::Clock,
    discord::{Client, Error, NewChannel, OldChannel, Options, Search},
    domain::{
        Timestamp,
        ids::{ChannelId, GuildId, UserId},
        plan::{Outcome, Seat},
    },
    simulator::{self, Cut, Fault, Limits, Rate, Simulator, WorldFile},
};
use secrecy::SecretString;
use serde_json::{Value, json};

const BOT: u64 = 900_000_000_000_000_001;
const LOBBY: u64 = 1011;
/// VIEW_CHANNEL | CONNECT.
const HIDDEN: u64 = (1 << 10) | (1 << 20);

struct Guild {
    simulator: Simulator,
    discord: Client,
    started: Timestamp,
}

impl Guild {
    /// Guild 1000 with category 1010, lobby 1011, ten members 2001 to 2010 in it and 2011 not in voice.
    async fn new() -> Self {
        Self::with(json!({})).await
    }

    async fn with(extra: Value) -> Self {
        let mut members: Vec<Value> = (2001..=2010)
            .map(|id: u64| json!({"id": id.to_string(), "name": format!("player{id}"), "voice_channel_id": "1011"}))
            .collect();
        members.push(json!({"id": "2011", "name": "away"}));
        let mut world = json!({"guilds": [{
            "id": "1000", "name": "Cup",
            "categories": [{"id": "1010", "name": "Matches"}],
            "voice_channels": [{"id": "1011", "name": "Lobby", "parent_id": null}],
            "members": members,
        }]});
        for (name, value) in extra.as_object().unwrap() {
            world[name] = value.clone();
        }
        let world = WorldFile::parse(&world.to_string()).unwrap();
        let simulator = Simulator::start(world, simulator::Options::default()).await.unwrap();
        let discord = client(&simulator, |_| {});
        let started = Clock::system().now();
        Self {
            simulator,
            discord,
            started,
        }
    }

    fn impatient(&self, deadline_ms: u64, patience_ms: u64) -> Client {
        client(&self.simulator, |options| {
            options.deadline = Duration::from_millis(deadline_ms);
            options.patience = Duration::from_millis(patience_ms);
        })
    }

    async fn create(&self, name: &str) -> Result<Outcome, Error> {
        self.discord
            .create_voice_channel(&new_channel(name, &[user(2001), user(2002)]))
            .await
    }

    async fn created(&self, name: &str) -> ChannelId {
        match self.create(name).await {
            Ok(Outcome::Created(channel)) => channel,
            other => panic!("no channel: {other:?}"),
        }
    }

    async fn find(&self, name: &str) -> Vec<ChannelId> {
        match self.discord.find_voice_channels(&self.search(name)).await {
            Ok(Outcome::Found(channels)) => channels,
            other => panic!("no list: {other:?}"),
        }
    }

    fn search<'a>(&self, name: &'a str) -> Search<'a> {
        Search {
            guild: guild(),
            name,
            category: Some(channel(1010)),
            since: self.started,
            bot: user(BOT),
        }
    }

    async fn delete(&self, id: ChannelId, reason: &str) -> Result<Outcome, Error> {
        self.discord.delete_channel(&old(id, reason)).await
    }

    fn channel(&self, id: ChannelId) -> Option<Value> {
        let guild = self.simulator.guild("1000").unwrap();
        let channels = guild["channels"].as_array().unwrap();
        channels.iter().find(|channel| channel["id"] == id.to_string()).cloned()
    }

    fn statuses(&self, method: &str) -> Vec<u16> {
        let journal = self.simulator.journal();
        journal
            .iter()
            .filter(|entry| entry.method == method)
            .map(|entry| entry.status)
            .collect()
    }

    fn fault(&self, method: &str, fault: Fault) {
        self.simulator
            .fault(Fault {
                method: Some(method.to_owned()),
                ..fault
            })
            .unwrap();
    }

    /// Every test ends with this: no request that the simulator doesn't know.
    fn finish(self) {
        assert_eq!(self.simulator.unknown_requests(), []);
        assert!(self.simulator.waiting_faults().is_empty(), "a fault never struck");
    }
}

fn client(simulator: &Simulator, change: impl FnOnce(&mut Options)) -> Client {
    client_with(simulator, &simulator.addresses().bot_token, change)
}

fn client_with(simulator: &Simulator, token: &str, change: impl FnOnce(&mut Options)) -> Client {
    let base = simulator.addresses().discord_api.parse().unwrap();
    let mut options = Options::new(base, SecretString::from(token));
    change(&mut options);
    Client::new(options).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(future);
}

fn guild() -> GuildId {
    GuildId::new(1000).unwrap()
}

fn channel(id: u64) -> ChannelId {
    ChannelId::new(id).unwrap()
}

fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

fn new_channel<'a>(name: &'a str, access: &'a [UserId]) -> NewChannel<'a> {
    NewChannel {
        guild: guild(),
        name,
        category: Some(channel(1010)),
        user_limit: 0,
        bot: user(BOT),
        access,
        staff: &[],
        spectators: &[],
        reason: "match 1-5cd68867: Ünïts",
        now: Timestamp::UNIX_EPOCH,
    }
}

fn old(channel: ChannelId, reason: &str) -> OldChannel<'_> {
    OldChannel {
        guild: guild(),
        channel,
        reason,
        now: Timestamp::UNIX_EPOCH,
    }
}

fn refused(outcome: Result<Outcome, Error>) -> String {
    match outcome {
        Ok(Outcome::Refused(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

/// Id to (type, allow, deny).
fn overwrites(channel: &Value) -> BTreeMap<u64, (u64, u64, u64)> {
    let number = |value: &Value| {
        value
            .as_u64()
            .unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
    };
    let all = channel["permission_overwrites"].as_array().unwrap().iter();
    all.map(|one| {
        (
            number(&one["id"]),
            (number(&one["type"]), number(&one["allow"]), number(&one["deny"])),
        )
    })
    .collect()
}

#[tokio::test]
async fn one_call_makes_a_channel_that_only_the_bot_and_the_players_may_enter() {
    let guild_1000 = Guild::new().await;
    let id = guild_1000.created("match-5cd68867-One").await;
    let made = guild_1000.channel(id).unwrap();
    assert_eq!(
        (&made["name"], &made["parent_id"], &made["type"]),
        (&json!("match-5cd68867-One"), &json!("1010"), &json!(2))
    );
    let bot = HIDDEN | (1 << 24) | (1 << 4);
    let player = HIDDEN | (1 << 21);
    assert_eq!(
        overwrites(&made),
        BTreeMap::from([
            (1000, (0, 0, HIDDEN)),
            (2001, (1, player, 0)),
            (2002, (1, player, 0)),
            (BOT, (1, bot, 0)),
        ])
    );
    assert_eq!(guild_1000.simulator.journal().len(), 1);
    guild_1000.finish();
}

#[tokio::test]
async fn the_bot_can_move_into_look_into_and_delete_what_it_made() {
    let g = Guild::new().await;
    let id = g.created("a").await;
    assert_eq!(
        g.discord.move_member(guild(), user(2001), Some(id)).await,
        Ok(Outcome::Done)
    );
    assert_eq!(g.channel(id).unwrap()["members"], json!(["2001"]));
    assert_eq!(
        g.discord.locate_member(guild(), user(2001)).await,
        Ok(Outcome::Seen(Seat::In(id)))
    );
    assert_eq!(
        g.discord.move_member(guild(), user(2001), None).await,
        Ok(Outcome::Done)
    );
    assert_eq!(
        g.discord.locate_member(guild(), user(2001)).await,
        Ok(Outcome::Seen(Seat::Nowhere))
    );
    assert_eq!(g.delete(id, "match is over").await, Ok(Outcome::Done));
    assert_eq!(g.channel(id), None);
    assert_eq!(g.delete(id, "match is over").await, Ok(Outcome::Gone));
    g.finish();
}

#[tokio::test]
async fn the_audit_log_says_why_channels_come_and_go_and_a_long_reason_is_cut() {
    let g = Guild::new().await;
    let id = g.created("a").await;
    g.delete(id, &"ö".repeat(600)).await.unwrap();
    let audit = g.simulator.guild("1000").unwrap()["audit"].clone();
    assert_eq!(audit[0]["reason"], "match 1-5cd68867: Ünïts");
    assert_eq!(audit[1]["reason"], "ö".repeat(512));
    g.finish();
}

#[tokio::test]
async fn a_member_who_is_away_unknown_or_sent_to_a_deleted_channel_is_an_outcome() {
    let g = Guild::new().await;
    let to = Some(channel(LOBBY));
    assert_eq!(
        g.discord.move_member(guild(), user(2011), to).await,
        Ok(Outcome::Absent)
    );
    assert_eq!(
        g.discord.move_member(guild(), user(2999), to).await,
        Ok(Outcome::NotInGuild)
    );
    assert_eq!(
        g.discord.move_member(guild(), user(2001), Some(channel(77))).await,
        Ok(Outcome::Gone)
    );
    assert_eq!(
        g.discord.locate_member(guild(), user(2011)).await,
        Ok(Outcome::Seen(Seat::Nowhere))
    );
    let category = refused(g.discord.move_member(guild(), user(2001), Some(channel(1010))).await);
    assert!(category.contains("LOBBY_CHANNEL_ID"), "{category}");
    g.finish();
}

#[tokio::test]
async fn somebody_in_a_channel_that_is_hidden_from_the_bot_is_elsewhere() {
    let hidden = json!({"id": "1012", "name": "Staff", "permission_overwrites": [{"id": "1000", "type": 0, "deny": HIDDEN.to_string()}]});
    let g = Guild::with(json!({"guilds": [{
        "id": "1000", "name": "Cup", "voice_channels": [hidden],
        "members": [{"id": "2001", "name": "a", "voice_channel_id": "1012"}],
    }]}))
    .await;
    assert_eq!(
        g.discord.locate_member(guild(), user(2001)).await,
        Ok(Outcome::Seen(Seat::Elsewhere))
    );
    let why = refused(g.discord.move_member(guild(), user(2001), None).await);
    assert!(why.contains("Move Members and Connect"), "{why}");
    g.finish();
}

#[tokio::test]
async fn with_manage_roles_access_is_granted_and_revoked_and_revoking_twice_is_no_fault() {
    let g = Guild::new().await;
    g.simulator.set_bot_permissions("1000", 321_981_968).unwrap();
    let id = g.created("a").await;
    assert_eq!(g.discord.grant_access(id, user(2003)).await, Ok(Outcome::Done));
    assert_eq!(overwrites(&g.channel(id).unwrap())[&2003], (1, HIDDEN | (1 << 21), 0));
    assert_eq!(g.discord.revoke_access(id, user(2003)).await, Ok(Outcome::Done));
    assert!(!overwrites(&g.channel(id).unwrap()).contains_key(&2003));
    assert_eq!(g.discord.revoke_access(id, user(2003)).await, Ok(Outcome::Done));
    g.simulator.delete_channel(&id.to_string()).unwrap();
    assert_eq!(g.discord.grant_access(id, user(2003)).await, Ok(Outcome::Gone));
    g.finish();
}

#[tokio::test]
async fn more_players_than_overwrites_are_left_out_and_doubles_count_once() {
    let g = Guild::new().await;
    let mut access: Vec<UserId> = (2001..=2150).map(user).collect();
    access.extend([user(2001), user(BOT)]);
    let Ok(Outcome::Created(id)) = g.discord.create_voice_channel(&new_channel("a", &access)).await else {
        panic!()
    };
    assert_eq!(overwrites(&g.channel(id).unwrap()).len(), 100);
    assert_eq!(
        g.discord.move_member(guild(), user(2001), Some(id)).await,
        Ok(Outcome::Done)
    );
    g.finish();
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_ambiguous_sent_once_and_found_again() {
    let g = Guild::new().await;
    g.fault(
        "POST",
        Fault {
            drop: Some(Cut::After),
            ..Fault::default()
        },
    );
    let lost = g.create("a").await.unwrap_err();
    assert!(lost.is_ambiguous(), "{lost}");
    assert_eq!(g.statuses("POST"), [0]);
    let found = g.find("a").await;
    assert_eq!(found.len(), 1);
    let second = g.created("a").await;
    assert_eq!(g.find("a").await, [found[0], second], "oldest first");
    g.finish();
}

#[tokio::test]
async fn only_our_own_channels_of_that_name_place_and_time_are_found() {
    let others = json!([{"id": "1012", "name": "a", "parent_id": "1010"}, {"id": "1011", "name": "Lobby"}]);
    let g = Guild::with(json!({"guilds": [{
        "id": "1000", "name": "Cup", "categories": [{"id": "1010", "name": "Matches"}], "voice_channels": others,
    }]}))
    .await;
    let id = g.created("a").await;
    g.created("b").await;
    let outside = NewChannel {
        category: None,
        ..new_channel("a", &[])
    };
    g.discord.create_voice_channel(&outside).await.unwrap();
    assert_eq!(
        g.find("a").await,
        [id],
        "not the person's old one, not b, not the one at the top level"
    );

    let later = |seconds| Search {
        since: g.started + Duration::from_secs(seconds),
        ..g.search("a")
    };
    assert_eq!(
        g.discord.find_voice_channels(&later(30)).await,
        Ok(Outcome::Found(vec![id])),
        "within the clocks' skew"
    );
    assert_eq!(
        g.discord.find_voice_channels(&later(90)).await,
        Ok(Outcome::Found(vec![]))
    );
    let of_another_bot = Search {
        bot: user(2005),
        ..g.search("a")
    };
    assert_eq!(
        g.discord.find_voice_channels(&of_another_bot).await,
        Ok(Outcome::Found(vec![]))
    );
    g.finish();
}

#[tokio::test]
async fn a_bad_gateway_is_never_a_second_create_but_a_second_try_of_what_can_be_repeated() {
    let g = Guild::new().await;
    g.fault(
        "POST",
        Fault {
            status: Some(502),
            ..Fault::default()
        },
    );
    match g.create("a").await {
        Err(Error::Unavailable { why, ambiguous: true }) => assert!(why.contains("502"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(g.statuses("POST"), [502]);

    g.fault(
        "PATCH",
        Fault {
            status: Some(502),
            ..Fault::default()
        },
    );
    assert_eq!(
        g.discord.move_member(guild(), user(2001), Some(channel(LOBBY))).await,
        Ok(Outcome::Done)
    );
    assert_eq!(g.statuses("PATCH"), [502, 200]);

    g.fault(
        "GET",
        Fault {
            status: Some(503),
            times: 2,
            ..Fault::default()
        },
    );
    let Err(Error::Unavailable { ambiguous: false, .. }) = g.discord.find_voice_channels(&g.search("a")).await else {
        panic!()
    };
    assert_eq!(g.statuses("GET"), [503, 503], "once more, not forever");
    g.finish();
}

#[tokio::test]
async fn a_created_channel_whose_description_can_t_be_read_is_ambiguous_too() {
    let g = Guild::new().await;
    g.fault(
        "POST",
        Fault {
            status: Some(201),
            after_effect: true,
            body: Some(json!("<html>portal</html>")),
            ..Fault::default()
        },
    );
    assert!(g.create("a").await.unwrap_err().is_ambiguous());
    assert_eq!(g.find("a").await.len(), 1);
    g.finish();
}

#[tokio::test]
async fn a_delete_whose_answer_is_lost_ends_as_gone() {
    let g = Guild::new().await;
    let id = g.created("a").await;
    g.fault(
        "DELETE",
        Fault {
            drop: Some(Cut::After),
            ..Fault::default()
        },
    );
    assert_eq!(g.delete(id, "over").await, Ok(Outcome::Gone));
    assert_eq!(g.statuses("DELETE"), [0, 404]);
    g.finish();
}

#[tokio::test]
async fn a_slow_answer_is_given_up_at_the_deadline_and_nobody_there_is_not_ambiguous() {
    let g = Guild::new().await;
    let impatient = g.impatient(1000, 1000);
    g.fault(
        "POST",
        Fault {
            delay_ms: 60_000,
            ..Fault::default()
        },
    );
    match impatient.create_voice_channel(&new_channel("a", &[])).await {
        Err(Error::Unavailable { ambiguous: true, why }) => assert!(why.contains("timed out"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(g.find("a").await.len(), 1, "it took effect all the same");

    let base = "http://127.0.0.1:1/api/v10".parse().unwrap();
    let nobody = Client::new(Options::new(base, SecretString::from("t0ken"))).unwrap();
    match nobody.create_voice_channel(&new_channel("a", &[])).await {
        Err(Error::Unavailable { ambiguous: false, why }) => assert!(!why.contains("t0ken"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refused_token_says_where_to_get_another_and_is_not_tried_again() {
    let g = Guild::new().await;
    let wrong = client_with(&g.simulator, "wr0ng", |_| {});
    assert_eq!(
        wrong.move_member(guild(), user(2001), None).await,
        Err(Error::Unauthorized)
    );
    let text = Error::Unauthorized.to_string();
    assert!(
        text.contains("developer portal") && text.contains("DISCORD_TOKEN"),
        "{text}"
    );
    assert_eq!(g.statuses("PATCH"), [401]);
    assert!(!format!("{wrong:?}").contains("wr0ng"));
    g.finish();
}

#[tokio::test]
async fn the_bot_asks_who_it_is_once() {
    let g = Guild::new().await;
    for _ in 0..3 {
        assert_eq!(g.discord.current_user().await, Ok(user(BOT)));
    }
    assert_eq!(g.simulator.journal().len(), 1);
    g.finish();
}

#[tokio::test]
async fn an_empty_bucket_is_waited_for_without_a_single_429() {
    let g = Guild::with(json!({"limits": {"member_edit": {"limit": 5, "per_ms": 400}}})).await;
    for _ in 0..12 {
        assert_eq!(
            g.discord.move_member(guild(), user(2001), Some(channel(LOBBY))).await,
            Ok(Outcome::Done)
        );
    }
    assert_eq!(g.statuses("PATCH"), [200; 12]);
    g.finish();
}

#[tokio::test]
async fn a_wave_that_runs_into_the_limit_waits_and_does_not_hammer() {
    let g = Guild::with(json!({"limits": {"member_edit": {"limit": 10, "per_ms": 3000}}})).await;
    let moves = (0..12).map(|n| {
        g.discord
            .move_member(guild(), user(2001 + n % 10), Some(channel(LOBBY)))
    });
    for outcome in futures::future::join_all(moves).await {
        assert_eq!(outcome, Ok(Outcome::Done));
    }
    // All twelve are under way before the first answer, so two are refused (fewer if the machine is so slow that the bucket refills).
    let refused_at = entries(&g, 429);
    assert!(refused_at.len() <= 2, "each is refused once at most: {refused_at:?}");
    if let Some(first) = refused_at.first() {
        let last = *entries(&g, 200).last().unwrap();
        assert!(last >= first + 300, "sent at {last}, refused at {refused_at:?}");
    }
    g.finish();
}

fn entries(g: &Guild, status: u16) -> Vec<u64> {
    let journal = g.simulator.journal();
    journal
        .iter()
        .filter(|entry| entry.status == status)
        .map(|entry| entry.at_ms)
        .collect()
}

#[tokio::test]
async fn a_pause_longer_than_the_patience_is_given_back_to_the_caller_without_asking_again() {
    let hour = Rate {
        limit: 1,
        per_ms: 3_600_000,
    };
    let g = Guild::new().await;
    g.simulator.set_limits(Limits {
        channels_per_day: Some(1),
        member_edit: hour,
        ..Limits::default()
    });
    g.created("a").await;
    for _ in 0..3 {
        let Err(Error::Busy { retry_after }) = g.create("b").await else {
            panic!()
        };
        assert!(retry_after > Duration::from_secs(80_000), "{retry_after:?}");
    }
    assert_eq!(g.statuses("POST"), [201, 429], "two of them were never sent");

    g.discord
        .move_member(guild(), user(2001), Some(channel(LOBBY)))
        .await
        .unwrap();
    let Err(Error::Busy { .. }) = g.discord.move_member(guild(), user(2002), Some(channel(LOBBY))).await else {
        panic!()
    };
    assert_eq!(g.statuses("PATCH"), [200]);
    g.finish();
}

#[tokio::test]
async fn a_global_429_stops_every_route() {
    let g = Guild::new().await;
    let headers = BTreeMap::from([
        ("x-ratelimit-global".to_owned(), "true".to_owned()),
        ("retry-after".to_owned(), "90".to_owned()),
    ]);
    g.fault(
        "GET",
        Fault {
            status: Some(429),
            body: Some(json!("<html>")),
            headers,
            ..Fault::default()
        },
    );
    let Err(Error::Busy { .. }) = g.discord.current_user().await else {
        panic!()
    };
    let Err(Error::Busy { retry_after }) = g.create("a").await else {
        panic!()
    };
    assert!(retry_after > Duration::from_secs(80), "{retry_after:?}");
    assert_eq!(g.simulator.journal().len(), 1);
    g.finish();
}
