//! Connections to the database that die without a word: nothing is answered on them any more, and nothing says so.

use std::sync::{Arc, Mutex};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use super::*;

/// The way to the database, which can swallow what goes over the connections that are open.
struct Way {
    port: u16,
    /// Where the database is in truth.
    to: Arc<Mutex<String>>,
    /// How often they fell silent.
    silences: watch::Sender<u32>,
    _serving: JoinSet<()>,
}

impl Way {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (silences, told) = watch::channel(0);
        let to = Arc::<Mutex<String>>::default();
        let (mut serving, target) = (JoinSet::new(), to.clone());
        serving.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((mut here, _)) = listener.accept().await {
                let to = target.lock().expect("nobody panics").clone();
                let mut told = told.clone();
                told.mark_unchanged();
                open.spawn(async move {
                    let mut there = TcpStream::connect(to).await.expect("the database is there");
                    tokio::select! {
                        _ = copy_bidirectional(&mut here, &mut there) => return,
                        _ = told.changed() => {}
                    }
                    // Both stay open, and nobody listens.
                    std::future::pending::<()>().await;
                });
            }
        });
        Self {
            port,
            to,
            silences,
            _serving: serving,
        }
    }

    /// Everything over this way from now on.
    fn lead(&self, url: &secrecy::SecretString) -> secrecy::SecretString {
        let mut url = url::Url::parse(secrecy::ExposeSecret::expose_secret(url)).expect("an address");
        let (host, port) = (url.host_str().expect("a host"), url.port().unwrap_or(5432));
        *self.to.lock().expect("nobody panics") = format!("{host}:{port}");
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(self.port)).expect("a port");
        String::from(url).into()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_whose_connection_dies_without_a_word_is_made_over_another_one() {
    let way = Way::open().await;
    let bot = Bot::start_as(world(), &PEOPLE, |config| {
        config.database.url = way.lead(&config.database.url)
    })
    .await;
    bot.disconnect("nova");
    bot.play(&a_match(), "match_status_ready", 2).await;
    let mut own = bot.database.connection().await;
    let mut held = sqlx::Connection::begin(&mut own).await.expect("a transaction");
    sqlx::query("lock table match_members in exclusive mode")
        .execute(&mut *held)
        .await
        .expect("ours");
    bot.connect("nova", LOBBY);
    eventually("his coming is being booked", || {
        bot.is_blocked("update match_members%asked%")
    })
    .await;
    way.silences.send_modify(|silences| *silences += 1);
    held.rollback().await.expect("nobody's");
    // Both take a while, until what is dead is given up, so each has its own patience.
    bot.gateway_ready().await;
    eventually("he is moved", || async {
        bot.app.wake.notify_one();
        bot.seat("nova").is_some_and(|seat| seat.starts_with("match-"))
    })
    .await;
    bot.finish().await;
}
