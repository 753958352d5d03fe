//! The table of access against the routes that are really served, and against whoever is not signed in.

use std::collections::BTreeSet;

use muster::web::{
    access::{Needs, RULES},
    api,
    auth::roles::Role,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::browser::{Browser, EMPTY, OURS, STAFF_ROLE, THEIRS, body, bot};

/// Served under a second name, or describing the others: not described themselves.
const UNDESCRIBED: [&str; 4] = [
    "/api/auth/discord/callback",
    "/api/auth/discord/login",
    "/api/docs",
    "/api/openapi.json",
];

#[test]
fn the_table_of_access_lists_exactly_the_routes_that_are_described() {
    let description = serde_json::to_value(api::openapi()).unwrap();
    assert!(
        description["openapi"].as_str().unwrap().starts_with("3.1"),
        "{description}"
    );
    let described: BTreeSet<(String, String)> = description["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let listed: BTreeSet<(String, String)> = RULES
        .iter()
        .filter(|rule| !UNDESCRIBED.contains(&rule.1))
        .map(|rule| (rule.0.to_owned(), rule.1.to_owned()))
        .collect();
    assert_eq!(described, listed);
}

/// Everybody and his role in our guild; dan is the owner of the other one.
const PEOPLE: [(&str, Role); 8] = [
    ("nova", Role::Owner),
    ("rex", Role::Admin),
    ("ada", Role::Admin),
    ("bo", Role::Staff),
    ("cleo", Role::Viewer),
    ("lou", Role::Viewer),
    ("dan", Role::None),
    ("zoe", Role::None),
];

/// What the gate says; None: it let the call through, whatever came of it.
fn at_the_gate(status: u16, answer: &Value) -> Option<&str> {
    let error = answer["error"].as_str()?;
    match (status, error) {
        (401, "unauthorized") | (403, "forbidden") | (403, "csrf") | (404, "no_such_guild") => Some(error),
        (500.., _) => panic!("{answer}"),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_lets_in_exactly_those_that_the_table_says_in_their_own_a_foreign_and_an_unknown_guild() {
    let bot = bot().await;
    let owner = Browser::of(&bot, "nova").await;
    let (status, set) = owner.set(OURS, json!({"staff_roles": [STAFF_ROLE]})).await;
    assert_eq!(status, 200, "{set}");
    // Whoever signs out can't go on.
    let (last, first): (Vec<_>, Vec<_>) = RULES.iter().partition(|rule| rule.1.ends_with("/logout"));
    for (name, role) in PEOPLE {
        let browser = Browser::of(&bot, name).await;
        for (method, path, needs) in first.iter().chain(&last).copied() {
            let guilds: &[(&str, Role)] = match needs {
                Needs::Guild(_) if name == "dan" => &[(OURS, Role::None), (THEIRS, Role::Owner), ("4000", Role::None)],
                Needs::Guild(_) => &[
                    (OURS, role),
                    (THEIRS, Role::None),
                    (EMPTY, Role::None),
                    ("4000", Role::None),
                    ("0", Role::None),
                    ("01000", Role::None),
                    ("+1000", Role::None),
                    ("1000%20", Role::None),
                    ("1000%00", Role::None),
                    ("99999999999999999999999", Role::None),
                    ("x", Role::None),
                ],
                _ => &[("", Role::None)],
            };
            for (guild, role) in guilds {
                let filled = path.replace("{guild}", guild).replace(['{', '}'], "");
                let expected = match needs {
                    Needs::Nothing | Needs::Session | Needs::Live => None,
                    Needs::Operator => (name != "lou").then_some("forbidden"),
                    Needs::Guild(_) if *role == Role::None => Some("no_such_guild"),
                    Needs::Guild(least) => (*role < least).then_some("forbidden"),
                };
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let (status, answer) = browser.call(method.clone(), &filled, None).await;
                assert_eq!(
                    at_the_gate(status, &answer),
                    expected,
                    "{name} ({role:?}): {method} {filled} gave {status} {answer}"
                );
            }
        }
    }
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_not_signed_in_gets_a_401_from_every_route_that_needs_a_session() {
    let bot = bot().await;
    let browser = Browser::new(&bot.app);
    for (method, path, needs) in RULES {
        let path = path.replace(['{', '}'], "");
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let (status, answer) = body(browser.send(browser.request(method.clone(), &path)).await).await;
        if matches!(needs, Needs::Nothing | Needs::Live) {
            assert_ne!(status, 401, "{method} {path}");
        } else {
            assert_eq!(
                (status, &answer["error"]),
                (401, &json!("unauthorized")),
                "{method} {path}"
            );
        }
    }
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_describes_itself_to_programs_and_to_people_without_anything_from_elsewhere() {
    let bot = bot().await;
    let browser = Browser::new(&bot.app);
    let (status, description) = browser.get("/api/openapi.json").await;
    assert_eq!((status, &description["info"]["title"]), (200, &json!("Muster")));
    let (status, page) = browser.get("/api/docs").await;
    let page = page.as_str().unwrap();
    assert_eq!(status, 200);
    assert!(
        page.contains("POST /api/auth/logout") && page.contains("a session"),
        "{page}"
    );
    assert!(
        page.contains("A WebSocket that tells at once what changes in the servers in which I am staff or more.</td>")
            && page.contains("resync"),
        "{page}"
    );
    assert!(description["components"]["schemas"]["LiveMessage"].is_object());
    assert!(
        !page.contains("http://") && !page.contains("https://") && !page.contains("<script"),
        "{page}"
    );
    bot.finish().await;
}
