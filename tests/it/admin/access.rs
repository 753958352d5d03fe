//! The table of access against the routes that are really served, and against whoever is not signed in.

use std::collections::BTreeSet;

use muster::web::{
    access::{Needs, RULES},
    api,
};
use reqwest::Method;
use serde_json::json;

use super::browser::{Browser, body, bot};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_not_signed_in_gets_a_401_from_every_route_that_needs_a_session() {
    let bot = bot().await;
    let browser = Browser::new(&bot.app);
    for (method, path, needs) in RULES {
        let path = path.replace(['{', '}'], "");
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let (status, answer) = body(browser.send(browser.request(method.clone(), &path)).await).await;
        if *needs == Needs::Nothing {
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
        !page.contains("http://") && !page.contains("https://") && !page.contains("<script"),
        "{page}"
    );
    bot.finish().await;
}
