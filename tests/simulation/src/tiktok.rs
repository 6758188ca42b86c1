//! A simulated TikTok with the sandbox's rules. It fails in every way that the contract allows.

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

/// TikTok, with the events that it has stored.
pub struct TikTok {
    sandbox: Sandbox,
    pixels: Vec<Pixel>,
    clock_ms: u64,
    spell: Option<(Spell, i64)>,
    /// The events from the server, each with the number of copies and the last copy's content.
    pub(crate) stored: BTreeMap<Named, (u32, Value)>,
    /// Whether the shop reports only to the first pixel.
    pub(crate) has_one_pixel: bool,
    /// The pixel and the id of each event that TikTok has got, accepted or not.
    heard: BTreeSet<(String, String)>,
}

/// A period in which TikTok has trouble.
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
    /// Makes a TikTok that has no events.
    pub fn new() -> Self {
        let clock_ms = clock::true_ms().unsigned_abs();
        let pixels = vec![
            Pixel::default(),
            Pixel {
                code: "CDUETSANDBOX00000002".to_owned(),
                access_token: "other-token".to_owned(),
            },
        ];
        let options = Options {
            pixels: pixels.clone(),
            clock: Clock::stopped_at(clock_ms),
            ..Options::default()
        };
        Self {
            sandbox: Sandbox::new(options),
            pixels,
            clock_ms,
            spell: None,
            stored: BTreeMap::new(),
            has_one_pixel: true,
            heard: BTreeSet::new(),
        }
    }

    /// Returns the codes of TikTok's pixels.
    pub fn pixels(&self) -> impl Iterator<Item = &str> {
        self.pixels.iter().map(|pixel| pixel.code.as_str())
    }

    /// Returns the sandbox.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Sets the sandbox's clock to the true time.
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

    /// Gets an event from the Pixel's script.
    pub fn hears_the_pixel(&self, pixel: &str, name: &str, id: &str) {
        let event = json!({
            "event": name, "event_id": id, "properties": {},
            "context": { "pixel": { "code": pixel }, "page": { "url": "https://shop.example/" } },
        });
        if let Value::Object(event) = event {
            self.sandbox.pixel(&event);
        }
    }

    /// Starts a period of trouble. Returns its description.
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

    /// Ends the period of trouble.
    pub fn heals(&mut self) {
        self.spell = None;
    }

    /// Gets a request with these events. Returns the reply, and whether TikTok had no trouble.
    pub fn hears(&mut self, sent: &Sent, events: &[Value], rng: &mut Rng) -> (Reply, bool) {
        let spell = self
            .spell
            .filter(|(_, until)| *until > clock::since_start_ms());
        let Some((spell, _)) = spell else {
            return (self.judge(&sent.pixel, &sent.body, events), true);
        };
        let is_last = self.has_one_pixel || Some(sent.pixel.as_str()) == self.pixels().last();
        let reply = match spell {
            Spell::Down => match rng.u8(..3) {
                0 => Reply::Unreachable(Trouble::NotJson(502)),
                1 => Reply::Unreachable(Trouble::TimedOut),
                _ => code(50_000, "internal error"),
            },
            Spell::Throttles => code(40_100, "too frequent"),
            // TikTok refuses the token of only one pixel. The events of other pixels are accepted.
            Spell::Bars if is_last => code(40_105, "wrong token"),
            Spell::Bars => return (self.judge(&sent.pixel, &sent.body, events), true),
            Spell::Refuses => {
                let bad = |event: &Value| self.is_refused(event);
                match events.iter().position(bad) {
                    Some(index) => code(40_002, &format!("data[{index}].event: no")),
                    None => self.judge(&sent.pixel, &sent.body, events),
                }
            }
            Spell::InPart => {
                let bad = |event: &Value| self.is_refused(event);
                let errors: Vec<Value> = events
                    .iter()
                    .enumerate()
                    .filter(|(_, event)| bad(event))
                    .map(|(index, _)| json!({ "index": index, "message": "no" }))
                    .collect();
                let taken = events.iter().filter(|event| !bad(event)).cloned();
                let taken: Vec<Value> = taken.collect();
                if !taken.is_empty() {
                    let mut request: Value = serde_json::from_slice(&sent.body).unwrap_or_default();
                    request["data"] = taken.clone().into();
                    self.judge(&sent.pixel, request.to_string().as_bytes(), &taken);
                }
                let answer =
                    json!({ "code": 20_001, "message": "partial", "data": { "errors": errors } });
                tiktok::read(200, answer.to_string().as_bytes())
            }
            // TikTok stores the events, but its answer is lost.
            Spell::Forgets => {
                self.judge(&sent.pixel, &sent.body, events);
                Reply::Unreachable(Trouble::TimedOut)
            }
        };
        (reply, false)
    }

    /// Returns whether TikTok refuses an event. TikTok refuses one event in five, always the same events. TikTok does not
    /// refuse an event that it has stored.
    fn is_refused(&self, event: &Value) -> bool {
        let id = event["event_id"].as_str().unwrap_or_default();
        let is_unlucky = id.bytes().map(u32::from).sum::<u32>() % 5 == 0;
        is_unlucky && !self.stored.keys().any(|named| named.id == id)
    }

    /// Stores the events of a request if the sandbox accepts the body.
    fn judge(&mut self, pixel: &str, body: &[u8], events: &[Value]) -> Reply {
        let token = self.pixels.iter().find(|known| known.code == pixel);
        let token = token.map_or("", |known| known.access_token.as_str());
        let answer = self.sandbox.track(token, body);
        let reply = tiktok::read(200, answer.as_bytes());
        if matches!(reply, Reply::Taken(_)) {
            for event in events {
                let named = Named {
                    pixel: pixel.to_owned(),
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

    /// Removes the events that this pixel has got before. Returns the new events.
    pub fn news(&mut self, pixel: &str, mut events: Vec<Value>) -> Vec<Value> {
        events.retain(|event| {
            let id = event["event_id"].as_str().unwrap_or_default();
            self.heard.insert((pixel.to_owned(), id.to_owned()))
        });
        events
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
