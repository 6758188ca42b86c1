//! Loads the public keys: the issuer's key set over HTTP, or one key from the settings.

use std::{
    error::Error as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reqwest::{Client, Url, redirect};
use serde::Deserialize;
use tokio::time;

use super::{
    PublicKey,
    cache::{Cache, Found, KeySet},
    key::Jwk,
};
use crate::{
    clock,
    metrics::{Metrics, ResultLabel},
};

const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const LONGEST_ANSWER: usize = 256 * 1024;
const MOST_KEYS: usize = 20;

/// Why no key was found for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The issuer has no key with this id.
    Unknown,
    /// The issuer's keys were never loaded, or were last loaded more than a day ago.
    Unavailable,
}

/// Why an issuer's keys could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum NotLoaded {
    /// No answer arrived in time.
    #[error("no answer within {} s", ANSWER_WITHIN.as_secs())]
    TimedOut,
    /// The connection failed, or was closed before the answer had arrived.
    #[error("no connection: {0}")]
    Connection(String),
    /// The status is not 200. Redirects are not followed.
    #[error("the answer's status is {0}")]
    Status(u16),
    /// The answer is larger than any key set.
    #[error("the answer is longer than 256 KB")]
    TooLarge,
    /// The answer is not a key set.
    #[error("the answer is not a JSON Web Key Set")]
    Malformed,
    /// The answer has more keys than an issuer needs.
    #[error("the answer has more than 20 keys")]
    TooMany,
    /// The answer has no key of a kind that can sign sessions.
    #[error("the answer has no RSA key of at least 2048 bits for RS256")]
    NoKey,
}

/// The issuer's key set. Only one request to the issuer is open at a time, and at least ten seconds pass between two requests.
pub(super) struct Jwks {
    url: Url,
    http: Client,
    cache: Mutex<Cache>,
    asking: tokio::sync::Mutex<()>,
    metrics: Arc<Metrics>,
}

impl Jwks {
    pub(super) fn new(url: Url, metrics: Arc<Metrics>) -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .user_agent(concat!("duet-proxy/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .timeout(ANSWER_WITHIN)
            .build()?;
        Ok(Self {
            url,
            http,
            cache: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            metrics,
        })
    }

    /// Returns the key with this id. If the key is not known, asks the issuer, unless the last request to the issuer was less
    /// than ten seconds ago.
    pub(super) async fn key(
        self: &Arc<Self>,
        key_id: &str,
        now_ms: i64,
    ) -> Result<Arc<PublicKey>, NoKey> {
        let mut found = self.cache().find(key_id, now_ms);
        if let Found::Ask = found {
            let jwks = Arc::clone(self);
            // The request to the issuer runs in its own task, so that it continues if the client closes its connection. Other
            // clients that wait for the same keys then still get them. The task logs errors.
            let _ = tokio::spawn(async move { jwks.refresh(now_ms).await }).await;
            found = self.cache().find(key_id, now_ms);
        }
        match found {
            Found::Key(key) => Ok(key),
            Found::Unknown => Err(NoKey::Unknown),
            Found::Ask | Found::Unavailable => Err(NoKey::Unavailable),
        }
    }

    pub(super) fn is_loaded(&self, now_ms: i64) -> bool {
        self.cache().is_loaded(now_ms)
    }

    /// Loads the key set again from time to time, until the task is aborted. So requests find the keys loaded, and keys that
    /// the issuer has withdrawn are removed.
    pub(super) async fn keep(&self) {
        loop {
            let now_ms = clock::boot_ms();
            if self.cache().due_ms() <= now_ms {
                // `refresh` logs errors.
                let _ = self.refresh(now_ms).await;
            }
            let wait_ms = self.cache().due_ms() - clock::boot_ms();
            time::sleep(Duration::from_millis(wait_ms.max(1000).unsigned_abs())).await;
        }
    }

    /// Asks the issuer for its keys, and returns the number of keys. Returns `None` if the last request was less than ten
    /// seconds ago, so that the issuer was not asked.
    pub(super) async fn refresh(&self, now_ms: i64) -> Result<Option<usize>, NotLoaded> {
        let _one_at_a_time = self.asking.lock().await;
        if self.cache().may_ask(now_ms) {
            self.ask(now_ms).await.map(Some)
        } else {
            Ok(None)
        }
    }

    async fn ask(&self, now_ms: i64) -> Result<usize, NotLoaded> {
        self.cache().asked(now_ms);
        let answer = self.load().await;
        let result = match &answer {
            Ok(set) => {
                tracing::debug!(keys = set.len(), "Clerk's keys are loaded");
                "loaded"
            }
            Err(error) => {
                tracing::warn!(%error, "Clerk's keys could not be loaded; check that this machine can reach Clerk, and that CLERK_JWKS_URL, if it is set, is right");
                "failed"
            }
        };
        let label = ResultLabel { result };
        self.metrics.clerk_key_fetches.get_or_create(&label).inc();
        match answer {
            Ok(set) => {
                let keys = set.len();
                self.cache().answered(Some(set), now_ms);
                Ok(keys)
            }
            Err(error) => {
                self.cache().answered(None, now_ms);
                Err(error)
            }
        }
    }

    async fn load(&self) -> Result<KeySet, NotLoaded> {
        let request = self.http.get(self.url.clone());
        let mut response = request.send().await.map_err(|error| trouble(&error))?;
        if response.status() != 200 {
            return Err(NotLoaded::Status(response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| trouble(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_ANSWER {
                return Err(NotLoaded::TooLarge);
            }
        }
        read(&body)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the keys of a set that can sign sessions. Entries of other kinds are skipped.
fn read(body: &[u8]) -> Result<KeySet, NotLoaded> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let set: Set = serde_json::from_slice(body).map_err(|_| NotLoaded::Malformed)?;
    if set.keys.len() > MOST_KEYS {
        return Err(NotLoaded::TooMany);
    }
    let keys = set.keys.into_iter().filter_map(|entry| {
        let jwk: Jwk = serde_json::from_value(entry).ok()?;
        let key = PublicKey::from_jwk(&jwk)?;
        Some((jwk.kid?, Arc::new(key)))
    });
    let keys: KeySet = keys.collect();
    if keys.is_empty() {
        return Err(NotLoaded::NoKey);
    }
    Ok(keys)
}

/// Describes the error without the address, because an operator may have put a secret into the address.
fn trouble(error: &reqwest::Error) -> NotLoaded {
    if error.is_timeout() {
        return NotLoaded::TimedOut;
    }
    let mut cause = error.source();
    while let Some(source) = cause.and_then(|cause| cause.source()) {
        cause = Some(source);
    }
    NotLoaded::Connection(cause.map(ToString::to_string).unwrap_or_default())
}

#[cfg(test)]
mod tests;
