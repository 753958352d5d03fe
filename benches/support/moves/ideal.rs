//! The best possible times, from nothing but Discord's latency and its limits.

use std::time::Duration;

/// How long the simulator takes for each answer.
pub const LATENCY: Duration = Duration::from_millis(100);
/// Moves in a guild that one bot may make at once; then one more every second.
const BURST: u32 = 10;
const TOKEN_EVERY: Duration = Duration::from_secs(1);
/// Requests of one bot in one second.
const PER_SECOND: u32 = 50;

/// From the event to the last answer: ask FACEIT, then both creates at once, then the moves as the buckets allow.
pub fn moved(moves: u32, bots: u32) -> Duration {
    3 * LATENCY + TOKEN_EVERY * moves.saturating_sub(BURST * bots).div_ceil(bots)
}

/// So many calls of one bot in different guilds: only the 50 a second hold them up.
pub fn spread(calls: u32) -> Duration {
    2 * LATENCY + Duration::from_secs(1) * (calls.div_ceil(PER_SECOND) - 1)
}

/// From somebody's connecting to the answer to his move.
pub fn joined() -> Duration {
    LATENCY
}

/// From the end of the grace period: everybody home at once, then both deletes. FACEIT was asked before.
pub fn gone() -> Duration {
    3 * LATENCY
}
