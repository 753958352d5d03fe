//! Discord's refusals, each with its HTTP status, JSON code and message; when they apply is decided elsewhere.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::simulator::exchange::Answer;

/// A 4xx of Discord's (Discord docs, "Opcodes and Status Codes", JSON).
#[derive(Debug)]
pub(in crate::simulator) struct Refusal {
    status: StatusCode,
    code: u32,
    message: String,
    /// The nested `errors` of a form error.
    errors: Option<Value>,
}

macro_rules! refusals {
    ($($name:ident = $status:ident, $code:literal, $message:literal;)*) => {
        impl Refusal {
            $(pub(in crate::simulator) fn $name() -> Self {
                Self::new(StatusCode::$status, $code, $message)
            })*
        }
    };
}

refusals! {
    unauthorized = UNAUTHORIZED, 0, "401: Unauthorized";
    no_such_route = NOT_FOUND, 0, "404: Not Found";
    method_not_allowed = METHOD_NOT_ALLOWED, 0, "405: Method Not Allowed";
    unknown_application = NOT_FOUND, 10002, "Unknown Application";
    unknown_channel = NOT_FOUND, 10003, "Unknown Channel";
    unknown_guild = NOT_FOUND, 10004, "Unknown Guild";
    unknown_member = NOT_FOUND, 10007, "Unknown Member";
    unknown_message = NOT_FOUND, 10008, "Unknown Message";
    unknown_overwrite = NOT_FOUND, 10009, "Unknown Overwrite";
    unknown_role = NOT_FOUND, 10011, "Unknown Role";
    unknown_user = NOT_FOUND, 10013, "Unknown User";
    unknown_webhook = NOT_FOUND, 10015, "Unknown Webhook";
    unknown_interaction = NOT_FOUND, 10062, "Unknown interaction";
    unknown_voice_state = NOT_FOUND, 10065, "Unknown Voice State";
    guild_is_full = BAD_REQUEST, 30013, "Maximum number of guild channels reached (500)";
    too_many_overwrites = BAD_REQUEST, 30060, "Maximum number of channel permission overwrites reached (1000)";
    not_in_voice = BAD_REQUEST, 40032, "Target user is not connected to voice.";
    answered_already = BAD_REQUEST, 40060, "Interaction has already been acknowledged.";
    blocked_at_the_edge = FORBIDDEN, 40333, "internal network error";
    missing_access = FORBIDDEN, 50001, "Missing Access";
    not_the_author = FORBIDDEN, 50005, "Cannot edit a message authored by another user";
    empty_message = BAD_REQUEST, 50006, "Cannot send an empty message";
    takes_no_messages = FORBIDDEN, 50007, "Cannot send messages to this user";
    not_a_text_channel = BAD_REQUEST, 50008, "Cannot send messages in a non-text channel";
    missing_permissions = FORBIDDEN, 50013, "Missing Permissions";
    invalid_webhook_token = UNAUTHORIZED, 50027, "Invalid Webhook Token";
    wrong_channel_type = BAD_REQUEST, 50024, "Cannot execute action on this channel type";
    missing_scope = UNAUTHORIZED, 50026, "Missing required OAuth2 scope";
    bad_json = BAD_REQUEST, 50109, "The request body contains invalid JSON.";
}

impl Refusal {
    fn new(status: StatusCode, code: u32, message: &str) -> Self {
        Self {
            status,
            code,
            message: message.to_owned(),
            errors: None,
        }
    }

    /// 50035 with the nested `errors` object.
    pub(in crate::simulator) fn form(errors: Value) -> Self {
        Self {
            errors: Some(errors),
            ..Self::new(StatusCode::BAD_REQUEST, 50035, "Invalid Form Body")
        }
    }

    /// 50035 about one field.
    pub(in crate::simulator) fn field(name: &str, code: &str, message: &str) -> Self {
        Self::form(json!({ name: field_error(code, message) }))
    }

    pub(in crate::simulator) fn not_json_typed() -> Self {
        let message = r#"Expected "Content-Type" header to be one of {"application/json"}."#;
        Self::new(StatusCode::BAD_REQUEST, 50035, message)
    }

    /// What the simulator doesn't model: an answer Discord never gives, so that nobody takes it for one.
    pub(in crate::simulator) fn not_modelled(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            0,
            &format!("the simulator does not model {what}"),
        )
    }
}

/// A leaf of the nested `errors` object.
pub(in crate::simulator) fn field_error(code: &str, message: &str) -> Value {
    json!({ "_errors": [{ "code": code, "message": message }] })
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let mut body = json!({ "message": refusal.message, "code": refusal.code });
        if let Some(errors) = refusal.errors {
            body["errors"] = errors;
        }
        Self::json(refusal.status, &body)
    }
}
