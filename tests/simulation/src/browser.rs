//! A visitor's browser. Each page runs the real core of the SDK. The code around the core (`sdk/page/`) is replaced by a
//! model: storage that all tabs share, a lock, requests, timers, and the ways in which a page ends.

use std::collections::BTreeMap;

use duet_events::EventId;
use duet_sdk::{
    answer::Answer,
    consent::Consent,
    duet::{Call, Duet},
    effect::{Effect, Effects, Word},
    facts::Facts,
    outbox::Stored,
};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::clock;

/// A browser and its tabs.
pub struct Browser {
    /// The click id of the ad on which the visitor clicked.
    pub click: String,
    /// Whether the Pixel's script is blocked.
    pub is_pixel_blocked: bool,
    /// The pixels to which the browser's pages report.
    pixels: Vec<String>,
    /// The storage that all pages of the site share.
    storage: BTreeMap<String, String>,
    /// The tabs. The number of a closed tab is not used again.
    pages: Vec<Option<Page>>,
    /// The page that owns the lock, and the request until whose answer it owns the lock.
    lock: Option<(usize, u32)>,
    made: u64,
}

struct Page {
    duet: Box<Duet>,
    events: Vec<Known>,
    taken: Vec<u32>,
    /// Whether the page owns the lock now, so that its next requests are sent under the lock.
    locks: bool,
    wants_the_lock: bool,
}

struct Known {
    key: String,
    body: Value,
}

/// What a page asks the world to do.
#[derive(Debug)]
pub enum Ask {
    /// Send a body to the proxy.
    Post {
        /// The page.
        page: usize,
        /// The number by which the page knows the request.
        request: u32,
        /// The body.
        body: String,
        /// The ids of the body's events, in order.
        ids: Vec<String>,
    },
    /// Wake the page after `ms` milliseconds.
    Wake {
        /// The page.
        page: usize,
        /// The time in milliseconds.
        ms: u32,
    },
}

/// The answer to a request, or its failure, as the page sees it.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The HTTP status, or 0 if there is no answer.
    pub status: u32,
    /// One digit for the result of each event.
    pub results: String,
}

impl Browser {
    /// Makes a browser whose visitor has just clicked on an ad.
    pub fn new(click: String, is_pixel_blocked: bool, pixels: Vec<String>) -> Self {
        Self {
            click,
            is_pixel_blocked,
            pixels,
            storage: BTreeMap::new(),
            pages: Vec::new(),
            lock: None,
            made: 0,
        }
    }

    /// Returns whether this tab is open.
    pub fn is_open(&self, page: usize) -> bool {
        self.pages.get(page).is_some_and(Option::is_some)
    }

    /// Opens a tab.
    pub fn open(&mut self, rng: &mut Rng) -> (usize, Vec<Ask>) {
        self.pages.push(Some(Page {
            duet: Box::new(Duet::NEW),
            events: Vec::new(),
            taken: Vec::new(),
            locks: false,
            wants_the_lock: true,
        }));
        let page = self.pages.len() - 1;
        let mut asks = self.call(page, &Call::Init(Consent::Granted), rng);
        asks.extend(self.lock(rng));
        (page, asks)
    }

    /// Lets a page report an event to each pixel. Returns the event's id, and what the page asks for. The Pixel's copy of
    /// the event is not sent here.
    pub fn track(
        &mut self,
        page: usize,
        name: &str,
        order_id: Option<&str>,
        rng: &mut Rng,
    ) -> (String, Vec<Ask>) {
        let id = match order_id {
            Some(order_id) => EventId::derive(name, order_id).as_str().to_owned(),
            None => format!("{:016x}", rng.u64(..)),
        };
        let mut properties = json!({ "value": 99_000, "currency": "VND" });
        if let (Some(order_id), Some(properties)) = (order_id, properties.as_object_mut()) {
            properties.insert("order_id".to_owned(), order_id.into());
        }
        let now_ms = clock::true_ms();
        let body = json!({
            "event": name,
            "event_id": id,
            "event_time": now_ms / 1000,
            "properties": properties,
            "user": { "ttclid": self.click },
            "page": { "url": "https://shop.example/plans" },
            "pixel": if self.is_pixel_blocked { "blocked" } else { "fired" },
        });
        let mut asks = Vec::new();
        for pixel in self.pixels.clone() {
            let mut body = body.clone();
            if let (Some(body), true) = (body.as_object_mut(), self.pixels.len() > 1) {
                body.insert("pixel_id".to_owned(), pixel.into());
            }
            self.made += 1;
            let key = format!("e:{now_ms}-{}", self.made);
            let event = self.know(page, key, body);
            let stored = self.stored(page, event);
            asks.extend(self.call(page, &Call::Add(stored), rng));
        }
        (id, asks)
    }

