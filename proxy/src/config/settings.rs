//! Every setting: its name, its default, what it means. `--help`, the flags and `.env.example` are
//! made from this list.

/// One setting, given as an environment variable or a flag.
#[derive(Debug)]
pub struct Setting {
    /// The variable's name.
    pub name: &'static str,
    /// What holds when it is not given.
    pub default: Option<&'static str>,
    /// Whether it may be given in a file, as `<name>_FILE`, and is never printed.
    pub secret: bool,
    /// What it means, with its unit.
    pub help: &'static str,
}

impl Setting {
    /// The flag: `DUET_DATA_DIR` is `--data-dir`, `TIKTOK_PIXEL_ID` is `--tiktok-pixel-id`.
    pub fn flag(&self) -> String {
        Self::flag_of(self.name)
    }

    /// The flag of a variable.
    pub fn flag_of(name: &str) -> String {
        let name = name.strip_prefix("DUET_").unwrap_or(name);
        name.to_lowercase().replace('_', "-")
    }
}

const fn setting(name: &'static str, default: Option<&'static str>, help: &'static str) -> Setting {
    Setting {
        name,
        default,
        secret: false,
        help,
    }
}

const fn secret(name: &'static str, help: &'static str) -> Setting {
    Setting {
        name,
        default: None,
        secret: true,
        help,
    }
}

/// All of them, in the order in which they are explained.
pub const SETTINGS: &[Setting] = &[
    setting(
        "TIKTOK_PIXEL_ID",
        None,
        "Required. The pixel code from Events Manager. NEXT_PUBLIC_TIKTOK_PIXEL_ID is read too.",
    ),
    secret(
        "TIKTOK_ACCESS_TOKEN",
        "Required. The token from Events Manager > pixel > Settings. It leaves the process only as the Access-Token header.",
    ),
    setting(
        "TIKTOK_TEST_EVENT_CODE",
        None,
        "Makes all traffic test traffic, shown under Test Events and not counted.",
    ),
    setting(
        "TIKTOK_TEST_EVENT_UNTIL",
        None,
        "When test traffic ends by itself, as a time in RFC 3339.",
    ),
    setting(
        "TIKTOK_API_BASE",
        Some("https://business-api.tiktok.com"),
        "TikTok's API, or the sandbox: https, or http on loopback.",
    ),
    setting(
        "DUET_LISTEN",
        Some("127.0.0.1:8787"),
        "The address and port to listen on.",
    ),
    setting(
        "DUET_DATA_DIR",
        Some("./duet-data"),
        "The folder of the embedded store.",
    ),
    setting(
        "DUET_DISK_RESERVE_MB",
        Some("256"),
        "How much of the data directory's disk stays free, in megabytes: with less, events get a 503 and the SDK keeps them.",
    ),
    setting(
        "DUET_QUEUE",
        Some("disk"),
        "Where accepted events wait: disk.",
    ),
    setting(
        "DUET_TRACK_PATH",
        Some("/api/analytics/tiktok/track"),
        "The path that takes events, also with one slash behind it; rename it against block lists. No path that the proxy answers otherwise.",
    ),
    setting(
        "DUET_ALLOWED_ORIGINS",
        None,
        "Origins that may send events beside the proxy's own, with commas between them, such as https://shop.example or capacitor://localhost.",
    ),
    setting(
        "DUET_TRUSTED_PROXIES",
        None,
        "Addresses or networks whose X-Forwarded-* headers are believed, with commas between them.",
    ),
    setting(
        "DUET_RATE_LIMIT",
        Some("1200/1m"),
        "Events of one client address per time (s, m or h), or off; an IPv6 /64 is one address. Callers with the server key are not limited.",
    ),
    secret(
        "DUET_SERVER_KEY",
        "The key of the shop's own servers, at least 16 characters. Off without it.",
    ),
    setting(
        "DUET_COUNTRY",
        None,
        "Where phone numbers without a country code belong: an ISO 3166 code, such as VN.",
    ),
    setting(
        "DUET_BATCH_EVENTS",
        Some("1000"),
        "The most events in one request to TikTok, 1 to 1000. Requests begin with 50 and double while that goes well and more waits.",
    ),
    setting(
        "DUET_BATCH_BYTES",
        Some("1000000"),
        "The most bytes of events in one request to TikTok, 1000 to 5000000.",
    ),
    setting(
        "DUET_SEND_PARALLEL",
        Some("4"),
        "The most requests to TikTok at once for each pixel, 1 to 32.",
    ),
    setting(
        "DUET_SEND_LIMIT",
        Some("10/1s"),
        "Requests to TikTok per time (s, m or h), or off. TikTok's own limit is not certain; 10 a second is safe.",
    ),
    setting(
        "DUET_MONEY_EVENTS",
        None,
        "Whether a page's CompletePayment, Purchase, Subscribe or PlaceAnOrder waits until that order is paid (verified) or is taken as it comes (open). By default verified where a payment webhook is set up, else open.",
    ),
    secret(
        "SEPAY_WEBHOOK_SECRET",
        "The API key, or the key of the HMAC, of SePay's webhook POST /api/payment/sepay/webhook. Off without it.",
    ),
    setting(
        "SEPAY_WEBHOOK_AUTH",
        Some("apikey"),
        "How SePay's bank webhook proves itself, as chosen at SePay: apikey or hmac.",
    ),
    secret(
        "SEPAY_SECRET_KEY",
        "The key of the MD5 signature of the replaced system's form. That form is refused without it.",
    ),
    setting(
        "SEPAY_ACCOUNTS",
        None,
        "The account numbers, virtual ones included, that money for orders comes to, with commas between them. Any without it.",
    ),
    setting(
        "SEPAY_ORDER_PATTERN",
        None,
        "What an order id looks like in a bank's memo, as a regular expression with groups, such as ([0-9]{13})([0-9A-Z]{6}). Most ids are found without it.",
    ),
    setting(
        "SEPAY_ORDER_TEMPLATE",
        None,
        "How an order id is put together from the groups of SEPAY_ORDER_PATTERN, such as PHO_SUB_$1_$2.",
    ),
    setting(
        "CLERK_PUBLISHABLE_KEY",
        None,
        "Clerk's publishable key (pk_live_...): the sessions of its instance say who a visitor is. Off without it or CLERK_ISSUER.",
    ),
    setting(
        "CLERK_ISSUER",
        None,
        "The issuer of Clerk's sessions, such as https://clerk.shop.example. Default: what the publishable key names.",
    ),
    setting(
        "CLERK_JWKS_URL",
        None,
        "Where Clerk's public keys are. Default: /.well-known/jwks.json of the issuer.",
    ),
    secret(
        "CLERK_JWT_KEY",
        "The JWKS public key from Clerk's dashboard (PEM), for a proxy that cannot reach Clerk: then nothing is fetched.",
    ),
    setting(
        "CLERK_AUTHORIZED_PARTIES",
        None,
        "Origins whose pages' sessions are believed (azp), with commas between them. Default: DUET_ALLOWED_ORIGINS.",
    ),
    setting(
        "CLERK_ALLOW_MISSING_AZP",
        Some("false"),
        "Whether a session without azp is believed in the Authorization header, as native apps send it: true or false.",
    ),
    setting(
        "CLERK_AUDIENCE",
        None,
        "What a session's aud has to name where it has one. Clerk's own have none.",
    ),
    setting(
        "CLERK_CLOCK_SKEW_S",
        Some("5"),
        "How far this machine's clock and Clerk's may be apart, 0 to 60 seconds.",
    ),
    setting(
        "DUET_LOG",
        Some("info"),
        "What is logged: error, warn, info, debug, or a filter such as duet_proxy=debug.",
    ),
    setting("DUET_LOG_FORMAT", Some("text"), "text or json."),
];

