//! The options of a command as somebody fills them in: checked against how they were registered, as Discord's clients do.

use serde_json::{Map, Value, json};

use super::ask::{Ask, id};
use crate::simulator::{
    discord::{
        permissions::{Bits, in_channel, in_guild},
        shapes,
        snowflake::Snowflake,
        world::Discord,
    },
    state::ControlError,
};

/// The options of the command that `path` leads to, from the command downwards; `None` when it leads nowhere.
pub(super) fn fill(
    world: &Discord,
    guild: Option<Snowflake>,
    level: &Value,
    path: &[&str],
    ask: &Ask,
    resolved: &mut Value,
) -> Result<Option<Value>, ControlError> {
    let listed = level["options"].as_array().map_or(&[][..], Vec::as_slice);
    // 1 is a subcommand, 2 a group of them.
    let nested = |option: &&Value| matches!(option["type"].as_u64(), Some(1 | 2));
    if let [name, rest @ ..] = path {
        let Some(below) = listed.iter().filter(nested).find(|option| option["name"] == *name) else {
            return Ok(None);
        };
        let options = fill(world, guild, below, rest, ask, resolved)?;
        return Ok(options.map(|options| json!([{ "name": name, "type": below["type"], "options": options }])));
    }
    if listed.iter().any(|option| nested(&option)) {
        return Ok(None);
    }
    let known = |name: &String| listed.iter().any(|option| option["name"] == name.as_str());
    let named = ask.options.keys().chain(&ask.focused);
    if let Some(odd) = named.into_iter().find(|name| !known(name)) {
        return Err(ControlError::Malformed(format!("/{} has no option {odd}", ask.command)));
    }
    let mut given = Vec::new();
    for option in listed {
        let name = option["name"].as_str().unwrap_or_default();
        let focused = ask.focused.as_deref() == Some(name);
        let Some(value) = ask.options.get(name) else {
            if focused {
                given.push(json!({ "name": name, "type": option["type"], "value": "", "focused": true }));
            } else if option["required"] == true && ask.focused.is_none() {
                return Err(ControlError::Malformed(format!("the option {name} is required")));
            }
            continue;
        };
        if focused && option["autocomplete"] != true {
            return Err(ControlError::Malformed(format!(
                "the option {name} offers no choices while typing"
            )));
        }
        let value = match option["type"].as_u64() {
            Some(6) => person(world, guild, value, resolved)?,
            Some(7 | 8) => thing(world, guild, value, resolved)?,
            _ if focused => value.clone(),
            _ => plain(option, value).map_err(|why| ControlError::Malformed(format!("the option {name} {why}")))?,
        };
        let mut entry = json!({ "name": name, "type": option["type"], "value": value });
        if focused {
            entry["focused"] = json!(true);
        }
        given.push(entry);
    }
    Ok(Some(json!(given)))
}

/// A text, number or truth within what was registered.
fn plain(option: &Value, value: &Value) -> Result<Value, String> {
    let fits = match option["type"].as_u64() {
        Some(3) => value.is_string(),
        Some(4) => value.is_i64() || value.is_u64(),
        Some(5) => value.is_boolean(),
        Some(10) => value.is_number(),
        other => return Err(format!("is of type {other:?}, which is not modelled")),
    };
    if !fits {
        return Err(format!("can't be {value}"));
    }
    let amount = match value.as_str() {
        Some(text) => text.chars().count() as f64,
        None => value.as_f64().unwrap_or_default(),
    };
    let bound = |names: [&str; 2]| names.iter().find_map(|name| option[*name].as_f64());
    if bound(["min_length", "min_value"]).is_some_and(|least| amount < least)
        || bound(["max_length", "max_value"]).is_some_and(|most| amount > most)
    {
        return Err(format!("is too short, too long, too small or too large: {value}"));
    }
    let choices = option["choices"].as_array().filter(|choices| !choices.is_empty());
    if choices.is_some_and(|choices| choices.iter().all(|choice| choice["value"] != *value)) {
        return Err(format!("offers no {value}"));
    }
    Ok(value.clone())
}

/// Whoever it is, in the guild or not.
fn person(
    world: &Discord,
    guild: Option<Snowflake>,
    value: &Value,
    resolved: &mut Value,
) -> Result<Value, ControlError> {
    let text = value["user"].as_str().or(value.as_str()).unwrap_or_default();
    let user = id(text)?;
    let here = guild.and_then(|guild| world.guilds.get(&guild));
    let anywhere = || world.guilds.values().find_map(|guild| guild.members.get(&user));
    let member = here.and_then(|guild| guild.members.get(&user));
    let found = member.or_else(anywhere);
    let found = found.ok_or_else(|| ControlError::Unknown(format!("there is nobody {user}")))?;
    resolved["users"][text] = shapes::user(found);
    if let (Some(guild), Some(member)) = (here, member) {
        let mut partial = shapes::member(member);
        partial["permissions"] = json!(in_guild(guild, member));
        leave_out(&mut partial, &["user", "deaf", "mute"]);
        resolved["members"][text] = partial;
    }
    Ok(json!(text))
}

/// A channel or a role of the guild.
fn thing(
    world: &Discord,
    guild: Option<Snowflake>,
    value: &Value,
    resolved: &mut Value,
) -> Result<Value, ControlError> {
    let text = value.as_str().unwrap_or_default();
    let wanted = id(text)?;
    let none = || ControlError::Unknown(format!("there is no channel or role {wanted} here"));
    let guild = guild.and_then(|guild| world.guilds.get(&guild)).ok_or_else(none)?;
    if let Some(role) = guild.roles.get(&wanted) {
        resolved["roles"][text] = shapes::role(role);
        return Ok(json!(text));
    }
    let channel = guild.channels.get(&wanted).ok_or_else(none)?;
    let bot = guild.members.get(&world.bot.id);
    resolved["channels"][text] = json!({
        "id": channel.id, "name": channel.name, "type": channel.kind.number(), "parent_id": channel.parent_id,
        "permissions": bot.map_or(Bits::NONE, |bot| in_channel(guild, channel, bot)),
    });
    Ok(json!(text))
}

fn leave_out(body: &mut Value, names: &[&str]) {
    let mut none = Map::new();
    let fields = body.as_object_mut().unwrap_or(&mut none);
    for name in names {
        fields.remove(*name);
    }
}
