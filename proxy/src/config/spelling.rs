//! Finds variables whose names are nearly the name of a setting. The operator probably wanted to set this setting.

use super::{Problem, settings};

/// The largest number of wrong, missing or additional letters.
const NEAR: usize = 2;
/// A name with at least this many letters can count as near even if its prefix is misspelt. A shorter name can be near to a
/// setting by chance, as `RUST_LOG` is to `DUET_LOG`.
const LONG: usize = 12;
/// The prefixes of the settings' names.
const PREFIXES: [&str; 5] = ["DUET_", "TIKTOK_", "SEPAY_", "CLERK_", "NEXT_PUBLIC_"];

/// The prefixes of variables that front-end build tools pass on to pages. A variable with such a prefix belongs to another
/// program and is not checked. `NEXT_PUBLIC_` is not in this list, because Duet reads a variable of the former Next.js
/// implementation with this prefix.
const FRONT_ENDS: [&str; 7] = [
    "EXPO_PUBLIC_",
    "GATSBY_",
    "NUXT_",
    "PUBLIC_",
    "REACT_APP_",
    "VITE_",
    "VUE_APP_",
];

/// The variables of the environment whose names resemble a setting's name but are not the name of a setting.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Names that are nearly a setting's name. While one of them is set, the proxy does not start.
    pub(super) misspelt: Vec<Problem>,
    /// Names that begin with `DUET_`, or that have a setting's prefix and consist of words of a setting's name. These variables
    /// have no effect, and the proxy logs a warning about them.
    pub(super) unknown: Vec<Problem>,
}

/// Checks the names of all variables that are set.
pub(super) fn judge<'a>(names: impl IntoIterator<Item = &'a str>) -> Names {
    let mut judged = Names::default();
    for name in names {
        let upper = name.to_ascii_uppercase();
        let is_other = FRONT_ENDS.iter().any(|prefix| upper.starts_with(prefix));
        if is_other
            || is_container_link(name)
            || settings::variables().any(|(_, known)| known == name)
        {
            continue;
        }
        if let Some((setting, known)) = misspelt(&upper) {
            judged.misspelt.push(Problem {
                setting,
                message: format!("{name} is set, but no setting has this name; rename the variable if {known} is meant, or remove it"),
            });
        } else if let Some((setting, known)) = similar(&upper) {
            judged.unknown.push(Problem {
                setting,
                message: format!(
                    "{name} is set, but no setting has this name, so it has no effect; the setting with the nearest name is {known}"
                ),
            });
        }
    }
    judged
}

/// Returns whether a container engine sets this variable. A container engine sets such variables for every other container,
/// with that container's name in front.
fn is_container_link(name: &str) -> bool {
    name.contains("_SERVICE_") || name.contains("_PORT")
}

/// A setting and the variable that holds it.
type Known = (&'static str, String);

fn misspelt(name: &str) -> Option<Known> {
    let is_ours = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    // Other programs of the shop can have numbered variables, such as STRIPE_WEBHOOK_SECRET_2. Such a name is near to the name
    // of Duet's setting, but it is not misspelt.
    let is_numbered = name.ends_with(|last: char| last.is_ascii_digit());
    if !is_ours && (name.len() < LONG || is_numbered) {
        return None;
    }
    let lengths = name.len().saturating_sub(NEAR)..=name.len() + NEAR;
    nearest(name, |known| lengths.contains(&known.len()))
        .filter(|(_, known)| distance(name, known) <= NEAR)
}

/// Returns the setting that a name resembles, as in `DUET_TRUSTED_PROXY` and `TIKTOK_TOKEN`.
fn similar(name: &str) -> Option<Known> {
    let is_ours = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let longer = nearest(name, |known| is_ours && has_words(known, name));
    longer.or_else(|| nearest(name, |_| name.starts_with("DUET_")))
}

fn nearest(name: &str, may_be: impl Fn(&str) -> bool) -> Option<Known> {
    let known = settings::variables().filter(|(_, known)| may_be(known));
    known.min_by_key(|(_, known)| distance(name, known))
}

/// Returns whether `name` has at least two words, and all words of `name` appear in `known` in the same order.
fn has_words(known: &str, name: &str) -> bool {
    let mut known = known.split('_');
    let mut words = name.split('_');
    name.contains('_') && words.all(|word| known.any(|known| known == word))
}

/// Returns how many letters must be changed, added or removed to turn `left` into `right`.
fn distance(left: &str, right: &str) -> usize {
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
            let Names { misspelt, unknown } = judge([name]);
            assert_eq!((misspelt.len(), unknown.len()), (1, 0), "{name}");
            let message = &misspelt[0].message;
            assert!(
                message.contains(&format!("if {meant} is meant")),
                "{message}"
            );
            assert!(message.starts_with(name));
        }
    }

    #[test]
    fn a_variable_that_resembles_a_setting_is_named_with_the_nearest_one() {
        for (name, nearest) in [
            ("DUET_TRUSTED_PROXY", "DUET_TRUSTED_PROXIES"),
            ("DUET_PROXIES", "DUET_TRUSTED_PROXIES"),
            ("DUET_ORIGINS", "DUET_ALLOWED_ORIGINS"),
            ("DUET_TIKTOK_ACCESS_TOKEN", "TIKTOK_ACCESS_TOKEN"),
            ("duet_data_directory", "DUET_DATA_DIR"),
            ("DUET_ALERT", "DUET_ALERT_URL"),
            ("TIKTOK_TOKEN", "TIKTOK_ACCESS_TOKEN"),
            ("TIKTOK_PIXEL", "TIKTOK_PIXEL_ID"),
            ("TIKTOK_TEST_CODE", "TIKTOK_TEST_EVENT_CODE"),
            ("SEPAY_SECRET", "SEPAY_SECRET_KEY"),
            ("CLERK_PARTIES", "CLERK_AUTHORIZED_PARTIES"),
        ] {
            let Names { misspelt, unknown } = judge([name]);
            assert_eq!((misspelt.len(), unknown.len()), (0, 1), "{name}");
            let message = &unknown[0].message;
            assert!(
                message.starts_with(name) && message.ends_with(nearest),
                "{message}"
            );
        }
    }

    #[test]
    fn other_variables_are_nobodys_business() {
        for name in settings::variables().map(|(_, name)| name) {
            assert_eq!(judge([name.as_str()]), Names::default(), "{name}");
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
            "CLERK",
            "TIKTOK_",
            "NUXT_PUBLIC_TIKTOK_PIXEL_ID",
            "NUXT_TIKTOK_ACCESS_TOKEN",
            "VITE_TIKTOK_PIXEL_ID",
            "PUBLIC_TIKTOK_PIXEL_ID",
            "EXPO_PUBLIC_DUET_TRACK_PATH",
            "NEXT_PUBLIC_SITE_URL",
            "STRIPE_WEBHOOK_SECRET_2",
            "",
        ];
        assert_eq!(judge(others), Names::default());
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
