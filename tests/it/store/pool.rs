//! Connecting: bad addresses, a server that is away, and the words for it.

use muster::{
    sandbox::postgres::{Options, PrivatePostgres},
    store::{self, Error, Pool},
};

use crate::support::database::{Database, eventually};

#[tokio::test]
async fn a_bad_address_is_refused_without_telling_the_password() {
    for bad in [
        "mysql://user:hunter2@host/db",
        "postgres://user:hunter2@host:port/db",
        "postgres://user:hunter2@host/db?sslmode=hunter2",
        "hunter2",
        "",
    ] {
        let error = store::connect(&bad.to_owned().into(), 1).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("postgres://user:password@host:port/name"), "{text}");
    }
}

#[tokio::test]
async fn a_database_that_answers_answers_a_ping() {
    let database = Database::empty().await;
    store::ping(&mut database.connection().await).await.unwrap();
}

#[tokio::test]
async fn a_wrong_database_name_is_no_passing_trouble() {
    let database = Database::empty().await;
    let url = format!("{}_not", secrecy::ExposeSecret::expose_secret(&database.url()));
    let error = Error::from(store::connect(&url.into(), 1).unwrap().acquire().await.unwrap_err());
    assert!(!error.is_unavailable(), "{error}");
    assert!(error.to_string().contains("does not exist"), "{error}");
}

#[tokio::test]
async fn a_full_pool_is_passing_trouble() {
    let database = Database::empty().await;
    let pool = database.pool(1);
    let _held = pool.acquire().await.unwrap();
    let error = Error::from(pool.acquire().await.unwrap_err());
    assert_eq!(
        error.to_string(),
        "the database is not available: no connection in time"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_outlives_a_restart_of_the_server() {
    let postgres = PrivatePostgres::start(Options { durable: false }).unwrap();
    let database = Database::empty_on(postgres.url()).await;
    let pool = database.pool(4);
    let mut held = pool.acquire().await.unwrap();
    drop(pool.acquire().await.unwrap());

    postgres.interrupt().unwrap();
    let error = store::ping(&mut held).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    drop(held);
    // One that was used a moment ago is trusted, and fails at its first use; a new one can't be had.
    for _ in 0..2 {
        let error = ask(&pool).await.unwrap_err();
        assert!(error.is_unavailable(), "{error}");
    }

    postgres.resume().unwrap();
    eventually("the pool works again", async || ask(&pool).await.is_ok()).await;
}

async fn ask(pool: &Pool) -> Result<(), Error> {
    store::ping(&mut *pool.acquire().await?).await
}
