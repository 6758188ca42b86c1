//! The change log: what was changed on the proxies of a store, and when.
//!
//! 1. An entry is a start, a new reading of the pixels, or an action of an operator. It has versions, numbers and names of
//!    settings: no value of a setting, and no id of an event, order or payment.
//! 2. The store keeps the newest [`limits::CHANGES`](crate::limits::CHANGES) entries, and the [`Fingerprints`] of the last start.
//! 3. A fingerprint shows that a value differs, and nothing else of it. It is an HMAC with a key that the store does not have:
//!    the access token of the first pixel. So nobody can test guesses of a short secret against a copy of the store. A salt in
//!    the store would be in the copy too.
//! 4. If the token differs, no value can be compared. The entry then says so, and names the settings that were added or removed.
//! 5. The next start of any proxy of the same database is compared with the last. Proxies of one database have the same settings.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// How many bytes of an HMAC are kept.
const BYTES: usize = 12;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The number of the proxy in its database. `None` if it has a folder, and for a command.
    #[serde(default)]
    pub proxy: Option<i32>,
    /// What was changed.
    #[serde(flatten)]
    pub change: Change,
}

/// What was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// A proxy was started.
    Started {
        /// Its version.
        version: String,
        /// What could be compared with the start before.
        compared: Compared,
        /// The names of the settings that differ from the start before.
        settings: Vec<String>,
    },
    /// The pixels were read again, after SIGHUP.
    PixelsRead {
        /// How many pixels there are now.
        pixels: usize,
    },
    /// Dead letters were sent again.
    LettersReplayed {
        /// How many letters.
        letters: usize,
        /// Where the operator did it.
        by: By,
    },
    /// Dead letters were removed.
    LettersDropped {
        /// How many letters.
        letters: usize,
        /// Where the operator did it.
        by: By,
    },
    /// An order was withdrawn. Its id is forgotten, also here.
    OrderWithdrawn {
        /// How many events the order held.
        events: usize,
        /// Where the operator did it.
        by: By,
    },
}

/// Where an operator acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A command of `duet-proxy`.
    Command,
    /// The console.
    Console,
}

/// What a start could be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// There was no start before.
    Nothing,
    /// Only the names, because the access token of the first pixel differs.
    Names,
    /// All values.
    Values,
}

/// The fingerprints of all settings that a start was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprints {
    /// The fingerprint of the key itself.
    key: String,
    /// The fingerprints of the values, by the names of the settings.
    settings: BTreeMap<String, String>,
}

impl Fingerprints {
    /// Returns the fingerprints of these values, by the names of their settings. `key` is the access token of the first pixel.
    pub fn of(key: &str, values: &BTreeMap<&'static str, String>) -> Self {
        let settings = values.iter().map(|(name, value)| {
            let text = [name.as_bytes(), value.as_bytes()];
            ((*name).to_owned(), fingerprint(key, &text))
        });
        Self {
            key: fingerprint(key, &[]),
            settings: settings.collect(),
        }
    }

    /// Returns the names of the settings that differ from those of the start before, and what could be compared.
    pub fn since(&self, before: Option<&Self>) -> (Compared, Vec<String>) {
        let Some(before) = before else {
            return (Compared::Nothing, Vec::new());
        };
        let (ours, theirs) = (&self.settings, &before.settings);
        let names: BTreeSet<_> = ours.keys().chain(theirs.keys()).cloned().collect();
        let mut names: Vec<_> = names.into_iter().collect();
        if self.key == before.key {
            names.retain(|name| ours.get(name) != theirs.get(name));
            (Compared::Values, names)
        } else {
            names.retain(|name| ours.contains_key(name) != theirs.contains_key(name));
            (Compared::Names, names)
        }
    }
}

/// Returns the fingerprint of a text in pieces. No piece but the last contains a NUL.
fn fingerprint(key: &str, text: &[&[u8]]) -> String {
    // HMAC accepts keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else {
        return String::new();
    };
    mac.update(b"duet change log");
    for piece in text {
        mac.update(&[0]);
        mac.update(piece);
    }
    let digest = mac.finalize().into_bytes();
    URL_SAFE_NO_PAD.encode(digest.get(..BYTES).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &str, values: &[(&'static str, &str)]) -> Fingerprints {
        let values = values
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        Fingerprints::of(key, &values.collect())
    }

    #[test]
    fn settings_that_were_changed_added_or_removed_are_named() {
        let before = of("token", &[("A", "1"), ("B", "2"), ("C", "3")]);
        for (now, differ) in [
            (&[("A", "1"), ("B", "2"), ("C", "3")][..], &[][..]),
            (&[("A", "1"), ("B", "3"), ("C", "3")], &["B"]),
            (&[("A", "1"), ("C", "3")], &["B"]),
            (
                &[("A", "2"), ("B", "1"), ("C", "3"), ("D", "4")],
                &["A", "B", "D"],
            ),
        ] {
            let (compared, names) = of("token", now).since(Some(&before));
            assert_eq!(compared, Compared::Values);
            assert_eq!(names, differ);
        }
        assert_eq!(before.since(None), (Compared::Nothing, Vec::new()));
    }

    #[test]
    fn with_another_token_only_names_are_compared() {
        let before = of("token", &[("A", "1"), ("B", "2")]);
        let now = of("other", &[("A", "2"), ("C", "3")]);
        let expected = (Compared::Names, vec!["B".to_owned(), "C".to_owned()]);
        assert_eq!(now.since(Some(&before)), expected);
    }

    #[test]
    fn a_short_secret_cannot_be_found_without_the_token() {
        let stored = serde_json::to_string(&of("token", &[("PIN", "4711")])).unwrap();
        assert!(
            !stored.contains("4711") && !stored.contains("token"),
            "{stored}"
        );
        let wrong: Fingerprints = of("a guess", &[("PIN", "4711")]);
        let right: Fingerprints = serde_json::from_str(&stored).unwrap();
        assert_ne!(right.settings["PIN"], wrong.settings["PIN"]);
        // The same value of two settings has two fingerprints.
        let two = of("token", &[("PIN", "4711"), ("OTHER", "4711")]);
        assert_ne!(two.settings["PIN"], two.settings["OTHER"]);
        assert_eq!(right.settings["PIN"], two.settings["PIN"]);
    }

    #[test]
    fn an_entry_reads_back_and_one_of_a_newer_version_does_not() {
        let entry = Entry {
            proxy: Some(2),
            change: Change::LettersReplayed {
                letters: 3,
                by: By::Console,
            },
        };
        let text = serde_json::to_string(&entry).unwrap();
        let expected = r#"{"proxy":2,"change":"letters_replayed","letters":3,"by":"console"}"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
        let newer = r#"{"proxy":null,"change":"moved_to_the_moon"}"#;
        assert!(serde_json::from_str::<Entry>(newer).is_err());
    }
}
