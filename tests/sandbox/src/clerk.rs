//! A fake Clerk. The fake issues session tokens and publishes its key set. A test can rotate the keys and make requests for
//! the key set fail.
//!
//! The issuer of the tokens is the sandbox's own address. The RSA keys are public in this folder, so a token proves nothing
//! outside of tests.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

pub(crate) mod routes;
mod signer;
mod token;

use signer::Signer;
pub use token::{Mint, SignedWith};

/// The answer to a request for the key set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySetAnswer {
    /// The key set.
    #[default]
    Keys,
    /// HTTP 500.
    Error,
    /// No answer, until another answer is set.
    Hang,
    /// HTTP 200 with half of the JSON.
    Malformed,
    /// A set without keys.
    Empty,
}

/// What happens to the old key when a new key is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldKey {
    /// The old key stays in the set.
    Kept,
    /// The old key is removed from the set.
    Removed,
}

/// The fake Clerk, the issuer of session tokens.
#[derive(Debug)]
pub struct Clerk {
    keys: Mutex<Keys>,
    answer: watch::Sender<KeySetAnswer>,
}

#[derive(Debug)]
struct Keys {
    /// The serial numbers of the keys in the set. The last key signs new tokens.
    published: Vec<usize>,
    made: usize,
    tokens: u64,
    hits: u64,
}

impl Default for Clerk {
    fn default() -> Self {
        Self {
            keys: Mutex::new(Keys {
                published: vec![1],
                made: 1,
                tokens: 0,
                hits: 0,
            }),
            answer: watch::Sender::default(),
        }
    }
}

impl Clerk {
    /// Makes a signed token. `issuer` is the sandbox's address, such as `http://127.0.0.1:8788`. `now_s` is the time by the
    /// issuer's clock.
    pub fn mint(&self, issuer: &str, now_s: i64, mint: &Mint) -> String {
        let (serial, number) = {
            let mut keys = self.lock();
            keys.tokens += 1;
            (keys.signing(), keys.tokens)
        };
        let signer = match mint.signed_with {
            SignedWith::Current => Signer::of(serial),
            SignedWith::Another => Signer::of(serial + 1),
        };
        let (header, claims) = mint.parts(issuer, now_s, &key_id(serial), number);
        signer.sign(&header, &claims)
    }

    /// Makes a new key and uses it for new tokens from now on. Returns the new key's `kid`.
    pub fn rotate(&self, old: OldKey) -> String {
        let mut keys = self.lock();
        keys.made += 1;
        let made = keys.made;
        if old == OldKey::Removed {
            keys.published.clear();
        }
        keys.published.push(made);
        key_id(made)
    }

    /// Sets the answer to requests for the key set. Requests that hang now get this answer too.
    pub fn answer_with(&self, answer: KeySetAnswer) {
        self.answer.send_replace(answer);
    }

    /// Returns the number of requests for the key set.
    pub fn key_set_hits(&self) -> u64 {
        self.lock().hits
    }

    /// Returns the ids of the keys in the set. The key with the last id signs new tokens.
    pub fn key_ids(&self) -> Vec<String> {
        self.lock().published.iter().copied().map(key_id).collect()
    }

    pub(crate) fn key_set(&self) -> Value {
        let keys = self.lock();
        let published = keys.published.iter();
        let published = published.map(|serial| Signer::of(*serial).jwk(&key_id(*serial)));
        json!({ "keys": published.collect::<Vec<_>>() })
    }

    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keys {
    fn signing(&self) -> usize {
        self.published.last().copied().unwrap_or(self.made)
    }
}

fn key_id(serial: usize) -> String {
    format!("ins_test{serial}")
}
