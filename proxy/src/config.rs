//! The settings, parsed once at start.
//!
//! They are read through a lookup function, so that tests hand in a map and only `main` touches the
//! environment. Every problem is found in one pass. [`settings`] lists what there is; the command
//! line's flags, `--help` and `.env.example` all come from that list.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use duet_events::Country;
use ipnet::IpNet;

use crate::{
    admit::{MoneyEvents, is_code},
    origin,
    secret::{AccessToken, ServerKey},
    telemetry,
};
pub use crate::{origin::Origin, rates::RateLimit};

mod changes;
pub mod clerk;
mod delivery;
pub mod payments;
mod reader;
pub mod settings;
mod spelling;
mod track_path;

pub use delivery::{Delivery, FIRST_CLASS, FIRST_EVENTS};
use payments::Payments;
use reader::Reader;
use spelling::Names;

/// Everything the proxy is told from outside.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where events go.
    pub tiktok: TikTok,
    /// How they are sent there.
    pub delivery: Delivery,
    /// How requests are taken.
    pub server: Server,
    /// Who may say that money came; `None` without a payment webhook.
    pub payments: Option<Payments>,
    /// `DUET_DATA_DIR`: the folder of the embedded store.
    pub data_dir: PathBuf,
    /// `DUET_DISK_RESERVE_MB`, in bytes: how much of the disk stays free.
    pub disk_reserve_bytes: u64,
    /// Variables that are set and that this version does not act on.
    pub without_effect: Vec<&'static str>,
    /// Variables that are set, are no setting, and resemble one; each with the nearest setting.
    pub unknown: Vec<Problem>,
    /// What this version does otherwise than the one before with the settings in use, in sentences.
    pub changes: Vec<&'static str>,
    /// `DUET_MONEY_EVENTS`.
    pub money: MoneyEvents,
    /// `DUET_COUNTRY`: where phone numbers without a country code belong.
    pub country: Option<Country>,
    /// `CLERK_*`: whose sessions say who a visitor is.
    pub clerk: Option<clerk::Clerk>,
}

/// Where events go.
#[derive(Clone, Debug)]
pub struct TikTok {
    /// `TIKTOK_PIXEL_ID`: the pixel code.
    pub pixel_id: PixelId,
    /// `TIKTOK_ACCESS_TOKEN`.
    pub access_token: AccessToken,
    /// `TIKTOK_API_BASE`, without a slash at its end.
    pub api_base: String,
    /// `TIKTOK_TEST_EVENT_CODE`: all traffic is test traffic.
    pub test: Option<TestMode>,
}

/// A pixel code: 10 to 40 capital letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PixelId(String);

impl PixelId {
    /// The code as TikTok knows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PixelId {
    type Err = &'static str;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        let fits = (10..=40).contains(&code.len());
        let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        if !fits || !code.bytes().all(plain) {
            return Err(
                "must be the pixel code: 10 to 40 capital letters and digits, such as C4A1B2C3D4E5F6G7H8I9",
            );
        }
        // Events Manager and the address of its pages show a number too, which the Events API does not know.
        if code.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(
                "must be the pixel code, such as C4A1B2C3D4E5F6G7H8I9, not the number of the pixel: Events Manager shows the code under the pixel's name",
            );
        }
        Ok(Self(code.to_owned()))
    }
}

/// A time in which everything is a test.
#[derive(Clone, Debug)]
pub struct TestMode {
    /// The code from Events Manager.
    pub code: String,
    /// `TIKTOK_TEST_EVENT_UNTIL`, in Unix milliseconds.
    pub until_ms: Option<i64>,
}

impl TestMode {
    /// The code, while it holds.
    pub fn code_at(&self, now_ms: i64) -> Option<&str> {
        let over = self.until_ms.is_some_and(|until| now_ms >= until);
        (!over).then_some(self.code.as_str())
    }
}

/// How requests are taken.
#[derive(Clone, Debug)]
pub struct Server {
    /// `DUET_LISTEN`.
    pub listen: SocketAddr,
    /// `DUET_TRACK_PATH`, with a slash in front.
    pub track_path: String,
    /// `DUET_ALLOWED_ORIGINS`: origins beside the proxy's own.
    pub allowed_origins: Vec<Origin>,
    /// `DUET_TRUSTED_PROXIES`: whose forwarding headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// `DUET_RATE_LIMIT`: events per client address.
    pub rate_limit: Option<RateLimit>,
    /// `DUET_SERVER_KEY`.
    pub server_key: Option<ServerKey>,
}

impl Server {
    /// Whether this path takes events: the track path, also with one slash behind it.
    pub fn is_track_path(&self, path: &str) -> bool {
        let track_path = self.track_path.as_str();
        path == track_path || path.strip_suffix('/') == Some(track_path)
    }
}

/// Addresses and networks whose forwarding headers are believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Whether `address` is one of them.
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromIterator<IpNet> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

/// One thing that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting's name.
    pub setting: &'static str,
    /// What to do about it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.message)
    }
}

