//! A stateful fake of Discord's REST API and FACEIT's Data API over HTTP; it imports nothing else of this crate. README.md here
//! says what it does, what it takes from whom, and what it leaves out.

mod administer;
mod clock;
mod connection;
mod control;
mod discord;
mod exchange;
mod faceit;
mod faults;
mod journal;
mod server;
mod state;
mod steer;
mod talking;
mod world;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Bytes};
use serde::Serialize;
use serde_json::Value;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use self::{
    connection::{CuttableListener, Scissors},
    faceit::webhooks::Sender,
    state::{Shared, State},
};
pub use self::{
    discord::{
        gateway::{
            steer::{Counts, GatewayReport, SessionReport, Whose},
            upsets::{EventFault, Upset},
        },
        limits::{Limits, Rate},
        permissions::Bits,
        snowflake::Snowflake,
        talk::{Ask, Asked, Post, Signature},
    },
    faceit::webhooks::{Delivered, DeliveryError},
    faults::{Cut, Fault, Scope},
    journal::{Entry, Exchange, Side},
    state::ControlError,
    world::WorldFile,
};

/// How a simulator is started, besides its world.
#[derive(Clone, Debug)]
pub struct Options {
    /// Port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where webhooks go.
    pub webhook_to: Option<String>,
    pub webhook_secret: String,
    /// The header the secret is sent in; none when empty.
    pub webhook_header: String,
    /// The query parameter the secret is sent in as well.
    pub webhook_query: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            webhook_to: None,
            webhook_secret: "simulated-webhook-secret".to_owned(),
            webhook_header: "X-Webhook-Secret".to_owned(),
            webhook_query: None,
        }
    }
}

/// Where a running simulator is reached.
#[derive(Clone, Debug, Serialize)]
pub struct Addresses {
    /// `http://host:port/api/v10`
    pub discord_api: String,
    /// `http://host:port/oauth2/authorize`: the page that people see.
    pub discord_authorize: String,
    /// `ws://host:port`, with any path.
    pub discord_gateway: String,
    /// Of the application: its signatures of interactions are checked with it.
    pub discord_public_key: String,
    /// `http://host:port/data/v4`
    pub faceit_api: String,
    /// `http://host:port/accounts`: the page that players sign in on.
    pub faceit_accounts: String,
    /// `http://host:port/auth/v1`: tokens and userinfo.
    pub faceit_auth: String,
    /// `http://host:port`; the routes are below `/control`, and at the root as well.
    pub control: String,
    /// What follows `Bot ` in `Authorization`.
    pub bot_token: String,
}

/// A running simulator; it stops when dropped.
#[derive(Debug)]
pub struct Simulator {
    addresses: Addresses,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

impl Simulator {
    /// Starts serving a world. A world that doesn't fit together is `InvalidData`, with everything that is wrong with it.
    pub async fn start(world: WorldFile, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let addresses = Addresses {
            discord_api: format!("http://{address}/api/v10"),
            discord_authorize: format!("http://{address}/oauth2/authorize"),
            discord_gateway: format!("ws://{address}"),
            discord_public_key: discord::talk::Talk::public_key(),
            faceit_api: format!("http://{address}/data/v4"),
            faceit_accounts: format!("http://{address}/accounts"),
            faceit_auth: format!("http://{address}/auth/v1"),
            control: format!("http://{address}"),
            bot_token: world.bot_token.clone(),
        };
        let Options {
            webhook_to,
            webhook_secret,
            webhook_header,
            webhook_query,
            ..
        } = options;
        let sender =
            Sender::new(webhook_to, webhook_secret, webhook_header, webhook_query).map_err(io::Error::other)?;
        let state = State::build(&world, addresses.discord_gateway.clone(), sender)
            .map_err(|problems| io::Error::new(io::ErrorKind::InvalidData, problems))?;
        let shared = Arc::new(Shared::new(state));
        let routes = Router::new()
            .nest("/control", control::routes())
            .merge(control::routes())
            .fallback(server::serve);
        let service = routes
            .with_state(Arc::clone(&shared))
            .into_make_service_with_connect_info::<Scissors>();
        let (stop, stopped) = oneshot::channel();
        #[expect(clippy::disallowed_methods, reason = "the handle holds the task and ends it")]
        let server = tokio::spawn(async move {
            let serve = axum::serve(CuttableListener(listener), service);
            // Serving never fails: a connection that does is its own affair.
            let _ = serve.with_graceful_shutdown(async { _ = stopped.await }).await;
        });
        Ok(Self {
            addresses,
            shared,
            stop: Some(stop),
            server,
        })
    }

    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Stops taking connections, cuts those of the gateway, and waits until the open requests are answered.
    pub async fn stop(mut self) {
        self.shared.lock().discord.gateway.shut();
        self.stop.take();
        // It ends without a result, or with a panic that has been printed already.
        let _ = (&mut self.server).await;
    }

