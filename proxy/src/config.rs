//! The settings, parsed once at the start.
//!
//! A lookup function returns the values, so that tests can pass a map. Only `main` reads the environment. All problems are
//! found in one pass. [`settings`] lists all settings. The flags, `--help` and `.env.example` are made from this list.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use duet_events::Country;
use ipnet::IpNet;

use crate::{
    admit::{MoneyEvents, is_code},
    change_log::Fingerprints,
    origin,
    secret::ServerKey,
    store::Database,
    telemetry,
};
pub use crate::{origin::Origin, rates::RateLimit};

mod alerts;
mod changes;
pub mod clerk;
pub mod console;
mod delivery;
pub mod payments;
mod pixels;
mod reader;
pub mod settings;
mod spelling;
mod track_path;

pub use alerts::{AlertUrl, Alerts};
use console::Console;
pub use delivery::{Delivery, FIRST_CLASS, FIRST_EVENTS};
use payments::Payments;
pub use pixels::{Origins, Pixel, PixelId, Pixels};
use reader::Reader;
use spelling::Names;

/// All settings of the proxy.
#[derive(Clone, Debug)]
pub struct Config {
    /// The pixels that receive the events, and TikTok's address.
    pub tiktok: TikTok,
    /// How events are sent.
    pub delivery: Delivery,
    /// How requests are received.
    pub server: Server,
    /// The payment webhooks. `None` if none is set up.
    pub payments: Option<Payments>,
    /// `DUET_DATA_DIR`: the folder of the embedded store.
    pub data_dir: PathBuf,
    /// `DUET_DISK_RESERVE_MB`, in bytes: how much space on the disk must stay free.
    pub disk_reserve_bytes: u64,
    /// `DUET_QUEUE`: the database of the queue. `None` means the embedded store.
    pub database: Option<Box<Database>>,
    /// Variables that are set but have no effect in this version.
    pub without_effect: Vec<&'static str>,
    /// Variables that are set and whose names are nearly the name of a setting. Each is listed with the setting of the nearest
    /// name.
    pub unknown: Vec<Problem>,
    /// Sentences about settings in use whose behaviour has changed since the previous version.
    pub changes: Vec<&'static str>,
    /// `DUET_MONEY_EVENTS`.
    pub money: MoneyEvents,
    /// `DUET_COUNTRY`: the country of phone numbers without a country code.
    pub country: Option<Country>,
    /// `CLERK_*`: the Clerk instance whose sessions identify visitors.
    pub clerk: Option<clerk::Clerk>,
    /// `DUET_ALERT_*`: the receiver of alarms. `None` if no address is set.
    pub alerts: Option<Alerts>,
    /// `DUET_CONSOLE_*`: the console. `None` if no token is set.
    pub console: Option<Console>,
    /// The fingerprints of all values. The next start uses them to find the values that have changed.
    pub fingerprints: Fingerprints,
}

/// The pixels that receive the events, and TikTok's address.
#[derive(Clone, Debug)]
pub struct TikTok {
    /// The pixels of the shop.
    pub pixels: Pixels,
    /// `TIKTOK_API_BASE`, without a slash at its end.
    pub api_base: String,
}

/// A period in which all events are test events.
#[derive(Clone, Debug)]
pub struct TestMode {
    /// The code from Events Manager: `TIKTOK_TEST_EVENT_CODE`, or the pixel's own code in `DUET_PIXELS_FILE`.
    pub code: String,
    /// `TIKTOK_TEST_EVENT_UNTIL`, in Unix milliseconds.
    pub until_ms: Option<i64>,
}

impl TestMode {
    /// Returns the test event code, if the period has not ended.
    pub fn code_at(&self, now_ms: i64) -> Option<&str> {
        let over = self.until_ms.is_some_and(|until| now_ms >= until);
        (!over).then_some(self.code.as_str())
    }
}

/// How requests are received.
#[derive(Clone, Debug)]
pub struct Server {
    /// `DUET_LISTEN`.
    pub listen: SocketAddr,
    /// `DUET_TRACK_PATH`, with a slash in front.
    pub track_path: String,
    /// `DUET_ALLOWED_ORIGINS`: allowed origins besides the proxy's own.
    pub allowed_origins: Vec<Origin>,
    /// `DUET_TRUSTED_PROXIES`: web servers whose forwarding headers are trusted.
    pub trusted_proxies: TrustedProxies,
    /// `DUET_RATE_LIMIT`: how many events one client address can send in a period.
    pub rate_limit: Option<RateLimit>,
    /// `DUET_SERVER_KEY`.
    pub server_key: Option<ServerKey>,
}

