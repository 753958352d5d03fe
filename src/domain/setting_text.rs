//! Settings as people write them, `key=value` each: one list of keys for the command line, the web and the listing.

use std::{collections::BTreeSet, str::FromStr, time::Duration};

use crate::domain::{
    ids::ChannelId,
    settings::{OpenWhen, ReportAtEnd, ReturnTo, Settings},
};

/// The keys, in the order in which they are shown.
pub const KEYS: [&str; 18] = [
    "category",
    "overflow",
    "overflow_name",
    "lobby",
    "source_channels",
    "staff_roles",
    "spectator_roles",
    "user_limit",
    "name_template",
    "open_when",
    "grace_seconds",
    "max_age_hours",
    "return_to",
    "paused",
    "verified_links_only",
    "report_channel",
    "report_at_end",
    "guild",
];

impl Settings {
    /// Sets one setting from its text; an empty text is *none*, or the default. Says what would be right.
    pub fn set(&mut self, key: &str, text: &str) -> Result<(), String> {
        let text = text.trim();
        let start = || Self::new(self.guild);
        match key {
            "category" => self.category = channel(text)?,
            "overflow" => self.overflow = on_off(text, start().overflow)?,
            "overflow_name" => self.overflow_name = overflow_name(text)?,
            "lobby" => self.lobby = channel(text)?,
            "source_channels" => self.source_channels = ids(text)?,
            "staff_roles" => self.staff_roles = roles(text)?,
            "spectator_roles" => self.spectator_roles = roles(text)?,
            "user_limit" => self.user_limit = number(text, 0, 0, Self::MAX_USER_LIMIT.into())? as u16,
            "name_template" => self.name_template = name_template(text)?,
            "open_when" => self.open_when = word(text, OpenWhen::ALL, OpenWhen::as_str)?,
            "grace_seconds" => self.grace = Duration::from_secs(number(text, 60, 0, Self::MAX_GRACE.as_secs())?),
            "max_age_hours" => {
                self.max_age = Duration::from_secs(3600 * number(text, 8, 1, Self::MAX_AGE.as_secs() / 3600)?);
            }
            "return_to" => self.return_to = word(text, ReturnTo::ALL, ReturnTo::as_str)?,
            "paused" => self.paused = on_off(text, false)?,
            "verified_links_only" => self.verified_links_only = on_off(text, false)?,
            "report_channel" => self.report_channel = channel(text)?,
            "report_at_end" => self.report_at_end = word(text, ReportAtEnd::ALL, ReportAtEnd::as_str)?,
            "guild" => return Err("a server's id can't be changed".to_owned()),
            _ => {
                return Err(format!(
                    "there is no setting '{key}'; there are {}",
                    KEYS[..17].join(", ")
                ));
            }
        }
        Ok(())
    }

    /// One setting as `set` takes it; None for a key that there is not.
    pub fn get(&self, key: &str) -> Option<String> {
        let id = |id: Option<ChannelId>| id.map_or_else(String::new, |id| id.to_string());
        let on = |on: bool| if on { "on" } else { "off" }.to_owned();
        Some(match key {
            "guild" => self.guild.to_string(),
            "category" => id(self.category),
            "overflow" => on(self.overflow),
            "overflow_name" => self.overflow_name.clone(),
            "lobby" => id(self.lobby),
            "source_channels" => list(&self.source_channels),
            "staff_roles" => list(&self.staff_roles),
            "spectator_roles" => list(&self.spectator_roles),
            "user_limit" => self.user_limit.to_string(),
            "name_template" => self.name_template.clone(),
            "open_when" => self.open_when.as_str().to_owned(),
            "grace_seconds" => self.grace.as_secs().to_string(),
            "max_age_hours" => (self.max_age.as_secs() / 3600).to_string(),
            "return_to" => self.return_to.as_str().to_owned(),
            "paused" => on(self.paused),
            "verified_links_only" => on(self.verified_links_only),
            "report_channel" => id(self.report_channel),
            "report_at_end" => self.report_at_end.as_str().to_owned(),
            _ => return None,
        })
    }
}

fn list<T: ToString>(ids: &BTreeSet<T>) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn channel(text: &str) -> Result<Option<ChannelId>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    id(text).map(Some)
}

fn id<T: FromStr>(text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| {
        format!(
            "{} is no Discord id (a number of about 19 digits): in Discord turn on Developer Mode (Settings → Advanced), \
             right-click it and choose Copy ID",
            shown(text)
        )
    })
}

/// Ids separated by commas.
pub fn ids<T: FromStr + Ord>(text: &str) -> Result<BTreeSet<T>, String> {
    text.split(',').filter(|id| !id.trim().is_empty()).map(id).collect()
}

