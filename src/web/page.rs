//! What people see in a browser when a sign-in ends here: one plain HTML page with a heading and a few sentences. No script, nothing from elsewhere,
//! and nothing that was in the request.

use std::sync::LazyLock;

use askama::Template;
use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest, Sha256};

const STYLE: &str = "body{font:18px/1.5 system-ui,sans-serif;max-width:34em;margin:10vh auto;padding:0 1.2em;\
    background:#16181d;color:#e8e8ea}h1{font-size:1.5em}h1.bad{color:#ff8a80}h1.good{color:#8fe39b}a{color:#8bf}";

/// Lets nothing in but our own style, by its hash.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// What a page says.
#[derive(Template)]
#[template(
    source = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{ heading }} · Muster</title>
<style>{{ style|safe }}</style>
</head>
<body>
<main>
<h1 class="{% if good %}good{% else %}bad{% endif %}">{{ heading }}</h1>
{% for line in lines %}<p>{{ line }}</p>
{% endfor %}{% if let Some((to, words)) = link %}<p><a href="{{ to }}">{{ words }}</a></p>
{% endif %}</main>
</body>
</html>
"#,
    ext = "html"
)]
struct Page<'a> {
    heading: &'a str,
    lines: &'a [String],
    link: Option<(&'static str, &'static str)>,
    good: bool,
    style: &'static str,
}

/// A page with this status. Names in `lines` are escaped.
pub fn page(status: StatusCode, heading: &str, lines: &[String]) -> Response {
    with_link(status, heading, lines, None)
}

/// A page that leads on: to an address of ours, in these words.
pub fn with_link(
    status: StatusCode,
    heading: &str,
    lines: &[String],
    link: Option<(&'static str, &'static str)>,
) -> Response {
    let page = Page {
        heading,
        lines,
        link,
        good: status.is_success(),
        style: STYLE,
    };
    // A template of texts can't fail.
    let body = page.render().unwrap_or_default();
    (status, guarded(), Html(body)).into_response()
}

/// Headers of every answer here: kept nowhere, shown in no frame, and no address with a state or code goes on to anybody.
pub fn guarded() -> HeaderMap {
    let fixed = |text| HeaderValue::from_static(text);
    HeaderMap::from_iter([
        (header::CACHE_CONTROL, fixed("no-store")),
        (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
        (header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff")),
        (header::X_FRAME_OPTIONS, fixed("DENY")),
        (header::REFERRER_POLICY, fixed("no-referrer")),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            fixed("same-origin"),
        ),
    ])
}
