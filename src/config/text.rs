//! One text into one setting: numbers, addresses, ids, secrets. Says what would be right, and never shows what may be a secret.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use secrecy::SecretString;
use url::Url;

use crate::config::{Listen, Problems};

/// Where the ids of Discord come from.
pub(super) const SNOWFLAKE: &str =
    "in Discord turn on Developer Mode (Settings → Advanced), right-click it and choose Copy ID";

/// The text without blanks around it; None when nothing is left: an empty variable is a missing one.
pub(super) fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

pub(super) fn required<'a>(
    problems: &mut Problems,
    name: &'static str,
    text: &'a Option<String>,
    what: &str,
    how: &str,
) -> Option<&'a str> {
    let text = given(text);
    if text.is_none() {
        problems.add(name, format!("is missing: {what}; {how}"));
    }
    text
}

/// Secrets travel in headers, so they must be visible ASCII. Nothing of a bad one is shown.
pub(super) fn secret(
    problems: &mut Problems,
    name: &'static str,
    text: &Option<String>,
    what: &str,
    how: &str,
) -> Option<SecretString> {
    let text = required(problems, name, text, what, how)?;
    if text.bytes().all(|b| b.is_ascii_graphic()) {
        return Some(SecretString::from(text));
    }
    problems.add(
        name,
        format!("holds blanks or other characters that {what} can't have; {how}"),
    );
    None
}

pub(super) fn url(
    problems: &mut Problems,
    name: &'static str,
    text: &Option<String>,
    default: &str,
    schemes: &[&str],
) -> Option<Url> {
    let text = given(text).unwrap_or(default);
    let parsed = Url::parse(text)
        .ok()
        .filter(|url| schemes.contains(&url.scheme()) && url.has_host());
    let Some(mut url) = parsed else {
        let example = if default.is_empty() {
            "wss://gateway.discord.gg"
        } else {
            default
        };
        problems.add(
            name,
            format!("is no {} address, for example {example}", schemes.join(" or ")),
        );
        return None;
    };
    // They would show in logs.
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        problems.add(name, "must be a plain address, without user, password, '?' or '#'");
        return None;
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Some(url)
}

pub(super) fn number(
    problems: &mut Problems,
    name: &'static str,
    text: &Option<String>,
    default: u64,
    min: u64,
    max: u64,
) -> Option<u64> {
    let Some(text) = given(text) else { return Some(default) };
    match text.parse() {
        Ok(number) if (min..=max).contains(&number) => Some(number),
        _ => {
            problems.add(
                name,
                format!(
                    "{} must be a whole number from {min} to {max} (usually {default})",
                    shown(text)
                ),
            );
            None
        }
    }
}

/// The inner None is a setting that is not given.
pub(super) fn snowflake<T: FromStr>(
    problems: &mut Problems,
    name: &'static str,
    text: &Option<String>,
) -> Option<Option<T>> {
    let Some(text) = given(text) else { return Some(None) };
    match text.parse() {
        Ok(id) => Some(Some(id)),
        Err(_) => {
            problems.add(
                name,
                format!(
                    "{} is no Discord id (a number of about 19 digits): {SNOWFLAKE}",
                    shown(text)
                ),
            );
            None
        }
    }
}

/// A bad value, quoted; not when it is so long that it may be a secret in the wrong variable.
pub(super) fn shown(text: &str) -> String {
    match text.chars().count() {
        ..=12 => format!("{text:?}"),
        long => format!("a text of {long} characters"),
    }
}

/// `host`, `host:port` or an address; a port here wins over `PORT`.
pub(super) fn listen(addr: &Option<String>, port: &Option<String>, problems: &mut Problems) -> Option<Listen> {
    let port = number(problems, "PORT", port, 8000, 0, 65_535).map(|port| port as u16);
    let addr = given(addr).unwrap_or("0.0.0.0");
    if let Ok(addr) = addr.parse::<SocketAddr>() {
        return port.map(|_| Listen {
            host: addr.ip().to_string(),
            port: addr.port(),
        });
    }
    let bare = addr
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(addr);
    let (host, own_port) = match bare.rsplit_once(':') {
        _ if bare.parse::<IpAddr>().is_ok() => (bare, None),
        Some((host, own)) => (host, Some(own.parse::<u16>())),
        None => (bare, None),
    };
    let is_host = host.parse::<IpAddr>().is_ok()
        || (!host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)));
    match own_port {
        _ if !is_host => {}
        Some(Err(_)) => {}
        Some(Ok(own)) => {
            return port.map(|_| Listen {
                host: host.to_owned(),
                port: own,
            });
        }
        None => {
            return Some(Listen {
                host: host.to_owned(),
                port: port?,
            });
        }
    }
    problems.add(
        "LISTEN_ADDR",
        format!(
            "{} is no address to listen on: give host, host:port or an IP address, for example 127.0.0.1:8000",
            shown(addr)
        ),
    );
    None
}
