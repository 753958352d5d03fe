//! Floor 2: whether all is in place for Muster to work, one line per check, and what to do where. Looks only, and changes nothing.

mod accounts;
mod examine;
mod server;
mod servers;
mod service;

use std::fmt;

use serde_json::{Value, json};

pub use accounts::Portal;
pub use examine::{Doctor, SignIns};
pub use service::{secret, setting, settings_are_fine};

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Ok,
    /// It works, but not as well as it could, or not for long.
    Warning,
    /// Something does not work until somebody does something.
    Failed,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub verdict: Verdict,
    /// `database`, `server Cup (1000), lobby`.
    pub about: String,
    pub what: String,
    /// What to do, and where; never missing when it failed.
    pub remedy: Option<String>,
}

/// All that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub checks: Vec<Check>,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

impl Check {
    fn ok(about: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Ok,
            about: about.into(),
            what: what.into(),
            remedy: None,
        }
    }

    fn warning(about: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Warning,
            remedy: Some(remedy.into()),
            ..Self::ok(about, what)
        }
    }

    fn failed(about: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Failed,
            ..Self::warning(about, what, remedy)
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:7}  {}: {}", self.verdict.as_str(), self.about, self.what)?;
        match &self.remedy {
            Some(remedy) => write!(f, " → {remedy}"),
            None => Ok(()),
        }
    }
}

impl Report {
    /// Nothing failed.
    pub fn is_healthy(&self) -> bool {
        self.checks.iter().all(|check| check.verdict != Verdict::Failed)
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.checks.iter().filter(|check| check.verdict == verdict).count()
    }

    pub fn to_json(&self) -> Value {
        let checks = self.checks.iter().map(|check| {
            json!({
                "about": check.about,
                "verdict": check.verdict.as_str(),
                "what": check.what,
                "remedy": check.remedy,
            })
        });
        json!({ "healthy": self.is_healthy(), "checks": checks.collect::<Vec<_>>() })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            writeln!(f, "{check}")?;
        }
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let (warnings, failed) = (self.count(Verdict::Warning), self.count(Verdict::Failed));
        write!(
            f,
            "{} check{}, {warnings} warning{}, {failed} failed",
            self.checks.len(),
            plural(self.checks.len()),
            plural(warnings)
        )
    }
}