/// Role ids separated by commas, not too many for a channel's list.
pub fn roles<T: FromStr + Ord>(text: &str) -> Result<BTreeSet<T>, String> {
    let roles = ids(text)?;
    if roles.len() > Settings::MAX_ROLES {
        return Err(format!("at most {} roles", Settings::MAX_ROLES));
    }
    Ok(roles)
}

fn number(text: &str, default: u64, min: u64, max: u64) -> Result<u64, String> {
    if text.is_empty() {
        return Ok(default);
    }
    let number = text.parse().ok().filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| format!("{} must be a whole number from {min} to {max}", shown(text)))
}

/// `on` or `off`.
pub fn on_off(text: &str, default: bool) -> Result<bool, String> {
    match text {
        "" => Ok(default),
        "on" | "true" | "yes" | "1" => Ok(true),
        "off" | "false" | "no" | "0" => Ok(false),
        _ => Err(format!("{} must be on or off", shown(text))),
    }
}

/// One of a few words; the first is the default.
pub fn word<T: Copy>(text: &str, all: &[T], as_str: fn(T) -> &'static str) -> Result<T, String> {
    let known = all
        .iter()
        .copied()
        .find(|known| as_str(*known) == text || text.is_empty());
    known.ok_or_else(|| {
        let words: Vec<_> = all.iter().map(|known| as_str(*known)).collect();
        format!("{} must be {}", shown(text), words.join(" or "))
    })
}

/// A template of channel names; empty is the default.
pub fn name_template(text: &str) -> Result<String, String> {
    template(text, Settings::DEFAULT_NAME_TEMPLATE)
}

/// A template of category names; empty is the default.
pub fn overflow_name(text: &str) -> Result<String, String> {
    let name = template(text, Settings::DEFAULT_OVERFLOW_NAME)?;
    if name.contains("{n}") {
        Ok(name)
    } else {
        Err(format!(
            "{} must contain {{n}}, so that one category can be told from the next",
            shown(&name)
        ))
    }
}

fn template(text: &str, default: &str) -> Result<String, String> {
    match text.chars().count() {
        0 => Ok(default.to_owned()),
        1..=200 if !text.chars().any(char::is_control) => Ok(text.to_owned()),
        _ => Err("a name has at most 200 characters, and no control characters".to_owned()),
    }
}

/// A bad value, quoted; not when it is so long that it may be a secret in the wrong place.
fn shown(text: &str) -> String {
    match text.trim().chars().count() {
        ..=20 => format!("'{}'", text.trim()),
        long => format!("a text of {long} characters"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::GuildId;

    fn settings() -> Settings {
        Settings::new(GuildId::new(1000).expect("above zero"))
    }

    #[test]
    fn every_setting_reads_back_as_it_is_shown() {
        let mut settings = settings();
        for (key, text) in [
            ("category", "1010"),
            ("overflow", "off"),
            ("overflow_name", "More {n}"),
            ("source_channels", "11,12"),
            ("staff_roles", "21"),
            ("spectator_roles", "22,23"),
            ("user_limit", "7"),
            ("open_when", "somebody_linked"),
            ("return_to", "stay"),
            ("report_at_end", "close"),
            ("grace_seconds", "0"),
            ("max_age_hours", "12"),
            ("paused", "on"),
        ] {
            settings.set(key, text).expect("it is good");
            assert_eq!(settings.get(key).as_deref(), Some(text));
        }
        let mut again = self::settings();
        for key in &KEYS[..17] {
            again
                .set(key, &settings.get(key).expect("a key"))
                .expect("it reads back");
        }
        assert_eq!(again, settings);
    }

    #[test]
    fn an_empty_text_is_none_or_the_default() {
        let mut settings = settings();
        settings.set("lobby", "1011").expect("it is good");
        for key in &KEYS[..17] {
            settings.set(key, " ").expect("it is allowed");
        }
        assert_eq!(settings, self::settings());
    }

    #[test]
    fn a_bad_value_is_refused_with_what_would_be_right() {
        let mut settings = settings();
        for (key, text, words) in [
            ("category", "matches", "Copy ID"),
            ("source_channels", "11,bar", "'bar'"),
            ("user_limit", "100", "0 to 99"),
            ("open_when", "now", "rosters_known or somebody_linked"),
            ("overflow_name", "More", "{n}"),
            ("paused", "maybe", "on or off"),
            ("colour", "red", "there is no setting 'colour'"),
            ("guild", "2", "can't be changed"),
        ] {
            let why = settings.set(key, text).expect_err(text);
            assert!(why.contains(words), "{why}");
        }
        assert_eq!(settings, self::settings());
    }
}
