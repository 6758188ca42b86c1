//! A browser with storage, and pages in it.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::{
    duet::{Duet, kind},
    host::Host,
};

pub(super) const GRANTED: &str = "granted";
pub(super) const PENDING: &str = "pending";
pub(super) const DENIED: &str = "denied";

type Storage = BTreeMap<String, String>;

thread_local! {
    /// The storage of the browser whose page is running: [`Host`] has room for functions only.
    static STORAGE: RefCell<Storage> = RefCell::default();
}

const HOST: Host = Host {
    read: |key| STORAGE.with_borrow(|storage| storage.get(key).cloned().unwrap_or_default()),
    cookie: |_| String::new(),
    lowercase: str::to_lowercase,
};

/// What all tabs share.
#[derive(Clone, Default)]
pub(super) struct Browser(Rc<RefCell<Storage>>);

impl Browser {
    pub(super) fn keys(&self) -> Vec<String> {
        self.0.borrow().keys().cloned().collect()
    }

    /// How many events are stored.
    pub(super) fn events(&self) -> usize {
        let keys = self.keys();
        keys.iter().filter(|key| key.starts_with("duet:e:")).count()
    }
}

/// One tab.
pub(super) struct Page {
    browser: Browser,
    duet: Duet,
    calls: u32,
    tickets: u32,
    /// The visitor's clock.
    pub(super) now_ms: u64,
    /// What the Pixel is known to be.
    verdict: String,
    /// Calls that are to be made again.
    held: Vec<Vec<String>>,
    /// What the last call asked for.
    pub(super) effects: Vec<Vec<String>>,
}

/// What the tests call the effects.
const NAMES: [(&str, &str); 15] = [
    ("i", "answer"),
    ("h", "hold"),
    ("w", "write"),
    ("r", "remove"),
    ("c", "clear"),
    ("k", "cookie"),
    ("o", "open"),
    ("q", "close"),
    ("u", "identify"),
    ("x", "pixel"),
    ("p", "post"),
    ("z", "wake"),
    ("a", "adopt"),
    ("s", "settle"),
    ("e", "error"),
];

/// A call of `trackDualEvent`, unless it says otherwise.
#[derive(Clone, Copy)]
pub(super) struct Track<'a> {
    pub(super) event: &'a str,
    /// The pixels of this page, where there are several.
    pub(super) pixel_ids: &'a str,
    pub(super) order_id: &'a str,
    pub(super) event_id: &'a str,
    pub(super) server: bool,
}

impl<'a> Track<'a> {
    pub(super) fn of(event: &'a str) -> Self {
        Self {
            event,
            pixel_ids: "",
            order_id: "",
            event_id: "",
            server: true,
        }
    }
}

impl Page {
    /// A page on which nothing has happened.
    pub(super) fn new(browser: &Browser) -> Self {
        Self {
            browser: browser.clone(),
            duet: Duet::new(HOST),
            calls: 0,
            tickets: 0,
            now_ms: 1_767_323_045_123,
            verdict: String::new(),
            held: Vec::new(),
            effects: Vec::new(),
        }
    }

    /// A page after `init()`.
    pub(super) fn started(browser: &Browser) -> Self {
        let mut page = Self::new(browser);
        page.init(GRANTED);
        page
    }

    pub(super) fn init(&mut self, consent: &str) {
        self.call(kind::INIT, &["VN", consent, "E.C.P.click"]);
        self.make_held_calls();
    }

    pub(super) fn consent(&mut self, consent: &str) {
        self.call(kind::CONSENT, &[consent, "E.C.P.click"]);
        self.make_held_calls();
    }

    fn make_held_calls(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        for call in std::mem::take(&mut self.held) {
            let kind = call[0].parse().unwrap();
            let fields: Vec<_> = call[1..].iter().map(String::as_str).collect();
            self.call(kind, &fields);
            effects.append(&mut self.effects);
        }
        self.effects = effects;
    }

    fn hold(&mut self, kind: u32, fields: &[&str]) {
        if self.tells("hold") {
            let kind = kind.to_string();
            let call = [&[kind.as_str()], fields].concat();
            self.held
                .push(call.into_iter().map(str::to_owned).collect());
        }
    }

