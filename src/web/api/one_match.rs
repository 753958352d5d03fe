//! `/api/guilds/{guild}/matches/{match}`: all that is known of one match. What staff does about one is in `match_orders`.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        Timestamp, event,
        ids::{Faction, GuildId, MatchId, UserId, is_plausible_id},
        match_facts::{MatchFacts, Player},
        plan::Seat,
        record::{Blocked, Placement, Record, Slot},
    },
    store::{self, match_list::Listed, matches, records},
    web::{
        access::Access,
        api::{
            matches::MatchSummary,
            plan::PlanBody,
            timeline::{self, EventBody},
        },
        auth::Admin,
        extract::Path,
        refused::{Refusals, Refused},
    },
};

/// All that is known of a match.
#[derive(Serialize, ToSchema)]
pub struct MatchBody {
    #[serde(flatten)]
    summary: MatchSummary,
    game: Option<String>,
    region: Option<String>,
    /// As FACEIT names it, such as `de_mirage`.
    map: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    scheduled_at: Option<Timestamp>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    demo_urls: Vec<String>,
    factions: Vec<FactionBody>,
    /// Placed for this match, and on neither roster any more.
    others: Vec<OtherBody>,
    /// What would be done now, by what is known; null when the match is another server's by now.
    plan: Option<PlanBody>,
    /// What happened, the oldest first; kept as long as deliveries are. Of very many only the newest.
    timeline: Vec<EventBody>,
}

/// One side, its channel, and its people.
#[derive(Serialize, ToSchema)]
pub struct FactionBody {
    #[schema(example = "faction1")]
    faction: &'static str,
    name: String,
    /// A free pass: nobody plays on this side.
    bye: bool,
    channel: Option<SlotBody>,
    players: Vec<PlayerBody>,
}

/// A voice channel that is there, is being made, or can't be made.
#[derive(Serialize, ToSchema)]
pub struct SlotBody {
    name: String,
    /// Null while it does not exist.
    #[schema(example = "41771983423143937")]
    id: Option<String>,
    /// Id of the category that it is in.
    category: Option<String>,
    /// Why it can't be made or deleted.
    blocked: Option<BlockedBody>,
    /// Why the list of those who may enter can't be changed.
    access_blocked: Option<BlockedBody>,
}

/// What stands in the way.
#[derive(Serialize, ToSchema)]
pub struct BlockedBody {
    /// And what to do about it.
    why: String,
    /// `refused`, `no_room`, `guild_full` or `later`.
    by: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

/// Somebody on a roster.
#[derive(Serialize, ToSchema)]
pub struct PlayerBody {
    /// FACEIT's.
    id: String,
    nickname: String,
    /// His Discord account; null: not linked.
    link: Option<LinkBody>,
    voice: VoiceBody,
    /// What came of moving him; null: not tried yet.
    placement: Option<PlacementBody>,
}

#[derive(Serialize, ToSchema)]
pub struct LinkBody {
    #[schema(example = "41771983423143937")]
    user_id: String,
    verified: bool,
    /// Never moved.
    opted_out: bool,
}

/// Where somebody is in voice.
#[derive(Serialize, ToSchema)]
pub struct VoiceBody {
    state: VoiceState,
    channel_id: Option<String>,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VoiceState {
    /// In his team's channel.
    InTeamChannel,
    /// In another channel.
    Elsewhere,
    NotInVoice,
    /// This process does not hear of it.
    Unknown,
}

/// What came of moving somebody.
#[derive(Serialize, ToSchema)]
pub struct PlacementBody {
    /// `moved`, `absent`, `outside` (in a channel that nobody is moved from), `not_in_guild` or `refused`.
    state: &'static str,
    /// Why Discord refused, and what to do.
    reason: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The channel that he was moved from; he goes back there at the end.
    came_from: Option<String>,
}

/// Somebody who was placed and plays no more.
#[derive(Serialize, ToSchema)]
pub struct OtherBody {
    #[schema(example = "41771983423143937")]
    user_id: String,
    #[schema(example = "faction1")]
    faction: &'static str,
    voice: VoiceBody,
    placement: PlacementBody,
}

/// One match: facts, rosters with link and voice state, channels, what would be done now, and what happened so far.
#[utoipa::path(get, path = "/api/guilds/{guild}/matches/{match}", tag = "matches",
    params(("guild" = String, Path), ("match" = String, Path)), responses((status = 200, body = MatchBody), Refusals))]
pub async fn show(
    State(admin): State<Arc<Admin>>,
    access: Access,
    Path((_, id)): Path<(String, String)>,
) -> Result<Json<MatchBody>, Refused> {
    let id = own(&admin, access.guild, &id).await?;
    let mut connection = admin.pool.acquire().await.map_err(store::Error::from)?;
    let record = records::load(&mut connection, &id).await?.ok_or_else(no_such_match)?;
    drop(connection);
    // What is known now may be another server's: its rooms and names are none of this one's business.
    let seen = (admin.service.look)(id.clone()).await?;
    let seen = seen.filter(|seen| seen.state.record.guild == Some(access.guild));
    let (state, plan) = seen.map(|seen| (seen.state, seen.plan)).unzip();
    let mut connection = admin.pool.acquire().await.map_err(store::Error::from)?;
    let timeline = timeline::of(&mut connection, &id, &record, state.as_ref()).await?;
    Ok(Json(body(&record, state.as_ref(), plan.map(PlanBody::from), timeline)))
}

