//! The database of the demo: private, or in a server that was named. It goes with the demo.

use anyhow::Context;
use muster::sandbox::postgres::{Options, PrivatePostgres};
use reqwest::Url;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// A database of the demo's own: in a private server, or in the one that was named.
#[derive(Debug)]
pub enum Database {
    Private(PrivatePostgres),
    InServer {
        server: String,
        name: String,
        url: String,
        /// Held open, so that no other demo takes the database for one that was left behind.
        _in_use: PgConnection,
    },
}

impl Database {
    /// `given` is the address of a server that is there already.
    pub async fn open(given: Option<String>) -> anyhow::Result<Self> {
        let Some(server) = given else {
            // It waits for the disk at every commit, as a production server does.
            let private = PrivatePostgres::start(Options { durable: true })?;
            return Ok(Self::Private(private));
        };
        let mut url = Url::parse(&server).context("DATABASE_URL is no address")?;
        let name = format!("muster_demo_{}", std::process::id());
        url.set_path(&name);
        drop_left_behind(&server).await?;
        in_server(&server, &format!("create database {name}")).await?;
        let url = url.to_string();
        let _in_use = PgConnection::connect(&url).await.context("the demo's new database")?;
        Ok(Self::InServer {
            server,
            name,
            url,
            _in_use,
        })
    }

    pub fn url(&self) -> &str {
        match self {
            Self::Private(private) => private.url(),
            Self::InServer { url, .. } => url,
        }
    }

    pub fn describe(&self) -> String {
        match self {
            Self::Private(private) => format!("a private PostgreSQL on port {}", private.port()),
            Self::InServer { name, .. } => format!("the database {name} of its own in the server of DATABASE_URL"),
        }
    }

    pub async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Private(_) => Ok(()),
            Self::InServer { server, name, .. } => {
                in_server(&server, &format!("drop database {name} with (force)")).await
            }
        }
    }
}

/// Databases of demos that were killed: nobody uses them any more. (A private server needs no such thing: it ends by itself.)
async fn drop_left_behind(server: &str) -> anyhow::Result<()> {
    const LEFT_BEHIND: &str = r"select datname::text from pg_database where datname ~ '^muster_demo_\d+$'
        and not exists (select from pg_stat_activity where pg_stat_activity.datname = pg_database.datname)";
    let mut connection = PgConnection::connect(server)
        .await
        .context("the server of DATABASE_URL can't be reached")?;
    let names: Vec<String> = sqlx::query_scalar(LEFT_BEHIND).fetch_all(&mut connection).await?;
    connection.close().await?;
    for name in names {
        // Somebody may have begun to use it, or have dropped it, just now; then it is not ours to care for.
        let _ = in_server(server, &format!("drop database {name}")).await;
    }
    Ok(())
}

/// `statement` holds no name but the one made above.
async fn in_server(server: &str, statement: &str) -> anyhow::Result<()> {
    let told = async {
        let mut connection = PgConnection::connect(server).await?;
        sqlx::query(AssertSqlSafe(statement.to_owned()))
            .execute(&mut connection)
            .await?;
        connection.close().await
    };
    told.await
        .with_context(|| format!("the server of DATABASE_URL would not: {statement}"))
}
