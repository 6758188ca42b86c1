//! What `init()` was given, read once.

use alloc::{borrow::ToOwned, string::String};

use duet_events::Country;

use crate::{
    consent::Consent,
    effect::{Effects, Report},
    joined::Fields,
};

/// Whose Pixel runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelMode {
    /// Duet puts TikTok's base code in place.
    Load,
    /// The page has its own.
    Existing,
    /// None.
    Off,
}

/// The settings of one page.
#[derive(Debug)]
pub struct Config {
    /// The pixel's code; empty where what was given cannot be one.
    pub pixel_id: String,
    /// For events that carry a value and no currency; empty for none.
    pub currency: String,
    /// For phone numbers without a country code.
    pub country: Option<Country>,
    /// What holds until `setConsent` says otherwise.
    pub consent: Consent,
    /// Whose Pixel runs.
    pub pixel: PixelMode,
    /// Where the Pixel's script comes from; empty for TikTok's address.
    pub script: String,
    /// Whether the Pixel itself reports page views on history changes.
    pub auto_page: bool,
    /// Whether the browser asks sites not to sell or share (Global Privacy Control).
    pub limited_data_use: bool,
    /// The visitor's language, as the browser states it.
    pub locale: String,
}

impl Config {
    /// Reads what `init()` in `index.js` joined. What is wrong is reported and left out, so that the
    /// rest still works.
    pub fn read(fields: &mut Fields<'_>, fx: &mut Effects) -> Self {
        let mut wrong = |field, message| {
            fx.report(Report {
                code: "config",
                message,
                field,
                event_id: "",
            });
        };
        let mut pixel_id = fields.text();
        let currency = fields.text();
        let country = fields.text();
        let consent = fields.text();
        let pixel = fields.text();
        let pixel = match pixel {
            "existing" => PixelMode::Existing,
            "off" => PixelMode::Off,
            "" | "load" => PixelMode::Load,
            _ => {
                wrong("pixel", "pixel is 'load', 'existing' or 'off'");
                PixelMode::Load
            }
        };
        if !is_pixel_id(pixel_id) {
            if pixel == PixelMode::Load || !pixel_id.is_empty() {
                wrong(
                    "pixelId",
                    "a pixel id is 10 to 40 of A-Z and 0-9; the Pixel stays off",
                );
            }
            pixel_id = "";
        }
        let known_currency = currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase());
        if !known_currency && !currency.is_empty() {
            wrong("currency", "a currency is three capital letters, such as VND");
        }
        let known_country = Country::parse(country);
        if known_country.is_none() && !country.is_empty() {
            wrong("country", "a country is its two-letter ISO code, such as VN");
        }
        let known_consent = Consent::parse(consent);
        if known_consent.is_none() && !consent.is_empty() {
            wrong("consent", "consent is 'granted', 'denied' or 'pending'");
        }
        Self {
            pixel: match pixel {
                PixelMode::Load if pixel_id.is_empty() => PixelMode::Off,
                mode => mode,
            },
            pixel_id: pixel_id.to_owned(),
            currency: if known_currency { currency } else { "" }.to_owned(),
            country: known_country,
            // A word nobody knows must not let anything out.
            consent: match known_consent {
                Some(consent) => consent,
                None if consent.is_empty() => Consent::Granted,
                None => Consent::Pending,
            },
            script: fields.text().to_owned(),
            auto_page: fields.flag(),
            limited_data_use: fields.flag(),
            locale: fields.text().to_owned(),
        }
    }
}

fn is_pixel_id(text: &str) -> bool {
    (10..=40).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: [&str; 9]) -> (Config, String) {
        let joined = fields.join("\u{1f}");
        let mut fx = Effects::default();
        let config = Config::read(&mut Fields::of(&joined), &mut fx);
        (config, fx.into_text())
    }

    const PIXEL: &str = "C4ABCDEFGHIJ0123456789";

    #[test]
    fn a_pixel_id_alone_is_a_configuration() {
        let (config, reports) = read([PIXEL, "", "", "", "", "", "", "", "vi-VN"]);
        assert_eq!(reports, "");
        assert_eq!(config.pixel_id, PIXEL);
        assert_eq!(config.pixel, PixelMode::Load);
        assert_eq!(config.consent, Consent::Granted);
        assert_eq!(config.currency, "");
        assert_eq!(config.locale, "vi-VN");
    }

    #[test]
    fn what_is_wrong_is_reported_and_the_rest_works() {
        for (fields, field) in [
            (["c4abc", "VND", "VN", "", "", "", "", "", ""], "pixelId"),
            ([PIXEL, "dong", "VN", "", "", "", "", "", ""], "currency"),
            ([PIXEL, "VND", "Vietnam", "", "", "", "", "", ""], "country"),
            ([PIXEL, "VND", "VN", "yes", "", "", "", "", ""], "consent"),
            ([PIXEL, "VND", "VN", "", "on", "", "", "", ""], "pixel"),
        ] {
            let (_, reports) = read(fields);
            assert!(reports.contains(&format!("\u{1f}{field}\u{1f}")), "{field}");
        }
    }

    #[test]
    fn a_pixel_id_that_could_be_code_never_reaches_the_page() {
        let (config, _) = read(["\"><script>", "", "", "", "load", "", "", "", ""]);
        assert_eq!(config.pixel_id, "");
        assert_eq!(config.pixel, PixelMode::Off);
    }

    #[test]
    fn a_consent_nobody_knows_lets_nothing_out() {
        assert_eq!(
            read([PIXEL, "", "", "Granted", "", "", "", "", ""]).0.consent,
            Consent::Pending
        );
    }
}
