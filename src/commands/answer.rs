//! Answers in Discord's form. All are for the asker's eyes only.

use twilight_model::{
    application::command::{CommandOptionChoice, CommandOptionChoiceValue},
    channel::message::{
        AllowedMentions, Component, MessageFlags,
        component::{ActionRow, Button, ButtonStyle},
    },
    http::{
        attachment::Attachment,
        interaction::{InteractionResponse, InteractionResponseData, InteractionResponseType},
    },
};

use crate::discord;

/// Discord's limit for a message.
const LONGEST: usize = 2_000;
const BUTTONS_PER_ROW: usize = 5;
/// Discord's limit for the text on a button.
const LONGEST_LABEL: usize = 80;
/// Discord's limit for a button's id.
const LONGEST_ID: usize = 100;

/// What somebody gets to see in the end.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    text: String,
    buttons: Vec<Button>,
    files: Vec<Attachment>,
    later: bool,
}

impl Reply {
    /// What is shown stays as it is: a job says later what became of it.
    pub fn later() -> Self {
        Self {
            later: true,
            ..Self::default()
        }
    }

    pub(super) fn is_later(&self) -> bool {
        self.later
    }

    /// Cut off where Discord takes no more.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: shortened(text.into(), LONGEST),
            ..Self::default()
        }
    }

    /// A button that leads back to `book::press` with `id`: `command:rest`. Anybody can make up such an id, so it says what to do, never for whom.
    #[must_use]
    pub fn button(self, style: ButtonStyle, label: impl Into<String>, id: impl Into<String>) -> Self {
        let id = id.into();
        if id.chars().count() > LONGEST_ID {
            return self;
        }
        self.with_button(style, label.into(), Some(id), None)
    }

    /// A button that opens an address.
    #[must_use]
    pub fn address(self, label: impl Into<String>, url: impl Into<String>) -> Self {
        self.with_button(ButtonStyle::Link, label.into(), None, Some(url.into()))
    }

    fn with_button(
        mut self,
        style: ButtonStyle,
        label: String,
        custom_id: Option<String>,
        url: Option<String>,
    ) -> Self {
        self.buttons.push(Button {
            custom_id,
            disabled: false,
            emoji: None,
            id: None,
            label: Some(shortened(label, LONGEST_LABEL)),
            sku_id: None,
            style,
            url,
        });
        self
    }

    #[must_use]
    pub fn file(mut self, name: &str, content: String) -> Self {
        let id = self.files.len() as u64;
        self.files
            .push(Attachment::from_bytes(name.to_owned(), content.into_bytes(), id));
        self
    }

    pub(super) fn rows(&self) -> Vec<Component> {
        let row = |buttons: &[Button]| {
            Component::ActionRow(ActionRow {
                id: None,
                components: buttons.iter().cloned().map(Component::Button).collect(),
            })
        };
        self.buttons.chunks(BUTTONS_PER_ROW).map(row).collect()
    }

    pub(super) fn with<'a>(&'a self, rows: &'a [Component]) -> discord::interactions::Reply<'a> {
        discord::interactions::Reply {
            content: &self.text,
            embeds: &[],
            components: rows,
            files: &self.files,
            private: true,
        }
    }
}

fn shortened(text: String, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text,
        Some(_) => text.chars().take(longest - 1).chain(['…']).collect(),
    }
}

/// Discord's own question whether we are there.
pub(super) fn pong() -> InteractionResponse {
    bare(InteractionResponseType::Pong)
}

/// *Muster is thinking…*
pub(super) fn thinking() -> InteractionResponse {
    private(InteractionResponseType::DeferredChannelMessageWithSource, None)
}

/// The message with the button stays as it is until it is changed.
pub(super) fn keep() -> InteractionResponse {
    bare(InteractionResponseType::DeferredUpdateMessage)
}

pub(super) fn now(text: &str) -> InteractionResponse {
    private(InteractionResponseType::ChannelMessageWithSource, Some(text.to_owned()))
}

/// What may be meant by what was typed; of the same text for the eye and the command.
pub(super) fn choices(choices: Vec<(String, String)>) -> InteractionResponse {
    let choices = choices.into_iter().take(25).map(|(name, value)| CommandOptionChoice {
        name: shortened(name, 100),
        name_localizations: None,
        value: CommandOptionChoiceValue::String(value),
    });
    InteractionResponse {
        kind: InteractionResponseType::ApplicationCommandAutocompleteResult,
        data: Some(InteractionResponseData {
            choices: Some(choices.collect()),
            ..InteractionResponseData::default()
        }),
    }
}

fn bare(kind: InteractionResponseType) -> InteractionResponse {
    InteractionResponse { kind, data: None }
}

fn private(kind: InteractionResponseType, content: Option<String>) -> InteractionResponse {
    InteractionResponse {
        kind,
        data: Some(InteractionResponseData {
            content,
            flags: Some(MessageFlags::EPHEMERAL),
            allowed_mentions: Some(AllowedMentions::default()),
            ..InteractionResponseData::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_for_discord_is_cut_between_characters() {
        assert_eq!(Reply::text("ä".repeat(2_000)).text.chars().count(), 2_000);
        let cut = Reply::text("ä".repeat(2_001)).text;
        assert_eq!(cut.chars().count(), 2_000);
        assert!(cut.ends_with("ä…"));
    }

    #[test]
    fn a_button_whose_id_does_not_fit_is_left_out_and_five_make_a_row() {
        let reply = Reply::text("x").button(ButtonStyle::Danger, "no", "x".repeat(101));
        assert_eq!(reply.rows(), []);
        let many = (0..7).fold(Reply::text("x"), |reply, n| {
            reply.button(ButtonStyle::Primary, "yes", n.to_string())
        });
        assert_eq!(many.rows().len(), 2);
    }
}
