//! How Discord signs what it sends by HTTP, and how a forger would; and its PING.

use std::time::Duration;

use ed25519_dalek::Signer as _;
use serde_json::json;

use super::{Talk, ask::Signature};

/// The headers of a call.
pub(in crate::simulator) type Signed = Vec<(&'static str, String)>;

impl Talk {
    /// A ping, as Discord sends it when an address is entered and now and then later.
    pub(in crate::simulator) fn ping() -> String {
        let ping = json!({
            "id": "1", "application_id": "1", "type": 1, "token": "ping", "version": 1, "entitlements": [],
            "authorizing_integration_owners": {}, "attachment_size_limit": 10_485_760, "app_permissions": "0",
            "user": {"id": "1", "username": "discord", "discriminator": "0", "avatar": null},
        });
        ping.to_string()
    }

    pub(in crate::simulator) fn sign(&self, text: &str, signature: Signature, now: Duration) -> Signed {
        let age = if signature == Signature::Stale { 600 } else { 0 };
        let timestamp = now.as_secs().saturating_sub(age).to_string();
        let signed = match signature {
            Signature::Bad => format!("{timestamp}another body"),
            _ => format!("{timestamp}{text}"),
        };
        let bytes = self.key.sign(signed.as_bytes()).to_bytes();
        let hex = match signature {
            Signature::Garbled => "not hexadecimal".to_owned(),
            _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        match signature {
            Signature::Missing => Vec::new(),
            _ => vec![("x-signature-ed25519", hex), ("x-signature-timestamp", timestamp)],
        }
    }
}
