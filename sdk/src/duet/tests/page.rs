//! A browser with storage, and pages in it. Where a page has texts, these have numbers.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::{
    duet::{Duet, Gate, Said, kind},
    effect::{Effect, Effects, Word},
    facts::Facts,
};

pub(super) const GRANTED: u32 = 0;
pub(super) const PENDING: u32 = 1;
pub(super) const DENIED: u32 = 2;

/// An event as it is stored: when it was made, and its facts.
#[derive(Clone, Copy, Debug)]
struct Stored {
    created_ms: f64,
    bytes: u32,
    flags: u32,
}

#[derive(Debug, Default)]
struct Storage {
    events: BTreeMap<u32, Stored>,
    /// How events ended that other pages may wait for.
    notes: BTreeMap<u32, Word>,
    pause_until_ms: f64,
}

/// What all tabs share. An event has the same key on all of them.
#[derive(Clone, Default)]
pub(super) struct Browser(Rc<RefCell<Storage>>);

impl Browser {
    /// How many events are stored.
    pub(super) fn events(&self) -> usize {
        self.0.borrow().events.len()
    }

    /// Whoever owns the page, or a tool of theirs, removes everything.
    pub(super) fn clear(&self) {
        *self.0.borrow_mut() = Storage::default();
    }
}

/// An event to be added: small and nobody's order, unless it says otherwise.
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

/// One tab.
pub(super) struct Page {
    browser: Browser,
    duet: Duet,
    /// The keys of the events this tab knows, by their numbers.
    keys: Vec<u32>,
    /// What it is to be told of the events of each request.
    taken: Vec<u32>,
    /// The visitor's clock.
    pub(super) now_ms: f64,
    pixel_known: bool,
    /// What calls made now would become.
    pub(super) gate: Gate,
    /// What the last call asked for.
    effects: Vec<(Effect, u32, u32)>,
}

impl Page {
    /// A page on which nothing has happened.
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

    /// A page after `init()`.
    pub(super) fn started(browser: &Browser) -> Self {
        let mut page = Self::new(browser);
        page.init(GRANTED);
        page
    }

    pub(super) fn init(&mut self, consent: u32) {
        self.tell(kind::INIT, consent);
    }

    pub(super) fn consent(&mut self, consent: u32) {
        self.tell(kind::CONSENT, consent);
    }

    /// Adds an event; gives back its key.
    pub(super) fn add(&mut self, event: Event) -> u32 {
        let key = self.browser.0.borrow().events.keys().max().unwrap_or(&0) + 1;
        let number = self.know(key);
        let said = Said {
            number,
            ms: self.now_ms,
            size: event.bytes,
            flags: u32::from(event.pixel_off) | u32::from(event.ordered) << 1,
            results: "",
        };
        self.call(kind::ADD, &said);
        key
    }

    /// The page has learnt what became of the Pixel.
    pub(super) fn pixel(&mut self) {
        self.pixel_known = true;
        self.happens(kind::WAKE);
    }

    /// Something of which there is no more to say.
    pub(super) fn happens(&mut self, kind: u32) {
        self.call(kind, &Said::default());
    }

