//! The vocabulary's event names, as texts for `sdk/page/fire.js`: in the module they would compress worse.

use duet_events::name::{FORMER, RESERVED, STANDARD};

/// What the page's side calls a list, and its names.
pub(crate) fn lists() -> [(&'static str, String); 3] {
    let former = FORMER.map(|(former, _)| former);
    let successors = FORMER.into_iter().filter(|(former, now)| former != now);
    let pairs: Vec<_> = successors.flat_map(|(former, now)| [former, now]).collect();
    [
        ("RESERVED", RESERVED.join(" ")),
        ("KNOWN", [&STANDARD[..], &former].concat().join(" ")),
        ("SUCCESSORS", pairs.join(" ")),
    ]
}
