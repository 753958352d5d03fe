//! A player's browser: follows no redirect by itself, keeps cookies, and finds the bot behind the address that the outside knows.

use std::{collections::BTreeMap, net::SocketAddr};

use reqwest::{StatusCode, header::HeaderMap, redirect};
use url::Url;

use super::database::LONG;

#[derive(Clone)]
pub struct Browser {
    client: reqwest::Client,
    bot: SocketAddr,
    cookies: BTreeMap<String, String>,
    /// What a proxy says of where he is.
    pub from: Option<String>,
}

/// What a page load gave.
#[derive(Debug)]
pub struct Seen {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Seen {
    /// Where the answer sends him.
    pub fn location(&self) -> Url {
        let location = self
            .headers
            .get("location")
            .unwrap_or_else(|| panic!("no redirect: {self:?}"));
        Url::parse(location.to_str().expect("an address")).expect("an address")
    }

    pub fn heading(&self) -> &str {
        let rest = self.text.split_once("<h1").map_or("", |(_, rest)| rest);
        let rest = rest.split_once('>').map_or("", |(_, rest)| rest);
        rest.split_once("</h1>").map_or("", |(heading, _)| heading)
    }
}

impl Browser {
    pub fn new(bot: SocketAddr) -> Self {
        let client = reqwest::Client::builder()
            .timeout(LONG)
            .no_proxy()
            .redirect(redirect::Policy::none());
        Self {
            client: client.build().expect("a client"),
            bot,
            cookies: BTreeMap::new(),
            from: None,
        }
    }

    /// `http://localhost/…` is the bot.
    pub async fn open(&mut self, url: &Url) -> Seen {
        let mut url = url.clone();
        let ours = url.host_str() == Some("localhost");
        if ours {
            url.set_host(Some(&self.bot.ip().to_string())).expect("a host");
            url.set_port(Some(self.bot.port())).expect("a port");
        }
        let mut request = self.client.get(url);
        if ours {
            let cookies: Vec<String> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            request = request.header("cookie", cookies.join("; "));
            if let Some(from) = &self.from {
                request = request.header("x-forwarded-for", from);
            }
        }
        let answer = request.send().await.expect("it answers");
        let (status, headers) = (answer.status(), answer.headers().clone());
        for cookie in headers.get_all("set-cookie") {
            let cookie = cookie.to_str().expect("a text").split(';').next().unwrap_or_default();
            if let Some((name, value)) = cookie.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let text = answer.text().await.expect("a text");
        Seen { status, headers, text }
    }

    pub async fn get(&mut self, path: &str) -> Seen {
        let url = Url::parse("http://localhost").and_then(|base| base.join(path));
        self.open(&url.expect("an address")).await
    }

    /// Opens the address of `/link`, and gives FACEIT's page.
    pub async fn begin(&mut self, token: &str) -> Url {
        self.get(&format!("/faceit/link/{token}")).await.location()
    }

    /// On FACEIT's page, continues as a player; gives the way back, not yet taken.
    pub async fn continue_as(&mut self, page: &Url, player: &str) -> Url {
        assert_eq!(self.open(page).await.status, StatusCode::OK);
        let mut link = page.clone();
        link.set_path("/accounts/continue");
        link.query_pairs_mut().append_pair("as", player);
        self.open(&link).await.location()
    }
}
