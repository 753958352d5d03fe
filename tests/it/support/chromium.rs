//! A real browser: Chromium, headless, with names of hosts that lead to this machine. Ends with its driver, however that comes to an end.
#![expect(clippy::disallowed_methods, reason = "the tests' own switch is read here")]

use std::net::SocketAddr;

use fantoccini::{Client, ClientBuilder, Locator, elements::Element};
use hyper_util::client::legacy::connect::HttpConnector;
use muster::sandbox::process::{Process, Program};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::{database::LONG, service::Folder};

/// A browser with a profile of its own.
pub struct Chromium {
    pub page: Client,
    driver: Process,
    _profile: Folder,
}

impl Chromium {
    /// `hosts`: names, and where they are in truth; no others exist. None, and a word about it, when the run wants no browser tests.
    pub async fn start(hosts: &[(&str, SocketAddr)]) -> Option<Self> {
        if std::env::var("MUSTER_WITHOUT_BROWSER").is_ok_and(|value| value == "1") {
            eprintln!("left out: MUSTER_WITHOUT_BROWSER=1");
            return None;
        }
        let profile = Folder::new();
        let home = profile.0.display().to_string();
        let started = spawn_blocking(move || {
            // A port of its own choice, which it tells.
            let program = Program::at("chromedriver").args(["--port=0"]).env("HOME", home);
            let mut driver = program.start().expect("it starts");
            let port = driver
                .line_where(LONG, |line| line.contains("started successfully on port"))
                .and_then(|line| line.trim_end_matches('.').rsplit(' ').next()?.parse::<u16>().ok());
            let said = driver.stderr();
            (driver, port, said)
        });
        let (driver, port, said) = started.await.expect("it starts");
        let port = port.unwrap_or_else(|| {
            panic!(
                "no chromedriver: deploy/ensure-browser.sh installs it, MUSTER_WITHOUT_BROWSER=1 does without. {said}"
            )
        });
        let names = hosts.iter().map(|(name, address)| format!("MAP {name} {address}"));
        let names: Vec<String> = names
            .chain(["MAP * ~NOTFOUND".to_owned(), "EXCLUDE 127.0.0.1".to_owned()])
            .collect();
        let arguments = [
            "--headless=new".to_owned(),
            // Containers let nobody make sandboxes; only pages of ours are opened.
            "--no-sandbox".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            // Closes with its driver, also when that is killed.
            "--remote-debugging-pipe".to_owned(),
            format!("--user-data-dir={}", profile.0.join("profile").display()),
            format!("--host-resolver-rules={}", names.join(", ")),
        ];
        let capabilities = json!({"goog:chromeOptions": {"args": arguments}});
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities.as_object().cloned().expect("an object"));
        let page = builder.connect(&format!("http://127.0.0.1:{port}")).await;
        Some(Self {
            page: page.expect("a browser starts"),
            driver,
            _profile: profile,
        })
    }

    pub async fn open(&self, url: &str) {
        self.page.goto(url).await.expect("the page opens");
    }

    /// Waits until there is such an element.
    pub async fn find(&self, selector: &str) -> Element {
        let found = self.page.wait().at_most(LONG).for_element(Locator::Css(selector)).await;
        match found {
            Ok(element) => element,
            Err(error) => panic!(
                "no {selector}: {error}; the page: {}",
                self.page.source().await.unwrap_or_default()
            ),
        }
    }

    pub async fn click(&self, selector: &str) {
        self.find(selector).await.click().await.expect("it can be clicked");
    }

    pub async fn text(&self, selector: &str) -> String {
        self.find(selector).await.text().await.expect("a text")
    }

    /// The body of an async function, run in the page; gives what it returns, or `{"error": …}`.
    pub async fn run(&self, script: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; (async () => {{ {script} }})().then(done, error => done({{error: String(error)}}))"
        );
        self.page.execute_async(&script, Vec::new()).await.expect("it runs")
    }

    pub async fn address(&self) -> String {
        self.page.current_url().await.expect("an address").into()
    }

    pub async fn close(self) {
        let Self { page, driver, _profile } = self;
        page.close().await.expect("it closes");
        spawn_blocking(move || drop(driver)).await.expect("it ended");
    }
}
