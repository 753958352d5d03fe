//! Asks everybody what there is to know, side by side, and has it judged. Every question has its deadline; makes no verdict itself.

use std::{collections::BTreeMap, time::Duration};

use futures::{
    StreamExt,
    future::{join, join_all, join4},
    stream,
};
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::{
    clock::Clock,
    discord::{
        self,
        oauth::OAuth,
        survey::{Account, Application},
    },
    doctor::{
        Check, Report,
        accounts::{self, Portal},
        server::{self, Here, Mover, Sight, Wanted},
        servers::{self, Standing},
        service,
    },
    domain::{
        ids::{GuildId, MatchId},
        settings::Settings,
    },
    faceit::{self, oauth::SignIn},
    store::{self, Pool},
};

/// The longest that one question may take.
const PATIENCE: Duration = Duration::from_secs(12);
/// Servers looked at at the same time.
const SIDE_BY_SIDE: usize = 8;
/// No match has it.
const NO_MATCH: &str = "1-00000000-0000-0000-0000-000000000000";
/// Nobody gave it out.
const NO_CODE: &str = "muster-doctor";

/// Looks at what there is; what is missing is not looked at, and somebody else says that it is missing.
#[derive(Clone)]
pub struct Doctor {
    pub pool: Option<Pool>,
    pub faceit: Option<faceit::client::Client>,
    pub discord: Option<discord::Client>,
    /// The server of the environment.
    pub default_guild: Option<Settings>,
    pub sign_ins: SignIns,
    pub portal: Portal,
    pub clock: Clock,
    /// All together takes no longer than this, nor a look at more servers than that.
    pub within: Duration,
    pub most_servers: usize,
}

/// Those that are set up, each with the address that people come back to.
#[derive(Clone, Default)]
pub struct SignIns {
    pub faceit: Option<(SignIn, Url)>,
    pub discord: Option<(OAuth, Url)>,
}

/// The bots of Muster, as Discord knows them.
struct Bots {
    me: Account,
    client_id: u64,
    movers: Vec<Result<Account, discord::Error>>,
}

impl Doctor {
    /// Everything; `before` comes first in the report.
    pub async fn examine(&self, before: Vec<Check>) -> Report {
        let end = Instant::now() + self.within;
        let ((database, standing), key, sign_in, (discord, bots)) = join4(
            self.database(end),
            self.faceit_key(end),
            self.faceit_sign_in(end),
            self.discord(end),
        )
        .await;
        let mut checks = [before, database, key, sign_in, discord].concat();
        let mut wanted = servers::wanted(self.default_guild.as_ref(), &standing);
        if wanted.is_empty() {
            checks.push(service::no_server());
        }
        let left_out = wanted.len().saturating_sub(self.most_servers);
        wanted.truncate(self.most_servers);
        if let (Some(discord), Some(bots)) = (&self.discord, &bots) {
            let looks = wanted.into_iter().map(|wanted| self.server(discord, bots, wanted, end));
            let judged: Vec<_> = stream::iter(looks).buffered(SIDE_BY_SIDE).collect().await;
            let late = judged.iter().filter(|judged| judged.is_none()).count();
            checks.extend(judged.into_iter().flatten().flatten());
            checks.extend(servers::not_looked_at(late + left_out));
        }
        Report { checks }
    }

    /// One server alone.
    pub async fn examine_server(&self, guild: GuildId) -> Report {
        let end = Instant::now() + self.within;
        let Some(discord) = &self.discord else {
            return Report::default();
        };
        let ((_, standing), (checks, bots)) = join(self.database(end), self.discord(end)).await;
        let Some(bots) = bots else { return Report { checks } };
        let wanted = servers::wanted(self.default_guild.as_ref(), &standing);
        let wanted = wanted.into_iter().find(|wanted| wanted.guild() == guild);
        let wanted = wanted.unwrap_or_else(|| servers::unknown(guild));
        let checks = self.server(discord, &bots, wanted, end).await.unwrap_or_default();
        Report { checks }
    }

    /// Also gives what the database says of servers.
    async fn database(&self, end: Instant) -> (Vec<Check>, Standing) {
        let nothing = Standing::default();
        let Some(pool) = &self.pool else {
            return (Vec::new(), nothing);
        };
        let version = within(end, async {
            let mut conn = pool.acquire().await?;
            store::version(&mut conn).await
        });
        let database = service::database(version.await);
        if database.remedy.is_some() {
            return (vec![database], nothing);
        }
        let pending = within(end, store::migrations_pending(pool)).await;
        let current = pending.as_ref().is_ok_and(Vec::is_empty);
        let mut checks = vec![database, service::migrations(pending)];
        if !current {
            return (checks, nothing);
        }
        let now = self.clock.now();
        let read = within(end, async {
            let mut conn = pool.acquire().await?;
            let counts = store::jobs::counts(&mut conn, now).await?;
            let workers = store::standing::workers(&mut conn).await?;
            let intake = store::standing::intake(&mut conn).await?;
            let pause = store::service_pause::load(&mut conn).await?;
            Ok((counts, workers, intake, pause, servers::read(&mut conn).await?))
        });
        match read.await {
            Ok((counts, workers, intake, pause, standing)) => {
                checks.extend(pause.as_ref().map(service::paused));
                checks.extend([
                    service::jobs(&counts),
                    service::workers(&workers, now),
                    service::deliveries(&intake),
                    service::links(&intake, self.sign_ins.faceit.is_some()),
                ]);
                checks.extend(service::homeless(standing.homeless()));
                (checks, standing)
            }
            Err(error) => {
                checks.push(service::unread(&error));
                (checks, nothing)
            }
        }
    }

