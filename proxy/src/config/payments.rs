//! The settings of payment providers.

use duet_events::EventName;

use crate::{
    payments::{
        memo::OrderPattern,
        payos::Payos,
        polar::Polar,
        provider::Provider,
        sepay::{self, Auth},
        stripe::Stripe,
        vnpay::Vnpay,
    },
    secret::Secrets,
};

use super::reader::Reader;

/// The configured payment providers, at least one, and the pattern of order ids in memos.
#[derive(Clone, Debug)]
pub struct Payments {
    /// `SEPAY_WEBHOOK_SECRET` and SePay's other settings.
    pub sepay: Option<sepay::Settings>,
    /// `POLAR_WEBHOOK_SECRET`.
    pub polar: Option<Polar>,
    /// `STRIPE_WEBHOOK_SECRET`.
    pub stripe: Option<Stripe>,
    /// `PAYOS_CHECKSUM_KEY`.
    pub payos: Option<Payos>,
    /// `VNPAY_TMN_CODE` and `VNPAY_HASH_SECRET`.
    pub vnpay: Option<Vnpay>,
    /// `SEPAY_ORDER_PATTERN` with `SEPAY_ORDER_TEMPLATE`.
    pub order_pattern: Option<OrderPattern>,
    /// `DUET_RENEWALS`: the event that reports a renewal. `None` if renewals are not reported.
    pub renewals: Option<EventName>,
}

impl Payments {
    /// Returns each configured provider with its name.
    pub fn providers(&self) -> impl Iterator<Item = (&'static str, &dyn Provider)> {
        fn named<'a, P: Provider>(
            name: &'static str,
            provider: Option<&'a P>,
        ) -> Option<(&'static str, &'a dyn Provider)> {
            provider.map(|provider| (name, provider as &dyn Provider))
        }
        let all = [
            named("sepay", self.sepay.as_ref()),
            named("polar", self.polar.as_ref()),
            named("stripe", self.stripe.as_ref()),
            named("payos", self.payos.as_ref()),
            named("vnpay", self.vnpay.as_ref()),
        ];
        all.into_iter().flatten()
    }

    /// Returns the provider with this name, if it is configured.
    pub fn provider(&self, name: &str) -> Option<&dyn Provider> {
        let mut all = self.providers();
        all.find_map(|(known, provider)| (known == name).then_some(provider))
    }
}

/// The rule for the secrets of a provider.
const SEVERAL: &str =
    "must be one secret, or several with white space between them, each of at least 8 characters";

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Payments> {
    let (sepay, order_pattern) = sepay(reader);
    let mut secrets = |setting| reader.secret(setting, Secrets::generated, SEVERAL);
    let polar = secrets("POLAR_WEBHOOK_SECRET").map(|secrets| Polar { secrets });
    let stripe = secrets("STRIPE_WEBHOOK_SECRET").map(|secrets| Stripe { secrets });
    let payos = secrets("PAYOS_CHECKSUM_KEY").map(|secrets| Payos { secrets });
    let vnpay = vnpay(reader);
    let renewals = reader.optional("DUET_RENEWALS", |text| match text.trim() {
        "off" => Ok(None),
        name => EventName::parse(name)
            .map(Some)
            .map_err(|_| "must be off, or the name of an event such as Subscribe"),
    });
    let payments = Payments {
        sepay,
        polar,
        stripe,
        payos,
        vnpay,
        order_pattern,
        renewals: renewals.flatten(),
    };
    let is_any = payments.providers().next().is_some();
    is_any.then_some(payments)
}

fn sepay(reader: &mut Reader<'_>) -> (Option<sepay::Settings>, Option<OrderPattern>) {
    let webhook_secret = reader.secret("SEPAY_WEBHOOK_SECRET", Secrets::new, SEVERAL);
    let auth = reader.optional("SEPAY_WEBHOOK_AUTH", |text| match text.trim() {
        "apikey" => Ok(Auth::ApiKey),
        "hmac" => Ok(Auth::Hmac),
        _ => Err("must be apikey or hmac"),
    });
    let form_key = reader.secret("SEPAY_SECRET_KEY", Secrets::new, SEVERAL);
    let accounts = reader.list("SEPAY_ACCOUNTS", account);
    let order_pattern = order_pattern(reader);
    if webhook_secret.is_none() && !reader.is_set("SEPAY_WEBHOOK_SECRET") {
        for setting in [
            "SEPAY_WEBHOOK_AUTH",
            "SEPAY_SECRET_KEY",
            "SEPAY_ACCOUNTS",
            "SEPAY_ORDER_PATTERN",
        ] {
            if reader.is_set(setting) {
                reader.problem(
                    setting,
                    "must be set only together with SEPAY_WEBHOOK_SECRET, which enables the webhook",
                );
            }
        }
    }
    let settings = webhook_secret.map(|webhook_secret| sepay::Settings {
        webhook_secret,
        auth: auth.unwrap_or(Auth::ApiKey),
        form_key,
        accounts,
    });
    (settings, order_pattern)
}