/// The match of the path, if it is this server's.
pub(super) async fn own(admin: &Admin, guild: GuildId, id: &str) -> Result<MatchId, Refused> {
    if !is_plausible_id(id) {
        return Err(no_such_match());
    }
    let id = MatchId::new(id);
    let mut connection = admin.pool.acquire().await.map_err(store::Error::from)?;
    match matches::is_of(&mut connection, guild, &id).await? {
        true => Ok(id),
        false => Err(no_such_match()),
    }
}

pub(super) fn no_such_match() -> Refused {
    Refused::not_found("this server has no such match")
}

fn body(record: &Record, state: Option<&event::State>, plan: Option<PlanBody>, timeline: Vec<EventBody>) -> MatchBody {
    let facts = record.facts.as_ref();
    let slots = record.slots.values();
    let mut others: Vec<UserId> = record.members.keys().copied().collect();
    let faction = |faction: Faction| {
        let side = facts.and_then(|facts| facts.sides.get(&faction));
        let slot = record.slots.get(&faction);
        let players = side.map_or(&[][..], |side| &side.roster).iter();
        let players: Vec<_> = players
            .map(|player| of_player(record, state, faction, player))
            .collect();
        (side.is_some() || slot.is_some()).then(|| FactionBody {
            faction: faction.as_str(),
            name: side.map_or_else(String::new, |side| side.name.clone()),
            bye: side.is_some_and(|side| side.bye),
            channel: slot.map(SlotBody::from),
            players,
        })
    };
    let factions: Vec<FactionBody> = Faction::BOTH.into_iter().filter_map(faction).collect();
    let linked = |user: &UserId| {
        let mut players = factions.iter().flat_map(|faction| &faction.players);
        players.any(|player| {
            player
                .link
                .as_ref()
                .is_some_and(|link| link.user_id == user.to_string())
        })
    };
    others.retain(|user| !linked(user));
    let others = others.into_iter().filter_map(|user| {
        let member = record.members.get(&user)?;
        Some(OtherBody {
            user_id: user.to_string(),
            faction: member.faction.as_str(),
            voice: voice(record, state, member.faction, Some(user)),
            placement: placement(record, user)?,
        })
    });
    let others = others.collect();
    let text = |field: fn(&MatchFacts) -> &String| facts.map(field).filter(|text| !text.is_empty()).cloned();
    MatchBody {
        summary: MatchSummary::of(&Listed {
            id: record.id.clone(),
            facts: record.facts.clone(),
            first_seen_at: record.first_seen_at,
            live_since: record.live_since,
            ended_at: record.ended_at,
            closed_at: record.closed_at,
            channels: slots.clone().filter(|slot| slot.channel.is_some()).count() as i64,
            blocked: slots
                .clone()
                .any(|slot| slot.blocked.is_some() || slot.access_blocked.is_some()),
        }),
        game: text(|facts| &facts.game),
        region: text(|facts| &facts.region),
        map: facts.and_then(|facts| facts.map.clone()),
        scheduled_at: facts.and_then(|facts| facts.scheduled_at),
        started_at: facts.and_then(|facts| facts.started_at),
        finished_at: facts.and_then(|facts| facts.finished_at),
        demo_urls: record.demo_urls.iter().cloned().collect(),
        factions,
        others,
        plan,
        timeline,
    }
}

fn of_player(record: &Record, state: Option<&event::State>, faction: Faction, player: &Player) -> PlayerBody {
    let link = state.and_then(|state| state.links.get(&player.id));
    PlayerBody {
        id: player.id.to_string(),
        nickname: player.nickname.clone(),
        link: link.map(|link| LinkBody {
            user_id: link.user.to_string(),
            verified: link.verified,
            opted_out: link.opted_out,
        }),
        voice: voice(record, state, faction, link.map(|link| link.user)),
        placement: link.and_then(|link| placement(record, link.user)),
    }
}

fn voice(record: &Record, state: Option<&event::State>, faction: Faction, user: Option<UserId>) -> VoiceBody {
    let own = record.slots.get(&faction).and_then(|slot| slot.channel);
    let seat = state.zip(user).and_then(|(state, user)| state.seats.of(user));
    let channel = match seat {
        Some(Seat::In(channel)) => Some(channel),
        _ => None,
    };
    VoiceBody {
        state: match seat {
            None => VoiceState::Unknown,
            Some(Seat::Nowhere) => VoiceState::NotInVoice,
            Some(Seat::In(_)) if channel == own => VoiceState::InTeamChannel,
            Some(Seat::In(_) | Seat::Elsewhere) => VoiceState::Elsewhere,
        },
        channel_id: channel.map(|channel| channel.to_string()),
    }
}

fn placement(record: &Record, user: UserId) -> Option<PlacementBody> {
    let member = record.members.get(&user)?;
    let (state, reason) = match &member.placement {
        Placement::Moved => ("moved", None),
        Placement::Absent => ("absent", None),
        Placement::Outside => ("outside", None),
        Placement::NotInGuild => ("not_in_guild", None),
        Placement::Refused(why) => ("refused", Some(why.clone())),
    };
    Some(PlacementBody {
        state,
        reason,
        at: member.tried_at,
        came_from: member.came_from.map(|channel| channel.to_string()),
    })
}

impl From<&Slot> for SlotBody {
    fn from(slot: &Slot) -> Self {
        Self {
            name: slot.name.clone(),
            id: slot.channel.map(|id| id.to_string()),
            category: slot.category.map(|id| id.to_string()),
            blocked: slot.blocked.as_ref().map(BlockedBody::from),
            access_blocked: slot.access_blocked.as_ref().map(BlockedBody::from),
        }
    }
}

impl From<&Blocked> for BlockedBody {
    fn from(blocked: &Blocked) -> Self {
        Self {
            why: blocked.why.clone(),
            by: blocked.by.as_str(),
            since: blocked.at,
        }
    }
}
