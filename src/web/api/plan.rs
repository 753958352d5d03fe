//! What would be done for a match, as the API shows it: the text that `muster plan` prints, and its lines one by one.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        Timestamp,
        ids::{Faction, UserId},
        plan::Action,
    },
    web::service::Plan,
};

/// What would be done, and why the rest is not.
#[derive(Serialize, ToSchema)]
pub struct PlanBody {
    /// For people, as `muster plan` prints it.
    text: String,
    /// In the order in which they would be taken.
    steps: Vec<StepBody>,
    /// Why something is not done.
    notes: Vec<String>,
    /// When the match is looked at again by itself; null: never.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    look_again: Option<Timestamp>,
}

/// One call to Discord.
#[derive(Serialize, ToSchema)]
pub struct StepBody {
    /// Steps of one wave are taken at the same time; from 1.
    wave: usize,
    #[schema(example = "move_member")]
    kind: &'static str,
    /// For people.
    text: String,
    faction: Option<&'static str>,
    user_id: Option<String>,
}

impl From<Plan> for PlanBody {
    fn from(plan: Plan) -> Self {
        let steps = plan.waves.iter().enumerate().flat_map(|(at, wave)| {
            let step = move |action: &Action| StepBody {
                wave: at + 1,
                kind: action.kind(),
                text: action.to_string(),
                faction: action.faction().map(Faction::as_str),
                user_id: action.user().as_ref().map(UserId::to_string),
            };
            wave.actions.iter().map(step)
        });
        let mut notes: Vec<_> = plan.waves.iter().flat_map(|wave| &wave.notes).collect();
        notes.sort();
        notes.dedup();
        Self {
            steps: steps.collect(),
            notes: notes.iter().map(ToString::to_string).collect(),
            look_again: plan.waves.last().and_then(|wave| wave.look_again),
            text: plan.text,
        }
    }
}
