//! Who may take whose link: every order of operations, and two at once.

use muster::{
    domain::{
        Timestamp,
        ids::{PlayerId, UserId},
    },
    store::{
        Connection, Pool,
        audit::{self, Actor, Filter},
        erasing,
        linking::{self, By, Linked},
        links::{self, LinkRow, Method, StoredLink},
    },
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use sqlx::Connection as _;
use time::macros::datetime;
use tokio::task::JoinSet;

use crate::support::database::Database;

const NOW: Timestamp = datetime!(2026-11-21 18:00 UTC);

fn row(player: u64, user: u64) -> LinkRow {
    LinkRow {
        player: PlayerId::new(format!("p{player}")),
        user: UserId::new(2000 + user).unwrap(),
        nickname: format!("Nick{player}"),
    }
}

fn by() -> By {
    By {
        actor: Actor::discord(UserId::new(7).unwrap(), "Staff"),
        guild: None,
        at: NOW,
    }
}

async fn link(c: &mut Connection, player: u64, user: u64, method: Method) -> Linked {
    let mut tx = c.begin().await.unwrap();
    let linked = linking::link(&mut tx, &row(player, user), method, &by()).await.unwrap();
    tx.commit().await.unwrap();
    linked
}

async fn all(c: &mut Connection) -> Vec<StoredLink> {
    links::all(c).await.unwrap()
}

fn done(linked: &Linked) -> bool {
    matches!(linked, Linked::Done { .. })
}

#[tokio::test]
async fn a_typed_link_never_takes_an_existing_one() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    for first in [Method::Manual, Method::Import, Method::Staff, Method::Oauth] {
        sqlx::raw_sql("delete from player_links")
            .execute(&mut *c)
            .await
            .unwrap();
        assert!(done(&link(c, 1, 1, Method::Manual).await));
        sqlx::query("update player_links set verified_method = $1")
            .bind(first.as_str())
            .execute(&mut *c)
            .await
            .unwrap();
        let before = all(c).await;
        assert!(
            matches!(link(c, 1, 2, Method::Manual).await, Linked::PlayerTaken(_)),
            "{first:?}"
        );
        assert!(
            matches!(link(c, 2, 1, Method::Manual).await, Linked::UserTaken(_)),
            "{first:?}"
        );
        assert_eq!(all(c).await, before);
    }
}

