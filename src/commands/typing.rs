//! What somebody is typing at the moment, in a command or a subcommand.

use twilight_model::application::interaction::application_command::{CommandDataOption, CommandOptionValue};

/// The option that he is in, and what stands there so far.
pub(super) fn focused(options: &[CommandDataOption]) -> Option<(&str, &str)> {
    options.iter().find_map(|option| match &option.value {
        CommandOptionValue::Focused(text, _) => Some((option.name.as_str(), text.trim())),
        CommandOptionValue::SubCommand(options) | CommandOptionValue::SubCommandGroup(options) => focused(options),
        _ => None,
    })
}
