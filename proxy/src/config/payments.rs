//! Who may say that money came.

use crate::{
    payments::{
        memo::OrderPattern,
        sepay::{self, Auth},
    },
    secret::SharedSecret,
};

use super::reader::Reader;

/// The providers of payments, and how their memos name orders.
#[derive(Clone, Debug)]
pub struct Payments {
    /// `SEPAY_WEBHOOK_SECRET` and what belongs to it.
    pub sepay: sepay::Settings,
    /// `SEPAY_ORDER_PATTERN` with `SEPAY_ORDER_TEMPLATE`.
    pub order_pattern: Option<OrderPattern>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Payments> {
    const NOT_EMPTY: &str = "must not be empty";
    let webhook_secret = reader.secret("SEPAY_WEBHOOK_SECRET", SharedSecret::new, NOT_EMPTY);
    let auth = reader.optional("SEPAY_WEBHOOK_AUTH", |text| match text.trim() {
        "apikey" => Ok(Auth::ApiKey),
        "hmac" => Ok(Auth::Hmac),
        _ => Err("must be apikey or hmac"),
    });
    let form_key = reader.secret("SEPAY_SECRET_KEY", SharedSecret::new, NOT_EMPTY);
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
                    "must come with SEPAY_WEBHOOK_SECRET, which opens the webhook's route",
                );
            }
        }
    }
    Some(Payments {
        sepay: sepay::Settings {
            webhook_secret: webhook_secret?,
            auth: auth.unwrap_or(Auth::ApiKey),
            form_key,
            accounts,
        },
        order_pattern,
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
            reader.problem("SEPAY_ORDER_PATTERN", "must come with SEPAY_ORDER_TEMPLATE");
            None
        }
        (None, Some(_)) => {
            reader.problem("SEPAY_ORDER_TEMPLATE", "must come with SEPAY_ORDER_PATTERN");
            None
        }
    }
}

/// Leading zeros matter, so an account is a text.
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
        assert_eq!(payments.sepay.auth, Auth::ApiKey);
        assert!(payments.sepay.accounts.is_empty() && payments.sepay.form_key.is_none());
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
        ])
        .unwrap()
        .unwrap();
        assert_eq!(payments.sepay.auth, Auth::Hmac);
        assert_eq!(payments.sepay.accounts, ["0123499999", "VQRQ0001"]);
        assert!(payments.sepay.form_key.is_some() && payments.order_pattern.is_some());
        assert!(!format!("{payments:?}").contains("canary"));
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
        ] {
            let problems = read(settings).unwrap_err();
            let named: Vec<_> = problems.iter().map(|problem| problem.setting).collect();
            assert_eq!(named, [expected], "{settings:?}");
        }
    }
}
