//! The change log: the changes to the proxies that use a store, each with its time.
//!
//! 1. An entry records a start, a new reading of the pixels, or an action of an operator. An entry contains versions, counts
//!    and names of settings. It contains neither a setting's value nor the id of an event, order or payment.
//! 2. The store keeps the newest [`limits::CHANGES`](crate::limits::CHANGES) entries, and the [`Fingerprints`] of the last start.
//! 3. A fingerprint shows only whether a value has changed. A fingerprint is an HMAC of the value. The HMAC's key is the access
//!    token of the first pixel, which the store does not contain. So nobody can test guesses of a short secret against a copy
//!    of the store. A salt in the store could not prevent this, because the copy would contain the salt too.
//! 4. If the access token of the first pixel differs from the last start's, every fingerprint differs, so no value can be
//!    compared. The entry then says so, and names only the settings that were added or removed.
//! 5. Each start of a proxy is compared with the last start of any proxy of the same database, because all proxies of a
//!    database must have the same settings.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// How many bytes of an HMAC a fingerprint has.
const BYTES: usize = 12;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The number of the proxy in its database. `None` if the store is a folder, or if a command made the change.
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
        /// What could be compared with the previous start.
        compared: Compared,
        /// The names of the settings that differ from those of the previous start.
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
    /// An order was withdrawn. The entry does not contain the order's id, because a withdrawn order's id is forgotten.
    OrderWithdrawn {
        /// How many events waited for the payment of the order.
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

/// What a start could compare with the previous start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// Nothing: there was no previous start.
    Nothing,
    /// Only the names of the settings. The access token of the first pixel differs from that of the previous start, so the
    /// fingerprints of the values have different keys.
    Names,
    /// The names and the values of the settings.
    Values,
}

/// The fingerprints of all settings that a start was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprints {
    /// The fingerprint of an empty text. If it differs from that of the previous start, the key of the fingerprints (the
    /// access token of the first pixel) has changed.
    key: String,
    /// The fingerprints of the values, by the names of the settings.
    settings: BTreeMap<String, String>,
}

impl Fingerprints {
    /// Returns the fingerprints of the settings' values, each under its setting's name. `key` is the access token of the first
    /// pixel.
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

    /// Returns what could be compared with the previous start, and the names of the settings that differ.
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

/// Returns the fingerprint of a text that is passed in pieces. A NUL marks the beginning of each piece, so the caller must
/// ensure that only the last piece can contain a NUL.
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
        // If two settings have the same value, their fingerprints differ.
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
