//! A browser with storage, and pages in it.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::{duet::Duet, host::Host};

pub(super) const PIXEL: &str = "C4ABCDEFGHIJ0123456789";
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
    /// What the last call asked for.
    pub(super) effects: Vec<Vec<String>>,
}

/// A call of `trackDualEvent`, unless it says otherwise.
#[derive(Clone, Copy)]
pub(super) struct Track<'a> {
    pub(super) event: &'a str,
    pub(super) properties: &'a str,
    pub(super) order_id: &'a str,
    pub(super) event_id: &'a str,
    pub(super) server: bool,
}

impl<'a> Track<'a> {
    pub(super) fn of(event: &'a str) -> Self {
        Self {
            event,
            properties: "{}",
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
        self.init_pixel(PIXEL, consent);
    }

    pub(super) fn init_pixel(&mut self, pixel: &str, consent: &str) {
        let facts = self.facts();
        let click = "E.C.P.click";
        self.call(
            "init",
            &[
                pixel, "", "", "", "VN", "VND", consent, "", "vi", click, &facts,
            ],
        );
    }

    pub(super) fn consent(&mut self, consent: &str) {
        let facts = self.facts();
        self.call("consent", &[consent, "E.C.P.click", &facts]);
    }

    pub(super) fn identify(&mut self, email: &str) {
        let now = self.now_ms.to_string();
        self.call("identify", &[&now, email, "", ""]);
    }

    /// Tracks under the next ticket, from 1 on; gives back the id.
    pub(super) fn track(&mut self, track: &Track<'_>) -> String {
        let facts = self.facts();
        self.tickets += 1;
        let ticket = self.tickets.to_string();
        let Track {
            event,
            properties,
            order_id,
            event_id,
            server,
        } = *track;
        let server = if server { "1" } else { "" };
        let rest = [event_id, "", "", "", &facts, "", "", ""].join("\u{1f}");
        self.call(
            "track",
            &[
                "", &ticket, "1", server, event, properties, order_id, "1", "", &rest,
            ],
        );
        self.told("answer")[0][0].to_owned()
    }

    pub(super) fn view(&mut self, url: &str) {
        self.call("page", &[url]);
    }

    pub(super) fn pixel(&mut self, verdict: &str) {
        let facts = self.facts();
        self.call("pixel", &[verdict, &facts]);
    }

    /// Something that comes with the facts of the page alone.
    pub(super) fn happens(&mut self, name: &str) {
        let facts = self.facts();
        self.call(name, &[&facts]);
    }

    pub(super) fn leave(&mut self) {
        let now = self.now_ms.to_string();
        self.call("leave", &[&now]);
    }

    /// The lock is this page's, and it looks at what is stored.
    pub(super) fn adopt(&mut self) {
        let mut input = self.now_ms.to_string();
        for key in self.browser.keys() {
            input.extend(["\u{1e}", &key]);
        }
        self.call("adopt", &[&input]);
    }

    /// The proxy answers a request.
    pub(super) fn answer(&mut self, request: u32, status: u32, results: &[&[&str]]) {
        let spoken = if results.is_empty() { "" } else { "1" };
        let (request, status) = (request.to_string(), status.to_string());
        let mut facts = self.facts();
        for result in results {
            facts.push('\u{1e}');
            facts.push_str(&result.join("\u{1f}"));
        }
        self.call("answered", &[&request, &status, "0", spoken, &facts]);
    }

    /// The proxy asks to be left alone.
    pub(super) fn answer_after(&mut self, request: u32, status: u32, retry_after_ms: u32) {
        let facts = self.facts();
        let numbers = [request, status, retry_after_ms].map(|number| number.to_string());
        self.call("answered", &[&numbers.join("\u{1f}"), "1", &facts]);
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

    fn facts(&mut self) -> String {
        self.calls += 1;
        let random = format!("8000{:08x}{:020}", self.calls, 0);
        [
            &self.now_ms.to_string(),
            &random,
            "https://shop.example/",
            "",
        ]
        .join("\u{1f}")
    }

    fn call(&mut self, name: &str, fields: &[&str]) {
        STORAGE.set(self.browser.0.borrow().clone());
        let text = self.duet.call(name, &fields.join("\u{1f}")).into_text();
        let effects = text.split('\u{1e}').filter(|effect| !effect.is_empty());
        self.effects = effects
            .map(|effect| effect.split('\u{1f}').map(str::to_owned).collect())
            .collect();
        let mut storage = self.browser.0.borrow_mut();
        for effect in &self.effects {
            match effect[0].as_str() {
                "write" => drop(storage.insert(effect[1].clone(), effect[2..].join("\u{1f}"))),
                "remove" => drop(storage.remove(&effect[1])),
                "clear" => storage.clear(),
                _ => {}
            }
        }
    }
}
