//! Who takes part: fictional people, what is known of each, and the matches they play. The world file and the links come from here.

use serde_json::{Value, json};

/// The server of the hub, whose settings are the environment's.
pub const BACKYARD: &str = "1000";
pub const CATEGORY: &str = "1010";
pub const LOBBY: &str = "1011";
/// Nobody is moved out of it.
pub const AFK_ROOM: &str = "1012";
pub const GARDEN: &str = "1013";
/// The server that claims the cup, with settings of its own.
pub const HARBOUR: &str = "3000";
pub const BERTHS: &str = "3010";
pub const QUAY: &str = "3011";
pub const GUILDS: [&str; 2] = [BACKYARD, HARBOUR];
/// Owns the first server and runs Muster.
pub const OPERATOR: &str = "Otter";
/// What everybody may do on the server, in Discord's permission bits.
const VIEW_CONNECT_AND_SPEAK: &str = "3146752";
/// What every answer of the simulated Discord and FACEIT takes.
pub const LATENCY_MS: u64 = 100;

/// How somebody begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Linked, and waiting in this voice channel
    Ready(&'static str),
    /// Linked, on the first server, but not in voice
    Away,
    /// In the first server's lobby, but never linked the FACEIT account
    NotLinked,
    /// Plays on FACEIT only
    NotOnDiscord,
}

#[derive(Clone, Copy, Debug)]
pub struct Person {
    pub name: &'static str,
    pub start: Start,
}

const fn person(name: &'static str, start: Start) -> Person {
    Person { name, start }
}

/// Teams have a theme, so that a stranger sees at once who sits with whom.
pub const PEOPLE: [Person; 29] = [
    // Rivers against the sky: the hub match.
    person("Otter", Start::Ready(LOBBY)),
    person("Heron", Start::Ready(LOBBY)),
    person("Beaver", Start::Ready(LOBBY)),
    person("Salmon", Start::Ready(LOBBY)),
    person("Pike", Start::NotLinked),
    person("Falcon", Start::Ready(GARDEN)),
    person("Robin", Start::Ready(LOBBY)),
    person("Wren", Start::Ready(LOBBY)),
    person("Swift", Start::Ready(LOBBY)),
    person("Magpie", Start::NotOnDiscord),
    // The kitchen against the weather: the championship match.
    person("Salt", Start::Ready(QUAY)),
    person("Pepper", Start::Ready(QUAY)),
    person("Thunder", Start::Ready(QUAY)),
    person("Lightning", Start::Ready(QUAY)),
    // Stars against moons: the match that is played again, then with Europa for Titan.
    person("Vega", Start::Ready(QUAY)),
    person("Rigel", Start::Ready(QUAY)),
    person("Luna", Start::Ready(QUAY)),
    person("Titan", Start::Ready(QUAY)),
    person("Europa", Start::Ready(QUAY)),
    // Trees against herbs: the match of the absent and the unlinked.
    person("Maple", Start::Ready(GARDEN)),
    person("Birch", Start::Away),
    person("Oak", Start::NotLinked),
    person("Willow", Start::NotOnDiscord),
    person("Cedar", Start::NotOnDiscord),
    person("Basil", Start::Ready(GARDEN)),
    person("Mint", Start::Away),
    person("Thyme", Start::NotOnDiscord),
    person("Sage", Start::NotOnDiscord),
    person("Dill", Start::NotOnDiscord),
];

impl Person {
    pub fn called(name: &str) -> Option<&'static Person> {
        PEOPLE.iter().find(|person| person.name == name)
    }

    pub fn with_discord_id(id: &str) -> Option<&'static Person> {
        PEOPLE.iter().find(|person| person.discord_id() == id)
    }

    /// From the beginning.
    pub fn is_linked(&self) -> bool {
        matches!(self.start, Start::Ready(_) | Start::Away)
    }

    /// The voice channel that he sits in at the beginning.
    pub fn seat(&self) -> Option<&'static str> {
        match self.start {
            Start::Ready(channel) => Some(channel),
            Start::NotLinked => Some(LOBBY),
            Start::Away | Start::NotOnDiscord => None,
        }
    }

    /// The server that he is on, if he is on any.
    pub fn guild(&self) -> &'static str {
        if self.start == Start::Ready(QUAY) {
            HARBOUR
        } else {
            BACKYARD
        }
    }

    /// The place in the table, from 1: what all made-up ids of a person are built from.
    pub fn number(&self) -> usize {
        1 + PEOPLE
            .iter()
            .position(|person| person.name == self.name)
            .unwrap_or(PEOPLE.len())
    }

    pub fn discord_id(&self) -> String {
        (2000 + self.number()).to_string()
    }

    pub fn faceit_id(&self) -> String {
        made_up_uuid(0x00fa_ce00, self.number())
    }
}

/// An id in FACEIT's form that is the same in every run.
pub fn made_up_uuid(kind: u32, number: usize) -> String {
    format!("{kind:08x}-0000-4000-8000-{number:012x}")
}

/// What a match is played in.
#[derive(Clone, Copy, Debug)]
pub struct Competition {
    pub kind: &'static str,
    pub name: &'static str,
    pub number: usize,
}

impl Competition {
    /// FACEIT's id of it.
    pub fn id(&self) -> String {
        made_up_uuid(0x0000_c0de, self.number)
    }
}

pub const HUB: Competition = Competition {
    kind: "hub",
    name: "Backyard Hub",
    number: 1,
};
pub const CUP: Competition = Competition {
    kind: "championship",
    name: "Harbour Cup",
    number: 2,
};

#[derive(Clone, Debug)]
pub struct Team {
    pub name: &'static str,
    pub roster: Vec<&'static str>,
}

