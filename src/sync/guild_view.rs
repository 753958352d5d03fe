//! What a decision sees of a guild: what is stored, and what the gateway tells.

use crate::{
    discord::VoiceMap,
    domain::{
        guild::Guild,
        ids::{ChannelId, GuildId},
        plan::Outcome,
    },
    store,
    sync::Sources,
};

/// `ours` are the channels that should be there. Without a map only what is stored is known.
pub(super) async fn view(
    conn: &mut store::Connection,
    voice: Option<&VoiceMap>,
    guild: GuildId,
    ours: impl IntoIterator<Item = ChannelId>,
) -> Result<Guild, store::Error> {
    let mut view = store::guild_states::load(conn, guild).await?;
    let Some(voice) = voice else { return Ok(view) };
    view.outage = voice.is_unavailable(guild);
    view.fullness = voice.fullness(guild);
    if view.fullness.is_some() {
        let missing = ours
            .into_iter()
            .filter(|channel| voice.place(guild, *channel).is_none());
        view.missing = missing.collect();
    }
    Ok(view)
}

/// Writes down what the outcomes say of whether the bot is there: all other matches of the guild go by it.
pub(super) async fn note_presence<'a>(
    sources: &Sources,
    view: &mut Guild,
    guild: GuildId,
    outcomes: impl Iterator<Item = &'a Outcome> + Clone,
) -> Result<(), store::Error> {
    if outcomes.clone().any(|outcome| *outcome == Outcome::NotHere) {
        let now = sources.clock.now();
        let mut conn = sources.pool.acquire().await?;
        tracing::warn!(%guild, "the bot is no member of this Discord server any more: its matches are parked until it is invited again");
        store::guild_states::set_away(&mut conn, &[guild], now).await?;
    } else if view.away.is_some() && outcomes.clone().any(only_a_member) {
        let mut conn = sources.pool.acquire().await?;
        tracing::info!(%guild, "the bot is a member of this Discord server again");
        store::guild_states::set_back(&mut conn, &[guild]).await?;
        view.away = None;
    }
    Ok(())
}

/// What only a member of the guild is answered.
fn only_a_member(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Created(_)
            | Outcome::Found(_)
            | Outcome::Done
            | Outcome::Absent
            | Outcome::CategoryFull
            | Outcome::GuildFull
    )
}
