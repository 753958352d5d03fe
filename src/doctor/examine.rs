//! Asks everybody what there is to know, all at once, and has it judged. Every question has its deadline; makes no verdict itself.

use std::{collections::BTreeMap, time::Duration};

use futures::future::{join, join_all, join3};
use tokio::time::timeout;

use crate::{
    clock::Clock,
    discord::{
        self,
        survey::{Account, Unlisted},
    },
    doctor::{
        Check, Report,
        server::{self, Mover, Sight, Wanted},
        service,
    },
    domain::ids::{ChannelId, MatchId},
    faceit,
    store::{self, Pool},
};

/// The longest that the database, FACEIT or all of Discord may take.
const PATIENCE: Duration = Duration::from_secs(12);
/// No match has it.
const NO_MATCH: &str = "1-00000000-0000-0000-0000-000000000000";

/// Looks at what there is; what is missing is not looked at, and somebody else says that it is missing.
#[derive(Clone)]
pub struct Doctor {
    pub pool: Option<Pool>,
    pub faceit: Option<faceit::client::Client>,
    pub discord: Option<discord::Client>,
    /// The server of the environment.
    pub wanted: Option<Wanted>,
    pub clock: Clock,
}

impl Doctor {
    /// Everything; `before` comes first in the report.
    pub async fn examine(&self, before: Vec<Check>) -> Report {
        let (database, faceit, discord) = join3(self.database(), self.faceit(), self.discord()).await;
        let checks = [before, database, faceit, discord].concat();
        Report { checks }
    }

    async fn database(&self) -> Vec<Check> {
        let Some(pool) = &self.pool else { return Vec::new() };
        let version = within(async {
            let mut conn = pool.acquire().await?;
            store::version(&mut conn).await
        });
        let database = service::database(version.await);
        if database.remedy.is_some() {
            return vec![database];
        }
        let pending = within(store::migrations_pending(pool)).await;
        let current = pending.as_ref().is_ok_and(Vec::is_empty);
        let mut checks = vec![database, service::migrations(pending)];
        if current {
            let dead = within(async {
                let mut conn = pool.acquire().await?;
                Ok(store::jobs::list_dead(&mut conn).await?.len())
            });
            checks.push(service::jobs(dead.await));
        }
        checks
    }

    async fn faceit(&self) -> Vec<Check> {
        let Some(faceit) = &self.faceit else { return Vec::new() };
        let id = MatchId::new(NO_MATCH);
        let asked = timeout(PATIENCE, faceit.fetch_match(&id)).await;
        let asked = asked.unwrap_or_else(|_| {
            let why = format!("no answer within {} s", PATIENCE.as_secs());
            let route = "/matches/{id}";
            Err(faceit::error::Error::Unavailable { route, why })
        });
        vec![service::faceit(asked.map(drop))]
    }

    async fn discord(&self) -> Vec<Check> {
        let Some(discord) = &self.discord else {
            return Vec::new();
        };
        let asked = timeout(PATIENCE, self.ask_discord(discord)).await;
        asked.unwrap_or_else(|_| {
            let why = format!("no answer within {} s", PATIENCE.as_secs());
            let ambiguous = false;
            vec![service::unanswered(
                "Discord",
                &discord::Error::Unavailable { why, ambiguous },
            )]
        })
    }

    async fn ask_discord(&self, discord: &discord::Client) -> Vec<Check> {
        let me = discord.whoami(0).await;
        let mut checks = vec![service::token(&me)];
        let Ok(me) = me else { return checks };
        let (application, gateway) = join(discord.application(), discord.gateway()).await;
        checks.extend([service::application(&application), service::gateway(&gateway)]);
        let movers = join_all((1..discord.bots()).map(|bot| discord.whoami(bot))).await;
        let client_id = application.map_or(me.id.get(), |application| application.id.get());
        let bots = Bots { me, client_id, movers };
        let servers = self.servers().await;
        let judged = servers.iter().map(|wanted| self.server(discord, &bots, wanted));
        checks.extend(join_all(judged).await.concat());
        checks
    }

    /// All servers that Muster works in.
    async fn servers(&self) -> Vec<Wanted> {
        self.wanted.clone().into_iter().collect()
    }

    async fn server(&self, discord: &discord::Client, bots: &Bots, wanted: &Wanted) -> Vec<Check> {
        let sight = self.look_at(discord, bots, wanted).await;
        match sight {
            Ok(sight) => server::judge(wanted, &sight),
            Err(error) => vec![service::unanswered(format!("server {}", wanted.guild), &error)],
        }
    }

    async fn look_at(&self, discord: &discord::Client, bots: &Bots, wanted: &Wanted) -> Result<Sight, discord::Error> {
        let (guild, now) = (wanted.guild, self.clock.now());
        let invite = server::invite(bots.client_id, guild, server::INVITE_MAIN);
        let (Some(seen), Some(me)) = (
            discord.guild_as(0, guild).await?,
            discord.member_as(0, guild, bots.me.id, now).await?,
        ) else {
            return Ok(Sight { invite, here: None });
        };
        let channels = discord.list_channels(guild).await?;
        let named = wanted.named();
        let left_out = named
            .iter()
            .filter(|id| !channels.iter().any(|channel| channel.id.get() == id.get()));
        let mut unlisted: BTreeMap<ChannelId, Unlisted> = BTreeMap::new();
        for id in left_out {
            unlisted.insert(*id, discord.look_for_channel(guild, *id).await?);
        }
        let movers = bots.movers.iter().enumerate().map(async |(at, account)| {
            let account = match account {
                Ok(account) => account,
                Err(discord::Error::Unauthorized) => return Mover::Unusable("Discord refuses its token".to_owned()),
                Err(error) => return Mover::Unusable(error.to_string()),
            };
            let invite = server::invite(account.id.get(), guild, server::INVITE_MOVER);
            let name = account.name.clone();
            match discord.member_as(at + 1, guild, account.id, now).await {
                Ok(Some(member)) => Mover::Here { name, member, invite },
                Ok(None) => Mover::Away { name, invite },
                Err(error) => Mover::Unusable(error.to_string()),
            }
        });
        let movers = join_all(movers).await;
        Ok(Sight {
            invite,
            here: Some(server::Here {
                guild: seen,
                me,
                channels,
                unlisted,
                movers,
            }),
        })
    }
}

struct Bots {
    me: Account,
    client_id: u64,
    movers: Vec<Result<Account, discord::Error>>,
}

async fn within<T>(question: impl Future<Output = Result<T, store::Error>>) -> Result<T, store::Error> {
    let late = || store::Error::Unavailable(format!("no answer within {} s", PATIENCE.as_secs()));
    timeout(PATIENCE, question).await.unwrap_or_else(|_| Err(late()))
}
