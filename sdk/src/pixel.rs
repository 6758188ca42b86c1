//! What to say to TikTok's Pixel, and how to tell that it listened.
//!
//! The base code is a queue that a script from TikTok drains. A blocked script leaves the queue
//! standing and nobody notices, so Duet asks the Pixel to call back ([`Verdict`]). Everything goes to
//! the instance of one pixel id, so other pixels of the page see nothing twice.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use crate::{
    config::{Config, PixelMode},
    consent::Consent,
    effect::Effects,
    identity::Keys,
    json::{self, Object},
};

/// What became of the Pixel on this page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Not known yet.
    #[default]
    Unknown,
    /// Its script drained the queue.
    Fired,
    /// Its script did not come, or did nothing.
    Blocked,
    /// The page was to bring its own and has none.
    Absent,
    /// It is not wanted.
    Off,
}

impl Verdict {
    /// The word that travels with an event; empty while unknown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Fired => "fired",
            Self::Blocked => "blocked",
            Self::Absent => "absent",
            Self::Off => "off",
        }
    }

    /// Reads what `host.js` found out.
    pub fn parse(word: &str) -> Self {
        match word {
            "fired" => Self::Fired,
            "blocked" => Self::Blocked,
            "absent" => Self::Absent,
            _ => Self::Unknown,
        }
    }
}

/// The Pixel's side of this page.
#[derive(Debug, Default)]
pub struct Pixel {
    /// Empty where the Pixel is off.
    pixels: Vec<Target>,
    started: bool,
    verdict: Verdict,
    said: Keys,
    viewed: String,
}

#[derive(Debug)]
struct Target {
    /// Empty for whatever pixel the page itself has.
    id: String,
    script: String,
    existing: bool,
    options: String,
}

impl Pixel {
    /// Adds the pixel of a configuration, once. It is loaded at once where others run already.
    pub fn add(&mut self, config: &Config, fx: &mut Effects) {
        let known = self.pixels.iter().any(|target| target.id == config.pixel_id);
        if known || config.pixel == PixelMode::Off {
            return;
        }
        let mut options = Object::default();
        if !config.auto_page {
            // Duet's `page()` says when there is a new page; both would count it twice.
            options.raw("historyObserver", "false");
        }
        if config.limited_data_use {
            options.raw("limited_data_use", "true");
        }
        let target = Target {
            id: config.pixel_id.clone(),
            script: config.script.clone(),
            existing: config.pixel == PixelMode::Existing,
            options: options.close(),
        };
        if self.started {
            target.start(fx);
        }
        self.pixels.push(target);
    }

    /// Brings the Pixel up, or back.
    pub fn start(&mut self, url: &str, fx: &mut Effects) {
        if self.pixels.is_empty() {
            self.verdict = Verdict::Off;
            fx.verdict(self.verdict.word());
        } else if self.started {
            self.call("enableCookie", &[], fx);
            self.call("grantConsent", &[], fx);
        } else {
            self.started = true;
            for target in &self.pixels {
                target.start(fx);
            }
            if self.pixels.iter().any(|target| !target.existing) {
                url.clone_into(&mut self.viewed);
            }
        }
    }

    /// Stops a Pixel that runs already, as far as it lets itself be stopped.
    pub fn pause(&mut self, consent: Consent, fx: &mut Effects) {
        if consent == Consent::Denied {
            self.said = Keys::default();
            self.call("revokeConsent", &[], fx);
            self.call("disableCookie", &[], fx);
        } else {
            self.call("holdConsent", &[], fx);
        }
    }

    /// Whether the Pixel takes part at all.
    pub fn is_on(&self) -> bool {
        !self.pixels.is_empty()
    }

    /// The `pixel_id` of each copy the proxy is to get. One that goes without saying is empty: the
    /// proxy knows its pixel.
    pub fn addressees(&self) -> impl Iterator<Item = &str> {
        let several = self.pixels.len() > 1;
        let first = (!several).then_some("");
        let all = self.pixels.iter().map(|target| target.id.as_str());
        first.into_iter().chain(all.filter(move |_| several))
    }

    /// What became of it so far.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Takes what the page found out. True when that is news.
    pub fn learn(&mut self, verdict: Verdict, fx: &mut Effects) -> bool {
        // A script that drained the queue has done so for good.
        let news = self.is_on() && self.verdict != verdict && self.verdict != Verdict::Fired;
        if news {
            self.verdict = verdict;
            fx.verdict(verdict.word());
        }
        news
    }

    /// Says who is here, once: the Pixel attaches it to everything that follows.
    pub fn identify(&mut self, keys: &Keys, fx: &mut Effects) {
        if !keys.is_empty() && *keys != self.said {
            self.said = keys.clone();
            self.call("identify", &[&keys.for_pixel()], fx);
        }
    }

    /// Reports an event.
    pub fn track(&mut self, event: &str, properties: &str, event_id: &str, fx: &mut Effects) {
        let mut options = Object::default();
        options.text("event_id", event_id);
        self.call(
            "track",
            &[&json::quoted(event), properties, &options.close()],
            fx,
        );
    }

    /// Reports a page view, once per address.
    pub fn page(&mut self, url: &str, fx: &mut Effects) {
        if self.started && self.viewed != url {
            url.clone_into(&mut self.viewed);
            self.call("page", &[], fx);
        }
    }

    fn call(&self, method: &str, arguments: &[&str], fx: &mut Effects) {
        for target in &self.pixels {
            fx.pixel(&target.id, method, arguments);
        }
    }
}

impl Target {
    /// Where Duet loads the Pixel, this is also the first page view, as in TikTok's own base code.
    fn start(&self, fx: &mut Effects) {
        if self.existing {
            fx.watch();
        } else {
            fx.load(&self.id, &self.script, &self.options);
            fx.pixel(&self.id, "page", &[]);
        }
    }
}
