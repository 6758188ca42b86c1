//! The currently configured pixels of the shop. The proxy reads their settings at the start, and again on SIGHUP.
//!
//! An event goes to the pixel that it names. An event that names no pixel goes to the first pixel that lists the origin of
//! its page. If no pixel lists the origin, the event goes to the first pixel. A page may not name a pixel that does not list
//! the page's origin. Browsers send the origin with every POST. So a request without an origin does not come from a page,
//! and may name any pixel.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::watch;

use crate::{
    admit,
    config::{Config, Origins, Pixel, Pixels as Settings},
    decide::{Destination, Destinations},
    origin::Origin,
    secret::AccessToken,
};

/// The pixels, shared by all parts of the proxy.
#[derive(Debug)]
pub struct Pixels(watch::Sender<Arc<Configured>>);

/// The pixels that one reading of the settings has found.
#[derive(Debug)]
pub struct Configured {
    settings: Settings,
    /// The destinations of the pixels' live events, in the order of the pixels.
    live: Vec<Arc<Destination>>,
    /// `DUET_ALLOWED_ORIGINS`.
    allowed: Vec<Origin>,
    /// The tokens of all pixels that were configured since the start.
    tokens: HashMap<String, AccessToken>,
}

/// The sender of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From<'a> {
    /// The request does not come from a page, or comes from a server with the server key. Such a sender may name any pixel.
    Anywhere,
    /// A page of this origin.
    Page {
        /// The origin that the browser sends.
        origin: &'a str,
        /// Whether this is the proxy's own origin.
        is_own: bool,
    },
    /// A page of the proxy's own origin that hides its origin, so that the browser sends `Origin: null`. The values are the
    /// proxy's hosts with their ports.
    OwnHidden(Vec<&'a str>),
}

impl Pixels {
    /// Creates the pixels from the settings.
    pub fn new(config: &Config) -> Self {
        let allowed = config.server.allowed_origins.clone();
        let settings = config.tiktok.pixels.clone();
        let configured = Configured::new(settings, allowed, HashMap::new());
        Self(watch::Sender::new(Arc::new(configured)))
    }

    /// Returns the currently configured pixels.
    pub fn now(&self) -> Arc<Configured> {
        Arc::clone(&self.0.borrow())
    }

    /// Replaces all pixels at once. Pending events of a removed pixel are still sent with the last token of this pixel.
    pub fn replace(&self, settings: Settings) {
        self.0.send_modify(|configured| {
            let (allowed, tokens) = (configured.allowed.clone(), configured.tokens.clone());
            *configured = Arc::new(Configured::new(settings, allowed, tokens));
        });
    }

    /// Returns a receiver of later replacements.
    pub fn replacements(&self) -> watch::Receiver<Arc<Configured>> {
        self.0.subscribe()
    }
}

impl Configured {
    fn new(
        settings: Settings,
        allowed: Vec<Origin>,
        mut tokens: HashMap<String, AccessToken>,
    ) -> Self {
        let token = |pixel: &Pixel| (pixel.id.as_str().to_owned(), pixel.access_token.clone());
        tokens.extend(settings.iter().map(token));
        let live = |pixel: &Pixel| {
            Arc::new(Destination {
                pixel_id: pixel.id.as_str().to_owned(),
                test_event_code: None,
            })
        };
        Self {
            live: settings.iter().map(live).collect(),
            settings,
            allowed,
            tokens,
        }
    }

    /// Returns the settings of all pixels, beginning with the first.
    pub fn iter(&self) -> impl Iterator<Item = &Pixel> + Clone {
        self.settings.iter()
    }

    /// Returns whether a pixel with this id is configured.
    pub fn has(&self, pixel_id: &str) -> bool {
        self.iter().any(|pixel| pixel.id.as_str() == pixel_id)
    }

    /// Returns the token of a pixel that is configured, or was configured since the start.
    pub fn token(&self, pixel_id: &str) -> Option<&AccessToken> {
        self.tokens.get(pixel_id)
    }

    /// Returns whether only one pixel is configured. If so, the events of every request go to this pixel.
    pub fn is_one(&self) -> bool {
        self.live.len() == 1
    }

    /// Returns the origin in this text, if the settings allow pages of this origin to send events. Returns `None` for the
    /// proxy's own origin, unless the settings list it.
    pub fn allowed(&self, origin: &[u8]) -> Option<&Origin> {
        let mut all = self.allowed.iter().chain(self.settings.origins());
        all.find(|listed| listed.as_str().as_bytes() == origin)
    }

    /// Returns all pixels, and for each pixel whether events of a request from this sender may name it. Events that name no
    /// pixel go to the first pixel in the returned list.
    pub fn choice<'a>(&'a self, from: &From<'_>, now_ms: i64) -> Vec<admit::Pixel<'a>> {
        let lists = |pixel: &Pixel| self.lists(pixel, from);
        let place = self.iter().position(lists).unwrap_or_default();
        let choice = |(at, pixel): (usize, &'a Pixel)| admit::Pixel {
            id: pixel.id.as_str(),
            test_event_code: code_at(pixel, now_ms),
            // A page may also name the pixel that receives those events of the page that name no pixel.
            is_open: at == place || lists(pixel),
        };
        let mut choices: Vec<_> = self.iter().enumerate().map(choice).collect();
        choices.swap(0, place);
        choices
    }

    fn lists(&self, pixel: &Pixel, from: &From<'_>) -> bool {
        match (&pixel.origins, from) {
            (_, From::Anywhere) | (Origins::Allowed, From::OwnHidden(_)) => true,
            (Origins::Allowed, From::Page { origin, is_own }) => {
                *is_own || self.allowed.iter().any(|listed| listed.as_str() == *origin)
            }
            (Origins::Listed(origins), From::Page { origin, .. }) => {
                origins.iter().any(|listed| listed.as_str() == *origin)
            }
            (Origins::Listed(origins), From::OwnHidden(hosts)) => origins
                .iter()
                .any(|listed| hosts.iter().any(|host| listed.is_at(host))),
        }
    }

    /// Returns the destination of a pixel's events, live or with a test event code.
    pub fn destination(&self, pixel_id: &str, test_event_code: Option<&str>) -> Arc<Destination> {
        let live = || self.live.iter().find(|live| live.pixel_id == pixel_id);
        match (test_event_code, live()) {
            (None, Some(live)) => Arc::clone(live),
            _ => Arc::new(Destination {
                pixel_id: pixel_id.to_owned(),
                test_event_code: test_event_code.map(str::to_owned),
            }),
        }
    }

    /// Returns the destinations of the events that the proxy creates itself, such as the events of payments.
    pub fn destinations_at(&self, now_ms: i64) -> Destinations {
        let of = |pixel: &Pixel| self.destination(pixel.id.as_str(), code_at(pixel, now_ms));
        Destinations {
            first: of(self.settings.first()),
            others: self.iter().skip(1).map(of).collect(),
        }
    }

    /// Returns the pixels in test mode.
    pub fn in_test(&self, now_ms: i64) -> impl Iterator<Item = &Pixel> {
        self.iter()
            .filter(move |pixel| code_at(pixel, now_ms).is_some())
    }
}

fn code_at(pixel: &Pixel, now_ms: i64) -> Option<&str> {
    pixel.test.as_ref()?.code_at(now_ms)
}

#[cfg(test)]
mod tests;
