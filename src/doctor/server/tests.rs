//! Verdicts on made-up servers: each kind of trouble, and how it reads. Asks nobody.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::{
    discord::permissions::Roles,
    doctor::Verdict,
    domain::ids::{MatchId, RoleId},
};

const GUILD: u64 = 1000;
const ME: u64 = 9;
const ROLE: u64 = 5;
const MOVER: u64 = 19;
const MOVER_ROLE: u64 = 15;

fn channel(id: u64) -> ChannelId {
    ChannelId::new(id).unwrap()
}

fn settings() -> Settings {
    Settings {
        category: Some(channel(1010)),
        lobby: Some(channel(1011)),
        overflow: false,
        ..Settings::new(GuildId::new(GUILD).unwrap())
    }
}

fn wanted() -> Wanted {
    with(settings())
}

fn with(settings: Settings) -> Wanted {
    Wanted {
        settings,
        by_environment: true,
        is_default: true,
        claims: 0,
        open_matches: 0,
        stuck: Vec::new(),
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
        invite: invite(77, wanted.guild(), INVITE_MAIN),
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
        invite: invite(77, wanted().guild(), INVITE_MAIN),
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
fn what_the_whole_server_lacks_is_said_once_and_in_a_channel_only_what_that_takes_away() {
    for lacking in [
        Permissions::VIEW_CHANNEL,
        Permissions::MANAGE_CHANNELS,
        Permissions::CONNECT,
        Permissions::MOVE_MEMBERS,
    ] {
        let mut there = here();
        let left = Permissions::from_bits_retain(INVITE_MAIN) - lacking;
        there.guild.roles.permissions.insert(ROLE, left);
        there.movers.clear();
        let (_, text) = trouble(&wanted(), there);
        says(&text, &["for the whole server"]);
    }
    // Move Members is missing everywhere, and Connect in the lobby too.
    let mut there = here();
    let left = Permissions::from_bits_retain(INVITE_MAIN) - Permissions::MOVE_MEMBERS;
    there.guild.roles.permissions.insert(ROLE, left);
    there.channels[1] = channels(
        json!([{"id": "1011", "type": 2, "name": "Lobby", "permission_overwrites":
        [{"id": "1000", "type": 0, "deny": "1048576"}]}]),
    )
    .remove(0);
    let checks = judged(&wanted(), there);
    let bad: Vec<String> = checks
        .iter()
        .filter(|check| check.verdict == Verdict::Failed)
        .map(|check| check.what.clone())
        .collect();
    assert_eq!(
        bad,
        [
            "the bot lacks Move Members for the whole server",
            "the bot lacks Connect in Lobby (1011) (denied there to @everyone)",
        ]
    );
}

#[test]
fn a_report_channel_is_to_be_written_into_and_read() {
    let reporting = with(Settings {
        report_channel: Some(channel(1014)),
        ..settings()
    });
    let invited = Permissions::from_bits_retain(INVITE_MAIN);
    let may_write = invited | Permissions::SEND_MESSAGES;
    let with_rights = |rights| {
        let mut there = here();
        there
            .channels
            .extend(channels(json!([{"id": "1014", "type": 0, "name": "log"}])));
        there.guild.roles.permissions.insert(ROLE, rights);
        there
    };
    says(
        &trouble(&reporting, with_rights(invited)).1,
        &["report channel", "lacks Send Messages in log (1014)", "Edit Channel"],
    );
    let (verdict, told) = trouble(&reporting, with_rights(may_write));
    assert_eq!(verdict, Verdict::Warning, "reports work without it");
    says(
        &told,
        &["lacks Read Message History in log (1014)", "twice", "Edit Channel"],
    );
    let checks = judged(&reporting, with_rights(may_write | Permissions::READ_MESSAGE_HISTORY));
    assert!(checks.iter().all(|check| check.verdict == Verdict::Ok), "{checks:#?}");
}

#[test]
fn roles_that_are_gone_and_roles_that_everybody_has_are_named() {
    let role = |id| RoleId::new(id).unwrap();
    let staffed = |ids: &[u64]| {
        with(Settings {
            staff_roles: ids.iter().copied().map(role).collect(),
            ..settings()
        })
    };
    let mut there = here();
    there.guild.role_names.insert(MOVER_ROLE, "Casters".into());
    let checks = judged(&staffed(&[MOVER_ROLE]), there);
    let staff = checks
        .iter()
        .find(|check| check.about.ends_with("staff roles"))
        .unwrap();
    assert_eq!(staff.to_string(), "ok       server Cup (1000), staff roles: Casters");
    let (verdict, text) = trouble(&staffed(&[MOVER_ROLE, 404]), here());
    assert_eq!(verdict, Verdict::Failed);
    says(&text, &["there is no role 404", "STAFF_ROLE_IDS"]);
    let (verdict, text) = trouble(&staffed(&[GUILD]), here());
    assert_eq!(verdict, Verdict::Warning);
    says(&text, &["@everyone", "STAFF_ROLE_IDS"]);
}

#[test]
fn what_waits_for_a_person_is_said_with_the_match_and_a_paused_server_fails_in_nothing() {
    let stuck = |id: &str| Stuck {
        id: MatchId::new(id),
        guild: Some(wanted().guild()),
        why: "the category is full".into(),
    };
    let waiting = Wanted {
        open_matches: 3,
        stuck: vec![stuck("1-a"), stuck("1-b")],
        ..wanted()
    };
    let (verdict, text) = trouble(&waiting, here());
    assert_eq!(verdict, Verdict::Warning);
    says(
        &text,
        &[
            "3 are open",
            "1-a: the category is full (and 1 more)",
            "muster plan 1-a",
        ],
    );
    let paused = with(Settings {
        paused: true,
        lobby: Some(channel(999)),
        ..settings()
    });
    let checks = judged(&paused, here());
    assert!(
        checks.iter().all(|check| check.verdict != Verdict::Failed),
        "{checks:#?}"
    );
    says(
        &checks.last().unwrap().to_string(),
        &["paused", "muster guilds resume --guild 1000"],
    );
}

#[test]
fn a_server_that_gets_no_matches_is_told_how_to_claim_some() {
    let other = Wanted {
        by_environment: false,
        is_default: false,
        ..wanted()
    };
    says(&trouble(&other, here()).1, &["no new match", "muster guilds claim hub"]);
    let claiming = Wanted { claims: 1, ..other };
    let checks = judged(&claiming, here());
    assert!(checks.iter().all(|check| check.verdict == Verdict::Ok), "{checks:#?}");
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
    let swapped = with(Settings {
        lobby: Some(channel(1010)),
        category: None,
        ..settings()
    });
    says(&trouble(&swapped, here()).1, &["Matches (1010) is not a voice channel"]);
    let own = Wanted {
        by_environment: false,
        ..swapped
    };
    says(&trouble(&own, here()).1, &["muster guilds set lobby=… --guild 1000"]);
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
    says(
        &text,
        &["players who sit in Staff (1013) can't be moved", "SOURCE_CHANNEL_IDS"],
    );
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
    let overflowing = with(Settings {
        overflow: true,
        ..settings()
    });
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
    let beside = |mover: Mover| Here {
        movers: vec![mover],
        ..here()
    };
    let named = |member| Mover::Here {
        name: "Second".into(),
        member,
        invite: invitation(),
    };
    let checks = judged(&wanted(), beside(named(member(&[MOVER_ROLE]))));
    let mover = checks.iter().find(|check| check.about.contains("mover bot")).unwrap();
    says(&mover.to_string(), &["ok ", "mover bot Second: shares the moves"]);
    let (verdict, text) = trouble(&wanted(), beside(named(member(&[]))));
    assert_eq!(verdict, Verdict::Warning);
    says(
        &text,
        &["lacks View Channels, Connect and Move Members", "permissions=17826816"],
    );
    let away = Mover::Away {
        name: "Second".into(),
        invite: invitation(),
    };
    says(&trouble(&wanted(), beside(away)).1, &["no member", "client_id=19"]);
    let unknown = Mover::Unknown {
        name: "Second".into(),
        why: "no answer".into(),
    };
    says(&trouble(&wanted(), beside(unknown)).1, &["no answer", "look again"]);
}

#[test]
fn a_timed_out_bot_and_a_server_that_wants_two_factors_are_said() {
    let mut there = here();
    there.me.timed_out = true;
    let reporting = with(Settings {
        report_channel: Some(channel(1014)),
        ..settings()
    });
    there
        .channels
        .extend(channels(json!([{"id": "1014", "type": 0, "name": "log"}])));
    says(&trouble(&reporting, there).1, &["timed out", "Remove Timeout"]);
    let mut there = here();
    there.guild.wants_two_factors = true;
    says(
        &trouble(&wanted(), there).1,
        &["two-factor", "account that owns the bot"],
    );
}