impl Server {
    /// Returns whether this path accepts events: the track path, with or without a slash at its end.
    pub fn is_track_path(&self, path: &str) -> bool {
        let track_path = self.track_path.as_str();
        path == track_path || path.strip_suffix('/') == Some(track_path)
    }
}

/// Addresses and networks of web servers whose forwarding headers are trusted.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Returns whether `address` is one of these addresses, or is in one of these networks.
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromIterator<IpNet> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

/// One problem in the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting's name.
    pub setting: &'static str,
    /// The rule that the setting breaks, or what to do about it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.message)
    }
}

impl Config {
    /// Reads the settings at the start of the proxy, as [`Config::read`] does. Also rejects a variable in `names` whose name is
    /// nearly that of a setting.
    ///
    /// # Errors
    /// All problems at once.
    pub fn start<'a>(
        lookup: impl Fn(&str) -> Option<String>,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Vec<Problem>> {
        let Names { misspelt, unknown } = spelling::judge(names);
        match Self::read(lookup) {
            Ok(config) if misspelt.is_empty() => Ok(Self { unknown, ..config }),
            read => {
                let mut problems = read.err().unwrap_or_default();
                problems.extend(misspelt);
                // A setting may be missing because the name of its variable is misspelt, so both problems are reported.
                problems.extend(unknown);
                Err(problems)
            }
        }
    }

    /// Reads every setting through `lookup`, which returns the value of a variable or flag by name.
    ///
    /// # Errors
    /// All problems at once: missing, malformed and contradictory settings.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(&lookup);
        let tiktok = TikTok::read(&mut reader);
        let delivery = delivery::read(&mut reader);
        let (server, mut allowed_origins) = Server::read(&mut reader);
        let listed = tiktok.iter().flat_map(|tiktok| tiktok.pixels.origins());
        allowed_origins.extend(listed.cloned());
        let payments = payments::read(&mut reader);
        let data_dir = reader.parsed("DUET_DATA_DIR", |text| Ok(PathBuf::from(text)));
        let disk_reserve_bytes = reader.parsed("DUET_DISK_RESERVE_MB", disk_reserve_bytes);
        let country = reader.optional("DUET_COUNTRY", |text| {
            Country::parse(text.trim()).ok_or("must be an ISO 3166 code of two letters, such as VN")
        });
        let database = database(&mut reader);
        let money = money(&mut reader, payments.is_some());
        let clerk = clerk::read(&mut reader, &allowed_origins);
        let alerts = alerts::read(&mut reader);
        let console = console::read(&mut reader, server.as_ref().map(|server| server.listen));
        // `main` has already used both settings for logging. They are checked again here.
        reader.parsed("DUET_LOG", |text| telemetry::filter(text).map(drop));
        reader.parsed("DUET_LOG_FORMAT", |text| {
            telemetry::Format::read(text).map(drop)
        });
        let values = reader.finish()?;
        let is_set = |name: &&'static str| lookup(name).is_some_and(|text| !text.trim().is_empty());
        let without_effect = settings::WITHOUT_EFFECT.iter().copied().filter(is_set);
        // For each `None` below, a problem was reported, and `finish` has already returned an error.
        let complete = || {
            let tiktok = tiktok?;
            let key = tiktok.pixels.first().access_token.expose();
            Some(Self {
                fingerprints: Fingerprints::of(key, &values),
                tiktok,
                delivery: delivery?,
                server: server?,
                payments,
                data_dir: data_dir?,
                disk_reserve_bytes: disk_reserve_bytes?,
                database,
                without_effect: without_effect.collect(),
                unknown: Vec::new(),
                changes: changes::changes(|name| is_set(&name)),
                money,
                country,
                clerk,
                alerts,
                console,
            })
        };
        complete().ok_or_else(Vec::new)
    }
}

impl TikTok {
    /// Reads only the pixels, for a running proxy. The files of the pixels may have changed.
    ///
    /// # Errors
    /// All problems at once.
    pub fn reload(lookup: impl Fn(&str) -> Option<String>) -> Result<Pixels, Vec<Problem>> {
        let mut reader = Reader::new(&lookup);
        let tiktok = Self::read(&mut reader);
        reader.finish()?;
        tiktok.map(|tiktok| tiktok.pixels).ok_or_else(Vec::new)
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let stated = pixels::Stated::read(reader);
        let api_base = reader.parsed("TIKTOK_API_BASE", api_base);
        let test = test_mode(reader);
        Some(Self {
            pixels: stated.together(test.as_ref())?,
            api_base: api_base?,
        })
    }
}