    pub(super) fn identify(&mut self, email: &str) {
        let fields = [email, "", ""];
        self.call(kind::IDENTIFY, &fields);
        self.hold(kind::IDENTIFY, &fields);
    }

    /// Tracks under the next ticket, from 1 on; gives back the id.
    pub(super) fn track(&mut self, track: &Track<'_>) -> String {
        self.tickets += 1;
        let ticket = self.tickets.to_string();
        let Track {
            event,
            pixel_ids,
            order_id,
            event_id,
            server,
        } = *track;
        let server = if server { "1" } else { "" };
        let body = format!(r#"{{"event":"{event}","user":{{"#);
        let mut fields = [
            &ticket, event, order_id, event_id, "1", server, "", pixel_ids, &body, "", "", "",
        ];
        self.call(kind::TRACK, &fields);
        let id = self.told("answer")[0][0].to_owned();
        fields[3] = &id;
        self.hold(kind::TRACK, &fields);
        id
    }

    /// The page has learnt what became of the Pixel.
    pub(super) fn pixel(&mut self, verdict: &str) {
        verdict.clone_into(&mut self.verdict);
        self.happens(kind::WAKE);
    }

    /// Something of which there is no more to say.
    pub(super) fn happens(&mut self, kind: u32) {
        self.call(kind, &[]);
    }

    /// The lock is this page's, and it looks at what is stored.
    pub(super) fn adopt(&mut self) {
        let mut input = String::new();
        for key in self.browser.keys() {
            input.extend(["\u{1e}", &key]);
        }
        self.call(kind::ADOPT, &[&input]);
    }

    /// The proxy answers a request.
    pub(super) fn answer(&mut self, request: u32, status: u32, results: &[&[&str]]) {
        let spoken = if results.is_empty() { "" } else { "1" };
        let (request, status) = (request.to_string(), status.to_string());
        let mut said = spoken.to_owned();
        for result in results {
            said.push('\u{1e}');
            said.push_str(&result.join("\u{1f}"));
        }
        self.call(kind::ANSWERED, &[&request, &status, "0", &said]);
    }

    /// The proxy asks to be left alone.
    pub(super) fn answer_after(&mut self, request: u32, status: u32, retry_after_ms: u32) {
        let numbers = [request, status, retry_after_ms].map(|number| number.to_string());
        self.call(kind::ANSWERED, &[&numbers.join("\u{1f}"), "1"]);
    }

    /// The effects of one kind that the last call asked for.
    pub(super) fn told(&self, kind: &str) -> Vec<Vec<&str>> {
        let of_kind = self.effects.iter().filter(|effect| effect[0] == kind);
        of_kind
            .map(|effect| effect[1..].iter().map(String::as_str).collect())
            .collect()
    }

    pub(super) fn tells(&self, kind: &str) -> bool {
        !self.told(kind).is_empty()
    }

    /// The body of the one request that the last call asked for.
    pub(super) fn sent_body(&self) -> &str {
        let mut posts = self.effects.iter().filter(|effect| effect[0] == "post");
        let post = posts.next().unwrap();
        assert!(posts.next().is_none());
        &post[3]
    }

    fn call(&mut self, kind: u32, fields: &[&str]) {
        self.calls += 1;
        let random = (0x8000_u64 << 48) + u64::from(self.calls);
        let head = [self.now_ms, random, 0].map(|number| number.to_string());
        let head = head.join("\u{1f}");
        let input = [&[&head, self.verdict.as_str()], fields].concat();
        STORAGE.set(self.browser.0.borrow().clone());
        let text = self.duet.call(kind, &input.join("\u{1f}")).into_text();
        let effects = text.split('\u{1e}').filter(|effect| !effect.is_empty());
        self.effects = effects
            .map(|effect| effect.split('\u{1f}').map(str::to_owned).collect())
            .collect();
        let mut storage = self.browser.0.borrow_mut();
        for effect in &mut self.effects {
            let (_, name) = NAMES.iter().find(|(kind, _)| *kind == effect[0]).unwrap();
            (*name).clone_into(&mut effect[0]);
            match *name {
                "write" => drop(storage.insert(effect[1].clone(), effect[2..].join("\u{1f}"))),
                "remove" => drop(storage.remove(&effect[1])),
                "clear" => storage.clear(),
                _ => {}
            }
        }
    }
}
