//! TikTok: the sandbox's rules, and everything that the contract says may go wrong.

use std::collections::{BTreeMap, BTreeSet};

use duet_proxy::tiktok::{self, Reply, Trouble};
use duet_sandbox::{Clock, Options, Pixel, Sandbox, canonical};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::{
    clock,
    plan::{HOUR_MS, MINUTE_MS},
    process::{Named, Sent},
};

/// TikTok, and what it has stored.
pub struct TikTok {
    sandbox: Sandbox,
    pixel: Pixel,
    clock_ms: u64,
    spell: Option<(Spell, i64)>,
    /// What servers told of each event: how often, and the last body.
    pub(crate) stored: BTreeMap<Named, (u32, Value)>,
    /// The ids of all events that it has heard of, taken or not.
    heard: BTreeSet<String>,
}

/// A time in which TikTok is in trouble.
#[derive(Clone, Copy, Debug)]
enum Spell {
    Down,
    Throttles,
    Bars,
    Refuses,
    InPart,
    Forgets,
}

impl TikTok {
    /// A TikTok that has heard of nothing.
    pub fn new() -> Self {
        let clock_ms = clock::true_ms().unsigned_abs();
        let options = Options {
            clock: Clock::stopped_at(clock_ms),
            ..Options::default()
        };
        let pixel = options.pixels.first().cloned().unwrap_or_default();
        Self {
            sandbox: Sandbox::new(options),
            pixel,
            clock_ms,
            spell: None,
            stored: BTreeMap::new(),
            heard: BTreeSet::new(),
        }
    }

    /// The code of the pixel.
    pub fn pixel(&self) -> &str {
        &self.pixel.code
    }

    /// What it knows.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Its clock is right.
    pub fn is_now(&mut self, true_ms: i64) {
        let now_ms = true_ms.unsigned_abs();
        let passed = now_ms.saturating_sub(self.clock_ms);
        if passed > 0 {
            self.sandbox
                .clock()
                .advance(std::time::Duration::from_millis(passed));
            self.clock_ms = now_ms;
        }
    }

    /// The Pixel's script tells of an event.
    pub fn hears_the_pixel(&self, name: &str, id: &str) {
        let event = json!({
            "event": name, "event_id": id, "properties": {},
            "context": { "pixel": { "code": self.pixel.code }, "page": { "url": "https://shop.example/" } },
        });
        if let Value::Object(event) = event {
            self.sandbox.pixel(&event);
        }
    }

    /// Something goes wrong for a while.
    pub fn falls_ill(&mut self, rng: &mut Rng) -> String {
        let spells = [
            Spell::Down,
            Spell::Throttles,
            Spell::Bars,
            Spell::Refuses,
            Spell::InPart,
            Spell::Forgets,
        ];
        let spell = spells[rng.usize(..spells.len())];
        let ms = rng.i64(MINUTE_MS..8 * HOUR_MS);
        self.spell = Some((spell, clock::since_start_ms() + ms));
        format!("TikTok {spell:?} for {} min", ms / MINUTE_MS)
    }

    /// Nothing goes wrong any more.
    pub fn heals(&mut self) {
        self.spell = None;
    }

    /// A request arrives; the reply, and whether all was well.
    pub fn hears(&mut self, body: &[u8], rng: &mut Rng) -> (Reply, bool) {
        let spell = self
            .spell
            .filter(|(_, until)| *until > clock::since_start_ms());
        let Some((spell, _)) = spell else {
            return (self.judge(body), true);
        };
        let reply = match spell {
            Spell::Down => match rng.u8(..3) {
                0 => Reply::Unreachable(Trouble::NotJson(502)),
                1 => Reply::Unreachable(Trouble::TimedOut),
                _ => code(50_000, "internal error"),
            },
            Spell::Throttles => code(40_100, "too frequent"),
            Spell::Bars => code(40_105, "wrong token"),
            Spell::Refuses => {
                let request: Value = serde_json::from_slice(body).unwrap_or_default();
                let events = request["data"].as_array().cloned().unwrap_or_default();
                let bad = |event: &Value| self.is_refused(event);
                match events.iter().position(bad) {
                    Some(index) => code(40_002, &format!("data[{index}].event: no")),
                    None => self.judge(body),
                }
            }
            Spell::InPart => {
                let request: Value = serde_json::from_slice(body).unwrap_or_default();
                let events = request["data"].as_array().cloned().unwrap_or_default();
                let bad = |event: &Value| self.is_refused(event);
                let errors: Vec<Value> = events
                    .iter()
                    .enumerate()
                    .filter(|(_, event)| bad(event))
                    .map(|(index, _)| json!({ "index": index, "message": "no" }))
                    .collect();
                let mut taken = request.clone();
                taken["data"] = events.into_iter().filter(|event| !bad(event)).collect();
                if taken["data"]
                    .as_array()
                    .is_some_and(|data| !data.is_empty())
                {
                    self.judge(taken.to_string().as_bytes());
                }
                let answer =
                    json!({ "code": 20_001, "message": "partial", "data": { "errors": errors } });
                tiktok::read(200, answer.to_string().as_bytes())
            }
            // It stores, and its answer never comes.
            Spell::Forgets => {
                self.judge(body);
                Reply::Unreachable(Trouble::TimedOut)
            }
        };
        (reply, false)
    }

    /// One event in five, always the same ones, and none that it has taken before.
    fn is_refused(&self, event: &Value) -> bool {
        let id = event["event_id"].as_str().unwrap_or_default();
        let is_unlucky = id.bytes().map(u32::from).sum::<u32>() % 5 == 0;
        is_unlucky && !self.stored.keys().any(|named| named.id == id)
    }

    fn judge(&mut self, body: &[u8]) -> Reply {
        let answer = self.sandbox.track(&self.pixel.access_token, body);
        let reply = tiktok::read(200, answer.as_bytes());
        if matches!(reply, Reply::Taken(_)) {
            let request: Value = serde_json::from_slice(body).unwrap_or_default();
            for event in request["data"].as_array().into_iter().flatten() {
                let named = Named {
                    name: canonical(event["event"].as_str().unwrap_or_default()).to_owned(),
                    id: event["event_id"].as_str().unwrap_or_default().to_owned(),
                };
                let stored = self.stored.entry(named).or_default();
                stored.0 += 1;
                stored.1 = event.clone();
            }
        }
        reply
    }

    /// The events of a request that it has not heard of before.
    pub fn news(&mut self, sent: &Sent) -> Vec<Value> {
        let request: Value = serde_json::from_slice(&sent.body).unwrap_or_default();
        let events = request["data"]
            .as_array()
            .cloned()
            .unwrap_or_default()
            .into_iter();
        let is_new = |event: &Value| {
            let id = event["event_id"].as_str().unwrap_or_default();
            self.heard.insert(id.to_owned())
        };
        events.filter(is_new).collect()
    }
}

impl Default for TikTok {
    fn default() -> Self {
        Self::new()
    }
}

fn code(code: i64, message: &str) -> Reply {
    let answer = json!({ "code": code, "message": message });
    tiktok::read(200, answer.to_string().as_bytes())
}
