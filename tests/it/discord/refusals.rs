//! What Discord refuses, and that the answer says what is missing and where; categories; roles that are gone.

use muster::{
    discord::{Client, Error, NewCategory, NewChannel},
    domain::{ids::RoleId, plan::Outcome},
    simulator::Fault,
};
use serde_json::{Value, json};

use super::{BOT, Guild, HIDDEN, LOBBY, channel, guild, new_channel, old, overwrites, refused, user};

/// All that the bot needs.
const INVITED: u64 = 53_478_928;

#[tokio::test]
async fn a_full_category_and_a_full_server_are_told_from_each_other() {
    let full: Vec<Value> = (0..50)
        .map(|n: u64| json!({"id": (3000 + n).to_string(), "name": "old", "parent_id": "1010"}))
        .collect();
    let g = Guild::with(json!({"guilds": [{
        "id": "1000", "name": "Cup", "categories": [{"id": "1010", "name": "Matches"}], "voice_channels": full,
    }]}))
    .await;
    assert_eq!(g.create("a").await, Ok(Outcome::CategoryFull));
    g.finish();

    let text: Vec<Value> = (0..499)
        .map(|n: u64| json!({"id": (3000 + n).to_string(), "name": "old"}))
        .collect();
    let g = Guild::with(json!({"guilds": [{
        "id": "1000", "name": "Cup", "categories": [{"id": "1010", "name": "Matches"}], "text_channels": text,
    }]}))
    .await;
    assert_eq!(g.create("a").await, Ok(Outcome::GuildFull));
    g.finish();
}

#[tokio::test]
async fn a_category_that_does_not_exist_and_a_name_that_is_none_are_refused() {
    let g = Guild::new().await;
    let lost = NewChannel {
        category: Some(channel(4711)),
        ..new_channel("a", &[])
    };
    let Ok(Outcome::CategoryGone(why)) = g.discord.create_voice_channel(&lost).await else {
        panic!()
    };
    assert!(why.contains("category 4711") && why.contains("VC_CATEGORY_ID"), "{why}");
    let why = refused(g.create("").await);
    assert!(why.contains("CHANNEL_NAME_TEMPLATE"), "{why}");
    assert_eq!(g.statuses("POST"), [400], "the nameless one was not even sent");
    g.finish();
}

#[tokio::test]
async fn missing_permissions_are_named_with_the_place_to_grant_them() {
    let g = Guild::new().await;
    let id = g.created("a").await;
    let why = refused(g.discord.grant_access(id, user(2003)).await);
    assert!(
        why.starts_with("the bot lacks Manage Roles (shown as Manage Permissions)") && why.contains("321981968"),
        "{why}"
    );
    g.simulator.set_bot_permissions("1000", HIDDEN).unwrap();
    assert_eq!(
        refused(g.create("b").await),
        "the bot lacks Manage Channels, Speak and Move Members for the whole server (Missing Permissions, 50013): grant it to the bot's role in \
         Server Settings → Roles (in the category alone is not enough), or invite the bot again with permissions=53478928"
    );
    let why = refused(g.discord.move_member(guild(), user(2001), Some(channel(LOBBY))).await);
    assert!(
        why.starts_with("the bot lacks Move Members for the whole server"),
        "{why}"
    );
    let why = refused(g.delete(channel(LOBBY), "no").await);
    assert!(why.contains("Manage Channels") && why.contains("by hand"), "{why}");
    g.finish();
}

/// Sets the category's overwrites and tries a create.
async fn refused_in_category(g: &Guild, overwrites: Value) -> String {
    g.simulator.set_overwrites("1010", &overwrites).unwrap();
    refused(g.create("a").await)
}

#[tokio::test]
async fn a_permission_that_the_category_denies_is_named_with_who_it_is_denied_to() {
    let g = Guild::new().await;
    let manage = (1 << 4).to_string();
    let why = refused_in_category(&g, json!([{"id": "1000", "type": 0, "deny": manage}])).await;
    assert_eq!(
        why,
        "the bot lacks Manage Channels in category 'Matches', denied there to @everyone (Missing Permissions, 50013): allow it for the bot \
         or its role in Edit Category → Permissions"
    );
    let why = refused_in_category(&g, json!([{"id": BOT.to_string(), "type": 1, "deny": manage}])).await;
    assert!(why.contains("denied there to the bot itself"), "{why}");
    let why = refused_in_category(&g, json!([{"id": "1000", "type": 0, "deny": HIDDEN.to_string()}])).await;
    assert!(why.starts_with("the bot lacks View Channel in category 1010"), "{why}");
    g.finish();
}

#[tokio::test]
async fn moves_into_a_channel_that_is_closed_to_the_bot_name_it_and_only_one_asks_why() {
    let g = Guild::new().await;
    let hidden = json!([{"id": "1000", "type": 0, "deny": (1_u64 << 20).to_string()}]);
    g.simulator.set_overwrites("1011", &hidden).unwrap();
    g.created("a").await;
    g.simulator.clear_journal();
    let moves = (2001..=2005).map(|id| g.discord.move_member(guild(), user(id), Some(channel(LOBBY))));
    for outcome in futures::future::join_all(moves).await {
        let why = refused(outcome);
        assert!(
            why.starts_with("the bot lacks Connect and Move Members in channel 'Lobby', denied there to @everyone"),
            "{why}"
        );
    }
    // Who the bot is, the server, its member there, and the channel: once, not five times.
    assert_eq!(g.statuses("GET"), [200; 4]);
    g.finish();
}