    pub fn set_webhook_target(&self, url: Option<String>) {
        self.shared.lock().sender.target = url;
    }

    /// Puts a Data API match body, as is.
    pub fn put_match(&self, id: &str, body: &Value) -> Result<(), ControlError> {
        self.shared.lock().put_match(id, &body.to_string())
    }

    pub fn remove_match(&self, id: &str) -> Result<(), ControlError> {
        self.shared.lock().remove_match(id)
    }

    /// Sends a webhook body on, with the secret.
    pub async fn deliver(&self, body: &Value) -> Result<Delivered, DeliveryError> {
        let sender = self.shared.lock().sender.clone();
        sender.deliver(Bytes::from(body.to_string())).await
    }

    /// Somebody joins a voice channel, or goes from another one into it.
    pub fn connect(&self, guild: &str, user: &str, channel: &str) -> Result<(), ControlError> {
        self.shared.lock().voice(guild, user, Some(channel), false)
    }

    /// The same, if Discord would let him: `Barred` otherwise.
    pub fn connect_as_user(&self, guild: &str, user: &str, channel: &str) -> Result<(), ControlError> {
        self.shared.lock().voice(guild, user, Some(channel), true)
    }

    /// Somebody leaves voice.
    pub fn disconnect(&self, guild: &str, user: &str) -> Result<(), ControlError> {
        self.shared.lock().voice(guild, user, None, false)
    }

    /// One guild as text, or all of them.
    pub fn picture(&self, guild: Option<&str>) -> Result<String, ControlError> {
        self.shared.lock().picture(guild)
    }

    /// What `GET /control/guilds/{id}` answers.
    pub fn guild(&self, guild: &str) -> Result<Value, ControlError> {
        self.shared.lock().guild(guild)
    }

    pub fn journal(&self) -> Vec<Entry> {
        self.shared.lock().journal.entries()
    }

    /// How many requests are in the journal.
    pub fn answered(&self) -> usize {
        self.shared.lock().journal.len()
    }

    /// Everything that was sent and answered, in a world that keeps bodies.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared.lock().journal.exchanges()
    }

    /// Forgets the unknown requests too.
    pub fn clear_journal(&self) {
        self.shared.lock().journal.clear();
    }

    /// Requests to routes the simulator doesn't know or for something it doesn't model: a test must fail on them.
    pub fn unknown_requests(&self) -> Vec<Entry> {
        self.shared.lock().journal.unknown().to_vec()
    }

    pub fn fault(&self, fault: Fault) -> Result<(), ControlError> {
        self.shared.lock().fault(fault)
    }

    /// Forgets the faults that have not struck yet.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// Faults that have not struck as often as they should.
    pub fn waiting_faults(&self) -> Vec<Fault> {
        self.shared.lock().faults.waiting().to_vec()
    }

    /// Moves the simulator's clock: buckets refill, ids and the journal's times jump.
    pub fn advance(&self, by: Duration) {
        self.shared.lock().clock.advance(by);
    }

    /// Somebody deletes a channel in his client.
    pub fn delete_channel(&self, channel: &str) -> Result<(), ControlError> {
        self.shared.lock().delete_channel(channel)
    }

    /// Changes what the bot's own role grants in a guild.
    pub fn set_bot_permissions(&self, guild: &str, bits: u64) -> Result<(), ControlError> {
        self.shared.lock().set_permissions(guild, None, bits)
    }

    /// Somebody removes the application from his account: every token of his is dead.
    pub fn deauthorize(&self, user: &str) -> Result<(), ControlError> {
        self.shared.lock().deauthorize(user)
    }

    pub fn limits(&self) -> Limits {
        self.shared.lock().discord.limiter.limits.clone()
    }

    pub fn set_limits(&self, limits: Limits) {
        self.shared.lock().set_limits(limits);
    }
}

impl Drop for Simulator {
    /// Dropping the sender ends the server: no new connections, idle ones closed, open requests answered.
    fn drop(&mut self) {
        self.shared.lock().discord.gateway.shut();
        self.stop.take();
    }
}
