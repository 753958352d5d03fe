//! What goes wrong with coming events: lost, told twice, told late; Discord promises none of them won't be ("Consistency").

use serde::{Deserialize, Serialize};

use crate::simulator::discord::events::Event;

/// What shall go wrong with the next events of a type, for every session alike.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EventFault {
    /// Such as `VOICE_STATE_UPDATE`.
    pub event: String,
    pub action: Upset,
    /// Let so many of them pass first.
    #[serde(default)]
    pub skip: u32,
    /// How many it strikes.
    #[serde(default = "once")]
    pub times: u32,
    /// With `hold`: told after so many other events; 0 is not before `release`.
    #[serde(default)]
    pub until: u32,
}

/// What happens to an event.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Upset {
    /// Nobody is told, not even by a resume.
    Lose,
    /// It is told twice.
    Repeat,
    /// It is told later.
    Hold,
}

fn once() -> u32 {
    1
}

/// Events that can be upset.
const NAMES: [&str; 11] = [
    "CHANNEL_CREATE",
    "CHANNEL_UPDATE",
    "CHANNEL_DELETE",
    "VOICE_STATE_UPDATE",
    "GUILD_ROLE_CREATE",
    "GUILD_ROLE_UPDATE",
    "GUILD_ROLE_DELETE",
    "GUILD_MEMBER_UPDATE",
    "GUILD_UPDATE",
    "GUILD_CREATE",
    "GUILD_DELETE",
];

impl EventFault {
    /// Says what makes no sense in it.
    pub(in crate::simulator) fn check(&self) -> Result<(), String> {
        if !NAMES.contains(&self.event.as_str()) {
            return Err(format!("{:?} is none of {}", self.event, NAMES.join(", ")));
        }
        if self.times == 0 {
            return Err("times must be at least 1".to_owned());
        }
        if self.until > 0 && self.action != Upset::Hold {
            return Err("until needs the action hold".to_owned());
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
pub(super) struct Upsets {
    waiting: Vec<EventFault>,
    /// With the number of events still to be told before it; 0 waits for `release`.
    held: Vec<(u32, Event)>,
}

impl Upsets {
    pub(super) fn add(&mut self, fault: EventFault) {
        self.waiting.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    pub(super) fn waiting(&self) -> &[EventFault] {
        &self.waiting
    }

    pub(super) fn release(&mut self) -> Vec<Event> {
        self.held.drain(..).map(|(_, event)| event).collect()
    }

    /// What to tell now that this happened, and how often.
    pub(super) fn strike(&mut self, event: Event) -> (Vec<Event>, usize) {
        let name = event.what.name();
        let mut struck = None;
        for fault in self.waiting.iter_mut().filter(|fault| fault.event == name) {
            if fault.skip == 0 {
                fault.times -= 1;
                struck = Some((fault.action, fault.until));
                break;
            }
            fault.skip -= 1;
        }
        self.waiting.retain(|fault| fault.times > 0);
        match struck {
            Some((Upset::Lose, _)) => (Vec::new(), 0),
            Some((Upset::Hold, until)) => {
                self.held.push((until, event));
                (Vec::new(), 0)
            }
            Some((Upset::Repeat, _)) => (vec![event], 2),
            None => {
                let mut due = vec![event];
                let mut left = Vec::new();
                for (until, held) in self.held.drain(..) {
                    match until {
                        1 => due.push(held),
                        more => left.push((more.saturating_sub(1), held)),
                    }
                }
                self.held = left;
                (due, 1)
            }
        }
    }
}
