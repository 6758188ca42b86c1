//! Lists the changes since 0.1.0 that concern the settings in use. The proxy logs them once, at its start.

/// Returns one sentence for each change. `is_set` returns whether a setting is given.
pub(super) fn changes(is_set: impl Fn(&'static str) -> bool) -> Vec<&'static str> {
    let either = |name, given, default| if is_set(name) { given } else { default };
    vec![
        either(
            "DUET_RATE_LIMIT",
            "DUET_RATE_LIMIT counts events, not requests as before; a request can have up to 100 events; the default of DUET_RATE_LIMIT is now 1200/1m",
            "DUET_RATE_LIMIT is 1200/1m by default and counts events; before, the default was 300/1m requests",
        ),
        either(
            "DUET_BATCH_EVENTS",
            "DUET_BATCH_EVENTS is a maximum: requests to TikTok begin with 50 events and grow up to this maximum",
            "DUET_BATCH_EVENTS is a maximum, 1000 by default: requests to TikTok begin with 50 events and grow up to this maximum; before, the default was 50",
        ),
        // This change concerns every proxy, whatever its settings are, because pages can send events to every proxy.
        "event ids in the form of order event ids (lower-case version 8 UUIDs) are reserved: an event from a page with the id of another order is rejected",
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_said_of_given_settings_and_of_defaults() {
        for (given, expected) in [
            (
                &[][..],
                [
                    "the default was 300/1m requests",
                    "the default was 50",
                    "is rejected",
                ],
            ),
            (
                &["DUET_RATE_LIMIT", "DUET_BATCH_EVENTS"],
                [
                    "the default of DUET_RATE_LIMIT is now 1200/1m",
                    "grow up to this maximum",
                    "is rejected",
                ],
            ),
        ] {
            let said = changes(|name| given.contains(&name));
            assert_eq!(said.len(), expected.len());
            for (said, end) in said.iter().zip(expected) {
                assert!(said.ends_with(end), "{said}");
            }
        }
    }
}
