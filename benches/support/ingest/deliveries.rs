//! Deliveries without end, cheaply: one recorded body, in which the event's and the match's ids are overwritten in place.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use serde_json::Value;

/// Fictional players, the shape and size of a real 5v5.
const RECORDED: &str = include_str!("../../../fixtures/faceit/webhook_match_status_ready_in_a_hub_third_retry.json");
/// Found again in the text, so nothing else may look like them.
const EVENT: &str = "eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee";
const MATCH: &str = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A body of which every use is another event of another match.
#[derive(Clone)]
pub struct Template {
    bytes: Vec<u8>,
    ids: [usize; 2],
}

impl Template {
    /// `before` gets the body's length, and says what comes in front of it.
    pub fn new(before: impl Fn(usize) -> String) -> anyhow::Result<Self> {
        let mut body: Value = serde_json::from_str(RECORDED)?;
        body["event_id"] = EVENT.into();
        body["payload"]["id"] = format!("1-{MATCH}").into();
        let body = body.to_string();
        let mut text = before(body.len());
        text.push_str(&body);
        let place = |id: &str| text.find(id).context("the body lost its ids");
        Ok(Self {
            ids: [place(EVENT)?, place(MATCH)?],
            bytes: text.into_bytes(),
        })
    }

    /// The next one. Ids are spread like random ones: in order they would be kinder to the indexes than real ones are.
    pub fn next(&mut self) -> &[u8] {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        for (salt, at) in self.ids.into_iter().enumerate() {
            overwrite(
                &mut self.bytes[at..at + EVENT.len()],
                scatter(number),
                scatter(number ^ (salt as u64 + 1) << 60),
            );
        }
        &self.bytes
    }
}

/// One to one, so that no id comes twice (the finaliser of splitmix64).
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn overwrite(id: &mut [u8], first: u64, second: u64) {
    let mut digits = [first, second]
        .into_iter()
        .flat_map(|half| (0..16).map(move |digit| (half >> (digit * 4)) & 15));
    for byte in id.iter_mut().filter(|byte| **byte != b'-') {
        let digit = digits.next().unwrap_or(0) as usize;
        *byte = b"0123456789abcdef"[digit];
    }
}