    /// Calls the core because a timer of the page has ended.
    pub fn wake(&mut self, page: usize, rng: &mut Rng) -> Vec<Ask> {
        let mut asks = self.call(page, &Call::Wake, rng);
        asks.extend(self.lock(rng));
        asks
    }

    /// Passes the answer to a request, or the failure of the request, to the page.
    pub fn answered(
        &mut self,
        page: usize,
        request: u32,
        answered: &Answered,
        rng: &mut Rng,
    ) -> Vec<Ask> {
        if self.lock == Some((page, request)) {
            self.lock = None;
        }
        let answer = Answer {
            request,
            http_status: answered.status,
            retry_after_ms: 0.0,
            results: &answered.results,
        };
        let mut asks = self.call(page, &Call::Answered(answer), rng);
        asks.extend(self.lock(rng));
        asks
    }

    /// Lets the visitor leave the page. The page is told that it is left, and the requests that it then makes continue
    /// after it.
    pub fn leave(&mut self, page: usize, rng: &mut Rng) -> Vec<Ask> {
        let asks = self.call(page, &Call::Leave, rng);
        self.end(page);
        asks
    }

    /// Ends the tab without telling the page.
    pub fn end(&mut self, page: usize) {
        if let Some(page) = self.pages.get_mut(page) {
            *page = None;
        }
        if self.lock.is_some_and(|(holder, _)| holder == page) {
            self.lock = None;
        }
    }

    /// Clears the site's storage, as a script of the shop can do. Returns the pixel and the id of each event that was
    /// stored. As long as a page is open, it keeps its events in memory.
    pub fn clear(&mut self) -> Vec<(String, String)> {
        let stored = std::mem::take(&mut self.storage).into_values();
        let bodies = stored.filter_map(|text| serde_json::from_str::<Value>(&text).ok());
        let first = self.pixels.first().cloned().unwrap_or_default();
        let events = bodies.filter_map(|body| {
            let pixel = body["pixel_id"].as_str().unwrap_or(&first).to_owned();
            Some((pixel, body["event_id"].as_str()?.to_owned()))
        });
        events.collect()
    }

    /// Gives the lock to a page that wants it, if no page owns the lock. Then shows this page the events in the storage.
    fn lock(&mut self, rng: &mut Rng) -> Vec<Ask> {
        let mut asks = Vec::new();
        while self.lock.is_none() {
            let wants = |page: &Option<Page>| page.as_ref().is_some_and(|page| page.wants_the_lock);
            let Some(page) = self.pages.iter().position(wants) else {
                break;
            };
            if let Some(Some(page)) = self.pages.get_mut(page) {
                page.wants_the_lock = false;
                page.locks = true;
            }
            let pause = self
                .storage
                .get("wait")
                .and_then(|until| until.parse().ok());
            let look = Call::Look {
                pause_until_ms: pause.unwrap_or_default(),
            };
            asks.extend(self.call(page, &look, rng));
            asks.extend(self.look(page, rng));
            let sends = self.call(page, &Call::Looked, rng);
            for ask in &sends {
                if let Ask::Post { request, .. } = ask {
                    self.lock = Some((page, *request));
                }
            }
            asks.extend(sends);
            if let Some(Some(page)) = self.pages.get_mut(page) {
                page.locks = false;
            }
        }
        asks
    }

