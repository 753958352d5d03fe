//! Languages. Every text stands where it is said, in English and in whatever other language somebody has put beside it.

/// A language that there are texts in. English has them all; what another lacks is said in English.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    English,
    German,
}

impl Language {
    /// Discord's code for it.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en-GB",
            Self::German => "de",
        }
    }

    /// By Discord's code, such as `en-GB` or `de`.
    pub fn of(locale: Option<&str>) -> Self {
        match locale.and_then(|code| code.split('-').next()) {
            Some("de") => Self::German,
            _ => Self::English,
        }
    }
}

/// A text in the asker's language, put together like `format!`: `say!(language, "Hello {name}.", German: "Hallo {name}.")`.
macro_rules! say {
    ($language:expr, $english:literal $(,)?) => {{
        let _: $crate::commands::words::Language = $language;
        format!($english)
    }};
    ($language:expr, $english:literal $(, $other:ident: $text:literal)+ $(,)?) => {
        match $language {
            $($crate::commands::words::Language::$other => format!($text),)+
            _ => format!($english),
        }
    };
}
pub(super) use say;

/// The same for what Discord's menu says about a command: `described! { name: "English", "de": "Deutsch" }` makes a function for
/// `desc_localizations`.
macro_rules! described {
    ($($name:ident: $english:literal $(, $code:literal: $text:literal)*;)+) => {
        $(fn $name() -> twilight_interactions::command::DescLocalizations {
            twilight_interactions::command::DescLocalizations::new($english, [$(($code, $text)),*])
        })+
    };
}
pub(super) use described;

pub use crate::domain::render::plain;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_answered_in_his_language_or_in_english() {
        let hello = |locale, name| say!(Language::of(locale), "Hello {name}.", German: "Hallo {name}.");
        assert_eq!(hello(Some("de"), "Nova"), "Hallo Nova.");
        for other in [Some("en-GB"), Some("fr"), Some(""), None] {
            assert_eq!(hello(other, "Nova"), "Hello Nova.");
        }
        let only_english = say!(Language::German, "Hello.");
        assert_eq!(only_english, "Hello.");
    }
}
