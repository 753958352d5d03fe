//! Verdicts on Muster's own side: settings, webhook secret, database, queue, what came in. Pure; asks nobody.

use secrecy::{ExposeSecret, SecretString};

use crate::{
    doctor::Check,
    domain::{Timestamp, render::stamp},
    store::{
        self,
        jobs::Counts,
        service_pause::Pause,
        standing::{Intake, Worker},
    },
};

/// Shorter secrets can be guessed.
const STRONG_SECRET: usize = 16;
/// So many different characters at least: `aaaaaaaaaaaaaaaa` is long, too.
const VARIED_SECRET: usize = 6;
/// Words that stand in examples; no secret.
const EXAMPLES: [&str; 6] = ["change-me", "changeme", "secret", "password", "example", "test"];
/// Work that is due is taken up within two seconds unless all workers are busy.
const LONG_DUE_SECONDS: f64 = 60.0;
/// Heartbeats come every two seconds; clocks of two machines may differ a little.
const SILENT: time::Duration = time::Duration::seconds(60);

const MEND_DATABASE: &str = "mend the database first";

/// A setting that is missing or wrong; the text says what would be right.
pub fn setting(name: &str, why: &str) -> Check {
    Check::failed(
        "configuration",
        format!("{name} {why}"),
        format!("set {name} (in deploy/.env, or wherever the service has its settings from), and start Muster again"),
    )
}

pub fn settings_are_fine() -> Check {
    Check::ok("configuration", "nothing is missing or wrong")
}

/// The secret that FACEIT repeats with each delivery: whoever guesses it can make Muster look at matches.
pub fn secret(secret: &SecretString, query: Option<&str>) -> Check {
    const ABOUT: &str = "webhook secret";
    let remedy = "make one with `openssl rand -hex 32`, put it into FACEIT_WEBHOOK_SECRET and into the subscription at \
                  developers.faceit.com → App Studio → Webhooks";
    let text = secret.expose_secret();
    let varied = text.chars().collect::<std::collections::BTreeSet<_>>().len();
    let lower = text.to_lowercase();
    if EXAMPLES
        .iter()
        .any(|example| lower.trim_end_matches(|c: char| c.is_ascii_digit()) == *example)
    {
        let what = "it is a word from an example: anybody can pass for FACEIT";
        Check::failed(ABOUT, what, remedy)
    } else if text.chars().count() < STRONG_SECRET {
        let what = format!("it has fewer than {STRONG_SECRET} characters and can be guessed");
        Check::warning(ABOUT, what, remedy)
    } else if varied < VARIED_SECRET {
        Check::warning(ABOUT, "it repeats a few characters and can be guessed", remedy)
    } else if let Some(query) = query {
        Check::ok(
            ABOUT,
            format!("long enough; it may come as ?{query}=…, so keep addresses out of your proxy's logs"),
        )
    } else {
        Check::ok(ABOUT, "long enough")
    }
}

pub(super) fn database(answer: Result<String, store::Error>) -> Check {
    const ABOUT: &str = "database";
    match answer {
        Ok(version) => Check::ok(ABOUT, format!("PostgreSQL {version} answers")),
        Err(error) => Check::failed(
            ABOUT,
            error.to_string(),
            "start PostgreSQL, or correct DATABASE_URL (host, port, user, password, name)",
        ),
    }
}

/// More names than these tell nobody more.
const FEW: usize = 5;

pub(super) fn migrations(pending: Result<Vec<String>, store::Error>) -> Check {
    const ABOUT: &str = "migrations";
    match pending {
        Ok(pending) if pending.is_empty() => Check::ok(ABOUT, "all are applied"),
        Ok(pending) => Check::failed(
            ABOUT,
            match &pending[..] {
                [first, .., last] if pending.len() > FEW => {
                    format!("{} are not applied yet, from {first} to {last}", pending.len())
                }
                few => format!("not applied yet: {}", few.join(", ")),
            },
            "run `muster migrate`, or start `muster serve`, which does so by itself",
        ),
        Err(error) => Check::failed(ABOUT, error.to_string(), MEND_DATABASE),
    }
}