impl Config {
    /// Reads the settings of a proxy that starts, as [`Config::read`]. Of the variables that are set, `names`, none may
    /// be nearly a setting's.
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
                // What is missing may be what such a variable was meant to hold.
                problems.extend(unknown);
                Err(problems)
            }
        }
    }

    /// Reads every setting through `lookup`, which gives a variable's or flag's value by name.
    ///
    /// # Errors
    /// All problems at once: what is missing, malformed or contradictory.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader::new(&lookup);
        let tiktok = TikTok::read(&mut reader);
        let delivery = delivery::read(&mut reader);
        let (server, allowed_origins) = Server::read(&mut reader);
        let payments = payments::read(&mut reader);
        let data_dir = reader.parsed("DUET_DATA_DIR", |text| Ok(PathBuf::from(text)));
        let disk_reserve_bytes = reader.parsed("DUET_DISK_RESERVE_MB", disk_reserve_bytes);
        let country = reader.optional("DUET_COUNTRY", |text| {
            Country::parse(text.trim()).ok_or("must be an ISO 3166 code of two letters, such as VN")
        });
        reader.parsed("DUET_QUEUE", |text| match text {
            "disk" => Ok(()),
            _ => Err("must be disk: this version has no other"),
        });
        let money = money(&mut reader, payments.is_some());
        let clerk = clerk::read(&mut reader, &allowed_origins);
        // `main` reads both once more, to log what follows.
        reader.parsed("DUET_LOG", |text| telemetry::filter(text).map(drop));
        reader.parsed("DUET_LOG_FORMAT", |text| {
            telemetry::Format::read(text).map(drop)
        });
        reader.finish()?;
        let is_set = |name: &&'static str| lookup(name).is_some_and(|text| !text.trim().is_empty());
        let without_effect = settings::WITHOUT_EFFECT.iter().copied().filter(is_set);
        // Every `None` below has left a problem behind, so that `finish` has returned.
        let complete = || {
            Some(Self {
                tiktok: tiktok?,
                delivery: delivery?,
                server: server?,
                payments,
                data_dir: data_dir?,
                disk_reserve_bytes: disk_reserve_bytes?,
                without_effect: without_effect.collect(),
                unknown: Vec::new(),
                changes: changes::changes(|name| is_set(&name)),
                money,
                country,
                clerk,
            })
        };
        complete().ok_or_else(Vec::new)
    }
}

impl TikTok {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let pixel_id = reader.required_from("TIKTOK_PIXEL_ID", &[settings::PIXEL_ID_ALIAS]);
        let access_token = reader.secret(
            "TIKTOK_ACCESS_TOKEN",
            AccessToken::new,
            "must be printable ASCII without spaces",
        );
        if access_token.is_none() {
            reader.missing("TIKTOK_ACCESS_TOKEN");
        }
        let api_base = reader.parsed("TIKTOK_API_BASE", api_base);
        let test = test_mode(reader);
        Some(Self {
            pixel_id: pixel_id?,
            access_token: access_token?,
            api_base: api_base?,
            test,
        })
    }
}

impl Server {
    /// Returns the listed origins also where another setting is wrong: Clerk's settings build on them.
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

/// Reads `DUET_MONEY_EVENTS`. With a payment webhook, a payment reported by a page waits for the bank unless the setting says
/// otherwise.
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
            .ok_or("must be 1 to 64 letters, digits and signs without spaces")
    });
    let until = reader.optional("TIKTOK_TEST_EVENT_UNTIL", |text| {
        text.parse::<jiff::Timestamp>()
            .map(jiff::Timestamp::as_millisecond)
            .map_err(|_| "must be a time in RFC 3339, such as 2026-12-31T18:00:00+07:00")
    });
    if code.is_none() && until.is_some() {
        reader.problem(
            "TIKTOK_TEST_EVENT_UNTIL",
            "needs a TIKTOK_TEST_EVENT_CODE that it ends",
        );
    }
    code.map(|code| TestMode {
        code,
        until_ms: until,
    })
}

/// Reads `DUET_DISK_RESERVE_MB`.
///
/// # Errors
/// A sentence, for the operator.
pub fn disk_reserve_bytes(text: &str) -> Result<u64, &'static str> {
    let megabytes: Option<u64> = text.parse().ok();
    let bytes = megabytes.and_then(|megabytes| megabytes.checked_mul(1_000_000));
    bytes.ok_or("must be a whole number of megabytes")
}

fn api_base(text: &str) -> Result<String, &'static str> {
    let url = origin::safe_url(text).filter(|url| url.query().is_none());
    url.map(|_| text.trim_end_matches('/').to_owned())
        .ok_or("must be an https URL, or http on loopback: the access token is sent there")
}

fn network(text: &str) -> Result<IpNet, &'static str> {
    text.parse()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| "must be a list of addresses or networks, such as 10.0.0.0/8")
}

#[cfg(test)]
mod tests;
