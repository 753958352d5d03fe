//! Why a command did not do what was asked, and what its asker is told: in any case something, and never what only the operator should know.

use std::time::Duration;

use tracing::{error, warn};

use crate::{
    commands::words::{Language, say},
    discord, faceit, store,
};

/// What went wrong, by who can help.
#[derive(Debug)]
pub enum Trouble {
    /// Nothing: this is what there is to say.
    Told(String),
    /// He asked too often.
    TooOften(Duration),
    /// The button or command is of another version.
    Obsolete,
    Database(store::Error),
    Faceit(faceit::error::Error),
    Discord(discord::Error),
    TooSlow,
    /// A mistake of ours.
    Broken(String),
}

impl From<store::Error> for Trouble {
    fn from(error: store::Error) -> Self {
        Self::Database(error)
    }
}

impl From<faceit::error::Error> for Trouble {
    fn from(error: faceit::error::Error) -> Self {
        Self::Faceit(error)
    }
}

impl From<discord::Error> for Trouble {
    fn from(error: discord::Error) -> Self {
        Self::Discord(error)
    }
}

impl From<twilight_interactions::error::ParseError> for Trouble {
    fn from(error: twilight_interactions::error::ParseError) -> Self {
        // Discord still has other options of this command than we do.
        warn!(%error, "a command came with options that it does not have");
        Self::Obsolete
    }
}

impl Trouble {
    /// Logs what is not the asker's own doing, and gives what he is told.
    pub(super) fn told(self, language: Language, asked: &str) -> String {
        match self {
            Self::Told(text) => text,
            Self::TooOften(wait) => {
                let seconds = wait.as_secs() + 1;
                say!(
                    language,
                    "That was a little too often. Try again in {seconds} s.",
                    German: "Das war etwas zu oft. Versuche es in {seconds} s noch einmal."
                )
            }
            Self::Obsolete => say!(
                language,
                "This is from another version of Muster. Run the command again; if it still does not work, wait a minute.",
                German: "Das stammt aus einer anderen Version von Muster. Rufe den Befehl noch einmal auf; hilft das nicht, warte eine Minute."
            ),
            Self::Database(error) if error.is_unavailable() => {
                warn!(asked, %error, "a command could not be carried out");
                say!(
                    language,
                    "Muster's database can't be reached just now, so nothing was done. Try again in a minute.",
                    German: "Musters Datenbank ist gerade nicht erreichbar; es ist nichts geschehen. Versuche es in einer Minute noch einmal."
                )
            }
            Self::Faceit(error) if error.is_transient() => {
                warn!(asked, %error, "a command could not be carried out");
                say!(
                    language,
                    "FACEIT does not answer just now, so nothing was done. Try again in a minute.",
                    German: "FACEIT antwortet gerade nicht; es ist nichts geschehen. Versuche es in einer Minute noch einmal."
                )
            }
            Self::Discord(error @ (discord::Error::Busy { .. } | discord::Error::Unavailable { .. })) => {
                warn!(asked, %error, "a command could not be carried out");
                say!(
                    language,
                    "Discord did not answer Muster's question, so nothing was done. Try again in a minute.",
                    German: "Discord hat Musters Frage nicht beantwortet; es ist nichts geschehen. Versuche es in einer Minute noch einmal."
                )
            }
            Self::TooSlow => {
                warn!(asked, "a command took too long and was broken off");
                say!(
                    language,
                    "This took too long and was broken off. Try again in a minute.",
                    German: "Das hat zu lange gedauert und wurde abgebrochen. Versuche es in einer Minute noch einmal."
                )
            }
            Self::Faceit(faceit::error::Error::Unauthorized { .. }) => {
                error!(
                    asked,
                    "a command could not be carried out: FACEIT refuses FACEIT_API_KEY"
                );
                say!(
                    language,
                    "Muster is not set up rightly: FACEIT refuses its key. Tell the server's staff.",
                    German: "Muster ist nicht richtig eingerichtet: FACEIT nimmt seinen Schlüssel nicht an. Sag dem Team des Servers Bescheid."
                )
            }
            Self::Database(error) => broken(language, asked, &error.to_string()),
            Self::Faceit(error) => broken(language, asked, &error.to_string()),
            Self::Discord(error) => broken(language, asked, &error.to_string()),
            Self::Broken(why) => broken(language, asked, &why),
        }
    }
}

fn broken(language: Language, asked: &str, error: &str) -> String {
    error!(asked, error, "a command failed");
    say!(
        language,
        "Something went wrong inside Muster. The bot's log says what; tell the server's staff when it happens again.",
        German: "In Muster ist etwas schiefgegangen. Das Log des Bots sagt, was; sag dem Team des Servers Bescheid, wenn es wieder passiert."
    )
}