/// Tables could not be read.
pub(super) fn unread(error: &store::Error) -> Check {
    Check::failed("database", error.to_string(), MEND_DATABASE)
}

pub(super) fn jobs(counts: &Counts) -> Check {
    const ABOUT: &str = "jobs";
    let Counts {
        waiting,
        running,
        asleep,
        dead,
        oldest_due_seconds: oldest,
    } = *counts;
    if dead > 0 {
        let what = if dead == 1 {
            "one is dead: its match is not looked after".to_owned()
        } else {
            format!("{dead} are dead: their matches are not looked after")
        };
        let remedy =
            "`muster jobs list` shows why; when that is mended, run each again with `muster jobs retry <match>`";
        return Check::warning(ABOUT, what, remedy);
    }
    if oldest > LONG_DUE_SECONDS {
        return Check::warning(
            ABOUT,
            format!("{waiting} wait, one for {oldest:.0} s already; {running} run"),
            "is `muster serve` running (next line)? If it is, and as many run as WORKERS allows, raise WORKERS",
        );
    }
    Check::ok(
        ABOUT,
        format!("none is dead; {running} run, {waiting} wait, {asleep} sleep until they are due"),
    )
}

pub(super) fn workers(workers: &[Worker], now: Timestamp) -> Check {
    const ABOUT: &str = "service";
    let silent = |worker: &&Worker| worker.connected && now - worker.heartbeat_at > SILENT;
    let alive = workers.iter().filter(|worker| worker.connected).count();
    if let Some(worker) = workers.iter().find(silent) {
        return Check::warning(
            ABOUT,
            format!(
                "worker {} has said nothing since {}, though it holds its connection",
                worker.id,
                stamp(worker.heartbeat_at)
            ),
            "is its machine overloaded or stopped, or its clock wrong? Others take its work over; start it again",
        );
    }
    match alive {
        0 => Check::warning(
            ABOUT,
            "no `muster serve` works on this database: nothing is done",
            "start `muster serve`; if it runs, its DATABASE_URL names another database than this one",
        ),
        1 => Check::ok(ABOUT, "one `muster serve` works on this database"),
        many => Check::ok(ABOUT, format!("{many} `muster serve` share the work on this database")),
    }
}

/// The operators have paused everything.
pub(super) fn paused(pause: &Pause) -> Check {
    let reason = pause.reason.as_ref().map(|reason| format!(" ({reason})"));
    Check::warning(
        "pause",
        format!(
            "all of Muster is paused since {}{}: nothing is done in Discord",
            stamp(pause.since),
            reason.unwrap_or_default()
        ),
        "one of OPERATOR_IDS ends it: PUT /api/operator/pause with {\"paused\": false}",
    )
}

/// Whether FACEIT calls at all.
pub(super) fn deliveries(intake: &Intake) -> Check {
    const ABOUT: &str = "webhook deliveries";
    match intake.newest_delivery {
        Some(at) => Check::ok(ABOUT, format!("the newest came at {}", stamp(at))),
        None => Check::warning(
            ABOUT,
            "none is stored: FACEIT has not called, or not with the right secret",
            "developers.faceit.com → App Studio → Webhooks: URL https://<this host>/faceit-webhook, header and value as in \
             FACEIT_WEBHOOK_HEADER and FACEIT_WEBHOOK_SECRET; the first call comes with the next match",
        ),
    }
}

/// `by_command`: players can link themselves with FACEIT's sign-in.
pub(super) fn links(intake: &Intake, by_command: bool) -> Check {
    const ABOUT: &str = "linked players";
    match intake.linked_players {
        0 => Check::warning(
            ABOUT,
            "there are none, so nobody is moved",
            if by_command {
                "let players run /link in Discord, or run `muster links import <file>`"
            } else {
                "let players run /register in Discord, or run `muster links import <file>`"
            },
        ),
        1 => Check::ok(ABOUT, "one"),
        linked => Check::ok(ABOUT, linked.to_string()),
    }
}