    async fn faceit_key(&self, end: Instant) -> Vec<Check> {
        let Some(faceit) = &self.faceit else { return Vec::new() };
        let id = MatchId::new(NO_MATCH);
        let asked = timeout_at(until(end), faceit.fetch_match(&id)).await;
        let asked = asked.unwrap_or_else(|_| {
            let (route, why) = ("/matches/{id}", too_late());
            Err(faceit::error::Error::Unavailable { route, why })
        });
        vec![accounts::faceit(asked.map(drop))]
    }

    async fn faceit_sign_in(&self, end: Instant) -> Vec<Check> {
        let Some((sign_in, redirect)) = &self.sign_ins.faceit else {
            return Vec::new();
        };
        let verifier = sign_in.begin().verifier;
        let asked = timeout_at(until(end), sign_in.finish(NO_CODE.to_owned(), verifier)).await;
        let asked = asked.unwrap_or_else(|_| Err(faceit::oauth::Error::Unavailable(too_late())));
        vec![accounts::faceit_sign_in(redirect, asked.map(drop))]
    }

    async fn discord_sign_in(&self, end: Instant) -> Vec<Check> {
        let Some((oauth, redirect)) = &self.sign_ins.discord else {
            return Vec::new();
        };
        let (_, verifier) = OAuth::secrets();
        let asked = timeout_at(until(end), oauth.exchange(NO_CODE, &verifier, redirect)).await;
        let asked = asked.unwrap_or(Err(discord::oauth::Error::TooSlow));
        vec![accounts::discord_sign_in(asked.map(drop))]
    }

    /// Also gives the bots, unless the main one can't be asked.
    async fn discord(&self, end: Instant) -> (Vec<Check>, Option<Bots>) {
        let Some(discord) = &self.discord else {
            return (Vec::new(), None);
        };
        let me = answered(end, discord.whoami(0)).await;
        let mut checks = vec![accounts::token(&me)];
        let Ok(me) = me else { return (checks, None) };
        let movers = (1..discord.bots()).map(|bot| answered(end, discord.whoami(bot)));
        let (application, gateway, sign_in, movers) = join4(
            answered(end, discord.application()),
            answered(end, discord.gateway_bot()),
            self.discord_sign_in(end),
            join_all(movers),
        )
        .await;
        checks.extend(accounts::application(&application, &self.portal));
        checks.extend(sign_in);
        checks.push(accounts::gateway(&gateway));
        let numbered = movers.iter().enumerate();
        checks.extend(numbered.map(|(at, asked)| accounts::mover(at + 1, asked)));
        let client_id = application.map_or(me.id.get(), |application: Application| application.id.get());
        (checks, Some(Bots { me, client_id, movers }))
    }

    /// None: no time was left to look.
    async fn server(&self, discord: &discord::Client, bots: &Bots, wanted: Wanted, end: Instant) -> Option<Vec<Check>> {
        if Instant::now() >= end {
            return None;
        }
        let sight = answered(end, self.look_at(discord, bots, &wanted)).await;
        Some(match sight {
            Ok(sight) => server::judge(&wanted, &sight),
            Err(error) => vec![accounts::unanswered(format!("server {}", wanted.guild()), &error)],
        })
    }

    async fn look_at(&self, discord: &discord::Client, bots: &Bots, wanted: &Wanted) -> Result<Sight, discord::Error> {
        let (guild, now) = (wanted.guild(), self.clock.now());
        let invite = server::invite(bots.client_id, guild, server::INVITE_MAIN);
        let Some(seen) = discord.guild_as(0, guild).await? else {
            return Ok(Sight { invite, here: None });
        };
        let Some(me) = discord.member_as(0, guild, bots.me.id, now).await? else {
            return Ok(Sight { invite, here: None });
        };
        let channels = discord.list_channels(guild).await?;
        let mut unlisted = BTreeMap::new();
        for id in wanted.named() {
            if !channels.iter().any(|channel| channel.id.get() == id.get()) {
                unlisted.insert(id, discord.look_for_channel(guild, id).await?);
            }
        }
        let usable = bots.movers.iter().enumerate();
        let usable = usable.filter_map(|(at, account)| Some((at, account.as_ref().ok()?)));
        let movers = usable.map(async |(at, account)| {
            let invite = server::invite(account.id.get(), guild, server::INVITE_MOVER);
            let name = account.name.clone();
            match discord.member_as(at + 1, guild, account.id, now).await {
                Ok(Some(member)) => Mover::Here { name, member, invite },
                Ok(None) => Mover::Away { name, invite },
                Err(error) => Mover::Unknown {
                    name,
                    why: error.to_string(),
                },
            }
        });
        let movers = join_all(movers).await;
        let here = Here {
            guild: seen,
            me,
            channels,
            unlisted,
            movers,
        };
        Ok(Sight {
            invite,
            here: Some(here),
        })
    }
}

fn until(end: Instant) -> Instant {
    end.min(Instant::now() + PATIENCE)
}

fn too_late() -> String {
    format!("no answer within {} s", PATIENCE.as_secs())
}

async fn answered<T>(
    end: Instant,
    question: impl Future<Output = Result<T, discord::Error>>,
) -> Result<T, discord::Error> {
    let late = || discord::Error::Unavailable {
        why: too_late(),
        ambiguous: false,
    };
    timeout_at(until(end), question).await.unwrap_or_else(|_| Err(late()))
}

async fn within<T>(end: Instant, question: impl Future<Output = Result<T, store::Error>>) -> Result<T, store::Error> {
    let late = || store::Error::Unavailable(too_late());
    timeout_at(until(end), question).await.unwrap_or_else(|_| Err(late()))
}
