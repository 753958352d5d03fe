//! The list of commands, and which file carries one out. A new command is a file with `definition` and `run`, and with `press` when it has
//! buttons; and a line here for each.

use twilight_interactions::command::{CommandInputData, CreateCommand};
use twilight_model::application::{command::Command, interaction::application_command::CommandData};

use crate::commands::{
    answer::Reply, asked::What, connections::Connections, context::Context, erase::Erase, export::Export, link::Link,
    muster::Muster, my_match::MyMatch, optin::OptIn, optout::OptOut, register::Register, trouble::Trouble,
    unlink::Unlink, verify::Verify,
};

/// All commands, as Discord is to list them.
pub(super) fn definitions() -> Vec<Command> {
    let all = [
        Link::create_command(),
        Register::create_command(),
        Unlink::create_command(),
        Connections::create_command(),
        Verify::create_command(),
        MyMatch::create_command(),
        OptOut::create_command(),
        OptIn::create_command(),
        Export::create_command(),
        Erase::create_command(),
        Muster::create_command(),
    ];
    all.into_iter().map(Command::from).collect()
}

/// Does what was asked.
pub(super) async fn work(context: &Context) -> Result<Reply, Trouble> {
    match &context.asked.what {
        What::Command(data) => run(context, data).await,
        What::Button(id) => press(context, id).await,
        What::Ping | What::Typing(_) | What::Other => Err(Trouble::Obsolete),
    }
}

async fn run(context: &Context, data: &CommandData) -> Result<Reply, Trouble> {
    let given = || CommandInputData::from(data.clone());
    match data.name.as_str() {
        Link::NAME => Link::run(context).await,
        Register::NAME => Register::run(context, given()).await,
        Unlink::NAME => Unlink::run(context).await,
        Connections::NAME => Connections::run(context).await,
        Verify::NAME => Verify::run(context).await,
        MyMatch::NAME => MyMatch::run(context).await,
        OptOut::NAME => OptOut::run(context).await,
        OptIn::NAME => OptIn::run(context).await,
        Export::NAME => Export::run(context).await,
        Erase::NAME => Erase::run(context).await,
        Muster::NAME => Muster::run(context, given()).await,
        _ => Err(Trouble::Obsolete),
    }
}

/// A button's id is the command's name, and after a colon what the command wrote there.
async fn press(context: &Context, id: &str) -> Result<Reply, Trouble> {
    let (command, rest) = id.split_once(':').unwrap_or((id, ""));
    match command {
        Register::NAME => Register::press(context, rest).await,
        Unlink::NAME => Unlink::press(context, rest).await,
        MyMatch::NAME => MyMatch::press(context, rest).await,
        Erase::NAME => Erase::press(context).await,
        Muster::NAME => Muster::press(context, rest).await,
        _ => Err(Trouble::Obsolete),
    }
}

/// What somebody who is typing may mean: what he sees, and what the command gets.
pub(super) async fn suggest(context: &Context, data: &CommandData) -> Vec<(String, String)> {
    match data.name.as_str() {
        Register::NAME => Register::suggest(context, &data.options).await,
        Muster::NAME => Muster::suggest(context, &data.options).await,
        _ => Vec::new(),
    }
}
