//! The settings of alarms.

use std::fmt;

use reqwest::Url;

use super::reader::Reader;
use crate::{origin::safe_url, secret::SharedSecret};

/// The receiver of the messages about alarms.
#[derive(Clone, Debug)]
pub struct Alerts {
    /// `DUET_ALERT_URL`.
    pub url: AlertUrl,
    /// `DUET_ALERT_SECRET`: the key of the signatures.
    pub secret: Option<SharedSecret>,
}

/// The address of the receiver. The address of a chat service contains a secret, so only the address's host is printed.
#[derive(Clone)]
pub struct AlertUrl(Url);

impl AlertUrl {
    /// Returns the address, to send a message.
    pub(crate) fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for AlertUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for AlertUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.host_str().unwrap_or_default())
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Alerts> {
    let url = reader.optional("DUET_ALERT_URL", |text| {
        safe_url(text)
            .map(AlertUrl)
            .ok_or("must be an https URL, or http on loopback, without a user name")
    });
    let secret = reader.secret(
        "DUET_ALERT_SECRET",
        secret,
        "must have at least 16 characters; if it begins with whsec_, base64 must follow",
    );
    if secret.is_some() && !reader.is_set("DUET_ALERT_URL") {
        reader.problem(
            "DUET_ALERT_SECRET",
            "must be set only together with DUET_ALERT_URL",
        );
    }
    Some(Alerts { url: url?, secret })
}

fn secret(text: &str) -> Option<SharedSecret> {
    const SHORTEST: usize = 16;
    let secret = SharedSecret::new(text).filter(|_| text.trim().chars().count() >= SHORTEST)?;
    secret.webhook_key().is_some().then_some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Problem, tests::with};

    const URL: (&str, &str) = ("DUET_ALERT_URL", "https://chat.example/hooks/canary");

    fn alerts(pairs: &[(&'static str, &'static str)]) -> Result<Option<Alerts>, Vec<Problem>> {
        with(pairs).map(|config| config.alerts)
    }

    #[test]
    fn an_address_is_enough_and_is_never_printed_whole() {
        assert!(alerts(&[]).unwrap().is_none());
        let alerts = alerts(&[URL]).unwrap().unwrap();
        assert_eq!(alerts.url.expose().as_str(), URL.1);
        assert_eq!(alerts.url.to_string(), "chat.example");
        assert!(!format!("{alerts:?}").contains("canary"));
    }

    #[test]
    fn unusable_settings_are_named_and_not_repeated() {
        for (pairs, setting) in [
            (
                &[("DUET_ALERT_URL", "http://chat.example/canary")][..],
                "DUET_ALERT_URL",
            ),
            (
                &[("DUET_ALERT_URL", "https://u:canary@chat.example/")],
                "DUET_ALERT_URL",
            ),
            (&[URL, ("DUET_ALERT_SECRET", "canary")], "DUET_ALERT_SECRET"),
            (
                &[URL, ("DUET_ALERT_SECRET", "whsec_canary.canary.canary")],
                "DUET_ALERT_SECRET",
            ),
            (
                &[("DUET_ALERT_SECRET", "canary-canary-canary")],
                "DUET_ALERT_SECRET",
            ),
        ] {
            let problems = alerts(pairs).unwrap_err();
            let named: Vec<_> = problems.iter().map(|problem| problem.setting).collect();
            assert_eq!(named, [setting], "{pairs:?}");
            assert!(!format!("{problems:?}").contains("canary"), "{pairs:?}");
        }
    }
}
