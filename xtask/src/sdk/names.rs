//! Texts and numbers that the page's side has from Rust: the vocabulary's event names, which in the module would compress
//! worse, and what the module has numbers for.

use duet_events::{
    name::{FORMER, RESERVED, STANDARD},
    nobody, personal,
};
use duet_sdk::{
    consent::{Consent, Gate},
    effect::Word,
    once,
};

/// What the page's side calls each, and what it is.
pub(crate) fn lists() -> [(String, String); 13] {
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
