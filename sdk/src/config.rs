//! What `init()` was given, read once.

use alloc::{borrow::ToOwned, string::String};

use duet_events::Country;

use crate::{consent::Consent, effect::Effects, joined::Fields};

/// The settings of one page.
#[derive(Debug)]
pub struct Config {
    /// For events that carry a value and no currency; empty for none.
    pub currency: String,
    /// For phone numbers without a country code.
    pub country: Option<Country>,
    /// What holds until `setConsent` says otherwise.
    pub consent: Consent,
    /// Whether the browser asks sites not to sell or share (Global Privacy Control).
    pub limited_data_use: bool,
    /// The visitor's language, as the browser states it.
    pub locale: String,
}

/// The pixel of one `init()`.
#[derive(Debug)]
pub struct PixelConfig<'a> {
    /// The pixel's code; empty for whatever pixel the page itself has.
    pub id: &'a str,
    /// Whether the page has its own base code.
    pub existing: bool,
    /// Where the script comes from; empty for TikTok's address.
    pub script: &'a str,
    /// Whether the Pixel itself reports page views on history changes.
    pub auto_page: bool,
}

impl Config {
    /// Reads what `init()` in `browser.js` joined; no pixel where it is off. What is wrong is reported
    /// and left out, so that the rest still works.
    pub fn read<'a>(fields: &mut Fields<'a>, fx: &mut Effects) -> (Self, Option<PixelConfig<'a>>) {
        let mut check = |right: bool, field: &str, rule: &str| {
            if !right {
                fx.report("config", rule, "", field);
            }
            right
        };
        let id = fields.text();
        let mode = fields.text();
        let existing = mode == "existing";
        let is_pixel_id = (10..=40).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let off = mode == "off"
            || !check(
                is_pixel_id || existing && id.is_empty(),
                "pixelId",
                "a pixel id is 10 to 40 of A-Z and 0-9; the Pixel stays off",
            );
        let pixel = PixelConfig {
            id,
            existing,
            script: fields.text(),
            auto_page: fields.flag(),
        };
        let country = fields.text();
        let known_country = Country::parse(country);
        check(
            known_country.is_some() || country.is_empty(),
            "country",
            "a country is its two-letter ISO code",
        );
        let config = Self {
            country: known_country,
            currency: fields.text().to_owned(),
            consent: Consent::read(fields.text()),
            limited_data_use: fields.flag(),
            locale: fields.text().to_owned(),
        };
        (config, (!off).then_some(pixel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIXEL: &str = "C4ABCDEFGHIJ0123456789";

    fn read(id: &str, mode: &str, country: &str) -> (Config, bool, String) {
        let joined = [id, mode, "", "", country, "VND", "granted", "", "vi-VN"].join("\u{1f}");
        let mut fx = Effects::default();
        let (config, pixel) = Config::read(&mut Fields(&joined), &mut fx);
        (config, pixel.is_some(), fx.into_text())
    }

    #[test]
    fn a_pixel_id_is_all_it_takes() {
        let (config, pixel, reports) = read(PIXEL, "", "");
        assert_eq!(reports, "");
        assert!(pixel);
        assert_eq!(config.consent, Consent::Granted);
        assert_eq!(config.locale, "vi-VN");
    }

    #[test]
    fn what_is_wrong_is_reported_and_the_rest_works() {
        let (config, pixel, reports) = read(PIXEL, "", "Vietnam");
        assert!(reports.ends_with("\u{1f}country"));
        assert!(pixel);
        assert_eq!(config.currency, "VND");
    }

    #[test]
    fn a_pixel_id_that_could_be_code_never_reaches_the_page() {
        for id in ["\"><script>", "c4abcdefghij", "SHORT", ""] {
            let (_, pixel, reports) = read(id, "load", "VN");
            assert!(!pixel, "{id}");
            assert!(reports.ends_with("\u{1f}pixelId"), "{id}");
        }
    }

    #[test]
    fn a_pixel_that_is_off_or_the_pages_own_needs_no_id() {
        assert!(!read("", "off", "").1);
        assert_eq!(read("", "off", "").2, "");
        assert!(read("", "existing", "").1);
    }
}
