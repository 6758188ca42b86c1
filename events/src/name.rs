//! Event names of TikTok's web events (the list of May 2025).
//!
//! Both legs send a name exactly as the caller wrote it. TikTok does not document whether `CompletePayment` on one leg
//! matches `Purchase` on the other leg. The [canonical](EventName::canonical) form of a name is used only to recognise repeats
//! in Duet's own memory.

use alloc::{borrow::ToOwned, string::String};

use crate::{Invalid, rule::reject};

/// The names that TikTok optimises for today.
pub const STANDARD: [&str; 18] = [
    "AddPaymentInfo",
    "AddToCart",
    "AddToWishlist",
    "ApplicationApproval",
    "CompleteRegistration",
    "Contact",
    "CustomizeProduct",
    "Download",
    "FindLocation",
    "InitiateCheckout",
    "Lead",
    "Purchase",
    "Schedule",
    "Search",
    "StartTrial",
    "SubmitApplication",
    "Subscribe",
    "ViewContent",
];

/// Former standard names that TikTok still accepts, each with its current name. If a name has no successor, it is listed as its
/// own current name. The Pixel's `page()` reports `Pageview`, and servers also write `PageView`.
pub const FORMER: [(&str, &str); 6] = [
    ("ClickButton", "ClickButton"),
    ("CompletePayment", "Purchase"),
    ("PageView", "Pageview"),
    ("Pageview", "Pageview"),
    ("PlaceAnOrder", "PlaceAnOrder"),
    ("SubmitForm", "Lead"),
];

/// Names that TikTok rewrites when it receives them. The proxy rejects such names: TikTok would not count them as custom
/// events, and could rewrite them differently on the two legs.
pub const RESERVED: [&str; 13] = [
    "AddBilling",
    "Browse",
    "Checkout",
    "ClickForm",
    "ClickInDownloadPage",
    "ClickToDownload",
    "Consult",
    "ConsultByPhone",
    "Registration",
    "StartCheckout",
    "ViewConsultationPage",
    "ViewDownloadPage",
    "ViewForm",
];

const MAX_CUSTOM: usize = 50;

/// The name of an event: a standard name, a former name, or a well-formed custom name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct EventName(String);

impl EventName {
    /// Checks a name. The case of the letters matters.
    ///
    /// # Errors
    /// Returns `reserved_name` for a name that TikTok rewrites. Returns `event_name` for a name that differs from a standard
    /// name only in case, is longer than 50 characters, or does not start with a letter. Also returns `event_name` for a
    /// name with other characters than letters, digits, `_` and `-`.
    pub fn parse(name: &str) -> Result<Self, Invalid> {
        // Most names are standard names, and a comparison with these names is faster than `check`.
        if STANDARD.contains(&name) {
            return Ok(Self(name.to_owned()));
        }
        match check(name) {
            Ok(()) => Ok(Self(name.to_owned())),
            Err(Flaw::Reserved) => Err(Invalid::of(&reject::RESERVED_NAME, "event")),
            Err(Flaw::OtherCase) => Err(Invalid::with(
                &reject::EVENT_NAME,
                "event",
                ", got a standard name in another case, which TikTok would count as a custom event",
            )),
            Err(Flaw::Malformed) => Err(Invalid::of(&reject::EVENT_NAME, "event")),
        }
    }

    /// Returns the name as its caller wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the event reports a payment or a coming payment.
    pub fn is_money(&self) -> bool {
        matches!(self.canonical(), "Purchase" | "Subscribe" | "PlaceAnOrder")
    }

    /// Returns the name by which repeats of the event are recognised, as [`canonical`] does.
    pub fn canonical(&self) -> &str {
        canonical(&self.0)
    }
}

/// Returns the name by which repeats of an event are recognised. It is the same for `CompletePayment` and `Purchase`.
pub fn canonical(name: &str) -> &str {
    match name {
        "CompletePayment" => "Purchase",
        "PageView" => "Pageview",
        "SubmitForm" => "Lead",
        name => name,
    }
}

/// Returns `name`, and then the other names that have the same canonical name.
pub fn aliases(name: &str) -> impl Iterator<Item = &str> {
    let former = FORMER.into_iter().map(|(former, _)| former);
    let known = STANDARD.into_iter().chain(former);
    let others = known.filter(move |known| *known != name && canonical(known) == canonical(name));
    core::iter::once(name).chain(others)
}

/// The reason why a text is not an event name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    /// TikTok rewrites the name.
    Reserved,
    /// The name differs from a standard name only in case.
    OtherCase,
    /// The name is too long or contains a forbidden character.
    Malformed,
}

/// Checks whether a text is an event name. `sdk/page/names.js` does the same on a page, and `tests/names.json` tests both.
fn check(name: &str) -> Result<(), Flaw> {
    let former = FORMER.into_iter().map(|(former, _)| former);
    let mut known = STANDARD.into_iter().chain(former);
    if RESERVED.contains(&name) {
        Err(Flaw::Reserved)
    } else if known.clone().any(|known| known == name) {
        Ok(())
    } else if known.any(|known| known.eq_ignore_ascii_case(name)) {
        Err(Flaw::OtherCase)
    } else if is_custom(name.as_bytes()) {
        Ok(())
    } else {
        Err(Flaw::Malformed)
    }
}

fn is_custom(name: &[u8]) -> bool {
    name.len() <= MAX_CUSTOM
        && name.first().is_some_and(u8::is_ascii_alphabetic)
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_goes_out_as_it_came_in() {
        for name in STANDARD.into_iter().chain(FORMER.map(|(former, _)| former)) {
            assert_eq!(EventName::parse(name).unwrap().as_str(), name);
        }
        assert_eq!(EventName::parse("Plan-B_2").unwrap().as_str(), "Plan-B_2");
    }

    #[test]
    fn a_former_name_and_its_successor_are_one_event() {
        for (name, canonical) in [
            ("CompletePayment", "Purchase"),
            ("Purchase", "Purchase"),
            ("SubmitForm", "Lead"),
            ("PageView", "Pageview"),
            ("PlaceAnOrder", "PlaceAnOrder"),
            ("my_event", "my_event"),
        ] {
            assert_eq!(EventName::parse(name).unwrap().canonical(), canonical);
        }
    }

    #[test]
    fn names_of_one_event_are_aliases_of_each_other() {
        for (name, expected) in [
            ("CompletePayment", &["CompletePayment", "Purchase"][..]),
            ("Purchase", &["Purchase", "CompletePayment"]),
            ("Lead", &["Lead", "SubmitForm"]),
            ("Pageview", &["Pageview", "PageView"]),
            ("Subscribe", &["Subscribe"]),
            ("my_event", &["my_event"]),
        ] {
            let found: alloc::vec::Vec<_> = aliases(name).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn names_tiktok_would_change_or_refuse_are_refused_here() {
        for (name, rule) in [
            ("Checkout", "reserved_name"),
            ("viewcontent", "event_name"),
            ("", "event_name"),
            ("1st", "event_name"),
            ("two words", "event_name"),
            ("Purchase ", "event_name"),
            ("sự_kiện", "event_name"),
            (
                "a23456789012345678901234567890123456789012345678901",
                "event_name",
            ),
        ] {
            assert_eq!(EventName::parse(name).unwrap_err().rule, rule, "{name}");
        }
    }
}
