//! Variables whose names are nearly a setting's: their author believes that they act.

use super::{Problem, settings};

/// The most letters that may be wrong, missing or too many.
const NEAR: usize = 2;
/// From this length on a name is near even where its prefix is misspelt: shorter ones are near to other programs'
/// variables, as `DUET_LOG` is to `RUST_LOG`.
const LONG: usize = 12;
/// What the names of settings begin with.
const PREFIXES: [&str; 5] = ["DUET_", "TIKTOK_", "SEPAY_", "CLERK_", "NEXT_PUBLIC_"];

/// A problem for each of the variables `names` that is no setting and nearly one.
pub(super) fn problems<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<Problem> {
    let names = names.into_iter().filter(|name| !is_container_link(name));
    names.filter_map(problem).collect()
}

/// Container engines set such variables for every neighbour, whatever it is called.
fn is_container_link(name: &str) -> bool {
    name.contains("_SERVICE_") || name.contains("_PORT")
}

fn problem(name: &str) -> Option<Problem> {
    let upper = name.to_ascii_uppercase();
    if upper.len() < LONG && !PREFIXES.iter().any(|prefix| upper.starts_with(prefix)) {
        return None;
    }
    let mut nearest: Option<(usize, &'static str, String)> = None;
    for (setting, known) in settings::variables() {
        if known == name {
            return None;
        }
        let distance = distance(&upper, &known);
        let limit = nearest.as_ref().map_or(NEAR + 1, |(best, ..)| *best);
        if distance < limit {
            nearest = Some((distance, setting, known));
        }
    }
    let (_, setting, known) = nearest?;
    Some(Problem {
        setting,
        message: format!("{name} is set, but no setting has this name; is {known} meant?"),
    })
}

/// How many letters have to be changed, added or taken away to make `right` of `left`.
fn distance(left: &str, right: &str) -> usize {
    if left.len().abs_diff(right.len()) > NEAR {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (done, a) in left.bytes().enumerate() {
        let mut diagonal = done;
        let mut before = done + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(right.bytes()) {
            let changed = diagonal + usize::from(a != b);
            diagonal = *cell;
            before = changed.min(before + 1).min(diagonal + 1);
            *cell = before;
        }
        if let Some(first) = row.first_mut() {
            *first = done + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_is_nearly_a_setting_is_a_problem() {
        for (name, meant) in [
            ("DUET_MONEY_EVENT", "DUET_MONEY_EVENTS"),
            ("DUET_ALOWED_ORIGIN", "DUET_ALLOWED_ORIGINS"),
            ("DEUT_SERVER_KEY", "DUET_SERVER_KEY"),
            ("DUET_SERVERKEY", "DUET_SERVER_KEY"),
            ("duet_server_key", "DUET_SERVER_KEY"),
            ("TIKTOK_ACCES_TOKEN_FILE", "TIKTOK_ACCESS_TOKEN_FILE"),
            ("NEXT_PUBLIC_TIKTOK_PIXELID", "NEXT_PUBLIC_TIKTOK_PIXEL_ID"),
            ("SEPAY_WEBHOOK_SECRETS", "SEPAY_WEBHOOK_SECRET"),
            ("CLERK_AUTHORISED_PARTIES", "CLERK_AUTHORIZED_PARTIES"),
            ("DUET_PIXEL_FILE", "DUET_PIXELS_FILE"),
        ] {
            let found = problems([name]);
            let found: Vec<_> = found.iter().map(|problem| &problem.message).collect();
            assert_eq!(found.len(), 1, "{name}");
            assert!(found[0].contains(&format!("is {meant} meant")), "{found:?}");
            assert!(found[0].starts_with(name));
        }
    }

    #[test]
    fn other_variables_are_nobodys_business() {
        for name in settings::variables().map(|(_, name)| name) {
            assert_eq!(problems([name.as_str()]), [], "{name}");
        }
        let others = [
            "PATH",
            "HOME",
            "RUST_LOG",
            "DUET_PORT",
            "DUET_SERVICE_HOST",
            "DUET_LISTEN_PORT",
            "DUET_PORT_8787_TCP_ADDR",
            "TIKTOK_ADVERTISER_ID",
            "CLERK_SECRET_KEY",
            "CLERK_API_KEY",
            "CLERK_API_URL",
            "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY",
            "SEPAY_API_KEY",
            "DUET_RELEASE",
            "",
        ];
        assert_eq!(problems(others), []);
    }

    #[test]
    fn a_distance_counts_changed_missing_and_added_letters() {
        for (left, right, expected) in [
            ("a", "a", 0),
            ("", "ab", 2),
            ("ab", "", 2),
            ("ab", "ba", 2),
            ("abc", "abd", 1),
            ("abc", "ac", 1),
            ("abc", "xabc", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }
}
