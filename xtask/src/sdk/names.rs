//! Texts and numbers that the build inserts into the page's scripts. The inserted texts are the event names, which would
//! compress worse in the module, and the words for the module's numbers.

use duet_events::{
    currency,
    name::{FORMER, RESERVED, STANDARD},
    nobody, personal, properties,
};
use duet_sdk::{
    consent::{Consent, Gate},
    effect::Word,
    once,
};

/// Returns each name in the page's scripts with its value.
pub(crate) fn lists() -> [(String, String); 15] {
    let former = FORMER.map(|(former, _)| former);
    let successors = FORMER.into_iter().filter(|(former, now)| former != now);
    let pairs: Vec<_> = successors.flat_map(|(former, now)| [former, now]).collect();
    [
        ("RESERVED", RESERVED.join(" ")),
        ("KNOWN", [&STANDARD[..], &former].concat().join(" ")),
        ("SUCCESSORS", pairs.join(" ")),
        ("WORDS", Word::ALL.map(|(_, word)| word).join(" ")),
        ("GATES", Gate::ALL.map(|(_, gate)| gate).join(" ")),
        ("CONSENTS", Consent::ALL.map(|(_, choice)| choice).join(" ")),
        ("WHOLE_CURRENCIES", currency::WHOLE.join(" ")),
        ("TEXTS", properties::TEXTS.join("|")),
        ("NOBODY", nobody::DIGESTS.map(|(_, word)| word).join(",")),
        ("PERSONAL_NAMES", personal::NAMES.join("|")),
        ("WHOLE_NAMES", personal::WHOLE.join("|")),
        ("GLUED_NAMES", personal::GLUED.join("|")),
        ("BEHIND_NAMES", personal::BEHIND.join("|")),
        ("PIXEL_LEG", once::PIXEL.to_string()),
        ("SERVER_LEG", once::SERVER.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}