/// Variables of Duet and of the implementation it replaces that this version does not act on. An operator who
/// sets one is told so.
pub const WITHOUT_EFFECT: &[&str] = &[
    "DUET_PIXELS_FILE",
    "DUET_CONSOLE_TOKEN",
    "DUET_CONSOLE_TOKEN_FILE",
    "DUET_CONSOLE_LISTEN",
    "DUET_CONSOLE_HOST",
    "DUET_ALERT_URL",
    "DUET_ALERT_SECRET",
    "DUET_ALERT_SECRET_FILE",
    "DUET_QUEUE_PASSWORD",
    "DUET_QUEUE_PASSWORD_FILE",
    "DUET_RENEWALS",
    "POLAR_WEBHOOK_SECRET",
    "STRIPE_WEBHOOK_SECRET",
    "PAYOS_CHECKSUM_KEY",
    "VNPAY_TMN_CODE",
    "VNPAY_HASH_SECRET",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];

/// Another name of `TIKTOK_PIXEL_ID`, which the implementation that Duet replaces reads.
pub const PIXEL_ID_ALIAS: &str = "NEXT_PUBLIC_TIKTOK_PIXEL_ID";

/// Every variable that is read or will be, with its setting. What other programs have beside Duet is none of its names.
pub fn variables() -> impl Iterator<Item = (&'static str, String)> {
    let files = SETTINGS.iter().filter(|setting| setting.secret);
    let files = files.map(|setting| (setting.name, format!("{}_FILE", setting.name)));
    let others = WITHOUT_EFFECT
        .iter()
        .filter(|name| name.starts_with("DUET_"));
    let others = others.map(|name| (*name, (*name).to_owned()));
    SETTINGS
        .iter()
        .map(|setting| (setting.name, setting.name.to_owned()))
        .chain([("TIKTOK_PIXEL_ID", PIXEL_ID_ALIAS.to_owned())])
        .chain(files)
        .chain(others)
}

/// What holds when `name` is not given.
pub fn default_of(name: &str) -> Option<&'static str> {
    SETTINGS
        .iter()
        .find(|setting| setting.name == name)?
        .default
}

/// The text of `.env.example`.
pub fn env_example() -> String {
    let mut text = String::from(
        "# Every setting of duet-proxy. Each is also a flag: DUET_DATA_DIR is --data-dir, TIKTOK_PIXEL_ID is\n\
         # --tiktok-pixel-id. A secret may stand in a file instead: set its name with _FILE at the end, or the flag, such as\n\
         # --server-key-file. No flag takes a secret itself, since every user of the machine can read it there. A start is refused\n\
         # with quotes around a value: shells and systemd take them away, docker --env-file and Kubernetes do not.\n",
    );
    for setting in SETTINGS {
        text.push_str("\n# ");
        text.push_str(setting.help);
        if setting.secret {
            text.push_str("\n# Or ");
            text.push_str(setting.name);
            text.push_str("_FILE: the file that holds it.");
        }
        text.push('\n');
        if !setting.help.starts_with("Required") {
            text.push('#');
        }
        text.push_str(setting.name);
        text.push('=');
        text.push_str(setting.default.unwrap_or_default());
        text.push('\n');
    }
    text
}