/// A match as it stands on FACEIT now.
#[derive(Clone, Debug)]
pub struct Match {
    pub id: &'static str,
    /// What the demo calls it.
    pub title: &'static str,
    pub competition: Competition,
    pub teams: [Team; 2],
    pub status: &'static str,
    /// Unix seconds; absent until it happens, as in FACEIT's bodies.
    pub scheduled_at: Option<i64>,
    pub configured_at: Option<i64>,
    pub started_at: Option<i64>,
    pub finished_at: Option<i64>,
    pub demo_url: Option<String>,
}

impl Match {
    fn new(id: &'static str, title: &'static str, competition: Competition, teams: [Team; 2]) -> Self {
        Self {
            id,
            title,
            competition,
            teams,
            status: "SCHEDULED",
            scheduled_at: None,
            configured_at: None,
            started_at: None,
            finished_at: None,
            demo_url: None,
        }
    }

    /// The words by which its channels are known: see `CHANNEL_NAMES`.
    pub fn channel(&self, team: &Team) -> String {
        format!("{} ({})", team.name, self.short_id())
    }

    pub fn channels(&self) -> [String; 2] {
        [self.channel(&self.teams[0]), self.channel(&self.teams[1])]
    }

    /// The part of the id that channel names carry.
    pub fn short_id(&self) -> &'static str {
        &self.id[2..10]
    }

    pub fn players(&self) -> impl Iterator<Item = &'static Person> {
        self.teams
            .iter()
            .flat_map(|team| &team.roster)
            .filter_map(|name| Person::called(name))
    }
}

/// The service's `CHANNEL_NAME_TEMPLATE`: a stranger knows teams by name, not as faction1.
pub const CHANNEL_NAMES: &str = "{team} ({short_id})";

fn team(name: &'static str, roster: &[&'static str]) -> Team {
    Team {
        name,
        roster: roster.to_vec(),
    }
}

pub fn hub_match() -> Match {
    let teams = [
        team("team_Otter", &["Otter", "Heron", "Beaver", "Salmon", "Pike"]),
        team("team_Falcon", &["Falcon", "Robin", "Wren", "Swift", "Magpie"]),
    ];
    Match::new("1-aaaa1111-0000-4000-8000-000000000001", "hub match", HUB, teams)
}

pub fn cup_match() -> Match {
    let teams = [
        team("Spice Rack", &["Salt", "Pepper"]),
        team("Storm Front", &["Thunder", "Lightning"]),
    ];
    Match::new("1-bbbb2222-0000-4000-8000-000000000002", "cup match", CUP, teams)
}

pub fn restarted_match() -> Match {
    let teams = [
        team("North Stars", &["Vega", "Rigel"]),
        team("Full Moons", &["Luna", "Titan"]),
    ];
    Match::new("1-cccc3333-0000-4000-8000-000000000003", "second cup match", CUP, teams)
}

pub fn patchy_match() -> Match {
    let teams = [
        team("team_Maple", &["Maple", "Birch", "Oak", "Willow", "Cedar"]),
        team("team_Basil", &["Basil", "Mint", "Thyme", "Sage", "Dill"]),
    ];
    Match::new("1-dddd4444-0000-4000-8000-000000000004", "second hub match", HUB, teams)
}

/// The simulator's world file. No limit in it: they are the simulator's own, which are Discord's.
pub fn world() -> Value {
    let members = |guild: &str| -> Vec<Value> {
        let here = PEOPLE.iter().filter(|person| person.start != Start::NotOnDiscord);
        here.filter(|person| person.guild() == guild)
            .map(|person| json!({ "id": person.discord_id(), "name": person.name, "voice_channel_id": person.seat() }))
            .collect()
    };
    json!({
        "latency_ms": LATENCY_MS,
        "guilds": [{
            "id": BACKYARD,
            "name": "Backyard Gaming",
            "owner_id": Person::called(OPERATOR).map(Person::discord_id),
            "everyone_permissions": VIEW_CONNECT_AND_SPEAK,
            "categories": [{ "id": CATEGORY, "name": "Matches" }],
            "voice_channels": [
                { "id": LOBBY, "name": "Lobby" },
                { "id": GARDEN, "name": "Garden" },
                { "id": AFK_ROOM, "name": "AFK room" },
            ],
            "members": members(BACKYARD),
        }, {
            "id": HARBOUR,
            "name": "Harbour Club",
            "everyone_permissions": VIEW_CONNECT_AND_SPEAK,
            "categories": [{ "id": BERTHS, "name": "Berths" }],
            "voice_channels": [{ "id": QUAY, "name": "Quay" }],
            "members": members(HARBOUR),
        }],
    })
}

/// The table for `muster links import`.
pub fn links() -> String {
    let rows = PEOPLE
        .iter()
        .filter(|person| person.is_linked())
        .map(|person| format!("{},{},{}\n", person.faceit_id(), person.discord_id(), person.name));
    "faceit_id,discord_id,nickname\n".to_owned() + &rows.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_on_a_roster_is_in_the_cast_and_plays_on_one_side_only() {
        for played in [hub_match(), cup_match(), restarted_match(), patchy_match()] {
            let named: usize = played.teams.iter().map(|team| team.roster.len()).sum();
            let mut ids: Vec<_> = played.players().map(Person::faceit_id).collect();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), named, "{}", played.title);
            let guild = if played.competition.number == CUP.number {
                HARBOUR
            } else {
                BACKYARD
            };
            let here = played.players().filter(|person| person.start != Start::NotOnDiscord);
            assert!(
                here.into_iter().all(|person| person.guild() == guild),
                "{}",
                played.title
            );
        }
    }
}
