//! Bodies that may come with files: JSON alone, or a form whose `payload_json` is the JSON. Other forms are refused.

use serde_json::{Value, json};

use crate::simulator::{discord::errors::Refusal, exchange::Call};

/// A body, with the files laid into it as `files: [{name, text}]`.
pub(super) fn read(call: &Call) -> Result<Value, Refusal> {
    let kind = call.header("content-type").unwrap_or_default();
    if kind.starts_with("application/json") {
        return serde_json::from_slice(&call.body).map_err(|_| Refusal::bad_json());
    }
    let boundary = kind
        .strip_prefix("multipart/form-data")
        .and_then(|rest| rest.split_once("boundary="))
        .map(|(_, boundary)| boundary.trim_matches('"'));
    let Some(boundary) = boundary else {
        return Err(Refusal::not_json_typed());
    };
    let text = String::from_utf8_lossy(&call.body);
    let (mut body, mut files) = (json!({}), Vec::new());
    for part in text.split(&format!("--{boundary}")) {
        let Some((head, content)) = part.trim_start_matches("\r\n").split_once("\r\n\r\n") else {
            continue;
        };
        let content = content.strip_suffix("\r\n").unwrap_or(content);
        let named = |name: &str| {
            let (_, rest) = head.split_once(&format!(" {name}=\""))?;
            Some(rest.split_once('"')?.0)
        };
        if named("name") == Some("payload_json") {
            body = serde_json::from_str(content).map_err(|_| Refusal::bad_json())?;
        } else if let Some(file) = named("filename") {
            files.push(json!({ "name": file, "text": content }));
        }
    }
    body["files"] = json!(files);
    Ok(body)
}

/// Discord's limits of a message that are checked here; the rest is taken as it is.
pub(super) fn check(body: &Value) -> Result<(), Refusal> {
    let content = body["content"].as_str().unwrap_or_default();
    if content.chars().count() > 2000 {
        return Err(Refusal::field(
            "content",
            "BASE_TYPE_MAX_LENGTH",
            "Must be 2000 or fewer in length.",
        ));
    }
    let rows = body["components"].as_array().map_or(0, Vec::len);
    if rows > 5 {
        return Err(Refusal::field(
            "components",
            "BASE_TYPE_MAX_LENGTH",
            "Must be 5 or fewer in length.",
        ));
    }
    Ok(())
}

/// A message says something: 50006.
pub(super) fn check_not_empty(body: &Value) -> Result<(), Refusal> {
    let says = |name: &str| match &body[name] {
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if ["content", "embeds", "components", "files"].into_iter().any(says) {
        Ok(())
    } else {
        Err(Refusal::empty_message())
    }
}

/// At most 25 choices with a name and a value each, in the answer to somebody typing.
pub(super) fn check_choices(data: &Value) -> Result<(), Refusal> {
    let choices = data["choices"].as_array();
    let named = |choice: &Value| {
        let length = choice["name"].as_str().unwrap_or_default().chars().count();
        (1..=100).contains(&length) && !choice["value"].is_null()
    };
    match choices {
        Some(choices) if choices.len() <= 25 && choices.iter().all(named) => Ok(()),
        _ => Err(Refusal::field(
            "choices",
            "BASE_TYPE_BAD_LENGTH",
            "Must be 25 or fewer in length, each with a name of 1 to 100 characters and a value.",
        )),
    }
}

/// Nobody may be mentioned unless that is asked for; without the field everybody who is named is.
pub(super) fn pings(body: &Value) -> bool {
    let content = body["content"].as_str().unwrap_or_default();
    let mentions = content.contains("<@") || content.contains("@everyone") || content.contains("@here");
    let parse = &body["allowed_mentions"]["parse"];
    mentions && (body["allowed_mentions"].is_null() || parse.as_array().is_some_and(|parse| !parse.is_empty()))
}