    fn look(&mut self, page: usize, rng: &mut Rng) -> Vec<Ask> {
        let mut asks = Vec::new();
        let known: Vec<String> = self
            .known(page)
            .iter()
            .map(|known| known.key.clone())
            .collect();
        for (event, key) in (1..).zip(&known) {
            let end = self.storage.get(&key.replacen("e:", "d:", 1));
            let word = end.and_then(|end| end.parse().ok()).map(Word::read);
            if let Some(word) = word.filter(|_| !self.storage.contains_key(key)) {
                asks.extend(self.call(page, &Call::Ended { event, word }, rng));
            }
        }
        let strange = |(key, text): (&String, &String)| {
            let is_strange = key.starts_with("e:") && !known.contains(key);
            is_strange.then(|| (key.clone(), text.clone()))
        };
        let strange: Vec<_> = self.storage.iter().filter_map(strange).collect();
        for (key, text) in strange {
            let body = serde_json::from_str(&text).unwrap_or_default();
            let event = self.know(page, key, body);
            let stored = self.stored(page, event);
            asks.extend(self.call(page, &Call::Find(stored), rng));
        }
        asks
    }

    fn known(&self, page: usize) -> &[Known] {
        let page = self.pages.get(page).and_then(Option::as_ref);
        page.map_or(&[], |page| &page.events)
    }

    /// Adds an event to those that a page knows. Returns the event's number on the page. The first number is 1.
    fn know(&mut self, page: usize, key: String, body: Value) -> u32 {
        let Some(Some(page)) = self.pages.get_mut(page) else {
            return 0;
        };
        page.events.push(Known { key, body });
        u32::try_from(page.events.len()).unwrap_or_default()
    }

    fn stored(&self, page: usize, event: u32) -> Stored {
        let known = self.known(page).get(event as usize - 1);
        let made = known.and_then(|known| known.key.get(2..)?.split_once('-')?.0.parse().ok());
        let bytes = known.map_or(0, |known| known.body.to_string().len() + 200);
        Stored {
            event,
            created_ms: made.unwrap_or_default(),
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            is_pixel_off: self.is_pixel_blocked,
            has_order: known.is_some_and(|known| known.body["properties"]["order_id"].is_string()),
        }
    }

    /// Calls the core, and carries out the effects that the core returns.
    fn call(&mut self, page: usize, call: &Call<'_>, rng: &mut Rng) -> Vec<Ask> {
        #[allow(
            clippy::cast_precision_loss,
            reason = "the milliseconds of this century are exact in a floating-point number"
        )]
        let now_ms = clock::true_ms() as f64;
        let facts = Facts {
            now_ms,
            random: rng.f64(),
            pixel_known: true,
        };
        let Some(Some(open)) = self.pages.get_mut(page) else {
            return Vec::new();
        };
        let mut effects = Effects::default();
        open.duet.call(call, &facts, &mut effects);
        let mut asks = Vec::new();
        for effect in effects.into_list() {
            let key = |event: u32| {
                let known = event
                    .checked_sub(1)
                    .and_then(|at| open.events.get(at as usize));
                known.map(|known| (known.key.clone(), known.body.to_string()))
            };
            match effect {
                Effect::Store { event } => self.storage.extend(key(event)),
                Effect::Remove { event } => {
                    if let Some((key, _)) = key(event) {
                        self.storage.remove(&key);
                    }
                }
                Effect::Note { event, word } => {
                    if let Some((key, _)) = key(event) {
                        let end = key.replacen("e:", "d:", 1);
                        self.storage.insert(end, (word as u32).to_string());
                    }
                }
                Effect::Take { event } => open.taken.push(event),
                Effect::Post { request, .. } => {
                    let taken = std::mem::take(&mut open.taken);
                    let bodies = taken
                        .iter()
                        .filter_map(|event| open.events.get(*event as usize - 1));
                    let bodies: Vec<&Value> = bodies.map(|known| &known.body).collect();
                    let ids = bodies.iter().filter_map(|body| body["event_id"].as_str());
                    asks.push(Ask::Post {
                        page,
                        request,
                        ids: ids.map(str::to_owned).collect(),
                        body: json!({ "sent_at": clock::true_ms(), "events": bodies }).to_string(),
                    });
                }
                Effect::Wake { ms } => asks.push(Ask::Wake { page, ms }),
                Effect::Adopt | Effect::Gate(_) => open.wants_the_lock = true,
                Effect::Pause { ms } => {
                    let until = clock::true_ms() + i64::from(ms);
                    self.storage.insert("wait".to_owned(), until.to_string());
                }
                Effect::Clear => self.storage.clear(),
                Effect::Unmark { .. }
                | Effect::Settle { .. }
                | Effect::Report { .. }
                | Effect::Leave { .. } => {}
            }
        }
        asks
    }
}
