//! A browser with storage and pages. A real page has texts; these pages have numbers.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::{
    answer::Answer,
    consent::{Consent, Gate},
    duet::{Call, Duet},
    effect::{Effect, Effects, Word},
    facts::Facts,
    outbox::Stored,
};

#[derive(Debug, Default)]
struct Storage {
    /// The events, in the form of the page that made them.
    events: BTreeMap<u32, Stored>,
    /// The final statuses of events that other pages may wait for.
    notes: BTreeMap<u32, Word>,
    pause_until_ms: f64,
}

/// The storage that all tabs share. An event has the same key in all tabs.
#[derive(Clone, Default)]
pub(super) struct Browser(Rc<RefCell<Storage>>);

impl Browser {
    /// Returns the number of stored events.
    pub(super) fn events(&self) -> usize {
        self.0.borrow().events.len()
    }

    /// Removes everything, as the page's owner or a tool can do.
    pub(super) fn clear(&self) {
        *self.0.borrow_mut() = Storage::default();
    }
}

/// An event to add. By default it is small and belongs to no order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) bytes: u32,
    pub(super) pixel_off: bool,
    pub(super) ordered: bool,
}

pub(super) const PLAIN: Event = Event {
    bytes: 300,
    pixel_off: false,
    ordered: false,
};

/// One tab of the browser.
pub(super) struct Page {
    browser: Browser,
    duet: Duet,
    /// The keys of the events that this tab knows, by number.
    keys: Vec<u32>,
    /// The keys of the events in requests, with a 0 after each request.
    taken: Vec<u32>,
    /// The visitor's clock.
    pub(super) now_ms: f64,
    pixel_known: bool,
    /// The handling of a call at this moment.
    pub(super) gate: Gate,
    /// The effects of the last call.
    effects: Vec<Effect>,
}

impl Page {
    /// Creates a page without any call.
    pub(super) fn new(browser: &Browser) -> Self {
        Self {
            browser: browser.clone(),
            duet: Duet::NEW,
            keys: Vec::new(),
            taken: Vec::new(),
            now_ms: 1_767_323_045_123.0,
            pixel_known: false,
            gate: Gate::Held,
            effects: Vec::new(),
        }
    }

    /// Creates a page after `init()`.
    pub(super) fn started(browser: &Browser) -> Self {
        let mut page = Self::new(browser);
        page.init(Consent::Granted);
        page
    }

    pub(super) fn init(&mut self, consent: Consent) {
        self.call(Call::Init(consent));
    }

    pub(super) fn consent(&mut self, consent: Consent) {
        self.call(Call::Consent(consent));
    }

    /// Adds an event and returns its key.
    pub(super) fn add(&mut self, event: Event) -> u32 {
        let key = self.browser.0.borrow().events.keys().max().unwrap_or(&0) + 1;
        let Event {
            bytes,
            pixel_off,
            ordered,
        } = event;
        let number = self.know(key);
        self.call(Call::Add(Stored {
            event: number,
            created_ms: self.now_ms,
            bytes,
            is_pixel_off: pixel_off,
            has_order: ordered,
        }));
        key
    }

    /// Tells the module that the Pixel's result is known.
    pub(super) fn pixel(&mut self) {
        self.pixel_known = true;
        self.call(Call::Wake);
    }

    /// Gets the lock and passes the stored events.
    pub(super) fn look(&mut self) {
        let (stored, notes, pause_until_ms) = {
            let storage = self.browser.0.borrow();
            let Storage { events, notes, .. } = &*storage;
            (events.clone(), notes.clone(), storage.pause_until_ms)
        };
        let mut effects = Vec::new();
        let mut call = |page: &mut Self, call| {
            page.call(call);
            effects.append(&mut page.effects);
        };
        call(self, Call::Look { pause_until_ms });
        for event in 0..u32::try_from(self.keys.len()).unwrap() {
            if let Some(word) = notes.get(&self.keys[event as usize]).copied() {
                call(self, Call::Ended { event, word });
            }
        }
        for (key, stored) in stored {
            if !self.keys.contains(&key) {
                let event = self.know(key);
                call(self, Call::Find(Stored { event, ..stored }));
            }
        }
        call(self, Call::Looked);
        self.effects = effects;
    }