#[tokio::test]
async fn a_channel_that_can_t_be_deleted_says_what_is_denied_there() {
    let g = Guild::new().await;
    g.simulator
        .set_overwrites(
            "1011",
            &json!([{"id": "1000", "type": 0, "deny": (1_u64 << 20).to_string()}]),
        )
        .unwrap();
    let why = refused(g.delete(channel(LOBBY), "no").await);
    assert!(
        why.starts_with("the bot lacks Manage Channels and Connect in channel 'Lobby', denied there to @everyone"),
        "{why}"
    );
    g.finish();
}

#[tokio::test]
async fn a_bot_that_was_removed_is_told_from_one_that_lacks_a_permission() {
    let g = Guild::new().await;
    let id = g.created("a").await;
    g.simulator.remove_bot("1000", &BOT.to_string()).unwrap();
    assert_eq!(g.create("b").await, Ok(Outcome::NotHere));
    assert_eq!(g.delete(id, "over").await, Ok(Outcome::NotHere));
    assert_eq!(
        g.discord.find_voice_channels(&g.search("a")).await,
        Ok(Outcome::NotHere)
    );
    let error = g.discord.list_channels(guild()).await.unwrap_err();
    assert!(error.to_string().contains("server 1000"), "{error}");
    g.simulator.add_bot("1000", &BOT.to_string(), INVITED).unwrap();
    g.created("b").await;
    g.finish();
}

fn roles(ids: &[u64]) -> Vec<RoleId> {
    ids.iter().map(|id| RoleId::new(*id).unwrap()).collect()
}

#[tokio::test]
async fn staff_and_spectators_enter_by_their_roles_and_a_role_that_is_gone_does_not_spoil_the_channel() {
    let g = Guild::with(json!({"guilds": [{
        "id": "1000", "name": "Cup", "categories": [{"id": "1010", "name": "Matches"}],
        "roles": [{"id": "50", "name": "Staff"}, {"id": "60", "name": "Casters"}],
    }]}))
    .await;
    let (staff, spectators) = (roles(&[50]), roles(&[60]));
    let new = NewChannel {
        staff: &staff,
        spectators: &spectators,
        ..new_channel("a", &[])
    };
    let Ok(Outcome::Created(id)) = g.discord.create_voice_channel(&new).await else {
        panic!()
    };
    let speak = 1 << 21;
    let there = overwrites(&g.channel(id).unwrap());
    assert_eq!(there[&50], (0, HIDDEN | speak, 0));
    assert_eq!(there[&60], (0, HIDDEN, speak));

    let gone = json!({"code": 10011, "message": "Unknown Role"});
    let form = json!({"code": 50035, "message": "Invalid Form Body", "errors": {"permission_overwrites": {"2": {"id": {"_errors": []}}}}});
    let with_old = [roles(&[50, 51]), roles(&[60, 61])];
    for (status, body) in [(404, gone), (400, form)] {
        g.fault(
            "POST",
            Fault {
                path: "/channels".to_owned(),
                status: Some(status),
                body: Some(body),
                ..Fault::default()
            },
        );
        let new = NewChannel {
            staff: &with_old[0],
            spectators: &with_old[1],
            ..new_channel("b", &[])
        };
        let Ok(Outcome::Created(id)) = g.discord.create_voice_channel(&new).await else {
            panic!()
        };
        let there: Vec<u64> = overwrites(&g.channel(id).unwrap()).into_keys().collect();
        assert_eq!(there, [50, 60, 1000, BOT]);
    }
    g.finish();
}

async fn new_category(discord: &Client, name: &str) -> Result<Outcome, Error> {
    let new = NewCategory {
        guild: guild(),
        name,
        bot: user(BOT),
        reason: "full",
        now: super::Timestamp::UNIX_EPOCH,
    };
    discord.create_category(&new).await
}

#[tokio::test]
async fn a_category_is_made_named_found_and_deleted_only_when_it_is_empty() {
    let g = Guild::new().await;
    assert_eq!(
        g.discord.channel_name(guild(), channel(1010)).await,
        Ok(Outcome::Named("Matches".to_owned()))
    );
    let Ok(Outcome::Created(category)) = new_category(&g.discord, "Matches 2").await else {
        panic!()
    };
    let search = super::Search {
        category: None,
        ..g.search("Matches 2")
    };
    assert_eq!(
        g.discord.find_categories(&search).await,
        Ok(Outcome::Found(vec![category]))
    );
    assert_eq!(g.discord.find_voice_channels(&search).await, Ok(Outcome::Found(vec![])));
    let inside = NewChannel {
        category: Some(category),
        ..new_channel("a", &[])
    };
    let Ok(Outcome::Created(id)) = g.discord.create_voice_channel(&inside).await else {
        panic!()
    };
    assert_eq!(
        g.discord.delete_category(&old(category, "")).await,
        Ok(Outcome::Occupied)
    );
    g.delete(id, "over").await.unwrap();
    assert_eq!(g.discord.check_channel(guild(), category).await, Ok(Outcome::Done));
    assert_eq!(g.discord.delete_category(&old(category, "")).await, Ok(Outcome::Done));
    assert_eq!(g.discord.check_channel(guild(), category).await, Ok(Outcome::Gone));
    assert_eq!(g.discord.channel_name(guild(), category).await, Ok(Outcome::Gone));
    g.finish();
}