    /// The lock is this page's, and it looks at what is stored.
    pub(super) fn look(&mut self) {
        let (stored, notes, pause_until_ms) = {
            let storage = self.browser.0.borrow();
            let Storage { events, notes, .. } = &*storage;
            (events.clone(), notes.clone(), storage.pause_until_ms)
        };
        let mut effects = Vec::new();
        let mut call = |page: &mut Self, kind, said: &Said<'_>| {
            page.call(kind, said);
            effects.append(&mut page.effects);
        };
        let look = Said {
            ms: pause_until_ms,
            ..Said::default()
        };
        call(self, kind::LOOK, &look);
        for number in 0..u32::try_from(self.keys.len()).unwrap() {
            if let Some(word) = notes.get(&self.keys[number as usize]) {
                let missed = Said {
                    number,
                    size: *word as u32 + 1,
                    ..Said::default()
                };
                call(self, kind::MISS, &missed);
            }
        }
        for (key, event) in stored {
            if !self.keys.contains(&key) {
                let found = Said {
                    number: self.know(key),
                    ms: event.created_ms,
                    size: event.bytes,
                    flags: event.flags,
                    results: "",
                };
                call(self, kind::FIND, &found);
            }
        }
        call(self, kind::LOOKED, &Said::default());
        self.effects = effects;
    }

    /// The proxy answers a request, in a digit an event.
    pub(super) fn answer(&mut self, request: u32, http_status: u32, results: &str) {
        self.answer_after(request, http_status, results, 0.0);
    }

    /// The proxy asks to be left alone.
    pub(super) fn answer_after(&mut self, request: u32, status: u32, results: &str, ms: f64) {
        let answered = Said {
            number: request,
            ms,
            size: status,
            flags: 0,
            results,
        };
        self.call(kind::ANSWERED, &answered);
    }

    /// The keys of the events of the requests that the last call asked for.
    pub(super) fn sent(&self) -> Vec<Vec<u32>> {
        let mut taken = self.taken.iter().copied();
        self.told(Effect::Post)
            .map(|_| taken.by_ref().take_while(|key| *key > 0).collect())
            .collect()
    }

    /// How the events of the last call fare, by their keys.
    pub(super) fn settled(&self) -> Vec<(u32, Word)> {
        let settled = self.told(Effect::Settle);
        settled
            .map(|(number, word)| (self.keys[number as usize], WORDS[word as usize]))
            .collect()
    }

    /// The losses of which the last call tells.
    pub(super) fn reported(&self) -> Vec<Word> {
        let reported = self.told(Effect::Report);
        reported.map(|(_, word)| WORDS[word as usize]).collect()
    }

    /// The numbers of all effects of a kind that the last call asked for.
    pub(super) fn told(&self, kind: Effect) -> impl Iterator<Item = (u32, u32)> {
        let of_kind = self.effects.iter().filter(move |(one, ..)| *one == kind);
        of_kind.map(|(_, first, second)| (*first, *second))
    }

    pub(super) fn tells(&self, kind: Effect) -> bool {
        self.told(kind).next().is_some()
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.effects.is_empty()
    }

    /// In how many milliseconds it wants to be woken.
    pub(super) fn wakes_in(&self) -> Option<u32> {
        self.told(Effect::Wake).map(|(ms, _)| ms).min()
    }

    fn know(&mut self, key: u32) -> u32 {
        self.keys.push(key);
        u32::try_from(self.keys.len() - 1).unwrap()
    }

    fn tell(&mut self, kind: u32, number: u32) {
        let said = Said {
            number,
            ..Said::default()
        };
        self.call(kind, &said);
    }

    fn call(&mut self, kind: u32, said: &Said<'_>) {
        let facts = Facts {
            now_ms: self.now_ms,
            random: 0.5,
            pixel_known: self.pixel_known,
        };
        let mut fx = Effects::default();
        self.gate = self.duet.call(kind, said, &facts, &mut fx);
        self.effects = fx.into_list();
        self.taken.clear();
        let mut storage = self.browser.0.borrow_mut();
        for (effect, first, second) in &self.effects {
            let key = |page: &[u32]| page[*first as usize];
            match effect {
                Effect::Write => {
                    let stored = Stored {
                        created_ms: said.ms,
                        bytes: said.size,
                        flags: said.flags,
                    };
                    storage.events.insert(key(&self.keys), stored);
                }
                Effect::Remove => drop(storage.events.remove(&key(&self.keys))),
                Effect::Note => {
                    let word = WORDS[*second as usize];
                    storage.notes.insert(key(&self.keys), word);
                }
                Effect::Clear => *storage = Storage::default(),
                Effect::Pause if *first > 0 => {
                    storage.pause_until_ms = self.now_ms + f64::from(*first);
                }
                Effect::Pause => storage.pause_until_ms = 0.0,
                Effect::Take => self.taken.push(key(&self.keys)),
                Effect::Post => self.taken.push(0),
                // A key that nobody has is one this page does not know.
                Effect::Leave => self.keys[*first as usize] = 0,
                _ => {}
            }
        }
    }
}

const WORDS: [Word; 10] = [
    Word::Accepted,
    Word::Duplicate,
    Word::Held,
    Word::Invalid,
    Word::Queued,
    Word::Dropped,
    Word::Consent,
    Word::Full,
    Word::Expired,
    Word::Refused,
];
