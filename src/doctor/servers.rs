//! Which servers there are to be looked at: that of the environment, and all that have settings of their own or claim something.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    doctor::{Check, server::Wanted},
    domain::{ids::GuildId, settings::Settings},
    store::{
        Connection, Error, competitions,
        competitions::StoredClaim,
        guilds,
        guilds::StoredGuild,
        standing::{self, Stuck},
    },
};

/// More of what waits for a person is not read.
const STUCK: i64 = 500;

/// What the database says of servers; empty when it could not be asked.
#[derive(Default)]
pub(super) struct Standing {
    guilds: Vec<StoredGuild>,
    claims: Vec<StoredClaim>,
    open: BTreeMap<Option<GuildId>, i64>,
    stuck: Vec<Stuck>,
}

impl Standing {
    /// Open matches of no server.
    pub(super) fn homeless(&self) -> i64 {
        self.open.get(&None).copied().unwrap_or(0)
    }
}

pub(super) async fn read(connection: &mut Connection) -> Result<Standing, Error> {
    Ok(Standing {
        guilds: guilds::all(connection).await?,
        claims: competitions::list(connection, None).await?,
        open: standing::open_by_guild(connection).await?,
        stuck: standing::stuck(connection, STUCK).await?,
    })
}

/// Those where something waits come first, then that of the environment.
pub(super) fn wanted(default: Option<&Settings>, standing: &Standing) -> Vec<Wanted> {
    let stored = standing.guilds.iter().map(|guild| guild.settings.guild);
    let claiming = standing.claims.iter().map(|claim| claim.guild);
    // A match may have channels where Muster was to work once.
    let playing = standing.open.keys().flatten().copied();
    let default_guild = default.map(|settings| settings.guild);
    let ids: BTreeSet<GuildId> = stored.chain(claiming).chain(playing).chain(default_guild).collect();
    let mut wanted: Vec<Wanted> = ids
        .into_iter()
        .map(|id| {
            let own = standing.guilds.iter().find(|guild| guild.settings.guild == id);
            let is_default = default_guild == Some(id);
            let settings = match (own, default) {
                (Some(own), _) => own.settings.clone(),
                (None, Some(default)) if is_default => default.clone(),
                (None, _) => Settings::new(id),
            };
            let stuck = standing.stuck.iter().filter(|stuck| stuck.guild == Some(id));
            Wanted {
                settings,
                by_environment: own.is_none() && is_default,
                is_default,
                claims: standing.claims.iter().filter(|claim| claim.guild == id).count(),
                open_matches: standing.open.get(&Some(id)).copied().unwrap_or(0),
                stuck: stuck.cloned().collect(),
            }
        })
        .collect();
    wanted.sort_by_key(|wanted| (wanted.stuck.is_empty(), !wanted.is_default, wanted.guild()));
    wanted
}

/// A server that Muster has never heard of.
pub(super) fn unknown(guild: GuildId) -> Wanted {
    Wanted {
        settings: Settings::new(guild),
        by_environment: false,
        is_default: false,
        claims: 0,
        open_matches: 0,
        stuck: Vec::new(),
    }
}

pub(super) fn not_looked_at(servers: usize) -> Option<Check> {
    (servers > 0).then(|| {
        Check::warning(
            "servers",
            format!("{servers} more were not looked at here"),
            "run `muster doctor`: it takes its time and looks at all",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Timestamp, ids::MatchId, settings::ClaimKind};

    fn guild(id: u64) -> GuildId {
        GuildId::new(id).unwrap()
    }

    #[test]
    fn every_server_is_looked_at_once_and_those_with_trouble_first() {
        let now = Timestamp::UNIX_EPOCH;
        let stored = |id| StoredGuild {
            settings: Settings::new(guild(id)),
            version: 1,
            updated_at: now,
        };
        let standing = Standing {
            guilds: vec![stored(1), stored(3)],
            claims: vec![StoredClaim {
                id: "hub".into(),
                kind: ClaimKind::Hub,
                guild: guild(3),
                claimed_at: now,
            }],
            open: BTreeMap::from([(None, 2), (Some(guild(4)), 1)]),
            stuck: vec![Stuck {
                id: MatchId::new("1-a"),
                guild: Some(guild(3)),
                why: "full".into(),
            }],
        };
        let default = Settings::new(guild(2));
        let all = wanted(Some(&default), &standing);
        let ids: Vec<u64> = all.iter().map(|wanted| wanted.guild().get()).collect();
        assert_eq!(ids, [3, 2, 1, 4]);
        assert_eq!((all[0].claims, all[0].stuck.len()), (1, 1));
        assert!(all[1].by_environment && all[1].is_default);
        assert_eq!(all[3].open_matches, 1);
        assert_eq!(standing.homeless(), 2);
        // Settings in the database go before those of the environment.
        let all = wanted(Some(&Settings::new(guild(1))), &standing);
        let first = all.iter().find(|wanted| wanted.guild() == guild(1)).unwrap();
        assert!(!first.by_environment && first.is_default);
    }
}
