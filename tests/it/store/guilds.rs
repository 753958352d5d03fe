//! Settings by guild, and whose matches are whose.

use std::time::Duration;

use muster::{
    domain::{
        ids::{ChannelId, GuildId, RoleId},
        match_facts::Competition,
        settings::{ClaimKind, OpenWhen, ReportAtEnd, ReturnTo, Settings},
    },
    store::{
        competitions::{claim, claimant, list, release},
        guilds::{Saved, all, home, load, save},
    },
};

use super::at;
use crate::support::database::Database;

fn guild(id: u64) -> GuildId {
    GuildId::new(id).unwrap()
}

fn competition(id: &str, organizer: &str) -> Competition {
    Competition {
        id: id.to_owned(),
        organizer_id: organizer.to_owned(),
        ..Competition::default()
    }
}

/// Nothing at its default.
fn odd(id: u64) -> Settings {
    let channel = ChannelId::new;
    Settings {
        guild: guild(id),
        category: channel(10),
        overflow: false,
        overflow_name: "More {n}".to_owned(),
        lobby: channel(11),
        source_channels: [channel(12), channel(13)].into_iter().flatten().collect(),
        staff_roles: RoleId::new(21).into_iter().collect(),
        spectator_roles: RoleId::new(22).into_iter().collect(),
        user_limit: 7,
        name_template: "{team}".to_owned(),
        open_when: OpenWhen::SomebodyLinked,
        grace: Duration::from_secs(30),
        max_age: Duration::from_secs(3600),
        return_to: ReturnTo::Stay,
        paused: true,
        verified_links_only: true,
        report_channel: channel(14),
        report_at_end: ReportAtEnd::Close,
    }
}

#[tokio::test]
async fn settings_read_back_as_they_were_stored() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    assert_eq!(load(c, guild(1)).await.unwrap(), None);
    assert_eq!(save(c, &odd(1), None, at(0)).await.unwrap(), Saved::Version(1));
    let plain = Settings::new(guild(2));
    assert_eq!(save(c, &plain, None, at(0)).await.unwrap(), Saved::Version(1));
    let stored = load(c, guild(1)).await.unwrap().unwrap();
    assert_eq!((stored.settings, stored.version, stored.updated_at), (odd(1), 1, at(0)));
    let settings: Vec<_> = all(c)
        .await
        .unwrap()
        .into_iter()
        .map(|stored| stored.settings)
        .collect();
    assert_eq!(settings, [odd(1), plain]);
}

#[tokio::test]
async fn who_changes_settings_must_have_seen_the_newest() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let plain = Settings::new(guild(1));
    assert_eq!(
        save(c, &plain, Some(1), at(0)).await.unwrap(),
        Saved::Changed,
        "there are none yet"
    );
    assert_eq!(save(c, &plain, None, at(0)).await.unwrap(), Saved::Version(1));
    assert_eq!(
        save(c, &odd(1), None, at(1)).await.unwrap(),
        Saved::Changed,
        "there are some already"
    );
    assert_eq!(save(c, &odd(1), Some(1), at(1)).await.unwrap(), Saved::Version(2));
    assert_eq!(save(c, &plain, Some(1), at(2)).await.unwrap(), Saved::Changed);
    let stored = load(c, guild(1)).await.unwrap().unwrap();
    assert_eq!((stored.settings, stored.version, stored.updated_at), (odd(1), 2, at(1)));
}

#[tokio::test]
async fn a_competition_belongs_to_one_guild() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    for id in [1, 2] {
        save(c, &Settings::new(guild(id)), None, at(0)).await.unwrap();
    }
    assert_eq!(
        claim(c, guild(1), ClaimKind::Hub, "hub", at(0)).await.unwrap(),
        guild(1)
    );
    assert_eq!(
        claim(c, guild(2), ClaimKind::Hub, "hub", at(1)).await.unwrap(),
        guild(1)
    );
    assert_eq!(
        claim(c, guild(1), ClaimKind::Championship, "hub", at(1)).await.unwrap(),
        guild(1)
    );
    assert_eq!(list(c, None).await.unwrap().len(), 1);
    assert_eq!(list(c, Some(guild(1))).await.unwrap()[0].kind, ClaimKind::Championship);
    assert!(!release(c, guild(2), "hub").await.unwrap(), "it is not his");
    assert!(release(c, guild(1), "hub").await.unwrap());
    assert_eq!(claimant(c, "hub").await.unwrap(), None);
    assert_eq!(
        claim(c, guild(2), ClaimKind::Hub, "hub", at(2)).await.unwrap(),
        guild(2)
    );
    assert_eq!(claimant(c, "hub").await.unwrap(), Some(guild(2)));
}

#[tokio::test]
async fn a_match_is_at_home_where_its_channels_are_else_at_its_claimants_else_in_the_default_guild() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    for id in [1, 2] {
        save(c, &Settings::new(guild(id)), None, at(0)).await.unwrap();
    }
    claim(c, guild(1), ClaimKind::Hub, "hub", at(0)).await.unwrap();
    claim(c, guild(2), ClaimKind::Organizer, "org", at(0)).await.unwrap();
    let default = Some(guild(3));
    for (bound, id, organizer, whose) in [
        (None, "hub", "org", Some(1)),
        (None, "cup", "org", Some(2)),
        (None, "org", "hub", Some(3)),
        (None, "", "", Some(3)),
        (Some(guild(2)), "hub", "org", Some(2)),
    ] {
        let (home, stored) = home(c, bound, &competition(id, organizer), default).await.unwrap();
        assert_eq!(home, whose.map(guild), "{id} {organizer}");
        let settings = stored.map(|stored| stored.settings.guild);
        assert_eq!(
            settings,
            home.filter(|home| *home != guild(3)),
            "only two have settings"
        );
    }
    assert_eq!(
        home(c, None, &competition("cup", ""), None).await.unwrap(),
        (None, None)
    );
}
