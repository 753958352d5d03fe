//! Looks at the guild all the time: keeps the picture fresh, and says in words what changed and who did it.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::{sync::watch, time::interval};

use crate::{
    cast::Person,
    control::{Control, Guild},
    report::Counts,
    show::{Show, Who},
    text::list,
};

/// Often enough for the eye, and little work for the simulator.
const LOOK_EVERY: Duration = Duration::from_millis(80);

#[derive(Debug)]
pub struct Watcher {
    guild: watch::Sender<Guild>,
    /// Where people are going by themselves: user and channel.
    walks: RefCell<BTreeSet<(String, Option<String>)>>,
    /// The servers' own channels.
    own: BTreeSet<String>,
    returned: Cell<usize>,
}

impl Watcher {
    /// `guild` is how it stands at the beginning.
    pub fn new(guild: Guild) -> Self {
        Self {
            own: guild.channels.iter().map(|channel| channel.id.clone()).collect(),
            guild: watch::Sender::new(guild),
            walks: RefCell::default(),
            returned: Cell::new(0),
        }
    }

    /// The guild as it was seen last; it can be waited on.
    pub fn guild(&self) -> watch::Receiver<Guild> {
        self.guild.subscribe()
    }

    /// How many people Muster has brought back from match channels.
    pub fn returned(&self) -> usize {
        self.returned.get()
    }

    /// Somebody is about to go somewhere by himself: that is not Muster's doing.
    pub fn expect_walk(&self, user: &str, channel: Option<&str>) {
        let walk = (user.to_owned(), channel.map(str::to_owned));
        self.walks.borrow_mut().insert(walk);
    }

    /// Goes on until the simulator can't be asked any more.
    pub async fn run(&self, control: &Control, show: &Show) -> anyhow::Error {
        let mut looks = interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            if let Err(error) = self.look(control, show).await {
                return error;
            }
        }
    }

    /// Looks once.
    pub async fn look(&self, control: &Control, show: &Show) -> anyhow::Result<()> {
        let guild = control.guild().await?;
        let counts = Counts::of(&control.journal().await?);
        show.picture(control.picture().await?, counts);
        let changes = self.changes(&self.guild.borrow(), &guild);
        for change in changes {
            show.say(Who::Muster, &change);
        }
        self.guild.send_replace(guild);
        Ok(())
    }

    /// What Muster did between two looks.
    fn changes(&self, before: &Guild, after: &Guild) -> Vec<String> {
        let mut changes = Vec::new();
        let made: Vec<&str> = names_missing_in(after, before);
        if !made.is_empty() {
            changes.push(format!("makes the private voice {} {}", channels(&made), list(&made)));
        }
        let (old, new) = (before.seats(), after.seats());
        let mut moved: BTreeMap<Option<(&str, bool)>, Vec<&str>> = BTreeMap::new();
        let users: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
        for user in users {
            let to = new.get(user);
            let from = old.get(user).map(|channel| channel.id.as_str());
            if from == to.map(|channel| channel.id.as_str()) {
                continue;
            }
            let walk = (user.to_owned(), to.map(|channel| channel.id.clone()));
            if self.walks.borrow_mut().remove(&walk) {
                continue;
            }
            let back = to.is_some_and(|channel| self.own.contains(&channel.id));
            if back {
                self.returned.set(self.returned.get() + 1);
            } else {
                // He may have been moved on before anybody saw where he went.
                self.walks.borrow_mut().retain(|(walker, _)| walker != user);
            }
            let name = Person::with_discord_id(user).map_or(user, |person| person.name);
            let to = to.map(|channel| (channel.name.as_str(), back));
            moved.entry(to).or_default().push(name);
        }
        changes.extend(moved.into_iter().map(|(to, people)| match to {
            Some((channel, true)) => format!("brings {} back to {channel}", list(&people)),
            Some((channel, false)) => format!("moves {} to {channel}", list(&people)),
            None => format!("puts {} out of voice", list(&people)),
        }));
        let gone: Vec<&str> = names_missing_in(before, after);
        if !gone.is_empty() {
            changes.push(format!("deletes the {} {}", channels(&gone), list(&gone)));
        }
        changes
    }
}

/// Names of the channels of `these` whose ids are not among `those`.
fn names_missing_in<'a>(these: &'a Guild, those: &Guild) -> Vec<&'a str> {
    let known: BTreeSet<&str> = those.channels.iter().map(|channel| channel.id.as_str()).collect();
    let missing = these
        .channels
        .iter()
        .filter(|channel| channel.is_voice() && !known.contains(channel.id.as_str()));
    missing.map(|channel| channel.name.as_str()).collect()
}

fn channels(names: &[&str]) -> &'static str {
    if names.len() == 1 { "channel" } else { "channels" }
}
