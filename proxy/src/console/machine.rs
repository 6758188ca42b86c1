//! The section *Machine*: the queue, the rates, the times and the disk.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use maud::{Markup, html};
use serde::Serialize;

use super::{
    Shared,
    changes::Changes,
    samples::{Quantiles, Rates},
    show::{self, Row, State},
    texts::Texts,
    view::View,
};
use crate::{clock::Suspect, decide::Destination, health::Speed, queue::Process};

/// The state of the process and its disk.
#[derive(Serialize)]
pub(super) struct Machine {
    queue_events: i64,
    events_held: i64,
    oldest_ms: i64,
    /// The pixels that are configured, or have pending events.
    pixels: BTreeMap<String, Pixel>,
    /// Events per minute, the newest minute last.
    rates: Rates,
    /// How long requests, deliveries and commits took in the last hour, in seconds.
    times: BTreeMap<&'static str, Quantiles>,
    disk_free_bytes: Option<u64>,
    disk_reserve_bytes: u64,
    /// Why the system's time is suspect.
    clock: Option<&'static str>,
    version: &'static str,
    /// The proxies of the same database. Empty if this proxy's store is a folder.
    proxies: Vec<Proxy>,
    /// The change log, which has a route of its own. `None` if it cannot be read.
    #[serde(skip)]
    changes: Option<Arc<Changes>>,
    #[serde(skip)]
    now_ms: i64,
}

/// The state of one pixel's delivery.
#[derive(Serialize)]
pub(super) struct Pixel {
    pub(super) state: Delivery,
    /// The code of TikTok's last answer.
    last_code: Option<i64>,
    /// How long the pixel's oldest event has been pending, in milliseconds.
    oldest_ms: i64,
    /// How fast the pixel's events are sent. `None` if no event of the pixel was pending since the start.
    #[serde(flatten)]
    speed: Option<Speed>,
}

/// One of the proxies of a database.
#[derive(Serialize)]
struct Proxy {
    number: i32,
    is_this: bool,
    /// How long ago this proxy last wrote to the database, in milliseconds.
    silent_ms: i64,
    /// The pixels whose events this proxy delivers.
    delivers: Vec<String>,
}

impl From<Process> for Proxy {
    fn from(process: Process) -> Self {
        let pixel = |destination: Destination| destination.pixel_id;
        let mut delivers: Vec<_> = process.delivers.into_iter().map(pixel).collect();
        // A pixel whose test events have a destination of their own would be listed twice.
        delivers.dedup();
        Self {
            number: process.number,
            is_this: process.is_this,
            silent_ms: process.silent_ms,
            delivers,
        }
    }
}

/// The state of a pixel's delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Delivery {
    Ok,
    /// An event has been pending for more than 15 minutes.
    Stuck,
    /// The last request got no answer from TikTok.
    Down,
    /// TikTok refuses the token.
    Refused,
    /// The pixel is not configured, but has pending events.
    NotConfigured,
}

impl Machine {
    pub(super) async fn read(shared: &Shared) -> Self {
        let app = &shared.app;
        let clock = app.intake.clock();
        let now_ms = clock.times().age_ms();
        let proxies = shared.proxies().await.into_iter().map(Proxy::from);
        let (rates, times) = shared.samples.read();
        Self {
            queue_events: app.metrics.queue_events.get(),
            events_held: app.metrics.events_held.get(),
            oldest_ms: app.health.oldest_waits_ms(now_ms),
            pixels: pixels(shared, now_ms),
            rates,
            times,
            disk_free_bytes: free_bytes(&shared.data_dir),
            disk_reserve_bytes: shared.disk_reserve_bytes,
            clock: clock.suspect().map(Suspect::word),
            version: env!("CARGO_PKG_VERSION"),
            proxies: proxies.collect(),
            changes: shared.changes().await.ok(),
            now_ms,
        }
    }

    pub(super) fn html(&self, view: &View) -> Markup {
        let texts = view.texts();
        let number = |number: i64| show::count(number.unsigned_abs(), view.language);
        let content = html! {
                div.halves {
                    div {
                        dl {
                            dt { (texts.pending) } dd { (number(self.queue_events)) }
                            dt { (texts.oldest) } dd { (show::span(self.oldest_ms, texts)) }
                            dt { (texts.held) } dd { (number(self.events_held)) }
                            @if let Some(free) = self.disk_free_bytes {
                                dt { (texts.disk_free) } dd { (self.disk(free, view)) }
                            }
                            @if let Some(word) = self.clock {
                                dt { (texts.clock) } dd { (State::new("odd", word)) }
                            }
                        }
                        (show::table("pixels", texts.pixels, &texts.pixel_columns, self.pixel_rows(texts)))
                        @if !self.proxies.is_empty() {
                            (show::table("proxies", texts.proxies, &texts.proxy_columns, self.proxy_rows(texts)))
                        }
                    }
                    div {
                        div.charts { (self.rates.html(view)) }
                        (show::table("times", texts.times, &texts.time_columns, self.time_rows(texts)))
                    }
                }
                @match &self.changes {
                    Some(changes) => { (changes.html(view)) }
                    None => { p.trouble { (texts.not_readable) } }
                }
        };
        let section = show::Section {
            id: "machine",
            title: texts.machine,
            note: None,
            is_open: false,
        };
        section.of(&content)
    }