fn vnpay(reader: &mut Reader<'_>) -> Option<Vnpay> {
    let terminal = reader.optional("VNPAY_TMN_CODE", |text| {
        let is_plain = text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let code = is_plain.then(|| text.to_owned());
        code.ok_or("must be the terminal's code: letters and digits, at most 32")
    });
    let secrets = reader.secret("VNPAY_HASH_SECRET", Secrets::generated, SEVERAL);
    for (setting, other) in [
        ("VNPAY_TMN_CODE", "VNPAY_HASH_SECRET"),
        ("VNPAY_HASH_SECRET", "VNPAY_TMN_CODE"),
    ] {
        if reader.is_set(setting) && !reader.is_set(other) {
            reader.problem(setting, format!("must be set only together with {other}"));
        }
    }
    Some(Vnpay {
        terminal: terminal?,
        secrets: secrets?,
    })
}

fn order_pattern(reader: &mut Reader<'_>) -> Option<OrderPattern> {
    const NAMES: [&str; 2] = ["SEPAY_ORDER_PATTERN", "SEPAY_ORDER_TEMPLATE"];
    let [pattern, template] = NAMES.map(|name| reader.optional(name, |text| Ok(text.to_owned())));
    match (pattern, template) {
        (Some(pattern), Some(template)) => OrderPattern::new(&pattern, &template)
            .map_err(|rule| reader.problem("SEPAY_ORDER_PATTERN", rule))
            .ok(),
        (None, None) => None,
        (Some(_), None) => {
            reader.problem(
                "SEPAY_ORDER_PATTERN",
                "must be set only together with SEPAY_ORDER_TEMPLATE",
            );
            None
        }
        (None, Some(_)) => {
            reader.problem(
                "SEPAY_ORDER_TEMPLATE",
                "must be set only together with SEPAY_ORDER_PATTERN",
            );
            None
        }
    }
}

