//! A database of its own for every test, on the server named by `TEST_DATABASE_URL` or else on a private one for the whole run. Dropped at the end,
//! kept when the test fails.

use std::{
    future::Future,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use muster::{
    sandbox::postgres::{Database as Server, Options, database_url_or_private},
    store::{self, Connection, Pool},
};
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::time::{interval, timeout};

/// Anything that takes longer than this hangs.
pub const LONG: Duration = Duration::from_secs(30);

fn server() -> &'static Server {
    // Never dropped: a private server ends when this process does.
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let options = Options { durable: false };
        database_url_or_private("TEST_DATABASE_URL", options).expect("no PostgreSQL for the tests")
    })
}

#[derive(Debug)]
pub struct Database {
    name: String,
    url: String,
}

impl Database {
    /// Without any table.
    pub async fn empty() -> Self {
        Self::empty_on(server().url()).await
    }

    /// On a server of the test's own, which it may interrupt. Stays there when the test ends.
    pub async fn empty_on(server: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("muster_test_{:08x}_{count}", rand::random::<u32>());
        let mut admin = Connection::connect(server).await.expect("the test server answers");
        let create = format!("create database {name}");
        admin
            .execute(AssertSqlSafe(create))
            .await
            .expect("may create databases");
        let mut url = url::Url::parse(server).expect("an address");
        url.set_path(&name);
        Self { name, url: url.into() }
    }

    pub async fn migrated() -> Self {
        let database = Self::empty().await;
        store::migrate(&database.pool(1)).await.expect("migrates");
        database
    }

    pub fn url(&self) -> SecretString {
        self.url.clone().into()
    }

    pub fn pool(&self, max_connections: u32) -> Pool {
        store::connect(&self.url(), max_connections).expect("a good address")
    }

    /// Outside every pool.
    pub async fn connection(&self) -> Connection {
        Connection::connect(&self.url).await.expect("the test database answers")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A server of the test's own takes its databases along, and may be down by now.
        if std::thread::panicking() || !same_server(&self.url, server().url()) {
            return;
        }
        let drop = format!("drop database if exists {} with (force)", self.name);
        // A runtime can't be entered twice from one thread.
        let _ = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut admin = Connection::connect(server().url())
                    .await
                    .map_err(std::io::Error::other)?;
                admin.execute(AssertSqlSafe(drop)).await.map_err(std::io::Error::other)
            })
        })
        .join();
    }
}

fn same_server(one: &str, other: &str) -> bool {
    let place = |url: &str| url::Url::parse(url).map(|url| (url.host_str().map(str::to_owned), url.port()));
    place(one) == place(other)
}

/// Waits until it holds, looking a hundred times a second.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let looking = async {
        let mut tick = interval(Duration::from_millis(10));
        loop {
            tick.tick().await;
            if holds().await {
                return;
            }
        }
    };
    timeout(LONG, looking)
        .await
        .unwrap_or_else(|_| panic!("still not after {LONG:?}: {what}"));
}
