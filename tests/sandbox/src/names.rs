//! Event names as TikTok lists them: standard, former, reserved, and what each is counted as.

/// The standard web events since May 2025, the page view in both spellings, and the former names
/// that are still supported.
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

/// Names TikTok maps to another one by itself, and to which.
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

/// The name an event is counted under: `CompletePayment` is a `Purchase`, `SubmitForm` a `Lead`,
/// reserved names are what TikTok maps them to, and every other name is itself.
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

/// What TikTok's rules hold against a name, if anything. The event is taken nevertheless.
pub(crate) fn objection(event: &str) -> Option<String> {
    if KNOWN.contains(&event) {
        return None;
    }
    if let Some(known) = KNOWN.iter().find(|name| name.eq_ignore_ascii_case(event)) {
        return Some(format!(
            "differs from the standard event {known} only in its case"
        ));
    }
    let mut characters = event.chars();
    if !characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic())
    {
        return Some("a custom event name starts with a letter".to_owned());
    }
    if !characters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        return Some(
            "a custom event name has only letters, digits, underscores and dashes".to_owned(),
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
