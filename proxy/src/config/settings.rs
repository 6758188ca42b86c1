//! Lists every setting: its name, its default and its meaning. `--help`, the flags and `.env.example` are made from this list.

/// One setting. An operator gives it as an environment variable or as a flag.
#[derive(Debug)]
pub struct Setting {
    /// The variable's name.
    pub name: &'static str,
    /// The value that is used if the setting is not given.
    pub default: Option<&'static str>,
    /// Whether the setting is a secret. A secret can be given in a file, as `<name>_FILE`, and is never printed.
    pub secret: bool,
    /// The meaning of the setting, with its unit.
    pub help: &'static str,
}

impl Setting {
    /// Returns the name of the flag without `--`: `data-dir` for `DUET_DATA_DIR`, `tiktok-pixel-id` for `TIKTOK_PIXEL_ID`.
    pub fn flag(&self) -> String {
        Self::flag_of(self.name)
    }

    /// Returns the name of the flag that sets the same setting as this variable.
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

/// All settings, in the order in which they are explained.
pub const SETTINGS: &[Setting] = &[
    setting(
        "TIKTOK_PIXEL_ID",
        None,
        "Required without DUET_PIXELS_FILE. The pixel code from Events Manager. NEXT_PUBLIC_TIKTOK_PIXEL_ID has the same effect.",
    ),
    secret(
        "TIKTOK_ACCESS_TOKEN",
        "Required for TIKTOK_PIXEL_ID. The token from Events Manager > pixel > Settings. The proxy sends the token only in the Access-Token header of requests to TikTok.",
    ),
    setting(
        "TIKTOK_TEST_EVENT_CODE",
        None,
        "Makes all events test events, which TikTok shows under Test Events and does not count. A pixel in DUET_PIXELS_FILE can have its own code.",
    ),
    setting(
        "TIKTOK_TEST_EVENT_UNTIL",
        None,
        "The time at which test traffic ends, in RFC 3339, such as 2026-12-31T18:00:00+07:00. Without this time, test traffic does not end.",
    ),
    setting(
        "DUET_PIXELS_FILE",
        None,
        "A TOML file with several pixels of one shop. Each pixel is a [[pixels]] table with pixel_id, access_token_file, origins and test_event_code. The proxy reads the file again on SIGHUP. With this file, TIKTOK_PIXEL_ID is optional. If TIKTOK_PIXEL_ID is set too, its pixel is the first.",
    ),
    setting(
        "TIKTOK_API_BASE",
        Some("https://business-api.tiktok.com"),
        "The address of TikTok's API, or of the sandbox: https, or http on loopback.",
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
        "How much space on the data directory's disk must stay free, in megabytes. With less free space, the proxy rejects events with 503, and the SDK sends them again later.",
    ),
    setting(
        "DUET_QUEUE",
        Some("disk"),
        "Where accepted events are stored until they are delivered: disk, or a database that several proxies share, as postgres://user@host1,host2/database. See docs/cluster.md.",
    ),
    secret(
        "DUET_QUEUE_PASSWORD",
        "The password of the database in DUET_QUEUE.",
    ),
    setting(
        "DUET_TRACK_PATH",
        Some("/api/analytics/tiktok/track"),
        "The path that accepts events, with or without a slash at its end. Change the path if the lists of ad blockers contain it. The path must not be the path of another route of the proxy.",
    ),
    setting(
        "DUET_ALLOWED_ORIGINS",
        None,
        "Origins that can send events, besides the proxy's own, with commas between them, such as https://shop.example or capacitor://localhost.",
    ),
    setting(
        "DUET_TRUSTED_PROXIES",
        None,
        "Addresses or networks of web servers whose X-Forwarded-* headers are trusted, with commas between them.",
    ),
    setting(
        "DUET_RATE_LIMIT",
        Some("1200/1m"),
        "How many events one client address can send per time (s, m or h), or off for no limit. An IPv6 /64 counts as one address. Callers with the server key are not limited.",
    ),
    secret(
        "DUET_SERVER_KEY",
        "The key of the shop's own servers, with at least 16 characters. Without this key, no caller counts as a server.",
    ),
    secret(
        "DUET_CONSOLE_TOKEN",
        "The token that opens the console, with at least 16 characters. The proxy serves the console only if this token is set. A new token ends all sessions of the console.",
    ),
    setting(
        "DUET_CONSOLE_LISTEN",
        Some("127.0.0.1:8789"),
        "The address and port of the console. This address must differ from DUET_LISTEN.",
    ),
    setting(
        "DUET_CONSOLE_HOST",
        None,
        "Host names under which operators open the console, in addition to loopback names, with commas between them, such as console.shop.example. The console rejects requests for any other host. Under these names, the console must be opened over https.",
    ),
    setting(
        "DUET_COUNTRY",
        None,
        "The country of phone numbers without a country code: an ISO 3166 code, such as VN.",
    ),
    setting(
        "DUET_BATCH_EVENTS",
        Some("1000"),
        "The largest number of events in one request to TikTok, 1 to 1000. The first request has at most 50 events. This number doubles while requests succeed and more events are pending.",
    ),
    setting(
        "DUET_BATCH_BYTES",
        Some("1000000"),
        "The largest number of bytes of events in one request to TikTok, 1000 to 5000000.",
    ),
    setting(
        "DUET_SEND_PARALLEL",
        Some("4"),
        "The largest number of requests to TikTok at the same time for each pixel, 1 to 32.",
    ),
    setting(
        "DUET_SEND_LIMIT",
        Some("10/1s"),
        "The largest number of requests to TikTok for each pixel per time (s, m or h), or off for no limit. TikTok's own limit is not certain. 10 requests a second are safe.",
    ),
    setting(
        "DUET_MONEY_EVENTS",
        None,
        "Whether a page's CompletePayment, Purchase, Subscribe or PlaceAnOrder is held until its order is paid (verified) or is sent at once (open). The default is verified if a payment webhook is set up, and open otherwise. With verified, a sale that no webhook reports, such as cash on delivery, counts only if the shop's server reports it.",
    ),
    secret(
        "SEPAY_WEBHOOK_SECRET",
        "The API key or the HMAC key of SePay's webhook POST /api/payment/sepay/webhook. Without this key, the webhook is disabled. Several keys, with white space between them, are valid at the same time.",
    ),
    setting(
        "SEPAY_WEBHOOK_AUTH",
        Some("apikey"),
        "How SePay's bank webhook is authenticated, as chosen at SePay: apikey or hmac.",
    ),
    secret(
        "SEPAY_SECRET_KEY",
        "Only for shops that used the Next.js implementation before Duet: the key that checks the MD5 signature of payment notifications in the format of that implementation. Without this key, the proxy rejects these notifications.",
    ),
    setting(
        "SEPAY_ACCOUNTS",
        None,
        "The account numbers that receive payments for orders, including virtual accounts, with commas between them. Without this list, payments to every account count.",
    ),
    setting(
        "SEPAY_ORDER_PATTERN",
        None,
        "What an order id looks like in a bank's memo, as a regular expression with groups, such as ([0-9]{13})([0-9A-Z]{6}). Most ids are found without this setting.",
    ),
    setting(
        "SEPAY_ORDER_TEMPLATE",
        None,
        "How an order id is built from the groups of SEPAY_ORDER_PATTERN, such as PHO_SUB_$1_$2.",
    ),
    secret(
        "POLAR_WEBHOOK_SECRET",
        "The secret of Polar's webhook POST /api/payment/polar/webhook, as Polar shows the secret. Without this secret, the webhook is disabled. Several secrets, with white space between them, are valid at the same time.",
    ),
    secret(
        "STRIPE_WEBHOOK_SECRET",
        "The signing secret (whsec_...) of Stripe's webhook POST /api/payment/stripe/webhook. Without this secret, the webhook is disabled. Several secrets, with white space between them, are valid at the same time.",
    ),
    secret(
        "PAYOS_CHECKSUM_KEY",
        "The checksum key of the payOS channel whose webhook is POST /api/payment/payos/webhook. Without this key, the webhook is disabled. Several keys, with white space between them, are valid at the same time.",
    ),
    setting(
        "VNPAY_TMN_CODE",
        None,
        "The code of the shop's terminal at VNPay. Set this code together with VNPAY_HASH_SECRET.",
    ),
    secret(
        "VNPAY_HASH_SECRET",
        "The hash secret of the VNPay terminal, whose IPN address is GET /api/payment/vnpay/webhook. Without both settings, the webhook is disabled. Several secrets, with white space between them, are valid at the same time.",
    ),
    setting(
        "DUET_RENEWALS",
        Some("off"),
        "The event name under which a renewal of a subscription is reported, such as Subscribe, or off. The renewal is stored in both cases.",
    ),
    setting(
        "CLERK_PUBLISHABLE_KEY",
        None,
        "Clerk's publishable key (pk_live_...). Sessions of this key's Clerk instance identify visitors. If neither this key nor CLERK_ISSUER is set, the proxy uses no sessions.",
    ),
    setting(
        "CLERK_ISSUER",
        None,
        "The issuer of Clerk's sessions, such as https://clerk.shop.example. By default, the issuer is taken from CLERK_PUBLISHABLE_KEY.",
    ),
    setting(
        "CLERK_JWKS_URL",
        None,
        "The address of Clerk's public keys. Default: /.well-known/jwks.json of the issuer.",
    ),
    secret(
        "CLERK_JWT_KEY",
        "The JWKS public key from Clerk's dashboard (PEM), for a proxy that cannot reach Clerk. With this key, the proxy sends no request to Clerk.",
    ),
    setting(
        "CLERK_AUTHORIZED_PARTIES",
        None,
        "Origins of pages whose sessions the proxy accepts (azp in the session token), with commas between them. Default: DUET_ALLOWED_ORIGINS.",
    ),
    setting(
        "CLERK_ALLOW_MISSING_AZP",
        Some("false"),
        "Whether the proxy accepts a session token without azp in the Authorization header, as native apps send it: true or false.",
    ),
    setting(
        "CLERK_AUDIENCE",
        None,
        "The audience that the aud of a session token must name. A token without an aud is accepted. Clerk's own session tokens have no aud.",
    ),
    setting(
        "CLERK_CLOCK_SKEW_S",
        Some("5"),
        "How far this machine's clock and Clerk's clock can differ, 0 to 60 seconds.",
    ),
    setting(
        "DUET_ALERT_URL",
        None,
        "The address to which the proxy posts a message when an alarm begins and when it ends, such as the incoming webhook of a chat service: https, or http on loopback. Redirects are not followed.",
    ),
    secret(
        "DUET_ALERT_SECRET",
        "The key with which the proxy signs the messages, as Standard Webhooks specifies, with at least 16 characters: whsec_ and base64, or any other text. Without this key, messages are not signed.",
    ),
    setting(
        "DUET_LOG",
        Some("info"),
        "The log level (error, warn, info or debug), or a filter such as duet_proxy=debug.",
    ),
    setting(
        "DUET_LOG_FORMAT",
        Some("text"),
        "The log format: text or json.",
    ),
];

/// Variables of later versions of Duet, or of the former Next.js implementation, that have no effect in this version. The proxy
/// logs a warning if one is set.
pub const WITHOUT_EFFECT: &[&str] = &["OTEL_EXPORTER_OTLP_ENDPOINT"];

/// Another name of `TIKTOK_PIXEL_ID`, which the former Next.js implementation uses.
pub const PIXEL_ID_ALIAS: &str = "NEXT_PUBLIC_TIKTOK_PIXEL_ID";

/// Returns every variable that this or a later version reads, each with its setting. Variables of other programs are not
/// included.
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

/// Returns the default of a setting.
pub fn default_of(name: &str) -> Option<&'static str> {
    SETTINGS
        .iter()
        .find(|setting| setting.name == name)?
        .default
}

/// Returns the text of `.env.example`.
pub fn env_example() -> String {
    let mut text = String::from(
        "# Every setting of duet-proxy. Each setting is also a flag: DUET_DATA_DIR is --data-dir, TIKTOK_PIXEL_ID is\n\
         # --tiktok-pixel-id. A secret can be in a file instead: set its name with _FILE at the end, or the flag, such as\n\
         # --server-key-file. A flag never contains the secret itself, because every user of the machine can read flags. The\n\
         # proxy does not start if a value has quotes around it: shells and systemd remove quotes, docker --env-file and Kubernetes do not.\n",
    );
    for setting in SETTINGS {
        text.push_str("\n# ");
        text.push_str(setting.help);
        if setting.secret {
            text.push_str("\n# Or ");
            text.push_str(setting.name);
            text.push_str("_FILE: the file that contains the secret.");
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