    /// Answers a request, with one digit for each event.
    pub(super) fn answer(&mut self, request: u32, http_status: u32, results: &str) {
        self.answer_after(request, http_status, results, 0.0);
    }

    /// Answers a request and asks for a pause.
    pub(super) fn answer_after(&mut self, request: u32, status: u32, results: &str, ms: f64) {
        self.call(Call::Answered(Answer {
            request,
            http_status: status,
            retry_after_ms: ms,
            results,
        }));
    }

    /// Returns the keys of the events in the requests of the last call.
    pub(super) fn sent(&self) -> Vec<Vec<u32>> {
        let mut taken = self.taken.iter().copied();
        let posts = self.effects.iter();
        posts
            .filter(|effect| matches!(effect, Effect::Post { .. }))
            .map(|_| taken.by_ref().take_while(|key| *key > 0).collect())
            .collect()
    }

    /// Returns the statuses from the last call, by event key.
    pub(super) fn settled(&self) -> Vec<(u32, Word)> {
        self.all(|effect| match effect {
            Effect::Settle { event, word } => Some((self.keys[event as usize], word)),
            _ => None,
        })
    }

    /// Returns the losses that the last call reported.
    pub(super) fn reported(&self) -> Vec<Word> {
        self.all(|effect| match effect {
            Effect::Report { word, .. } => Some(word),
            _ => None,
        })
    }

    pub(super) fn tells(&self, effect: Effect) -> bool {
        self.effects.contains(&effect)
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.effects.is_empty()
    }

    /// Returns the milliseconds until the wake-up that the module asked for.
    pub(super) fn wakes_in(&self) -> Option<u32> {
        let wakes = self.all(|effect| match effect {
            Effect::Wake { ms } => Some(ms),
            _ => None,
        });
        wakes.into_iter().min()
    }

    /// Returns the effects of one kind from the last call.
    pub(super) fn all<T>(&self, of: impl Fn(Effect) -> Option<T>) -> Vec<T> {
        self.effects.iter().copied().filter_map(of).collect()
    }

    fn know(&mut self, key: u32) -> u32 {
        self.keys.push(key);
        u32::try_from(self.keys.len() - 1).unwrap()
    }

    /// Runs any call.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a test makes it where it makes the call"
    )]
    pub(super) fn call(&mut self, call: Call<'_>) {
        let facts = Facts {
            now_ms: self.now_ms,
            random: 0.5,
            pixel_known: self.pixel_known,
        };
        let added = match &call {
            Call::Add(record) => Some(*record),
            _ => None,
        };
        let mut fx = Effects::default();
        self.duet.call(&call, &facts, &mut fx);
        self.effects = fx.into_list();
        self.taken.clear();
        let mut storage = self.browser.0.borrow_mut();
        for effect in self.effects.iter().copied() {
            let key = |page: &[u32], event: u32| page[event as usize];
            match effect {
                Effect::Store { event } => {
                    let record = added.expect("only what is new is stored");
                    storage.events.insert(key(&self.keys, event), record);
                }
                Effect::Remove { event } => drop(storage.events.remove(&key(&self.keys, event))),
                Effect::Note { event, word } => {
                    storage.notes.insert(key(&self.keys, event), word);
                }
                Effect::Clear => *storage = Storage::default(),
                Effect::Pause { ms: 0 } => storage.pause_until_ms = 0.0,
                Effect::Pause { ms } => storage.pause_until_ms = self.now_ms + f64::from(ms),
                Effect::Take { event } => self.taken.push(key(&self.keys, event)),
                Effect::Post { .. } => self.taken.push(0),
                // A key of 0 stands for an event that this page does not know.
                Effect::Leave { event } => self.keys[event as usize] = 0,
                Effect::Gate(gate) => self.gate = gate,
                _ => {}
            }
        }
    }
}
