//! Floor 2: slash commands and their buttons, whichever way Discord sends them. Every answer is seen by the asker alone, pings nobody, and comes
//! in time: first *thinking*, then the text. Which commands there are is in `book`; what they do, in a file each.

mod answer;
mod asked;
mod book;
mod connections;
mod context;
mod enrol;
mod erase;
mod erasing;
mod export;
mod limit;
mod link;
mod muster;
mod my_match;
mod optin;
mod optout;
mod register;
mod trouble;
mod typing;
mod unlink;
mod verify;
mod why_not;
mod words;

use std::{
    collections::BTreeSet,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};
use twilight_model::{
    http::interaction::InteractionResponse,
    id::{Id, marker::ApplicationMarker},
};

pub use self::enrol::enrol;
use self::{
    answer::Reply,
    asked::{Asked, What},
    context::Context,
    limit::Limits,
    trouble::Trouble,
};
use crate::{
    clock::Clock,
    discord::{self, interactions::Answered},
    domain::{
        event::State,
        ids::{MatchId, UserId},
        settings::Settings,
    },
    faceit,
    store::{self, discord_tokens::SealedTokens},
};

/// How long the work behind an answer may take: the longest call to FACEIT takes 20 s with its retries, and a stop breaks off after 30 s.
const WORK_WITHIN: Duration = Duration::from_secs(25);
/// How long somebody who types waits for suggestions. Discord waits 3 s.
const CHOICES_WITHIN: Duration = Duration::from_millis(1_500);
/// Discord learns of a first answer over HTTP when it has read it; an edit may be there before.
const EDIT_PAUSES: [u64; 6] = [0, 100, 250, 500, 1_000, 2_000];
/// Interactions remembered, so that none is worked on twice.
const REMEMBERED: usize = 10_000;

/// What commands work with.
pub struct Services {
    pub pool: store::Pool,
    pub clock: Clock,
    pub discord: discord::Client,
    pub faceit: faceit::client::Client,
    /// Wakes the queue.
    pub wake: Arc<Notify>,
    /// The guild of the environment.
    pub default_guild: Option<Arc<Settings>>,
    /// Where players reach this service to sign in at FACEIT, without a slash at the end; none when that is not set up.
    pub sign_in: Option<String>,
    /// Sends somebody a direct message, sometime; that he takes none is no error.
    pub tell: Arc<dyn Fn(UserId, String) + Send + Sync>,
    /// A match as it is known, with who sits where; FACEIT is not asked.
    pub look: Look,
    /// The plan for a match, as `muster plan` prints it; FACEIT is asked.
    pub plan: Plan,
    /// Has Discord take somebody's stored tokens no more, sometime; that it can't is no error.
    pub revoke: Arc<dyn Fn(SealedTokens) + Send + Sync>,
    pub tasks: TaskTracker,
}

/// Gives what is known of a match, if anything is.
pub type Look = Arc<dyn Fn(MatchId) -> BoxFuture<'static, Result<Option<State>, store::Error>> + Send + Sync>;

/// Gives the plan for a match, for people.
pub type Plan = Arc<dyn Fn(MatchId) -> BoxFuture<'static, Result<String, store::Error>> + Send + Sync>;

/// Takes interactions. Clones share it.
#[derive(Clone)]
pub struct Commands(Arc<Inner>);

struct Inner {
    services: Services,
    limits: Limits,
    seen: Mutex<BTreeSet<u64>>,
}

/// Something that is no interaction, or one that is worked on already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    Malformed,
    Twice,
}

impl Commands {
    pub fn new(services: Services) -> Self {
        Self(Arc::new(Inner {
            services,
            limits: Limits::default(),
            seen: Mutex::default(),
        }))
    }