#[tokio::test]
async fn proof_takes_over_what_is_not_proven_and_says_who_lost_it() {
    let database = Database::migrated().await;
    let c = &mut database.connection().await;
    link(c, 1, 1, Method::Manual).await;
    link(c, 2, 2, Method::Staff).await;
    // Account 2 proves to be player 1: both old links have to go.
    let Linked::Done { link: new, known, lost } = link(c, 1, 2, Method::Oauth).await else {
        panic!("refused");
    };
    assert_eq!((new.method, new.verified_at, known), (Method::Oauth, Some(NOW), false));
    let mut losers: Vec<_> = lost.iter().map(|link| link.row.clone()).collect();
    losers.sort_by_key(|row| row.user);
    assert_eq!(losers, [row(1, 1), row(2, 2)]);
    assert_eq!(all(c).await, [new]);

    // Neither a name nor staff nor another proof moves it; its owner can.
    for method in [Method::Manual, Method::Staff, Method::Oauth] {
        assert!(
            matches!(link(c, 1, 3, method).await, Linked::PlayerTaken(_)),
            "{method:?}"
        );
        assert!(
            matches!(link(c, 3, 2, method).await, Linked::UserTaken(_)),
            "{method:?}"
        );
    }
    // Staff confirming it does not make it less than proven.
    let Linked::Done { link: same, known, .. } = link(c, 1, 2, Method::Staff).await else {
        panic!("refused");
    };
    assert_eq!((same.method, known), (Method::Oauth, true));

    let actions: Vec<String> = audit::list(c, &Filter::default(), 100)
        .await
        .unwrap()
        .into_iter()
        .map(|row| format!("{} {}", row.entry.action, row.entry.subject))
        .collect();
    assert_eq!(
        actions,
        [
            "link.confirmed 2002",
            "link.added 2002",
            "link.taken_over 2002",
            "link.taken_over 2001",
            "link.added 2002",
            "link.added 2001",
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_at_once_exactly_one_wins() {
    let database = Database::migrated().await;
    for method in [Method::Oauth, Method::Manual] {
        let mut tasks = JoinSet::new();
        // The same player for six accounts, and six players for the same account.
        for other in 1..=6 {
            for (player, user) in [(100, other), (other, 100)] {
                let pool: Pool = database.pool(1);
                tasks.spawn(async move {
                    let mut tx = pool.begin().await.unwrap();
                    let linked = linking::link(&mut tx, &row(player, user), method, &by()).await.unwrap();
                    tx.commit().await.unwrap();
                    (player, linked)
                });
            }
        }
        let outcomes = tasks.join_all().await;
        for first in [true, false] {
            let winners = outcomes
                .iter()
                .filter(|(player, linked)| (*player == 100) == first && done(linked));
            assert_eq!(winners.count(), 1, "{method:?}: {outcomes:#?}");
        }
        let c = &mut database.connection().await;
        assert_eq!(all(c).await.len(), 2);
        sqlx::raw_sql("delete from player_links").execute(c).await.unwrap();
    }
}

#[derive(Clone, Debug)]
enum Op {
    Link(u64, u64, Method),
    Unlink(u64),
    OptOut(u64, bool),
    Erase(u64),
    Import(u64, u64),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let who = || 1..=3u64;
    let method = prop_oneof![Just(Method::Manual), Just(Method::Staff), Just(Method::Oauth)];
    let op = prop_oneof![
        6 => (who(), who(), method).prop_map(|(player, user, method)| Op::Link(player, user, method)),
        1 => who().prop_map(Op::Unlink),
        1 => (who(), any::<bool>()).prop_map(|(user, out)| Op::OptOut(user, out)),
        1 => who().prop_map(Op::Erase),
        1 => (who(), who()).prop_map(|(player, user)| Op::Import(player, user)),
    ];
    prop::collection::vec(op, 1..14)
}

/// Does one thing and checks what it may have done to the links of everybody else.
async fn step(c: &mut Connection, op: &Op) -> Result<(), TestCaseError> {
    let before = all(c).await;
    let mut tx = c.begin().await.unwrap();
    let (mut touched, mut may_displace) = (None, false);
    match op {
        Op::Link(player, user, method) => {
            let linked = linking::link(&mut tx, &row(*player, *user), *method, &by()).await;
            let linked = linked.map_err(|error| TestCaseError::fail(error.to_string()))?;
            may_displace = *method != Method::Manual && done(&linked);
        }
        Op::Unlink(user) => {
            touched = Some(2000 + user);
            linking::unlink(&mut tx, row(1, *user).user, &by()).await.unwrap();
        }
        Op::OptOut(user, out) => {
            touched = Some(2000 + user);
            linking::set_opted_out(&mut tx, row(1, *user).user, *out, &by())
                .await
                .unwrap();
        }
        Op::Erase(user) => {
            touched = Some(2000 + user);
            let user = row(1, *user).user;
            let message = erasing::Message {
                application: 7,
                token: "token".to_owned(),
                language: "de".to_owned(),
            };
            erasing::begin(&mut tx, user, message, NOW).await.unwrap();
        }
        Op::Import(player, user) => {
            // All or nothing, and it may replace what is not proven.
            may_displace = links::import(&mut tx, &[row(*player, *user)], NOW)
                .await
                .unwrap()
                .is_ok();
        }
    }
    tx.commit().await.unwrap();
    let after = all(c).await;
    let mut players: Vec<_> = after.iter().map(|link| &link.row.player).collect();
    let mut users: Vec<_> = after.iter().map(|link| link.row.user).collect();
    players.sort();
    users.sort();
    players.dedup();
    users.dedup();
    prop_assert!(players.len() == after.len() && users.len() == after.len(), "{after:?}");
    for old in &before {
        let stands = after.iter().any(|link| link.row == old.row);
        let own = touched == Some(old.row.user.get());
        prop_assert!(
            stands || own || (may_displace && old.method != Method::Oauth),
            "{op:?} cost {old:?}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_order_of_operations_breaks_one_to_one_or_costs_anybody_a_proven_link() {
    let database = Database::migrated().await;
    let mut c = database.connection().await;
    let runtime = tokio::runtime::Handle::current();
    let tested = tokio::task::spawn_blocking(move || {
        let c = tokio::sync::Mutex::new(&mut c);
        let config = Config {
            cases: 60,
            failure_persistence: None,
            ..Config::default()
        };
        TestRunner::new(config).run(&ops(), |ops| {
            runtime.block_on(async {
                let mut c = c.lock().await;
                let c = &mut **c;
                sqlx::raw_sql("delete from player_links")
                    .execute(&mut *c)
                    .await
                    .unwrap();
                for op in &ops {
                    step(c, op).await?;
                }
                Ok(())
            })
        })
    });
    tested.await.unwrap().unwrap();
}
