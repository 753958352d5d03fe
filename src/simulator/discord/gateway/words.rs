//! What clients say and the codes connections end with, read strictly; who may say what when is decided in the other rooms.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Bytes of a client's payload (Discord docs, Gateway, "Sending Events").
const LONGEST: usize = 4096;

/// Why a connection ends (Discord docs, Opcodes and Status Codes, Gateway Close Event Codes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    UnknownOpcode,
    DecodeError,
    NotAuthenticated,
    AuthenticationFailed,
    AlreadyAuthenticated,
    InvalidSeq,
    RateLimited,
    SessionTimedOut,
    InvalidShard,
    ShardingRequired,
    InvalidVersion,
    InvalidIntents,
    DisallowedIntents,
    /// What a control call asked for.
    Asked(u16),
}

impl Close {
    pub(super) fn code(self) -> u16 {
        match self {
            Self::UnknownOpcode => 4001,
            Self::DecodeError => 4002,
            Self::NotAuthenticated => 4003,
            Self::AuthenticationFailed => 4004,
            Self::AlreadyAuthenticated => 4005,
            Self::InvalidSeq => 4007,
            Self::RateLimited => 4008,
            Self::SessionTimedOut => 4009,
            Self::InvalidShard => 4010,
            Self::ShardingRequired => 4011,
            Self::InvalidVersion => 4012,
            Self::InvalidIntents => 4013,
            Self::DisallowedIntents => 4014,
            Self::Asked(code) => code,
        }
    }

    pub(super) fn reason(self) -> &'static str {
        match self.code() {
            4000 => "Unknown error.",
            4001 => "Unknown opcode.",
            4002 => "Error while decoding payload.",
            4003 => "Not authenticated.",
            4004 => "Authentication failed.",
            4005 => "Already authenticated.",
            4007 => "Invalid seq.",
            4008 => "Rate limited.",
            4009 => "Session timed out.",
            4010 => "Invalid shard.",
            4011 => "Sharding required.",
            4012 => "Invalid API version.",
            4013 => "Invalid intent(s).",
            4014 => "Disallowed intent(s).",
            _ => "",
        }
    }

    /// After these a resume finds nothing.
    pub(super) fn ends_session(self) -> bool {
        matches!(self.code(), 1000 | 1001 | 4004 | 4007 | 4009..=4014)
    }
}

#[derive(Debug)]
pub(super) enum Word {
    Heartbeat,
    Identify(Identify),
    Resume(Resume),
    /// Presences, requests for members and what else moves nothing here.
    Other,
}

#[derive(Debug, Deserialize)]
pub(super) struct Identify {
    pub(super) token: String,
    pub(super) intents: u64,
    #[expect(dead_code, reason = "Discord demands it; what it says is of no use here")]
    properties: Map<String, Value>,
    #[serde(default)]
    pub(super) shard: Option<Value>,
    #[serde(default)]
    pub(super) large_threshold: Option<usize>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Resume {
    pub(super) token: String,
    pub(super) session_id: String,
    pub(super) seq: u64,
}

#[derive(Deserialize)]
struct Payload {
    op: u64,
    #[serde(default)]
    d: Value,
}

impl Word {
    pub(super) fn read(text: &str) -> Result<Self, Close> {
        if text.len() > LONGEST {
            return Err(Close::DecodeError);
        }
        let payload: Payload = serde_json::from_str(text).map_err(|_| Close::DecodeError)?;
        match payload.op {
            1 => Ok(Self::Heartbeat),
            2 => read(payload.d).map(Self::Identify),
            6 => read(payload.d).map(Self::Resume),
            3 | 4 | 8 | 31 | 43 => Ok(Self::Other),
            _ => Err(Close::UnknownOpcode),
        }
    }
}

fn read<T: DeserializeOwned>(data: Value) -> Result<T, Close> {
    serde_json::from_value(data).map_err(|_| Close::DecodeError)
}
