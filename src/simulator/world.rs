//! The world file as it is written on disk: shapes and defaults only; what it means is checked where each side builds its world.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::discord::{
    gateway::options::GatewayFile, limits::Limits, oauth::OAuthFile, permissions::Bits, snowflake::Snowflake,
};
use super::faceit::oauth::ClientFile;

/// A whole world. Unknown fields are refused, so that a typing error does not become a quiet default.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldFile {
    pub guilds: Vec<GuildFile>,
    #[serde(default)]
    pub bot: BotFile,
    /// What `Authorization: Bot …` must carry.
    #[serde(default = "default_bot_token")]
    pub bot_token: String,
    /// Further bots.
    #[serde(default)]
    pub bots: Vec<OtherBotFile>,
    /// The application as it is registered for OAuth2.
    #[serde(default)]
    pub oauth: OAuthFile,
    #[serde(default)]
    pub faceit: FaceitFile,
    /// When set, the only FACEIT key accepted; otherwise any key that isn't empty is.
    #[serde(default)]
    pub faceit_api_key: Option<String>,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub gateway: GatewayFile,
    /// How long every Discord and FACEIT answer takes, half of it before the request takes effect.
    #[serde(default)]
    pub latency_ms: u64,
    /// Keep what is sent and answered, whole, for `Simulator::exchanges`.
    #[serde(default)]
    pub keep_bodies: bool,
    /// Accounts that are gone: "unknown user". Every other id that is in no guild is "unknown member".
    #[serde(default)]
    pub deleted_users: Vec<Snowflake>,
    /// Refuse Discord requests without a `User-Agent`, as Discord's edge does.
    #[serde(default)]
    pub require_user_agent: bool,
}

impl WorldFile {
    /// Reads a world from JSON text; the error names the line and the field.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| format!("the world file is not understood: {error}"))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BotFile {
    pub id: Snowflake,
    pub name: String,
}

impl Default for BotFile {
    fn default() -> Self {
        Self {
            id: Snowflake(900_000_000_000_000_001),
            name: "Muster".to_owned(),
        }
    }
}

/// A bot besides the first: its own token, roles and buckets.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherBotFile {
    pub id: Snowflake,
    pub name: String,
    pub token: String,
    /// What its own role grants where `guilds` says nothing else.
    #[serde(default = "default_mover_permissions")]
    pub permissions: Bits,
    /// Where it is a member; everywhere when absent.
    #[serde(default)]
    pub guilds: Option<Vec<MembershipFile>>,
}

/// Another bot's place in a guild.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MembershipFile {
    pub id: Snowflake,
    #[serde(default)]
    pub permissions: Option<Bits>,
    /// Further roles, besides its own.
    #[serde(default)]
    pub roles: Vec<Snowflake>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuildFile {
    pub id: Snowflake,
    pub name: String,
    /// Whether the first bot is here.
    #[serde(default = "yes")]
    pub bot_is_member: bool,
    /// What the bot's own role grants it in the guild.
    #[serde(default = "default_bot_permissions")]
    pub bot_permissions: Bits,
    /// What @everyone may do in the guild; nothing unless given, so that `bot_permissions` is all the bot has.
    #[serde(default)]
    pub everyone_permissions: Bits,
    /// A member, or anybody: the owner need not be listed.
    #[serde(default)]
    pub owner_id: Option<Snowflake>,
    #[serde(default)]
    pub roles: Vec<RoleFile>,
    /// Further roles of the bot, besides its own.
    #[serde(default)]
    pub bot_roles: Vec<Snowflake>,
    #[serde(default)]
    pub categories: Vec<CategoryFile>,
    #[serde(default)]
    pub voice_channels: Vec<ChannelFile>,
    #[serde(default)]
    pub text_channels: Vec<ChannelFile>,
    #[serde(default)]
    pub members: Vec<MemberFile>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleFile {
    pub id: Snowflake,
    pub name: String,
    #[serde(default)]
    pub permissions: Bits,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategoryFile {
    pub id: Snowflake,
    pub name: String,
    #[serde(default)]
    pub permission_overwrites: Vec<OverwriteFile>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelFile {
    pub id: Snowflake,
    pub name: String,
    #[serde(default)]
    pub parent_id: Option<Snowflake>,
    /// Voice channels only; 0 is no limit.
    #[serde(default)]
    pub user_limit: u32,
    #[serde(default)]
    pub permission_overwrites: Vec<OverwriteFile>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverwriteFile {
    pub id: Snowflake,
    /// 0 role, 1 member.
    #[serde(rename = "type")]
    pub kind: u8,
    #[serde(default)]
    pub allow: Bits,
    #[serde(default)]
    pub deny: Bits,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberFile {
    pub id: Snowflake,
    pub name: String,
    #[serde(default)]
    pub nick: Option<String>,
    #[serde(default)]
    pub roles: Vec<Snowflake>,
    #[serde(default)]
    pub voice_channel_id: Option<Snowflake>,
}

/// What a control call changes of a role; what it doesn't name stays.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoleChange {
    pub name: Option<String>,
    pub permissions: Option<Bits>,
}

/// What a control call changes of a member.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemberChange {
    pub name: Option<String>,
    /// Empty takes it away.
    pub nick: Option<String>,
    /// Besides a bot's own one.
    pub roles: Option<Vec<Snowflake>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaceitFile {
    /// The application as it is registered for signing in.
    #[serde(default)]
    pub client: ClientFile,
    #[serde(default)]
    pub players: Vec<PlayerFile>,
    #[serde(default)]
    pub hubs: Vec<HubFile>,
    #[serde(default)]
    pub championships: Vec<HubFile>,
    #[serde(default)]
    pub organizers: Vec<OrganizerFile>,
}

/// A FACEIT player; `fields` are laid over the body the simulator would make up.
#[derive(Clone, Debug, Deserialize)]
pub struct PlayerFile {
    pub player_id: String,
    pub nickname: String,
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// A FACEIT organizer; `fields` are laid over the body the simulator would make up.
#[derive(Clone, Debug, Deserialize)]
pub struct OrganizerFile {
    #[serde(alias = "organizer_id")]
    pub id: String,
    pub name: String,
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// A FACEIT hub or championship; `fields` are laid over the body the simulator would make up.
#[derive(Clone, Debug, Deserialize)]
pub struct HubFile {
    #[serde(alias = "hub_id", alias = "championship_id")]
    pub id: String,
    pub name: String,
    pub organizer_id: String,
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

fn default_bot_token() -> String {
    "simulated-bot-token".to_owned()
}

/// VIEW_CHANNEL, CONNECT, MOVE_MEMBERS: what it takes to move somebody.
fn default_mover_permissions() -> Bits {
    Bits(17_826_816)
}

fn yes() -> bool {
    true
}

/// VIEW_CHANNEL, MANAGE_CHANNELS, CONNECT, MOVE_MEMBERS, SPEAK, STREAM, USE_VAD: what the product asks for.
pub(super) fn default_bot_permissions() -> Bits {
    Bits(53_478_928)
}
