//! Links: looked up by player, imported all or none.

use muster::{
    domain::{
        event::Link,
        ids::{PlayerId, UserId},
    },
    store::{
        Connection,
        links::{self, Clash, ClashReason, Imported, LinkRow, Method},
    },
};
use sqlx::Connection as _;

use super::at;
use crate::support::database::Database;

fn row(player: &str, user: u64, nickname: &str) -> LinkRow {
    LinkRow {
        player: PlayerId::new(player),
        user: UserId::new(user).unwrap(),
        nickname: nickname.to_owned(),
    }
}

async fn import(c: &mut Connection, rows: &[LinkRow], second: i64) -> Result<Imported, Vec<Clash>> {
    let mut transaction = c.begin().await.unwrap();
    let imported = links::import(&mut transaction, rows, at(second)).await.unwrap();
    transaction.commit().await.unwrap();
    imported
}

async fn link_by_oauth(c: &mut Connection, player: &str, user: i64) {
    sqlx::query(
        "insert into player_links (faceit_id, discord_id, nickname, verified_method, opted_out, linked_at, verified_at, updated_at)
        values ($1, $2, 'proven', 'oauth', true, $3, $3, $3)",
    )
    .bind(player)
    .bind(user)
    .bind(at(0))
    .execute(c)
    .await
    .unwrap();
}

#[tokio::test]
async fn an_import_adds_changes_and_leaves_alone() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let first = import(c, &[row("p1", 1, "ann"), row("p2", 2, "bob"), row("p3", 3, "cid\0")], 1).await;
    assert_eq!(
        first,
        Ok(Imported {
            added: 3,
            changed: 0,
            unchanged: 0
        })
    );

    let rows = [
        row("p1", 1, "ann"),
        row("p2", 2, "bobby"),
        row("p3", 33, "cid"),
        row("p4", 4, "dan"),
    ];
    assert_eq!(
        import(c, &rows, 2).await,
        Ok(Imported {
            added: 1,
            changed: 2,
            unchanged: 1
        })
    );

    let all = links::all(c).await.unwrap();
    assert_eq!(all.iter().map(|link| link.row.clone()).collect::<Vec<_>>(), rows);
    assert!(
        all.iter()
            .all(|link| link.method == Method::Import && link.verified_at.is_none() && !link.opted_out)
    );
    assert_eq!(
        all.iter().map(|link| link.linked_at).collect::<Vec<_>>(),
        [at(1), at(1), at(2), at(2)]
    );
    assert_eq!(
        import(c, &rows, 3).await,
        Ok(Imported {
            added: 0,
            changed: 0,
            unchanged: 4
        })
    );
    assert_eq!(import(c, &[], 3).await, Ok(Imported::default()));
}

#[tokio::test]
async fn rows_that_clash_are_named_and_nothing_is_imported() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    import(c, &[row("p1", 1, "ann")], 1).await.unwrap();
    link_by_oauth(c, "p2", 2).await;
    let before = links::all(c).await.unwrap();

    let rows = [
        row("new", 9, "fine"),
        row("p7", 1, "takes ann's account"),
        row("p2", 22, "is proven to be 2"),
        row("new", 10, "twice"),
        row("p8", 9, "account twice"),
    ];
    let clashes = import(c, &rows, 2).await.unwrap_err();

    let clash = |index, reason| Clash { index, reason };
    let expected = [
        clash(
            1,
            ClashReason::UserTaken {
                by: PlayerId::new("p1"),
            },
        ),
        clash(
            2,
            ClashReason::Proven {
                is: UserId::new(2).unwrap(),
            },
        ),
        clash(3, ClashReason::SamePlayer { as_row: 0 }),
        clash(4, ClashReason::SameUser { as_row: 0 }),
    ];
    assert_eq!(clashes, expected);
    assert_eq!(
        clashes[0].reason.to_string(),
        "the Discord account is already linked to player p1"
    );
    assert_eq!(links::all(c).await.unwrap(), before);
}

#[tokio::test]
async fn a_proven_link_is_never_touched() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    link_by_oauth(c, "p2", 2).await;
    let before = links::all(c).await.unwrap();
    let imported = import(c, &[row("p2", 2, "another name")], 5).await;
    assert_eq!(
        imported,
        Ok(Imported {
            added: 0,
            changed: 0,
            unchanged: 1
        })
    );
    assert_eq!(links::all(c).await.unwrap(), before);
}

#[tokio::test]
async fn players_are_looked_up_with_their_wish_not_to_be_moved() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    link_by_oauth(c, "p2", i64::MAX).await;
    import(c, &[row("p1", 1, "ann")], 1).await.unwrap();
    let players = ["p1", "p2", "p3"].map(PlayerId::new);
    let found = links::for_players(c, &players).await.unwrap();
    let link = |user, opted_out| Link {
        user: UserId::new(user).unwrap(),
        opted_out,
        verified: opted_out,
    };
    let expected = [
        (PlayerId::new("p1"), link(1, false)),
        (PlayerId::new("p2"), link(i64::MAX as u64, true)),
    ];
    assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
    assert!(links::for_players(c, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_id_too_large_for_the_database_is_refused() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    let mut transaction = c.begin().await.unwrap();
    let error = links::import(&mut transaction, &[row("p1", u64::MAX, "x")], at(0))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");
}
