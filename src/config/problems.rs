//! What is wrong with the settings, as one message with a line for each. Shows values only where they can't be secrets.

use std::fmt;

/// One missing or bad setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The environment variable.
    pub name: &'static str,
    /// What is wrong, and what would be right.
    pub why: String,
}

/// All of them; never empty when it is an error. Exit code 2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// As for any wrong use of a command line.
    pub const EXIT_CODE: u8 = 2;

    pub(super) fn add(&mut self, name: &'static str, why: impl Into<String>) {
        self.0.push(Problem { name, why: why.into() });
    }

    /// The value, if nothing is wrong.
    pub(super) fn check<T>(self, value: Option<T>) -> Result<T, Problems> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(self),
        }
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let (settings, are) = if count == 1 {
            ("setting", "is")
        } else {
            ("settings", "are")
        };
        write!(
            f,
            "Muster can't start: {count} {settings} {are} missing or wrong (environment variables; the same words are flags, see --help)"
        )?;
        let width = self.0.iter().map(|problem| problem.name.len()).max().unwrap_or(0);
        for Problem { name, why } in &self.0 {
            write!(f, "\n  {name:width$}  {why}")?;
        }
        Ok(())
    }
}
