//! The audit log: added to, listed, and closed to everything else but forgetting a person.

use muster::{
    domain::ids::{GuildId, UserId},
    store::{
        Connection,
        audit::{self, Actor, Entry, Filter},
    },
};
use serde_json::{Value, json};

use super::at;
use crate::support::database::Database;

fn entry(actor: Actor, action: &str, subject: &str, before: Value, after: Value) -> Entry {
    let given = |value: Value| Some(value).filter(|value| !value.is_null());
    Entry {
        actor,
        action: action.to_owned(),
        guild: GuildId::new(1000),
        subject: subject.to_owned(),
        before: given(before),
        after: given(after),
    }
}

fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

async fn all(c: &mut Connection) -> Vec<audit::Recorded> {
    audit::list(c, &Filter::default(), 100).await.unwrap()
}

#[tokio::test]
async fn changes_are_listed_newest_first_and_by_what_is_asked() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let entries = [
        entry(
            Actor::discord(user(7), "Ann"),
            "link.added",
            "2001",
            Value::Null,
            json!({"player": "p1"}),
        ),
        entry(
            Actor::cli(),
            "link.removed",
            "2001",
            json!({"player": "p1"}),
            Value::Null,
        ),
        entry(
            Actor::web(user(8), ""),
            "linkage.changed",
            "grace\0",
            json!(1),
            json!(2),
        ),
    ];
    for (second, entry) in entries.iter().enumerate() {
        audit::record(c, entry, at(second as i64)).await.unwrap();
    }

    let listed = all(c).await;
    assert_eq!(
        listed.iter().map(|row| row.at).collect::<Vec<_>>(),
        [at(2), at(1), at(0)]
    );
    assert_eq!(listed[2].entry, entries[0]);
    // What comes from outside may be odd: the change counts more than a name.
    assert_eq!(
        (listed[0].entry.actor.name.as_str(), listed[0].entry.subject.as_str()),
        ("unknown", "grace")
    );
    let actions = async |c: &mut Connection, filter: Filter<'_>| -> Vec<String> {
        let rows = audit::list(c, &filter, 100).await.unwrap();
        rows.into_iter().map(|row| row.entry.action).collect()
    };
    let under = Filter {
        action: Some("link"),
        ..Filter::default()
    };
    assert_eq!(actions(c, under).await, ["link.removed", "link.added"]);
    let by = Filter {
        actor: UserId::new(7),
        subject: Some("2001"),
        ..Filter::default()
    };
    assert_eq!(actions(c, by).await, ["link.added"]);
    let older = Filter {
        before_id: Some(listed[1].id),
        ..Filter::default()
    };
    assert_eq!(actions(c, older).await, ["link.added"]);
    let elsewhere = Filter {
        guild: GuildId::new(2000),
        ..Filter::default()
    };
    assert_eq!(actions(c, elsewhere).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_database_refuses_to_change_delete_or_truncate() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let change = entry(
        Actor::discord(user(7), "Ann"),
        "link.added",
        "2001",
        Value::Null,
        json!("p1"),
    );
    audit::record(c, &change, at(0)).await.unwrap();
    for forbidden in [
        "update audit set actor_name = 'somebody else'",
        "update audit set subject = 'erased'",
        "delete from audit",
        "truncate audit",
        // Saying so is not enough: the change must be one that forgets.
        "set muster.forgetting = 'on'; update audit set action = 'link.removed'; reset muster.forgetting",
        "set muster.forgetting = 'on'; delete from audit",
    ] {
        let refused = sqlx::raw_sql(forbidden).execute(&mut *c).await;
        let why = refused.map(|_| ()).expect_err(forbidden).to_string();
        assert!(why.contains("append-only"), "{forbidden}: {why}");
        sqlx::raw_sql("reset muster.forgetting").execute(&mut *c).await.unwrap();
    }
    assert_eq!(all(c).await[0].entry, change);
}

#[tokio::test]
async fn forgetting_a_person_leaves_the_rows_and_everybody_else() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let lost = json!({"user": "2001", "links": [{"nickname": "ann"}]});
    for change in [
        entry(
            Actor::discord(user(2001), "Ann"),
            "link.added",
            "2001",
            Value::Null,
            json!({"player": "p1"}),
        ),
        entry(
            Actor::discord(user(7), "Staff"),
            "link.taken_over",
            "p1",
            lost,
            json!({"user": "2002", "nickname": "annabel"}),
        ),
        entry(
            Actor::discord(user(7), "Staff"),
            "link.added",
            "2003",
            Value::Null,
            json!({"nickname": "nan", "ann": 1}),
        ),
    ] {
        audit::record(c, &change, at(0)).await.unwrap();
    }
    let names = ["2001".to_owned(), "p1".to_owned(), "ann".to_owned()];
    assert_eq!(audit::about(c, user(2001), &names).await.unwrap().len(), 2);
    let untouched = all(c).await.remove(0);

    assert_eq!(audit::forget(c, user(2001), &names).await.unwrap(), 2);

    let rows = all(c).await;
    assert_eq!(rows[0], untouched);
    assert_eq!(
        (rows[1].entry.subject.as_str(), &rows[1].entry.before),
        ("erased", &None)
    );
    assert_eq!(
        rows[1].entry.after,
        Some(json!({"user": "2002", "nickname": "annabel"}))
    );
    assert_eq!(
        (rows[1].entry.actor.id, rows[1].entry.actor.name.as_str()),
        (UserId::new(7), "Staff")
    );
    assert_eq!(
        (rows[2].entry.actor.id, rows[2].entry.actor.name.as_str()),
        (None, "erased")
    );
    assert_eq!(
        (rows[2].entry.after.as_ref(), rows[2].entry.action.as_str()),
        (None, "link.added")
    );
    assert_eq!(
        audit::forget(c, user(2001), &names).await.unwrap(),
        0,
        "nothing is left of him"
    );
    let after = sqlx::query_scalar::<_, Option<String>>("select current_setting('muster.forgetting', true)");
    assert_ne!(after.fetch_one(c).await.unwrap().as_deref(), Some("on"));
}

#[tokio::test]
async fn a_page_of_a_guild_s_log_reads_hardly_more_rows_than_it_shows() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    sqlx::query(
        "insert into audit (at, source, actor_id, actor_name, action, guild_id, subject)
        select '2026-11-21 18:00Z', 'web', 2000 + n % 50, 'somebody', case when n % 1000 = 0 then 'guild.changed' else 'link.added' end,
            1000 + n % 2, n from generate_series(1, 20000) as n",
    )
    .execute(&mut *c)
    .await
    .unwrap();
    sqlx::query("analyze audit").execute(&mut *c).await.unwrap();
    let guild = GuildId::new(1000).unwrap();
    let filter = |before_id, action, actor| audit::OfGuild {
        actor,
        subject: None,
        action,
        before_id,
    };
    for filter in [
        filter(None, None, None),
        filter(Some(2000), None, None),
        filter(None, Some("guild.changed"), None),
        filter(Some(15_000), Some("guild.changed"), None),
        filter(None, None, Some(user(2002))),
    ] {
        let mut tx = sqlx::Connection::begin(&mut *c).await.unwrap();
        let found = audit::of_guild(&mut tx, guild, &filter, 10).await.unwrap().len();
        let read: i64 = sqlx::query_scalar(
            "select seq_tup_read + coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables where relname = 'audit'",
        )
        .fetch_one(&mut *tx)
        .await
        .unwrap();
        // Of 10,000; an index may pass over some that are not shown.
        assert!(found == 10 && read <= 100, "{filter:?}: {found} shown, {read} read");
    }
}
