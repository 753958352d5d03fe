//! A sign-in that fails, as whoever signs in sees it: a page that says what to do, where a program gets the same as JSON.

use axum::{
    extract::Request,
    http::{HeaderMap, header},
    middleware::Next,
    response::Response,
};

use crate::web::{page::with_link, refused::Refused};

/// For the addresses that people open themselves or are sent to by Discord; all others are called by programs and pages.
pub async fn for_browsers(request: Request, next: Next) -> Response {
    let shows = is_opened_by_people(request.uri().path()) && wants_a_page(request.headers());
    let response = next.run(request).await;
    match response.extensions().get::<Refused>().cloned() {
        Some(refused) if shows => as_page(&refused, response.headers()),
        _ => response,
    }
}

fn is_opened_by_people(path: &str) -> bool {
    path.starts_with("/api/auth/") && (path.ends_with("/login") || path.ends_with("/callback"))
}

/// Browsers name HTML when somebody opens an address; programs, and pages that call us, do not.
fn wants_a_page(headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepts.is_some_and(|accepts| accepts.contains("text/html"))
}

fn as_page(refused: &Refused, headers: &HeaderMap) -> Response {
    let link = Some(("/api/auth/login", "Sign in again"));
    let told = [sentence(refused.message())];
    let mut response = with_link(refused.status, "You are not signed in", &told, link);
    for name in [header::RETRY_AFTER, header::SET_COOKIE, header::ALLOW] {
        for value in headers.get_all(&name) {
            response.headers_mut().append(&name, value.clone());
        }
    }
    response
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(letters).chain(['.']).collect()
}