/// Matches that no server claims.
pub(super) fn homeless(open: i64) -> Option<Check> {
    (open > 0).then(|| {
        Check::warning(
            "matches",
            format!("{open} open matches belong to no server: nothing is done for them"),
            "claim their hub for one (`muster guilds claim hub <FACEIT's id of it> --guild <server>`), or set DISCORD_GUILD_ID",
        )
    })
}

/// There is nowhere to work.
pub(super) fn no_server() -> Check {
    Check::failed(
        "servers",
        "none is known",
        "set DISCORD_GUILD_ID, or run `muster guilds claim hub <FACEIT's id of it> --guild <server>`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{doctor::Verdict, store::workers::WorkerId};

    fn judged(text: &str) -> Verdict {
        secret(&SecretString::from(text), None).verdict
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_said_so() {
        assert_eq!(judged("changeme"), Verdict::Failed);
        assert_eq!(judged("Password123"), Verdict::Failed);
        assert_eq!(judged("k3v9w1"), Verdict::Warning);
        assert_eq!(judged(&"ab".repeat(20)), Verdict::Warning);
        assert_eq!(judged("3f1c9b7a55d02e4488aa"), Verdict::Ok);
        let shown = secret(&SecretString::from("hunter2"), None).to_string();
        assert!(!shown.contains("hunter2") && shown.contains("openssl rand"), "{shown}");
    }

    #[test]
    fn dead_jobs_come_before_late_ones_and_say_how_they_are_run_again() {
        let counts = |dead, oldest_due_seconds| Counts {
            waiting: 3,
            dead,
            oldest_due_seconds,
            ..Counts::default()
        };
        assert_eq!(jobs(&counts(0, 59.0)).verdict, Verdict::Ok);
        let late = jobs(&counts(0, 61.0));
        assert_eq!(late.verdict, Verdict::Warning);
        assert!(late.what.contains("for 61 s"), "{late}");
        let dead = jobs(&counts(1, 61.0));
        assert!(dead.what.starts_with("one is dead"), "{dead}");
        assert!(dead.to_string().contains("muster jobs retry"), "{dead}");
    }

    #[test]
    fn who_works_is_counted_by_open_sessions_and_a_silent_one_is_named() {
        let now = Timestamp::from_unix_timestamp(1_800_000_000).unwrap();
        let worker = |id, connected, silent: i64| Worker {
            id: WorkerId::new(id),
            started_at: now - time::Duration::hours(1),
            heartbeat_at: now - time::Duration::seconds(silent),
            connected,
        };
        let left_behind = worker(1, false, 4_000);
        let none = workers(&[left_behind], now);
        assert_eq!(none.verdict, Verdict::Warning);
        assert!(none.to_string().contains("start `muster serve`"), "{none}");
        let two = workers(&[left_behind, worker(2, true, 1), worker(3, true, 3)], now);
        assert_eq!(two.verdict, Verdict::Ok);
        assert!(two.what.starts_with("2 "), "{two}");
        let silent = workers(&[worker(2, true, 1), worker(3, true, 61)], now);
        assert!(silent.what.contains("worker 3 "), "{silent}");
    }

    #[test]
    fn an_empty_database_says_what_comes_next() {
        let nothing = Intake {
            newest_delivery: None,
            linked_players: 0,
        };
        assert!(deliveries(&nothing).to_string().contains("/faceit-webhook"));
        assert!(links(&nothing, true).to_string().contains("/link"));
        assert!(!links(&nothing, false).to_string().contains("/link "));
        assert_eq!(homeless(0), None);
        assert!(homeless(2).unwrap().to_string().contains("muster guilds claim"));
    }
}
