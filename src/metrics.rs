//! The names of all metrics, with what they count and in which unit. Recording them is done where things happen.

use ::metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Webhook calls, by `event` and `result` (accepted, duplicate, ignored, refused, unavailable).
pub const DELIVERIES: &str = "muster_deliveries_total";
/// Jobs by `state` (waiting: due and not taken; asleep: due later; running; dead).
pub const JOBS: &str = "muster_jobs";
/// Age of the oldest job that is due and not yet taken, seconds.
pub const OLDEST_JOB: &str = "muster_jobs_oldest_seconds";
/// Steps taken in Discord, by `kind` and `outcome`.
pub const ACTIONS: &str = "muster_actions_total";
/// Match channels that could not be made or deleted, by `why` (refused, no_room, guild_full, later), counted when it began.
pub const CHANNELS_BLOCKED: &str = "muster_channels_blocked_total";
/// Calls to FACEIT, by `route` and `status`.
pub const FACEIT_CALLS: &str = "muster_faceit_requests_total";
/// Calls to Discord, by `route` and `status`.
pub const DISCORD_CALLS: &str = "muster_discord_requests_total";
/// Calls to Discord that wait for their turn.
pub const DISCORD_WAITING: &str = "muster_discord_waiting";
/// From asking for a call to Discord to its turn, seconds, by `class` (answer, move, create, overwrite, message, tear_down).
pub const DISCORD_WAIT: &str = "muster_discord_wait_seconds";
/// Answers of 401, 403 and 429 within ten minutes; Discord bans at 10,000.
pub const DISCORD_INVALID: &str = "muster_discord_invalid_requests";
/// Servers in which a further bot of `DISCORD_MOVER_TOKENS` can't help, over all of these bots; one with a bad token counts once.
pub const DISCORD_LEFT_OUT: &str = "muster_discord_bots_left_out";
/// Events of Discord's gateway that were read, by `event`.
pub const GATEWAY_EVENTS: &str = "muster_gateway_events_total";
/// Connections to Discord's gateway, by `how` (ready: a new session; resumed).
pub const GATEWAY_CONNECTIONS: &str = "muster_gateway_connections_total";
/// Ends of connections to Discord's gateway, by `why` (closed, asked, session_lost, unreachable, lost).
pub const GATEWAY_ENDS: &str = "muster_gateway_connection_ends_total";
/// Guilds that Discord tells us of, and people who sit in voice there.
pub const GATEWAY_GUILDS: &str = "muster_gateway_guilds";
pub const GATEWAY_SEATED: &str = "muster_gateway_seated";
/// 1 while the operators have paused everything, else 0.
pub const PAUSED: &str = "muster_paused";
/// From storing a delivery to nothing being left to do for it, seconds.
pub const DELIVERY_TO_DONE: &str = "muster_delivery_to_done_seconds";
/// Runs of jobs, by `verdict` (done, retry, failed, lost, yielded).
pub const RUNS: &str = "muster_job_runs_total";

/// Open connections to `/api/live`.
pub const LIVE_CONNECTIONS: &str = "muster_live_connections";
/// Ends of connections to `/api/live`, by `why` (gone, stopping, session_ended, too_slow, no_pong …).
pub const LIVE_ENDS: &str = "muster_live_connection_ends_total";

/// Gives every metric its help text; call once after the recorder is installed.
pub fn describe() {
    describe_counter!(DELIVERIES, "Webhook calls by event and result");
    describe_gauge!(JOBS, "Jobs by state");
    describe_gauge!(
        OLDEST_JOB,
        Unit::Seconds,
        "Age of the oldest job that is due and not taken"
    );
    describe_counter!(ACTIONS, "Steps taken in Discord by kind and outcome");
    describe_counter!(
        CHANNELS_BLOCKED,
        "Match channels that could not be made or deleted, by why"
    );
    describe_counter!(FACEIT_CALLS, "Calls to FACEIT by route and status");
    describe_counter!(DISCORD_CALLS, "Calls to Discord by route and status");
    describe_gauge!(DISCORD_WAITING, "Calls to Discord that wait for their turn");
    describe_histogram!(
        DISCORD_WAIT,
        Unit::Seconds,
        "From asking for a call to Discord to its turn, by class"
    );
    describe_gauge!(
        DISCORD_INVALID,
        "Answers of 401, 403 and 429 within ten minutes; Discord bans at 10,000"
    );
    describe_gauge!(
        DISCORD_LEFT_OUT,
        "Servers in which a further bot of DISCORD_MOVER_TOKENS can't help"
    );
    describe_counter!(GATEWAY_EVENTS, "Events of Discord's gateway that were read");
    describe_counter!(GATEWAY_CONNECTIONS, "Connections to Discord's gateway by how");
    describe_counter!(GATEWAY_ENDS, "Ends of connections to Discord's gateway by why");
    describe_gauge!(PAUSED, "Whether the operators have paused everything");
    describe_gauge!(GATEWAY_GUILDS, "Guilds that Discord tells us of");
    describe_gauge!(GATEWAY_SEATED, "People who sit in voice in them");
    describe_histogram!(
        DELIVERY_TO_DONE,
        Unit::Seconds,
        "From storing a delivery to nothing being left to do for it"
    );
    describe_counter!(RUNS, "Runs of jobs by verdict");
    describe_gauge!(LIVE_CONNECTIONS, "Open connections to /api/live");
    describe_counter!(LIVE_ENDS, "Ends of connections to /api/live by why");
}
