//! The database: one file per table, one function per query, each on the caller's connection so that callers compose transactions. Makes no
//! decision, and never asks the database for the time.

pub mod active_matches;
pub mod affected;
pub mod audit;
pub mod command_lists;
pub mod competitions;
mod convert;
pub mod deliveries;
pub mod delivery_list;
pub mod discord_tokens;
pub mod erasing;
pub mod erasings;
mod error;
pub mod exporting;
pub mod gateway_lease;
pub mod gateway_sessions;
pub mod guild_changes;
pub mod guild_jobs;
pub mod guild_links;
pub mod guild_states;
pub mod guilds;
pub mod jobs;
pub mod link_states;
pub mod linking;
pub mod links;
pub mod listener;
pub mod match_list;
pub mod match_members;
pub mod match_orders;
pub mod match_reports;
pub mod match_steps;
pub mod matches;
pub mod overflow_categories;
mod person;
pub mod records;
pub mod service_pause;
pub mod sessions;
pub mod standing;
pub mod users;
pub mod workers;

use std::{borrow::Cow, collections::BTreeSet, str::FromStr, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    Connection as _, Row,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

pub use error::Error;

pub type Pool = sqlx::PgPool;
pub type Connection = sqlx::PgConnection;
/// Takes everything back when dropped before its commit.
pub type Transaction = sqlx::Transaction<'static, sqlx::Postgres>;
/// Goes back to its pool when dropped, after a round trip that sees whether it still works.
pub type Pooled = sqlx::pool::PoolConnection<sqlx::Postgres>;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// How long a caller waits for a connection before it hears that the database is away.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(3);
/// A connection that was used this recently is taken to be alive; asking each time would double the round trips.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// A pool that connects when it is first used, and again after the database was away. Fails only on an address that can't be one.
pub fn connect(url: &SecretString, max_connections: u32) -> Result<Pool, Error> {
    let options = connect_options(url.expose_secret())?;
    Ok(PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_WITHIN)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUSTED_FOR {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options))
}

fn connect_options(url: &str) -> Result<PgConnectOptions, Error> {
    let wrong = |why: &str| {
        Error::Unexpected(format!(
            "the database address is no PostgreSQL address: {why}; expected postgres://user:password@host:port/name"
        ))
    };
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(wrong("it does not start with postgres://"));
    }
    // The parser's own words may quote the address, and with it the password.
    let options = PgConnectOptions::from_str(url).map_err(|_| wrong("it can't be read"))?;
    // A process that hangs in mid-transaction must not hold its locks against those who take over.
    Ok(options.application_name("muster").options([
        ("idle_in_transaction_session_timeout", "30s"),
        ("statement_timeout", "30s"),
    ]))
}

/// Applies what is missing. Several processes may do so at once: one works, the others wait for it.
pub async fn migrate(pool: &Pool) -> Result<(), Error> {
    // On a connection of its own: sqlx leaves its session lock behind when a migration fails.
    let mut connection = dedicated(pool).await?;
    sqlx::query("set statement_timeout = 0")
        .execute(&mut connection)
        .await?;
    let applied = MIGRATIONS.run_direct(None, &mut connection, false).await;
    // Closed either way, and the lock with it; the outcome is already known.
    let _ = connection.close().await;
    Ok(applied?)
}

/// The migrations that the database still lacks, as `0003 player links`.
pub async fn migrations_pending(pool: &Pool) -> Result<Vec<String>, Error> {
    let mut connection = pool.acquire().await?;
    let row = sqlx::query("select to_regclass('_sqlx_migrations') is not null as started")
        .fetch_one(&mut *connection)
        .await?;
    let mut applied = BTreeSet::new();
    if row.try_get("started")? {
        for row in sqlx::query("select version from _sqlx_migrations where success")
            .fetch_all(&mut *connection)
            .await?
        {
            applied.insert(row.try_get::<i64, _>("version")?);
        }
    }
    Ok(MIGRATIONS
        .iter()
        .filter(|migration| !applied.contains(&migration.version))
        .map(|migration| format!("{:04} {}", migration.version, migration.description))
        .collect())
}

/// Whether the database answers.
pub async fn ping(connection: &mut Connection) -> Result<(), Error> {
    Ok(connection.ping().await?)
}

/// The server's version, such as `16.4`.
pub async fn version(connection: &mut Connection) -> Result<String, Error> {
    let row = sqlx::query("show server_version").fetch_one(connection).await?;
    let version: String = row.try_get(0)?;
    Ok(version.split_whitespace().next().unwrap_or_default().to_owned())
}

/// A connection outside the pool, for what must live and die with its session.
pub async fn dedicated(pool: &Pool) -> Result<Connection, Error> {
    Ok(Connection::connect_with(&pool.connect_options()).await?)
}

/// Postgres can't store a zero byte in a text; nobody misses it.
fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', ""))
    } else {
        Cow::Borrowed(text)
    }
}