    /// An interaction that came by HTTP: gives the first answer, which goes back the same way. Check its signature before.
    pub async fn by_http(&self, body: &[u8]) -> Result<InteractionResponse, NotTaken> {
        let asked = self.read(body)?;
        let first = self.first(&asked).await;
        if asked.what.is_work() {
            let commands = self.clone();
            self.0
                .services
                .tasks
                .spawn(async move { commands.work_and_show(asked).await });
        }
        Ok(first)
    }

    /// An interaction that came over the gateway (`d` of the event), on a task of its own.
    pub fn by_gateway(&self, body: &str) {
        match self.read(body.as_bytes()) {
            Ok(asked) => {
                let commands = self.clone();
                self.0.services.tasks.spawn(async move { commands.answer(asked).await });
            }
            Err(why) => debug!(?why, "an interaction was not taken"),
        }
    }

    async fn answer(&self, asked: Asked) {
        let first = self.first(&asked).await;
        let answered = self
            .0
            .services
            .discord
            .answer_interaction(asked.id, &asked.token, &first);
        match answered.await {
            // Whoever was told that the bot does not respond must not find it done.
            Ok(Answered::TooLate) => warn!(asked = %asked.what, "Discord waited no longer for the first answer"),
            Ok(Answered::Yes) if asked.what.is_work() => self.work_and_show(asked).await,
            Ok(Answered::Yes) => {}
            Err(error) => warn!(asked = %asked.what, %error, "an interaction could not be answered"),
        }
    }

    fn read(&self, body: &[u8]) -> Result<Asked, NotTaken> {
        let asked = Asked::parse(body).map_err(|error| {
            warn!(%error, "Discord sent an interaction that can't be read");
            NotTaken::Malformed
        })?;
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(asked.what, What::Ping) && !seen.insert(asked.id.get()) {
            return Err(NotTaken::Twice);
        }
        // Ids grow, so these are the oldest.
        while seen.len() > REMEMBERED {
            seen.pop_first();
        }
        drop(seen);
        Ok(asked)
    }

    /// What is answered at once.
    async fn first(&self, asked: &Asked) -> InteractionResponse {
        match &asked.what {
            What::Ping => answer::pong(),
            What::Command(_) => answer::thinking(),
            What::Button(_) => answer::keep(),
            What::Typing(data) => {
                let context = self.context(asked);
                let choices = AssertUnwindSafe(book::suggest(&context, data)).catch_unwind();
                let choices = timeout(CHOICES_WITHIN, choices).await;
                // Whoever types can always go on without suggestions.
                answer::choices(choices.ok().and_then(Result::ok).unwrap_or_default())
            }
            What::Other => answer::now(&Trouble::Obsolete.told(asked.language, &asked.what.to_string())),
        }
    }

    async fn work_and_show(&self, asked: Asked) {
        let context = self.context(&asked);
        let work = AssertUnwindSafe(book::work(&context)).catch_unwind();
        let result = match timeout(WORK_WITHIN, work).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Trouble::Broken("it panicked".to_owned())),
            Err(_) => Err(Trouble::TooSlow),
        };
        let reply = result.unwrap_or_else(|trouble| Reply::text(trouble.told(asked.language, &asked.what.to_string())));
        if !reply.is_later() {
            self.show(asked.application, &asked.token, &asked.what.to_string(), &reply)
                .await;
        }
    }

    async fn show(&self, application: Id<ApplicationMarker>, token: &str, asked: &str, reply: &Reply) {
        let discord = &self.0.services.discord;
        let rows = reply.rows();
        for pause in EDIT_PAUSES {
            sleep(Duration::from_millis(pause)).await;
            match discord.edit_answer(application, token, &reply.with(&rows)).await {
                Ok(Answered::Yes) => return,
                Ok(Answered::TooLate) => {}
                Err(error) => return warn!(asked, %error, "an answer could not be shown"),
            }
        }
        warn!(
            asked,
            "Discord does not know the interaction (any more): its answer is not shown"
        );
    }

    fn context(&self, asked: &Asked) -> Context {
        Context {
            commands: self.clone(),
            asked: asked.clone(),
        }
    }
}
