//! Reads the JSON body of a Discord request field by field and gathers every form error (50035); no permissions, no effects.

use serde_json::{Map, Value, json};

use super::{
    errors::{Refusal, field_error},
    permissions::{Bits, Overwrite, Whom},
    snowflake::Snowflake,
};
use crate::simulator::exchange::Call;

/// A field that may be absent, null or given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given<T> {
    Absent,
    Null,
    Value(T),
}

impl<T> Given<T> {
    pub(super) fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }
}

/// At most so many overwrites in one request (OpenAPI, `CreateGuildChannelRequest`).
const OVERWRITES_PER_REQUEST: usize = 100;

#[derive(Debug)]
pub(super) struct Form {
    fields: Map<String, Value>,
    errors: Map<String, Value>,
}

impl Form {
    pub(super) fn read(call: &Call) -> Result<Self, Refusal> {
        let media_type = call.header("content-type").unwrap_or_default();
        if !media_type.starts_with("application/json") {
            return Err(Refusal::not_json_typed());
        }
        match serde_json::from_slice(&call.body) {
            Ok(Value::Object(fields)) => Ok(Self {
                fields,
                errors: Map::new(),
            }),
            Ok(_) => Err(Refusal::form(field_error(
                "DICT_TYPE_CONVERT",
                "Only dictionaries may be used in a DictType",
            ))),
            Err(_) => Err(Refusal::bad_json()),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// Every error at once, as Discord tells them.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Refusal::form(Value::Object(self.errors)))
        }
    }

    pub(super) fn refuse(&mut self, name: &str, code: &str, message: &str) {
        self.errors.insert(name.to_owned(), field_error(code, message));
    }

    fn take<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Result<T, (&'static str, String)>) -> Given<T> {
        match self.fields.get(name) {
            None => Given::Absent,
            Some(Value::Null) => Given::Null,
            Some(value) => match read(value) {
                Ok(value) => Given::Value(value),
                Err((code, message)) => {
                    self.refuse(name, code, &message);
                    Given::Absent
                }
            },
        }
    }

    /// Text of so many characters at most, trimmed as Discord trims names; empty counts as missing.
    pub(super) fn name(&mut self, name: &str, longest: usize) -> Given<String> {
        self.take(name, |value| {
            let text = value
                .as_str()
                .ok_or(("STRING_TYPE_CONVERT", "Could not interpret value as string.".to_owned()))?;
            let text = text.trim();
            match text.chars().count() {
                0 => Err(("BASE_TYPE_REQUIRED", "This field is required".to_owned())),
                count if count > longest => Err((
                    "BASE_TYPE_BAD_LENGTH",
                    format!("Must be between 1 and {longest} in length."),
                )),
                _ => Ok(text.to_owned()),
            }
        })
    }

    pub(super) fn text(&mut self, name: &str) -> Given<String> {
        self.take(name, |value| {
            let text = value
                .as_str()
                .ok_or(("STRING_TYPE_CONVERT", "Could not interpret value as string.".to_owned()))?;
            Ok(text.to_owned())
        })
    }

    pub(super) fn number(&mut self, name: &str, least: i64, most: i64) -> Given<i64> {
        self.take(name, |value| match value.as_i64() {
            None => Err(("NUMBER_TYPE_COERCE", format!("Value \"{}\" is not int.", bare(value)))),
            Some(n) if n < least => Err((
                "NUMBER_TYPE_MIN",
                format!("int value should be greater than or equal to {least}."),
            )),
            Some(n) if n > most => Err((
                "NUMBER_TYPE_MAX",
                format!("int value should be less than or equal to {most}."),
            )),
            Some(n) => Ok(n),
        })
    }

    pub(super) fn truth(&mut self, name: &str) -> Given<bool> {
        self.take(name, |value| {
            value
                .as_bool()
                .ok_or(("BOOLEAN_TYPE_CONVERT", "Must be either true or false.".to_owned()))
        })
    }

    pub(super) fn id(&mut self, name: &str) -> Given<Snowflake> {
        self.take(name, |value| {
            id(value).map_err(|message| ("NUMBER_TYPE_COERCE", message))
        })
    }

    pub(super) fn ids(&mut self, name: &str) -> Given<Vec<Snowflake>> {
        self.take(name, |value| {
            let items = value.as_array().ok_or((
                "LIST_TYPE_CONVERT",
                "Only iterables may be used in a ListType".to_owned(),
            ))?;
            items
                .iter()
                .map(|item| id(item).map_err(|message| ("NUMBER_TYPE_COERCE", message)))
                .collect()
        })
    }

    pub(super) fn bits(&mut self, name: &str) -> Given<Bits> {
        self.take(name, |value| {
            bits(value).map_err(|message| ("NUMBER_TYPE_COERCE", message))
        })
    }

    pub(super) fn overwrites(&mut self) -> Given<Vec<Overwrite>> {
        const NAME: &str = "permission_overwrites";
        let items = match self.fields.get(NAME) {
            None => return Given::Absent,
            Some(Value::Null) => return Given::Null,
            Some(Value::Array(items)) => items.clone(),
            Some(_) => {
                self.refuse(NAME, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
                return Given::Absent;
            }
        };
        if items.len() > OVERWRITES_PER_REQUEST {
            self.refuse(NAME, "BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length.");
            return Given::Absent;
        }
        let mut read: Vec<Overwrite> = Vec::new();
        let mut wrong = Map::new();
        for (index, item) in items.iter().enumerate() {
            match overwrite(item) {
                Ok(overwrite) => {
                    // One overwrite per id: the last one stands.
                    read.retain(|earlier| earlier.id != overwrite.id);
                    read.push(overwrite);
                }
                Err(error) => _ = wrong.insert(index.to_string(), error),
            }
        }
        if !wrong.is_empty() {
            self.errors.insert(NAME.to_owned(), Value::Object(wrong));
        }
        Given::Value(read)
    }
}

/// `type` and `allow` and `deny` may be missing or null; the bits may be text or number (docs and OpenAPI disagree).
fn overwrite(item: &Value) -> Result<Overwrite, Value> {
    let wrong = |field: &str, code: &str, message: &str| json!({ field: field_error(code, message) });
    let bits = |field: &str| match item.get(field) {
        None | Some(Value::Null) => Ok(Bits::NONE),
        Some(value) => bits(value).map_err(|message| wrong(field, "NUMBER_TYPE_COERCE", &message)),
    };
    let id = match item.get("id") {
        None | Some(Value::Null) => return Err(wrong("id", "BASE_TYPE_REQUIRED", "This field is required")),
        Some(value) => id(value).map_err(|message| wrong("id", "NUMBER_TYPE_COERCE", &message))?,
    };
    let whom = match item.get("type") {
        None | Some(Value::Null) => Whom::Role,
        Some(value) if value == 0 || value == "0" => Whom::Role,
        Some(value) if value == 1 || value == "1" => Whom::Member,
        Some(_) => return Err(wrong("type", "BASE_TYPE_CHOICES", "Value must be one of {0, 1}.")),
    };
    Ok(Overwrite {
        id,
        whom,
        allow: bits("allow")?,
        deny: bits("deny")?,
    })
}

fn id(value: &Value) -> Result<Snowflake, String> {
    let refused = || format!("Value \"{}\" is not snowflake.", bare(value));
    bare(value).parse().map_err(|_| refused())
}

fn bits(value: &Value) -> Result<Bits, String> {
    bare(value)
        .parse()
        .map(Bits)
        .map_err(|_| format!("Value \"{}\" is not int.", bare(value)))
}

/// A JSON value as text, without the quotes of a string.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
