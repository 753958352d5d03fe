//! Texts made of facts: channel names from a guild's template, within Discord's limits, moments in time, and names that format nothing.

use crate::domain::{
    Timestamp,
    ids::{Faction, MatchId},
    match_facts::MatchFacts,
    settings::Settings,
};

/// Discord's longest channel name, in characters (API reference, *Create Guild Channel*).
const LONGEST: usize = 100;

/// The channel name of a faction. Knows `{short_id}`, `{match_id}`, `{faction}`, `{team}` and `{map}`; anything else stays as it is.
pub fn channel_name(template: &str, id: &MatchId, faction: Faction, facts: Option<&MatchFacts>) -> String {
    let team = facts
        .and_then(|facts| facts.sides.get(&faction))
        .map_or(faction.as_str(), |side| side.name.as_str());
    let map = facts.and_then(|facts| facts.map.as_deref()).unwrap_or("");
    let knows = |key: &str| match key {
        "{short_id}" => Some(id.short()),
        "{match_id}" => Some(id.as_str()),
        "{faction}" => Some(faction.as_str()),
        "{team}" => Some(team),
        "{map}" => Some(map),
        _ => None,
    };
    let name = presentable(&fill(template, knows));
    if name.is_empty() {
        presentable(&fill(Settings::DEFAULT_NAME_TEMPLATE, knows))
    } else {
        name
    }
}

/// The name of the `number`th category of a guild. Knows `{category}`, the name of the one that was full, and `{n}`; a name that is too long
/// keeps its number.
pub fn category_name(template: &str, category: &str, number: u32) -> String {
    let number = number.to_string();
    let name = |category: &str| {
        let knows = |key: &str| match key {
            "{category}" => Some(category),
            "{n}" => Some(number.as_str()),
            _ => None,
        };
        visible(&fill(template, knows))
    };
    let long = name(category);
    let over = long.chars().count().saturating_sub(LONGEST);
    if over == 0 {
        return long;
    }
    let shorter = category.chars().count().saturating_sub(over);
    presentable(&name(&category.chars().take(shorter).collect::<String>()))
}

/// `1 channel`, `2 channels`.
pub fn several(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A moment for people: `2026-11-21 17:04:05 UTC`.
pub fn stamp(at: Timestamp) -> String {
    let (hour, minute, second) = at.to_hms();
    format!("{} {hour:02}:{minute:02}:{second:02} UTC", at.date())
}

/// A name that somebody else chose, so that Discord shows it letter by letter.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            plain.push('\\');
        }
        plain.push(if c.is_control() { ' ' } else { c });
    }
    plain
}

/// One pass, so that a team called `{map}` stays called that. What nobody knows stays as it is.
fn fill<'a>(template: &'a str, knows: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut filled = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        filled.push_str(before);
        let Some(close) = from.find('}') else {
            rest = from;
            break;
        };
        let key = &from[..=close];
        filled.push_str(knows(key).unwrap_or(key));
        rest = &from[close + 1..];
    }
    filled.push_str(rest);
    filled
}

/// Drops what can't be seen (control characters, joiners, direction marks, tags: recorded in players' names) and cuts to length.
fn presentable(text: &str) -> String {
    visible(text)
        .chars()
        .take(LONGEST)
        .collect::<String>()
        .trim_end()
        .to_owned()
}

fn visible(text: &str) -> String {
    let visible: String = text
        .chars()
        .filter(|c| !c.is_control() || c.is_whitespace())
        .filter(|c| !matches!(u32::from(*c), 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0xFEFF | 0xE0000..=0xE0FFF))
        .collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::match_facts::{Side, Status};

    fn facts(team: &str) -> MatchFacts {
        let mut facts = MatchFacts::bare(Status::Ready);
        facts.sides.insert(
            Faction::One,
            Side {
                name: team.to_owned(),
                ..Side::default()
            },
        );
        facts.map = Some("de_mirage".to_owned());
        facts
    }

    #[test]
    fn the_default_name_is_short_and_tells_the_faction() {
        let id = MatchId::new("1-5cd68867-aa96-4cfe-a373-12c57edbcab2");
        assert_eq!(
            channel_name(Settings::DEFAULT_NAME_TEMPLATE, &id, Faction::Two, None),
            "match-5cd68867-faction2"
        );
    }

    #[test]
    fn team_names_of_any_kind_stay_presentable() {
        let id = MatchId::new("1-5cd68867");
        let name = |team: &str| channel_name("{team} on {map} {huh}", &id, Faction::One, Some(&facts(team)));
        assert_eq!(name("team_Nova"), "team_Nova on de_mirage {huh}");
        assert_eq!(name("a\u{E0021}\u{202E}b\n\tc"), "ab c on de_mirage {huh}");
        assert_eq!(name("{map}"), "{map} on de_mirage {huh}");
        assert_eq!(name(&"ü".repeat(300)).chars().count(), 100);
        assert_eq!(
            channel_name("{team}", &id, Faction::One, Some(&facts("\u{200B}"))),
            "match-5cd68867-faction1"
        );
    }

    #[test]
    fn a_further_category_has_the_name_of_the_first_and_a_number_that_is_never_cut_off() {
        let template = Settings::DEFAULT_OVERFLOW_NAME;
        assert_eq!(category_name(template, "Matches", 2), "Matches 2");
        assert_eq!(
            category_name("{n}: more of {category}", "{n}\u{200B}", 3),
            "3: more of {n}"
        );
        let long = category_name(template, &"ü".repeat(100), 12);
        assert_eq!((long.chars().count(), long.ends_with("ü 12")), (100, true));
    }

    #[test]
    fn an_open_brace_is_just_a_character() {
        assert_eq!(
            channel_name("a {short_id", &MatchId::new("1-x"), Faction::One, None),
            "a {short_id"
        );
    }

    #[test]
    fn a_name_can_neither_mention_nor_format() {
        assert_eq!(plain("<@1> **x** a_b `c`\n"), r"\<\@1\> \*\*x\*\* a\_b \`c\` ");
    }
}
