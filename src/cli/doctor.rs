//! `muster doctor`: prepares what can be prepared with the settings as they are, has all of it examined, and prints the report.

use std::time::Duration;

use clap::Args;

use super::say;
use crate::{
    app,
    clock::Clock,
    config::{Problems, ServeArgs},
    doctor::{self, Check, Doctor},
    faceit, store,
};

/// Somebody waits, but has asked for all of it; each question has a shorter deadline of its own.
const WITHIN: Duration = Duration::from_secs(3600);

#[derive(Args)]
pub struct DoctorArgs {
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: ServeArgs,
}

/// Says whether nothing failed.
pub async fn run(args: DoctorArgs) -> anyhow::Result<bool> {
    let mut checks = Vec::new();
    if let Err(problems) = args.settings.clone().parse() {
        checks.extend(
            problems
                .0
                .iter()
                .map(|problem| doctor::setting(problem.name, &problem.why)),
        );
    } else {
        checks.push(doctor::settings_are_fine());
    }
    let doctor = prepare(args.settings, &mut checks)?;
    let report = doctor.examine(checks).await;
    if args.json {
        say(&format!("{:#}", report.to_json()))?;
    } else {
        say(&report.to_string())?;
    }
    Ok(report.is_healthy())
}

/// Each group of settings for itself: a missing one must not hide what is wrong with the others.
fn prepare(settings: ServeArgs, checks: &mut Vec<Check>) -> anyhow::Result<Doctor> {
    fn usable<T>(parsed: Result<T, Problems>) -> Option<T> {
        parsed.ok()
    }
    let clock = Clock::system();
    if let Some(webhook) = usable(settings.webhook.parse()) {
        checks.push(doctor::secret(&webhook.secret, webhook.query.as_deref()));
    }
    let pool = match usable(settings.database.parse()) {
        Some(database) => Some(store::connect(&database.url, database.connections)?),
        None => None,
    };
    let faceit = match usable(settings.faceit.parse()) {
        Some(found) => {
            let options = faceit::client::Options::new(found.url, found.key, clock.clone());
            Some(faceit::client::Client::new(options)?)
        }
        None => None,
    };
    let (discord, api) = match usable(settings.discord.parse()) {
        Some(found) => (Some(app::discord_client(&found)?), Some(found.api)),
        None => (None, None),
    };
    let linking = usable(settings.linking.clone().parse()).flatten();
    let public_key = usable(settings.linking.public_key()).flatten();
    let admin = usable(settings.admin.parse()).flatten();
    Ok(Doctor {
        pool,
        faceit,
        sign_ins: app::examine::sign_ins(linking.as_ref(), admin.as_ref(), api.as_ref())?,
        portal: app::examine::portal(public_key, admin.as_ref()),
        discord,
        default_guild: usable(settings.guild.parse()).and_then(|guild| guild.settings()),
        clock,
        within: WITHIN,
        most_servers: usize::MAX,
    })
}
