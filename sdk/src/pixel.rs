//! What to say to TikTok's Pixel, and how to tell that it listened.
//!
//! The base code is a queue that a script from TikTok drains. A blocked script leaves the queue
//! standing and nobody notices, so Duet asks the Pixel to call back. Everything goes to the instance
//! of one pixel id, so other pixels of the page see nothing twice.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use crate::{
    config::PixelConfig,
    consent::Consent,
    effect::{Effects, OFF},
    identity::Keys,
    json::{Object, quote},
};

/// The Pixel drained its queue.
const FIRED: &str = "fired";

/// The Pixel's side of this page.
#[derive(Debug, Default)]
pub struct Pixel {
    targets: Vec<Target>,
    started: bool,
    verdict: String,
    said: Keys,
    viewed: String,
}

#[derive(Debug)]
struct Target {
    id: String,
    existing: bool,
    script: String,
    options: String,
}

impl Pixel {
    /// Adds a pixel, once. It starts at once where others run already.
    pub fn add(&mut self, pixel: &PixelConfig<'_>, limited_data_use: bool, fx: &mut Effects) {
        if self.targets.iter().any(|target| target.id == pixel.id) {
            return;
        }
        let mut options = Object::default();
        if !pixel.auto_page {
            // Duet's `page()` says when there is a new page; both would count it twice.
            options.raw("historyObserver", "false");
        }
        if limited_data_use {
            options.raw("limited_data_use", "true");
        }
        let target = Target {
            id: pixel.id.to_owned(),
            existing: pixel.existing,
            script: pixel.script.to_owned(),
            options: options.close(),
        };
        if self.started {
            target.start(fx);
        }
        self.targets.push(target);
    }

    /// Brings the Pixel up, or back.
    pub fn start(&mut self, url: &str, fx: &mut Effects) {
        if !self.is_on() {
            OFF.clone_into(&mut self.verdict);
            fx.verdict(OFF);
        } else if self.started {
            self.call("enableCookie", &[], fx);
            self.call("grantConsent", &[], fx);
        } else {
            for target in &self.targets {
                target.start(fx);
                if !target.existing {
                    url.clone_into(&mut self.viewed);
                }
            }
        }
        self.started = true;
    }

    /// Stops a Pixel that runs already, as far as it lets itself be stopped.
    pub fn stop(&mut self, consent: Consent, fx: &mut Effects) {
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
        !self.targets.is_empty()
    }

    /// The `pixel_id` of each copy the proxy is to get. One that goes without saying is empty: the
    /// proxy knows its pixel.
    pub fn addressees(&self) -> impl Iterator<Item = &str> {
        let several = self.targets.len() > 1;
        let ids = self.targets.iter().map(|target| target.id.as_str());
        ids.filter(move |_| several).chain((!several).then_some(""))
    }

    /// What became of it: `fired`, `blocked`, `absent` or `off`; empty while unknown.
    pub fn verdict(&self) -> &str {
        &self.verdict
    }

    /// Takes what the page found out. True when that is news.
    pub fn learn(&mut self, verdict: &str, fx: &mut Effects) -> bool {
        // A script that drained the queue has done so for good.
        let news = self.is_on() && self.verdict != verdict && self.verdict != FIRED;
        if news {
            verdict.clone_into(&mut self.verdict);
            fx.verdict(verdict);
        }
        news
    }

    /// Says who is here, once: the Pixel attaches it to everything that follows. The names are those
    /// for digests; under its plain names it would hash them again.
    pub fn identify(&mut self, keys: &Keys, fx: &mut Effects) {
        if self.is_on() && !keys.is_empty() && *keys != self.said {
            self.said = keys.clone();
            let names = ["sha256_email", "sha256_phone_number", "external_id"];
            self.call("identify", &[&keys.named(names).close()], fx);
        }
    }

    /// Reports an event.
    pub fn track(&self, event: &str, properties: &str, event_id: &str, fx: &mut Effects) {
        let mut name = String::new();
        quote(&mut name, event);
        let mut options = Object::default();
        options.text("event_id", event_id);
        self.call("track", &[&name, properties, &options.close()], fx);
    }

    /// Reports a page view, once per address.
    pub fn page(&mut self, url: &str, fx: &mut Effects) {
        if self.viewed != url {
            url.clone_into(&mut self.viewed);
            self.call("page", &[], fx);
        }
    }

    fn call(&self, method: &str, arguments: &[&str], fx: &mut Effects) {
        for target in &self.targets {
            let call = fx.pixel(&target.id, method);
            for argument in arguments {
                call.with(argument);
            }
        }
    }
}

impl Target {
    /// Where Duet loads the Pixel, this is also the first page view, as in TikTok's own base code.
    fn start(&self, fx: &mut Effects) {
        if self.existing {
            fx.watch(&self.id);
        } else {
            fx.load(&self.id, &self.script, &self.options);
            fx.pixel(&self.id, "page");
        }
    }
}