    fn disk(&self, free: u64, view: &View) -> Markup {
        let texts = view.texts();
        let megabytes =
            |bytes: u64| format!("{} MB", show::count(bytes / 1_000_000, view.language));
        let kind = match free.checked_sub(self.disk_reserve_bytes) {
            None => "bad",
            Some(left) if left < self.disk_reserve_bytes => "odd",
            Some(_) => "good",
        };
        let word = format!(
            "{} ({} {})",
            megabytes(free),
            texts.reserve,
            megabytes(self.disk_reserve_bytes)
        );
        html! { (State::new(kind, word)) }
    }

    fn pixel_rows(&self, texts: &Texts) -> Vec<Row> {
        let now_ms = self.now_ms;
        let row = |(id, pixel): (&String, &Pixel)| Row {
            id: format!("pixel-{id}"),
            cells: vec![
                html! { code { (id) } },
                html! { (pixel.state.state(texts)) },
                html! { @if let Some(code) = pixel.last_code { (code) } @else { "–" } },
                html! { (show::span(pixel.oldest_ms, texts)) },
                html! { @if let Some(speed) = pixel.speed { (pace(speed, now_ms, texts)) } @else { "–" } },
            ],
        };
        self.pixels.iter().map(row).collect()
    }

    fn proxy_rows(&self, texts: &Texts) -> Vec<Row> {
        let row = |proxy: &Proxy| Row {
            id: format!("proxy-{}", proxy.number),
            cells: vec![
                html! { (proxy.number) @if proxy.is_this { " " (texts.this_one) } },
                html! { (show::span(proxy.silent_ms, texts)) },
                html! { @if proxy.delivers.is_empty() { "–" } @else { code { (proxy.delivers.join(" ")) } } },
            ],
        };
        self.proxies.iter().map(row).collect()
    }

    fn time_rows(&self, texts: &Texts) -> Vec<Row> {
        let row = |(name, quantiles): (&&'static str, &Quantiles)| Row {
            id: format!("time-{name}"),
            cells: vec![
                html! { (texts.time_of(name)) },
                quantiles.cell(0),
                quantiles.cell(1),
                quantiles.cell(2),
            ],
        };
        self.times.iter().map(row).collect()
    }
}

impl Delivery {
    fn state(self, texts: &Texts) -> State {
        match self {
            Self::Ok => State::new("good", texts.delivers),
            Self::Stuck => State::new("bad", texts.stuck),
            Self::Down => State::new("bad", texts.down),
            Self::Refused => State::new("bad", texts.token_refused),
            Self::NotConfigured => State::new("odd", texts.not_configured),
        }
    }
}

/// Returns the state of each pixel.
pub(super) fn pixels(shared: &Shared, now_ms: i64) -> BTreeMap<String, Pixel> {
    let configured = shared.app.pixels.now();
    let ids = configured.iter().map(|pixel| pixel.id.as_str().to_owned());
    let fine = || Pixel {
        state: Delivery::Ok,
        last_code: None,
        oldest_ms: 0,
        speed: None,
    };
    let mut pixels: BTreeMap<_, _> = ids.map(|id| (id, fine())).collect();
    for (id, delivery) in shared.app.health.pixels() {
        let state = match configured.has(&id) {
            true if delivery.is_barred() => Delivery::Refused,
            true if delivery.is_stuck(now_ms) => Delivery::Stuck,
            true if delivery.is_down => Delivery::Down,
            true => Delivery::Ok,
            false if delivery.oldest_ms.is_some() => Delivery::NotConfigured,
            false => continue,
        };
        let oldest_ms = delivery.waits_ms(now_ms);
        let pixel = Pixel {
            state,
            last_code: delivery.last_code,
            oldest_ms,
            speed: delivery.speed,
        };
        pixels.insert(id, pixel);
    }
    pixels
}

/// Returns a speed in words: `1 at a time, every 2 s, pauses for 23 s`.
fn pace(speed: Speed, now_ms: i64, texts: &Texts) -> String {
    let left_ms = speed.paused_until_ms.map_or(0, |until| until - now_ms);
    let brief = |words: &str, ms: i64| format!("{words} {}", show::brief(ms, texts));
    let parts = [
        Some(format!("{} {}", speed.requests_at_once, texts.at_once)),
        (speed.gap_ms > 0).then(|| brief(texts.every, speed.gap_ms)),
        (left_ms > 0).then(|| brief(texts.pauses_for, left_ms)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Returns the free space of the store's disk.
fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
