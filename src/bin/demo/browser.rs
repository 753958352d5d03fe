//! A player's browser, as far as signing in needs one: follows no redirect by itself, and keeps the one cookie that it is given.

use std::{cell::RefCell, time::Duration};

use anyhow::{Context, bail};
use reqwest::{
    Response, Url,
    header::{COOKIE, LOCATION, SET_COOKIE},
    redirect,
};

const DEADLINE: Duration = Duration::from_secs(20);

pub struct Browser {
    http: reqwest::Client,
    /// Gets its cookie back; nobody else does.
    service: Url,
    cookie: RefCell<Option<String>>,
}

impl Browser {
    pub fn new(service: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(DEADLINE)
            .no_proxy()
            .redirect(redirect::Policy::none());
        Ok(Self {
            http: http.build()?,
            service: Url::parse(service)?,
            cookie: RefCell::default(),
        })
    }

    /// Opens an address, and gives the one that it sends him to.
    pub async fn follow(&self, address: &str) -> anyhow::Result<Url> {
        let answer = self.open(Url::parse(address).context("an address")?).await?;
        let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(location) = location else {
            bail!("{} to {address}, and no word where to go on", answer.status());
        };
        Ok(Url::parse(location)?)
    }

    /// Chooses a player on FACEIT's page; gives the way back, not yet taken.
    pub async fn continue_as(&self, page: &Url, player: &str) -> anyhow::Result<Url> {
        let mut choice = page.clone();
        choice.set_path("/accounts/continue");
        choice.query_pairs_mut().append_pair("as", player);
        self.follow(choice.as_str()).await
    }

    /// Opens an address, and gives the heading of the page that is there.
    pub async fn read(&self, address: &Url) -> anyhow::Result<String> {
        let answer = self.open(address.clone()).await?;
        let status = answer.status();
        let page = answer.text().await?;
        let heading = page.split_once("<h1").and_then(|(_, rest)| rest.split_once('>'));
        let heading = heading.and_then(|(_, rest)| rest.split_once("</h1>"));
        match heading {
            Some((heading, _)) if status.is_success() => Ok(heading.to_owned()),
            _ => bail!("the sign-in ended with {status}"),
        }
    }

    async fn open(&self, address: Url) -> anyhow::Result<Response> {
        let ours = address.origin() == self.service.origin();
        let mut request = self.http.get(address);
        if let Some(cookie) = self.cookie.borrow().as_ref().filter(|_| ours) {
            request = request.header(COOKIE, cookie);
        }
        let answer = request.send().await.context("no answer to the browser")?;
        let set = answer.headers().get(SET_COOKIE).and_then(|value| value.to_str().ok());
        if let Some(set) = set.filter(|_| ours) {
            let cookie = set.split(';').next().unwrap_or_default();
            *self.cookie.borrow_mut() = Some(cookie.to_owned());
        }
        Ok(answer)
    }
}
