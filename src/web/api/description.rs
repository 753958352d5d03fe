//! What the API says of itself: OpenAPI 3.1 as JSON, and a page for people made of it here, without anything from elsewhere.

use std::sync::Arc;

use askama::Template;
use axum::{
    Json, Router,
    http::{HeaderValue, header},
    response::{Html, IntoResponse},
    routing::get,
};
use serde_json::Value;
use utoipa::{
    OpenApi,
    openapi::{
        OpenApi as Description,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::web::{access::RULES, api::live::LiveMessage, auth::Admin};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Muster",
        description = "The admin API. Sign in at /api/auth/login; unsafe requests by cookie carry the csrf_token of \
                       /api/auth/me in x-csrf-token. Every error is {error, message, details?}."
    ),
    security(("cookie" = []), ("bearer" = [])),
    tags(
        (name = "auth", description = "Signing in, and one's own account"),
        (name = "guilds", description = "Discord servers, and what there is in them"),
        (name = "settings", description = "What a server wants, and which matches are its own"),
        (name = "operator", description = "For the people of OPERATOR_IDS: what FACEIT sent, and the pause of everything"),
        (name = "matches", description = "The matches of a server: what is known, what happened, what would be done, and what staff does about one"),
        (name = "links", description = "Who is who at FACEIT, as far as a server may know"),
        (name = "jobs", description = "What is queued for a server's matches"),
        (name = "audit", description = "Who changed what in a server"),
        (name = "live", description = "What changes, told at once"),
    )
)]
struct Basis;

/// Title and ways to sign in.
pub(super) fn basis() -> Description {
    let mut description = Basis::openapi();
    let components = description.components.get_or_insert_with(Default::default);
    components.add_security_scheme(
        "cookie",
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("muster_session"))),
    );
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    description
}

struct Line {
    method: String,
    path: String,
    summary: String,
    needs: String,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Muster API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #8884}
code{font-size:.95em;overflow-wrap:anywhere}pre{overflow-x:auto}.needs::before{content:'Needs '}
@media(min-width:48rem){.needs::before{content:none}}
@media(max-width:48rem){thead{display:none}tr,td{display:block}tr{padding:.5rem 0;border-bottom:1px solid #8884}td{border:0;padding:0}.needs{color:#777}}
@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}a{color:#8bf}}</style></head>
<body><h1>Muster API</h1>
<p>{{ about }}</p>
<p>For programs: <a href="/api/openapi.json">openapi.json</a> (OpenAPI 3.1). To sign in: <a href="/api/auth/login">/api/auth/login</a>;
then <a href="/api/auth/me">/api/auth/me</a> says who you are.</p>
<table><thead><tr><th>Call</th><th>Does</th><th>Needs</th></tr></thead><tbody>
{% for line in lines %}<tr><td><code>{{ line.method }} {{ line.path }}</code></td><td>{{ line.summary }}</td><td class="needs">{{ line.needs }}</td></tr>
{% endfor %}</tbody></table>
<h2>What /api/live says</h2>
<p>One JSON object a message, told by <code>type</code>; openapi.json has all states as <code>LiveMessage</code>. Load everything after
<code>ready</code>, and again after <code>resync</code>.</p>
<pre>{% for message in live %}{{ message }}
{% endfor %}</pre></body></html>
"#
)]
struct Page {
    about: String,
    lines: Vec<Line>,
    live: Vec<String>,
}

pub(super) fn serve(router: Router<Arc<Admin>>, description: Description) -> Router<Arc<Admin>> {
    let json = serde_json::to_value(&description).unwrap_or_default();
    let page = page(&json).render().unwrap_or_default();
    let show = move || async move {
        let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";
        let policy = HeaderValue::from_static(policy);
        ([(header::CONTENT_SECURITY_POLICY, policy)], Html(page)).into_response()
    };
    router
        .route("/api/openapi.json", get(move || async move { Json(json) }))
        .route("/api/docs", get(show))
}

fn page(json: &Value) -> Page {
    let summary = |method: &str, path: &str| {
        let described = &json["paths"][path][method.to_ascii_lowercase()];
        described["summary"].as_str().map(str::to_owned)
    };
    let lines = RULES.iter().filter_map(|(method, path, needs)| {
        Some(Line {
            method: (*method).to_owned(),
            path: (*path).to_owned(),
            summary: summary(method, path)?,
            needs: needs.words(),
        })
    });
    Page {
        about: json["info"]["description"].as_str().unwrap_or_default().to_owned(),
        lines: lines.collect(),
        live: LiveMessage::examples()
            .iter()
            .filter_map(|message| serde_json::to_string(message).ok())
            .collect(),
    }
}
