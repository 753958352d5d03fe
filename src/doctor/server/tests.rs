use serde_json::{Value, json};

use super::*;
use crate::{discord::permissions::Roles, doctor::Verdict};

const GUILD: u64 = 1000;
const ME: u64 = 9;
const ROLE: u64 = 5;
const MOVER: u64 = 19;
const MOVER_ROLE: u64 = 15;

fn channel(id: u64) -> ChannelId {
    ChannelId::new(id).unwrap()
}

fn wanted() -> Wanted {
    Wanted {
        guild: GuildId::new(GUILD).unwrap(),
        category: Some(channel(1010)),
        overflow: false,
        lobby: Some(channel(1011)),
        sources: BTreeSet::new(),
        reports: None,
        by_environment: true,
    }
}

fn channels(list: Value) -> Vec<Channel> {
    serde_json::from_value(list).unwrap()
}

fn here() -> Here {
    Here {
        guild: Guild {
            name: "Cup".into(),
            roles: Roles {
                guild: GUILD,
                owner: 1,
                permissions: BTreeMap::from([
                    (GUILD, Permissions::empty()),
                    (ROLE, Permissions::from_bits_retain(INVITE_MAIN)),
                    (MOVER_ROLE, Permissions::from_bits_retain(INVITE_MOVER)),
                ]),
            },
            role_names: BTreeMap::from([(ROLE, "Muster".into())]),
            wants_two_factors: false,
        },
        me: Member {
            id: ME,
            roles: BTreeSet::from([ROLE]),
            timed_out: false,
        },
        channels: channels(json!([
            {"id": "1010", "type": 4, "name": "Matches"},
            {"id": "1011", "type": 2, "name": "Lobby"},
            {"id": "1012", "type": 2, "name": "Talk", "parent_id": "1010"},
        ])),
        unlisted: BTreeMap::new(),
        movers: Vec::new(),
    }
}

fn judged(wanted: &Wanted, here: Here) -> Vec<Check> {
    let sight = Sight {
        invite: invite(77, wanted.guild, INVITE_MAIN),
        here: Some(here),
    };
    judge(wanted, &sight)
}

/// The one line that is not ok.
fn trouble(wanted: &Wanted, here: Here) -> (Verdict, String) {
    let mut bad: Vec<Check> = judged(wanted, here);
    bad.retain(|check| check.verdict != Verdict::Ok);
    assert_eq!(bad.len(), 1, "{bad:#?}");
    let check = bad.remove(0);
    assert!(check.remedy.is_some(), "{check}");
    (check.verdict, check.to_string())
}

fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "'{word}' is not in: {text}");
    }
    assert!(!text.contains('\n'), "{text}");
}

#[test]
fn a_server_where_all_is_well_has_only_good_lines() {
    let checks = judged(&wanted(), here());
    assert!(checks.iter().all(|check| check.verdict == Verdict::Ok), "{checks:#?}");
    assert!(
        checks[0]
            .to_string()
            .starts_with("ok       server Cup (1000), permissions: View Channels, Manage")
    );
}

#[test]
fn a_bot_that_was_never_invited_gets_its_invitation() {
    let sight = Sight {
        invite: invite(77, wanted().guild, INVITE_MAIN),
        here: None,
    };
    let [check] = &judge(&wanted(), &sight)[..] else {
        panic!()
    };
    let words = [
        "no member",
        "client_id=77",
        "permissions=53478928",
        "guild_id=1000",
        "DISCORD_GUILD_ID",
    ];
    says(&check.to_string(), &words);
}

#[test]
fn a_permission_that_is_missing_in_the_server_is_named_with_the_place_to_grant_it() {
    let mut there = here();
    let left = Permissions::from_bits_retain(INVITE_MAIN) - Permissions::SPEAK;
    there.guild.roles.permissions.insert(ROLE, left);
    let (verdict, text) = trouble(&wanted(), there);
    assert_eq!(verdict, Verdict::Failed);
    says(&text, &["lacks Speak for the whole server", "Server Settings → Roles"]);
}

#[test]
fn a_hidden_lobby_takes_every_permission_along_and_says_who_is_denied() {
    let mut there = here();
    there.channels[1] = channels(
        json!([{"id": "1011", "type": 2, "name": "Lobby", "permission_overwrites":
        [{"id": "1000", "type": 0, "allow": "0", "deny": "1024"}]}]),
    )
    .remove(0);
    let (verdict, text) = trouble(&wanted(), there);
    assert_eq!(verdict, Verdict::Failed);
    says(
        &text,
        &[
            "lobby",
            "lacks View Channels, Connect and Move Members in Lobby (1011)",
            "denied there to @everyone",
            "Edit Channel → Permissions of Lobby (1011)",
        ],
    );
}

