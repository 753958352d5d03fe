//! What a guild wants: where channels go, who may enter them, when they come and go, and who is moved from where. Reads and writes no text.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};

use crate::domain::ids::{ChannelId, GuildId, RoleId};

/// One guild's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub guild: GuildId,
    /// The category that match channels are made in; without one they stand at the top level.
    pub category: Option<ChannelId>,
    /// Make further categories when that one is full.
    pub overflow: bool,
    /// Names of further categories, see `render::category_name`.
    pub overflow_name: String,
    /// Where people go when their match is over, unless they go back to where they were.
    pub lobby: Option<ChannelId>,
    /// People are moved only out of these; none means out of any.
    pub source_channels: BTreeSet<ChannelId>,
    /// May enter every match channel and speak.
    pub staff_roles: BTreeSet<RoleId>,
    /// May enter every match channel and listen.
    pub spectator_roles: BTreeSet<RoleId>,
    /// At most this many people in a channel, 1 to 99; 0 is no limit.
    pub user_limit: u16,
    /// Channel name template, see `render::channel_name`.
    pub name_template: String,
    pub open_when: OpenWhen,
    /// How long channels stay after the end of a match.
    pub grace: Duration,
    /// After this long a match is treated as over, whatever FACEIT says.
    pub max_age: Duration,
    pub return_to: ReturnTo,
    /// Nothing at all is done in Discord until the guild goes on; its matches stay open.
    pub paused: bool,
    /// Links that were only typed in or imported don't count.
    pub verified_links_only: bool,
    /// A text channel where staff read of each running match who is missing, and why.
    pub report_channel: Option<ChannelId>,
    pub report_at_end: ReportAtEnd,
}

/// When a running match gets its channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenWhen {
    /// As soon as both rosters are known.
    #[default]
    RostersKnown,
    /// Not before somebody on a roster is linked.
    SomebodyLinked,
}

/// Where people go at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReturnTo {
    /// To where they were moved from, else to the lobby.
    #[default]
    Before,
    /// To the lobby.
    Lobby,
    /// Nowhere: Discord disconnects them with the channel.
    Stay,
}

/// What becomes of a match's report when the match is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportAtEnd {
    #[default]
    Delete,
    /// It stays, and says that the match is over.
    Close,
}

/// What a guild can claim: all matches of a competition, or of an organizer, are then its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimKind {
    Hub,
    Championship,
    Organizer,
}

macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As it is written in settings and in the database.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),*
                }
            }

            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word)
            }
        }
    };
}

words!(OpenWhen { RostersKnown = "rosters_known", SomebodyLinked = "somebody_linked" });
words!(ReturnTo { Before = "before", Lobby = "lobby", Stay = "stay" });
words!(ReportAtEnd { Delete = "delete", Close = "close" });
words!(ClaimKind { Hub = "hub", Championship = "championship", Organizer = "organizer" });

impl Settings {
    pub const DEFAULT_NAME_TEMPLATE: &'static str = "match-{short_id}-{faction}";
    pub const DEFAULT_OVERFLOW_NAME: &'static str = "{category} {n}";
    pub const MAX_GRACE: Duration = Duration::from_secs(24 * 3600);
    pub const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
    pub const MAX_USER_LIMIT: u16 = 99;
    /// Roles, bots and players share Discord's 100 overwrites per channel.
    pub const MAX_ROLES: usize = 20;

    /// What a guild starts with.
    pub fn new(guild: GuildId) -> Self {
        Self {
            guild,
            category: None,
            overflow: true,
            overflow_name: Self::DEFAULT_OVERFLOW_NAME.to_owned(),
            lobby: None,
            source_channels: BTreeSet::new(),
            staff_roles: BTreeSet::new(),
            spectator_roles: BTreeSet::new(),
            user_limit: 0,
            name_template: Self::DEFAULT_NAME_TEMPLATE.to_owned(),
            open_when: OpenWhen::default(),
            grace: Duration::from_secs(60),
            max_age: Duration::from_secs(8 * 3600),
            return_to: ReturnTo::default(),
            paused: false,
            verified_links_only: false,
            report_channel: None,
            report_at_end: ReportAtEnd::default(),
        }
    }

    /// Whether somebody may be moved out of `channel`.
    pub fn is_source(&self, channel: ChannelId) -> bool {
        self.source_channels.is_empty() || self.source_channels.contains(&channel)
    }
}
