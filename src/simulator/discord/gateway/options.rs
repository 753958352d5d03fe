//! The `gateway` part of the world file: shapes and defaults only.

use serde::Deserialize;

/// How the gateway behaves; the defaults are Discord's where those are known.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewayFile {
    pub heartbeat_interval_ms: u64,
    /// What `GET /gateway/bot` recommends.
    pub shards: u64,
    /// Identifies in 5 s, one for each remainder of shard id by this number; 0 is no limit.
    pub max_concurrency: u64,
    /// Identifies of a bot in 24 h.
    pub identifies_per_day: u32,
    /// How long a session without a connection can be resumed, by the simulator's clock.
    pub resume_window_ms: u64,
    /// Events a session keeps for a resume.
    pub replay_events: usize,
    /// Payloads of a client in 60 s.
    pub commands_per_minute: u32,
    /// More guilds on one shard are refused with 4011.
    pub guilds_per_shard: usize,
    /// How much later each event arrives.
    pub latency_ms: u64,
}

impl Default for GatewayFile {
    fn default() -> Self {
        Self {
            heartbeat_interval_ms: 41_250,
            shards: 1,
            max_concurrency: 1,
            identifies_per_day: 1_000,
            resume_window_ms: 300_000,
            replay_events: 10_000,
            commands_per_minute: 120,
            guilds_per_shard: 2_500,
            latency_ms: 0,
        }
    }
}