/// Checks an account's number. An account's number is a text, because its leading zeros matter.
fn account(text: &str) -> Result<String, &'static str> {
    let plain = text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let account = plain.then(|| text.to_owned());
    account.ok_or("must be account numbers of at most 64 letters and digits, without spaces")
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, fs};

    use super::*;
    use crate::config::{Config, Problem};

    fn read(pairs: &[(&str, &str)]) -> Result<Option<Payments>, Vec<Problem>> {
        let required = [
            ("TIKTOK_PIXEL_ID", "C4A1B2C3D4E5F6G7H8I9"),
            ("TIKTOK_ACCESS_TOKEN", "canary-token"),
        ];
        let map: HashMap<_, _> = required.iter().chain(pairs).copied().collect();
        let config = Config::read(|name| map.get(name).map(|value| (*value).to_owned()));
        config.map(|config| config.payments)
    }

    #[test]
    fn one_secret_opens_the_webhook() {
        let payments = read(&[("SEPAY_WEBHOOK_SECRET", "canary-secret")])
            .unwrap()
            .unwrap();
        let sepay = payments.sepay.as_ref().unwrap();
        assert_eq!(sepay.auth, Auth::ApiKey);
        assert!(sepay.accounts.is_empty() && sepay.form_key.is_none());
        assert!(payments.order_pattern.is_none());
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&[("SEPAY_WEBHOOK_SECRET", " ")]).unwrap().is_none());
    }

    #[test]
    fn every_setting_is_read_and_no_secret_shows() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        fs::write(&file, "canary-form\n").unwrap();
        let payments = read(&[
            ("SEPAY_WEBHOOK_SECRET", "canary-secret"),
            ("SEPAY_WEBHOOK_AUTH", "hmac"),
            ("SEPAY_SECRET_KEY_FILE", file.to_str().unwrap()),
            ("SEPAY_ACCOUNTS", "0123499999, VQRQ0001"),
            ("SEPAY_ORDER_PATTERN", "([0-9]{13})([0-9A-Z]{6})"),
            ("SEPAY_ORDER_TEMPLATE", "PHO_SUB_$1_$2"),
            ("DUET_RENEWALS", "Subscribe"),
        ])
        .unwrap()
        .unwrap();
        let sepay = payments.sepay.as_ref().unwrap();
        assert_eq!(sepay.auth, Auth::Hmac);
        assert_eq!(sepay.accounts, ["0123499999", "VQRQ0001"]);
        assert!(sepay.form_key.is_some() && payments.order_pattern.is_some());
        assert_eq!(payments.renewals, EventName::parse("Subscribe").ok());
        assert!(!format!("{payments:?}").contains("canary"));
    }

    #[test]
    fn each_secret_opens_its_provider_and_no_other() {
        const TERMINAL: (&str, &str) = ("VNPAY_TMN_CODE", "DUETTEST");
        for (settings, expected) in [
            (&[("SEPAY_WEBHOOK_SECRET", "canary-secret")][..], "sepay"),
            (&[("POLAR_WEBHOOK_SECRET", "canary-secret")], "polar"),
            (&[("STRIPE_WEBHOOK_SECRET", "canary-secret")], "stripe"),
            (&[("PAYOS_CHECKSUM_KEY", "canary-new canary-old")], "payos"),
            (
                &[("VNPAY_HASH_SECRET", "canary-new, canary-old"), TERMINAL],
                "vnpay",
            ),
        ] {
            let payments = read(settings).unwrap().unwrap();
            let names: Vec<_> = payments.providers().map(|(name, _)| name).collect();
            assert_eq!(names, [expected]);
            assert!(payments.provider(expected).is_some() && payments.provider("momo").is_none());
            assert!(!format!("{payments:?}").contains("canary"));
        }
    }

    #[test]
    fn settings_that_contradict_each_other_are_problems() {
        let secret = ("SEPAY_WEBHOOK_SECRET", "s");
        for (settings, expected) in [
            (&[("SEPAY_WEBHOOK_AUTH", "hmac")][..], "SEPAY_WEBHOOK_AUTH"),
            (&[("SEPAY_SECRET_KEY", "k")], "SEPAY_SECRET_KEY"),
            (&[("SEPAY_ACCOUNTS", "1")], "SEPAY_ACCOUNTS"),
            (
                &[("SEPAY_ORDER_PATTERN", "a"), ("SEPAY_ORDER_TEMPLATE", "$0")],
                "SEPAY_ORDER_PATTERN",
            ),
            (
                &[secret, ("SEPAY_WEBHOOK_AUTH", "none")],
                "SEPAY_WEBHOOK_AUTH",
            ),
            (&[secret, ("SEPAY_ACCOUNTS", "1,2 3")], "SEPAY_ACCOUNTS"),
            (&[secret, ("DUET_RENEWALS", "on top")], "DUET_RENEWALS"),
            (
                &[secret, ("SEPAY_ORDER_PATTERN", "a")],
                "SEPAY_ORDER_PATTERN",
            ),
            (
                &[secret, ("SEPAY_ORDER_TEMPLATE", "$1")],
                "SEPAY_ORDER_TEMPLATE",
            ),
            (
                &[
                    secret,
                    ("SEPAY_ORDER_PATTERN", "("),
                    ("SEPAY_ORDER_TEMPLATE", "$0"),
                ],
                "SEPAY_ORDER_PATTERN",
            ),
            (
                &[
                    secret,
                    ("SEPAY_ORDER_PATTERN", "(a)"),
                    ("SEPAY_ORDER_TEMPLATE", "$2"),
                ],
                "SEPAY_ORDER_PATTERN",
            ),
            (
                &[secret, ("SEPAY_WEBHOOK_SECRET_FILE", "/nowhere")],
                "SEPAY_WEBHOOK_SECRET",
            ),
            (&[("VNPAY_TMN_CODE", "DUETTEST")], "VNPAY_TMN_CODE"),
            (
                &[("VNPAY_HASH_SECRET", "DUETVNPAYSECRET")],
                "VNPAY_HASH_SECRET",
            ),
            (
                &[
                    ("VNPAY_TMN_CODE", "DUET TEST"),
                    ("VNPAY_HASH_SECRET", "DUETVNPAYSECRET"),
                ],
                "VNPAY_TMN_CODE",
            ),
            (
                &[("STRIPE_WEBHOOK_SECRET", "whsec_a whsec_b")],
                "STRIPE_WEBHOOK_SECRET",
            ),
            (
                &[("SEPAY_WEBHOOK_SECRET", "correct horse battery staple")],
                "SEPAY_WEBHOOK_SECRET",
            ),
        ] {
            let problems = read(settings).unwrap_err();
            let named: Vec<_> = problems.iter().map(|problem| problem.setting).collect();
            assert_eq!(named, [expected], "{settings:?}");
        }
    }
}