#[test]
fn a_category_is_judged_by_what_a_create_needs() {
    let mut there = here();
    there.channels[0] = channels(
        json!([{"id": "1010", "type": 4, "name": "Matches", "permission_overwrites":
        [{"id": "5", "type": 0, "allow": "0", "deny": "16"}, {"id": "1000", "type": 0, "deny": "1048576"}]}]),
    )
    .remove(0);
    let (_, text) = trouble(&wanted(), there);
    says(
        &text,
        &[
            "category",
            "lacks Manage Channels in Matches (1010)",
            "role Muster",
            "Edit Category",
        ],
    );
}

#[test]
fn channels_of_the_settings_that_are_not_there_are_told_apart() {
    for (why, words) in [
        (Unlisted::Gone, ["there is no channel 1011", "LOBBY_CHANNEL_ID"]),
        (Unlisted::Hidden, ["hidden from the bot", "View Channel"]),
        (
            Unlisted::Elsewhere(GuildId::new(7).unwrap()),
            ["another server, 7", "LOBBY_CHANNEL_ID"],
        ),
    ] {
        let mut there = here();
        there.channels.remove(1);
        there.unlisted.insert(channel(1011), why);
        says(&trouble(&wanted(), there).1, &words);
    }
    let swapped = Wanted {
        lobby: Some(channel(1010)),
        category: None,
        ..wanted()
    };
    says(&trouble(&swapped, here()).1, &["Matches (1010) is not a voice channel"]);
    let own = Wanted {
        by_environment: false,
        ..swapped
    };
    says(&trouble(&own, here()).1, &["the server's settings (lobby)"]);
}

#[test]
fn voice_channels_nobody_can_be_moved_out_of_are_a_warning_unless_sources_are_named() {
    let mut there = here();
    there.channels.extend(channels(
        json!([{"id": "1013", "type": 2, "name": "Staff", "permission_overwrites":
        [{"id": "1000", "type": 0, "deny": "1048576"}]}]),
    ));
    let (verdict, text) = trouble(&wanted(), there);
    assert_eq!(verdict, Verdict::Warning);
    says(&text, &["can't move anybody out of Staff (1013)", "source channels"]);
}

#[test]
fn room_that_runs_out_is_said_before_it_is_gone() {
    let crowd = |count: u64, parent: Value| {
        let mut there = here();
        let more =
            (0..count).map(|n| json!({"id": (5000 + n).to_string(), "type": 0, "name": "t", "parent_id": parent}));
        there.channels.extend(channels(more.collect()));
        there
    };
    let (verdict, text) = trouble(&wanted(), crowd(450, Value::Null));
    assert_eq!(verdict, Verdict::Warning);
    says(&text, &["453 of 500", "hidden from the bot", "delete"]);
    assert_eq!(trouble(&wanted(), crowd(497, Value::Null)).0, Verdict::Failed);
    let inside = || crowd(49, json!("1010"));
    let (verdict, text) = trouble(&wanted(), inside());
    assert_eq!(verdict, Verdict::Failed);
    says(&text, &["room in the category", "50 of 50"]);
    let overflowing = Wanted {
        overflow: true,
        ..wanted()
    };
    assert!(
        judged(&overflowing, inside())
            .iter()
            .all(|check| check.verdict == Verdict::Ok)
    );
}

#[test]
fn a_mover_bot_that_can_not_help_is_a_warning_with_its_own_invitation() {
    let invitation = || invite(MOVER, GuildId::new(GUILD).unwrap(), INVITE_MOVER);
    let member = |roles: &[u64]| Member {
        id: MOVER,
        roles: roles.iter().copied().collect(),
        timed_out: false,
    };
    let with = |mover: Mover| Here {
        movers: vec![mover],
        ..here()
    };
    let named = |member| Mover::Here {
        name: "Second".into(),
        member,
        invite: invitation(),
    };
    let checks = judged(&wanted(), with(named(member(&[MOVER_ROLE]))));
    says(
        &checks.last().unwrap().to_string(),
        &["ok ", "mover bot 1 Second: shares the moves"],
    );
    let (verdict, text) = trouble(&wanted(), with(named(member(&[]))));
    assert_eq!(verdict, Verdict::Warning);
    says(
        &text,
        &["lacks View Channels, Connect and Move Members", "permissions=17826816"],
    );
    let away = Mover::Away {
        name: "Second".into(),
        invite: invitation(),
    };
    says(&trouble(&wanted(), with(away)).1, &["no member", "client_id=19"]);
    says(
        &trouble(&wanted(), with(Mover::Unusable("Discord refuses it".into()))).1,
        &["DISCORD_MOVER_TOKENS"],
    );
}

#[test]
fn a_timed_out_bot_and_a_server_that_wants_two_factors_are_said() {
    let mut there = here();
    there.me.timed_out = true;
    let checks = judged(&wanted(), there);
    says(&checks[0].to_string(), &["timed out", "Remove Timeout"]);
    let mut there = here();
    there.guild.wants_two_factors = true;
    says(
        &trouble(&wanted(), there).1,
        &["two-factor", "account that owns the bot"],
    );
}
