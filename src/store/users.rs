//! Table `users`: the Discord accounts that signed in.

use sqlx::Row;

use crate::{
    domain::{Timestamp, ids::UserId},
    store::{Connection, Error, convert, storable},
};

/// A person as Discord names him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub id: UserId,
    pub username: String,
    pub global_name: Option<String>,
    pub avatar: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredUser {
    pub profile: Profile,
    pub last_login_at: Timestamp,
    /// When Discord last told us the names.
    pub refreshed_at: Timestamp,
}

/// Adds or renews a person; `login` says that he signed in just now.
pub async fn save(connection: &mut Connection, profile: &Profile, login: bool, now: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "insert into users (id, username, global_name, avatar, created_at, last_login_at, refreshed_at)
        values ($1, $2, $3, $4, $5, $5, $5)
        on conflict (id) do update set username = excluded.username, global_name = excluded.global_name,
            avatar = excluded.avatar, refreshed_at = excluded.refreshed_at,
            last_login_at = case when $6 then excluded.last_login_at else users.last_login_at end",
    )
    .bind(convert::to_bigint(profile.id.get())?)
    .bind(storable(&profile.username))
    .bind(profile.global_name.as_deref().map(storable))
    .bind(profile.avatar.as_deref().map(storable))
    .bind(now)
    .bind(login)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes a person, with his sessions and tokens.
pub async fn remove(connection: &mut Connection, id: UserId) -> Result<(), Error> {
    sqlx::query("delete from users where id = $1")
        .bind(convert::to_bigint(id.get())?)
        .execute(connection)
        .await?;
    Ok(())
}

pub async fn find(connection: &mut Connection, id: UserId) -> Result<Option<StoredUser>, Error> {
    let row =
        sqlx::query("select id, username, global_name, avatar, last_login_at, refreshed_at from users where id = $1")
            .bind(convert::to_bigint(id.get())?)
            .fetch_optional(connection)
            .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(StoredUser {
        profile: Profile {
            id: convert::user(row.try_get("id")?)?,
            username: row.try_get("username")?,
            global_name: row.try_get("global_name")?,
            avatar: row.try_get("avatar")?,
        },
        last_login_at: row.try_get("last_login_at")?,
        refreshed_at: row.try_get("refreshed_at")?,
    }))
}
