//! TikTok's event names: standard, former and reserved names, and the name under which each of them is counted.

/// The standard web events since May 2025, the page view in both spellings, and the former names that are still supported.
const KNOWN: [&str; 24] = [
    "AddPaymentInfo",
    "AddToCart",
    "AddToWishlist",
    "ApplicationApproval",
    "ClickButton",
    "CompletePayment",
    "CompleteRegistration",
    "Contact",
    "CustomizeProduct",
    "Download",
    "FindLocation",
    "InitiateCheckout",
    "Lead",
    "PageView",
    "Pageview",
    "PlaceAnOrder",
    "Purchase",
    "Schedule",
    "Search",
    "StartTrial",
    "SubmitApplication",
    "SubmitForm",
    "Subscribe",
    "ViewContent",
];

/// Names that TikTok rewrites, each with the name that TikTok uses instead.
const RESERVED: [(&str, &str); 13] = [
    ("AddBilling", "AddPaymentInfo"),
    ("Browse", "Pageview"),
    ("Checkout", "PlaceAnOrder"),
    ("ClickForm", "Lead"),
    ("ClickInDownloadPage", "ClickButton"),
    ("ClickToDownload", "Download"),
    ("Consult", "Contact"),
    ("ConsultByPhone", "Contact"),
    ("Registration", "CompleteRegistration"),
    ("StartCheckout", "InitiateCheckout"),
    ("ViewConsultationPage", "ViewContent"),
    ("ViewDownloadPage", "ViewContent"),
    ("ViewForm", "ViewContent"),
];

/// Returns the name under which an event is counted. `CompletePayment` is counted as `Purchase`, and `SubmitForm` as
/// `Lead`. A reserved name is counted as the name into which TikTok rewrites it. Every other name is counted as itself.
pub fn canonical(event: &str) -> &str {
    match event {
        "CompletePayment" => "Purchase",
        "SubmitForm" => "Lead",
        "PageView" => "Pageview",
        other => reserved(other).unwrap_or(other),
    }
}

pub(crate) fn reserved(event: &str) -> Option<&'static str> {
    RESERVED
        .iter()
        .find(|(name, _)| *name == event)
        .map(|(_, counted_as)| *counted_as)
}

/// Returns the TikTok rule that a name breaks, if any. TikTok still accepts the event.
pub(crate) fn objection(event: &str) -> Option<String> {
    if KNOWN.contains(&event) {
        return None;
    }
    if let Some(known) = KNOWN.iter().find(|name| name.eq_ignore_ascii_case(event)) {
        return Some(format!(
            "must be spelled exactly like the standard event {known}, also in upper and lower case"
        ));
    }
    let mut characters = event.chars();
    if !characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic())
    {
        return Some("a custom event name must start with a letter".to_owned());
    }
    if !characters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        return Some(
            "a custom event name must have only letters, digits, underscores and dashes".to_owned(),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_counted_as_tiktok_counts_it() {
        for (event, counted_as) in [
            ("CompletePayment", "Purchase"),
            ("Purchase", "Purchase"),
            ("SubmitForm", "Lead"),
            ("Browse", "Pageview"),
            ("PageView", "Pageview"),
            ("StartCheckout", "InitiateCheckout"),
            ("PlaceAnOrder", "PlaceAnOrder"),
            ("my_own-event", "my_own-event"),
        ] {
            assert_eq!(canonical(event), counted_as, "{event}");
        }
    }

    #[test]
    fn names_outside_the_rules_are_objected_to() {
        for good in [
            "Purchase",
            "ClickButton",
            "Pageview",
            "PageView",
            "my_event-2",
        ] {
            assert_eq!(objection(good), None, "{good}");
        }
        for bad in ["purchase", "2fast", "_x", "has space", "Purchase ", "đơn"] {
            assert!(objection(bad).is_some(), "{bad}");
        }
    }
}
