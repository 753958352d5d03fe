//! What can go wrong with the database, by what the caller does next: try again later, or report it.

use std::io;

use sqlx::{error::DatabaseError, migrate::MigrateError};

/// One clear line, without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Down, starting, stopping, full or out of reach; the same call may work in a moment.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Trying again won't help: a constraint, a missing table, a wrong password, a mistake of ours.
    #[error("the database refused: {0}")]
    Unexpected(String),
}

impl Error {
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) if is_passing(error.as_ref()) => Self::Unavailable(one_line(error.message())),
            sqlx::Error::Database(error) => {
                let place = error
                    .constraint()
                    .map(|name| format!(" (constraint {name})"))
                    .unwrap_or_default();
                Self::Unexpected(format!("{}{place}", one_line(error.message())))
            }
            sqlx::Error::PoolTimedOut => Self::Unavailable("no connection in time".into()),
            sqlx::Error::PoolClosed => Self::Unavailable("the connection pool is closed".into()),
            sqlx::Error::WorkerCrashed | sqlx::Error::BeginFailed => Self::Unavailable(error.to_string()),
            sqlx::Error::Io(error) => Self::Unavailable(io_reason(&error)),
            sqlx::Error::Tls(error) => Self::Unavailable(format!("TLS: {}", one_line(&error.to_string()))),
            sqlx::Error::Migrate(error) => (*error).into(),
            other => Self::Unexpected(one_line(&other.to_string())),
        }
    }
}

impl From<MigrateError> for Error {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) => error.into(),
            MigrateError::ExecuteMigration(error, version) => match Self::from(error) {
                Self::Unavailable(why) => Self::Unavailable(why),
                Self::Unexpected(why) => Self::Unexpected(format!("migration {version:04}: {why}")),
            },
            MigrateError::VersionMissing(version) => Self::Unexpected(format!(
                "it has migration {version:04}, which this program does not know: it is older than the database"
            )),
            other => Self::Unexpected(one_line(&other.to_string())),
        }
    }
}

/// By SQLSTATE: connection lost, out of resources, shutting down or starting, timed out, read-only standby, deadlock.
fn is_passing(error: &dyn DatabaseError) -> bool {
    let Some(code) = error.code() else { return false };
    let class = ["08", "53", "58"].iter().any(|class| code.starts_with(class));
    let exact = [
        "57P01", "57P02", "57P03", "57P05", "57014", "40001", "40P01", "55P03", "25P03", "25P04", "25006",
    ];
    class || exact.contains(&code.as_ref())
}

fn io_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            "the connection was lost".into()
        }
        _ => one_line(&error.to_string()),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