impl Server {
    /// Reads the settings. Returns the listed origins even if another setting is wrong, because Clerk's settings need them.
    fn read(reader: &mut Reader<'_>) -> (Option<Self>, Vec<Origin>) {
        let listen = reader.parsed("DUET_LISTEN", |text| {
            text.parse()
                .map_err(|_| "must be an address and a port, such as 127.0.0.1:8787")
        });
        let track_path = reader.parsed("DUET_TRACK_PATH", track_path::read);
        let allowed_origins = reader.list("DUET_ALLOWED_ORIGINS", str::parse);
        let trusted_proxies = reader.list("DUET_TRUSTED_PROXIES", network);
        let rate_limit = reader.parsed("DUET_RATE_LIMIT", RateLimit::read);
        let server_key = reader.secret(
            "DUET_SERVER_KEY",
            ServerKey::new,
            "must have at least 16 characters",
        );
        let complete = || {
            Some(Self {
                listen: listen?,
                track_path: track_path?,
                allowed_origins: allowed_origins.clone(),
                trusted_proxies: trusted_proxies.into_iter().collect(),
                rate_limit: rate_limit?,
                server_key,
            })
        };
        (complete(), allowed_origins)
    }
}

/// Reads the database of the queue. Returns `None` for the embedded store, and if a setting has a problem, which `reader`
/// keeps.
fn database(reader: &mut Reader<'_>) -> Option<Box<Database>> {
    let password = reader.secret("DUET_QUEUE_PASSWORD", |text| Some(text.to_owned()), "");
    let database = reader.parsed("DUET_QUEUE", |text| match text {
        "disk" => Ok(None),
        _ => text.parse::<Database>().map(Some),
    });
    if matches!(database, Some(None)) && password.is_some() {
        reader.problem(
            "DUET_QUEUE_PASSWORD",
            "must be set only together with a database in DUET_QUEUE",
        );
    }
    database.flatten().map(|database| match password {
        Some(password) => Box::new(database.with_password(&password)),
        None => Box::new(database),
    })
}

/// Reads the database of the queue for a command about the stored data. Returns `None` for the embedded store.
///
/// # Errors
/// All problems at once.
pub fn queue_database(
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Option<Box<Database>>, Vec<Problem>> {
    let mut reader = Reader::new(&lookup);
    let database = database(&mut reader);
    reader.finish()?;
    Ok(database)
}

/// Reads `DUET_MONEY_EVENTS`. If the setting is absent and a payment webhook is set up, an event of a page that reports a
/// payment waits until the webhook confirms the payment.
fn money(reader: &mut Reader<'_>, has_payments: bool) -> MoneyEvents {
    let money = reader.optional("DUET_MONEY_EVENTS", |text| match text {
        "open" => Ok(MoneyEvents::Open),
        "verified" => Ok(MoneyEvents::Verified),
        _ => Err("must be verified or open"),
    });
    money.unwrap_or(if has_payments {
        MoneyEvents::Verified
    } else {
        MoneyEvents::Open
    })
}

fn test_mode(reader: &mut Reader<'_>) -> Option<TestMode> {
    let code = reader.optional("TIKTOK_TEST_EVENT_CODE", |text| {
        let code = Some(text).filter(|text| is_code(text));
        code.map(str::to_owned)
            .ok_or("must be 1 to 64 printable ASCII characters without spaces")
    });
    let until = reader.optional("TIKTOK_TEST_EVENT_UNTIL", |text| {
        text.parse::<jiff::Timestamp>()
            .map(jiff::Timestamp::as_millisecond)
            .map_err(|_| "must be a time in RFC 3339, such as 2026-12-31T18:00:00+07:00")
    });
    if code.is_none() && until.is_some() {
        reader.problem(
            "TIKTOK_TEST_EVENT_UNTIL",
            "must be set only together with TIKTOK_TEST_EVENT_CODE",
        );
    }
    code.map(|code| TestMode {
        code,
        until_ms: until,
    })
}

/// Parses `DUET_DISK_RESERVE_MB`.
///
/// # Errors
/// A message for the operator.
pub fn disk_reserve_bytes(text: &str) -> Result<u64, &'static str> {
    let megabytes: Option<u64> = text.parse().ok();
    let bytes = megabytes.and_then(|megabytes| megabytes.checked_mul(1_000_000));
    bytes.ok_or("must be a whole number of megabytes")
}

fn api_base(text: &str) -> Result<String, &'static str> {
    let url = origin::safe_url(text).filter(|url| url.query().is_none());
    url.map(|_| text.trim_end_matches('/').to_owned())
        .ok_or("must be an https URL, or http on loopback, because the access token is sent to this address")
}

fn network(text: &str) -> Result<IpNet, &'static str> {
    text.parse()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| "must be a list of addresses or networks, such as 10.0.0.0/8")
}

#[cfg(test)]
mod tests;
