//! Somebody who runs commands and presses buttons, and reads what Discord shows him then.

use muster::simulator::{Ask, Asked};
use serde_json::{Map, Value, json};

use super::{
    bot::{Bot, GUILD, member},
    database::eventually,
};

/// What is seen of an answer.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The interaction whose answer it is.
    pub id: String,
    pub seen: Value,
}

impl Shown {
    pub fn text(&self) -> &str {
        self.seen["content"].as_str().unwrap_or_default()
    }

    /// Label and id of its buttons.
    pub fn buttons(&self) -> Vec<(String, String)> {
        self.each("custom_id")
    }

    /// Label and address of its buttons that are links.
    pub fn links(&self) -> Vec<(String, String)> {
        self.each("url")
    }

    fn each(&self, what: &str) -> Vec<(String, String)> {
        let rows = self.seen["components"].as_array().into_iter().flatten();
        let buttons = rows.flat_map(|row| row["components"].as_array().into_iter().flatten());
        buttons
            .filter_map(|button| Some((button["label"].as_str()?.to_owned(), button[what].as_str()?.to_owned())))
            .collect()
    }

    pub fn says(&self, part: &str) -> &Self {
        assert!(self.text().contains(part), "{part:?} is not in {:?}", self.seen);
        self
    }
}

/// `name` runs `/command` in the guild.
pub fn typed(name: &str, command: &str, options: Value) -> Ask {
    Ask {
        guild_id: GUILD.to_owned(),
        user_id: member(name).to_string(),
        command: command.to_owned(),
        options: options.as_object().cloned().unwrap_or_default(),
        ..Ask::default()
    }
}

/// `name` presses a button of an answer.
pub fn pressed(name: &str, on: &Shown, button: &str) -> Ask {
    Ask {
        button: button.to_owned(),
        of: on.id.clone(),
        ..typed(name, "", Value::Object(Map::new()))
    }
}

impl Bot {
    /// Sends it, and gives what Discord is told at once.
    pub async fn send(&self, ask: &Ask) -> Asked {
        self.simulator.ask(ask).await.expect("he can ask that")
    }

    /// Asks, and waits for the whole answer: only the asker sees it, and nobody is pinged.
    pub async fn ask(&self, ask: &Ask) -> Shown {
        let before = (!ask.of.is_empty()).then(|| self.simulator.see(&ask.of).expect("it was shown"));
        let asked = self.send(ask).await;
        // By HTTP, or over the gateway.
        assert!(matches!(asked.status, 200 | 204), "{asked:?}");
        // A button's answer is laid over the message that it is on.
        let id = if ask.of.is_empty() { asked.id } else { ask.of.clone() };
        let see = || self.simulator.see(&id).expect("it was asked");
        eventually("an answer is shown", || async {
            let seen = see();
            seen["state"] == "answered" && before.as_ref() != Some(&seen)
        })
        .await;
        let seen = see();
        assert_eq!(
            (&seen["private"], &seen["pinged"]),
            (&json!(true), &json!(false)),
            "{seen}"
        );
        assert_eq!(seen["further"], json!([]));
        Shown { id, seen }
    }

    /// `name` runs a command without options.
    pub async fn run(&self, name: &str, command: &str) -> Shown {
        self.ask(&typed(name, command, json!({}))).await
    }

    /// He presses the only button there is.
    pub async fn press(&self, name: &str, on: &Shown) -> Shown {
        let buttons = on.buttons();
        assert_eq!(buttons.len(), 1, "{on:?}");
        self.ask(&pressed(name, on, &buttons[0].1)).await
    }
}
