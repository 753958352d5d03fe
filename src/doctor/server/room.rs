//! How many channels a server and its category still take. Discord's lists leave out what the bot may not see, so there may be more.

use super::Judge;
use crate::{discord::Channel, doctor::Check};

/// What Discord takes at most, and from where on it is said.
const CHANNELS: usize = 500;
const CHANNELS_FEW_LEFT: usize = 450;
const IN_CATEGORY: usize = 50;
const IN_CATEGORY_FEW_LEFT: usize = 42;

impl Judge<'_> {
    pub(super) fn room(&self) -> Vec<Check> {
        let all = self.here.channels.len();
        let text = |used: usize, most: usize, place: &str| {
            format!("{used} of {most} channels in {place}, not counting those that are hidden from the bot")
        };
        let remedy = "delete channels that nobody needs: each running match takes two";
        let about = self.about("room");
        let what = text(all, CHANNELS, "the server");
        let mut checks = vec![if all >= CHANNELS {
            Check::failed(about, what, remedy)
        } else if all >= CHANNELS_FEW_LEFT {
            Check::warning(about, what, remedy)
        } else {
            Check::ok(about, what)
        }];
        if let Some(category) = self.wanted.settings.category {
            let inside = |channel: &&Channel| channel.parent_id.is_some_and(|parent| parent.get() == category.get());
            let used = self.here.channels.iter().filter(inside).count();
            let about = self.about("room in the category");
            let what = text(used, IN_CATEGORY, "the category");
            let overflow = self.wanted.set("OVERFLOW_CATEGORIES", "overflow");
            let remedy = format!("{remedy}; or {overflow} to on, and a full category gets a further one");
            checks.push(if self.wanted.settings.overflow {
                Check::ok(about, format!("{what}; a full one gets a further category"))
            } else if used < IN_CATEGORY_FEW_LEFT {
                Check::ok(about, what)
            } else if used < IN_CATEGORY {
                Check::warning(about, what, remedy)
            } else {
                Check::failed(about, what, remedy)
            });
        }
        checks
    }
}
