//! Verifies a visitor's session with Clerk. Clerk's signature proves who is signed in.
//!
//! Three promises hold. First, only a token that passes every check gives an identity. Second, the proxy asks Clerk only for
//! public keys, and a visitor's request seldom has to wait for Clerk's answer. Third, neither a token nor a user's id is
//! printed, logged or stored.

use std::sync::Arc;

use axum::http::HeaderMap;

mod cache;
mod carrier;
mod jwks;
mod key;
mod settings;
mod token;

pub use jwks::NotLoaded;
pub use key::PublicKey;
pub use settings::{KeySource, MissingAzp, Settings};
pub use token::Rules;

use crate::{
    admit::Visitor,
    clock::{self, Reading},
    metrics::{Metrics, ResultLabel},
};
use carrier::Presented;
use jwks::{Jwks, NoKey};

/// How a request contains its session token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// `Authorization: Bearer`.
    Header,
    /// The cookie `__session`, or `__session_<suffix>`.
    Cookie,
}

/// Why a token gives no identity. The answer to the sender does not contain this reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The token does not have three parts of base64url that contain JSON, or a claim has the wrong type.
    Malformed,
    /// The token is longer than 8 KB.
    TooLong,
    /// The token's `typ` is not `JWT`.
    Type,
    /// The token is not signed with RS256.
    Algorithm,
    /// The token is of a kind that proves no session.
    Category,
    /// The token does not name the key that signed it.
    NoKeyId,
    /// The issuer has no key with this id.
    UnknownKey,
    /// The issuer's keys could not be loaded.
    KeysUnavailable,
    /// The signature is wrong.
    Signature,
    /// The token was issued by another Clerk instance.
    Issuer,
    /// The token names no user.
    Subject,
    /// The token names no session.
    Session,
    /// The token has another audience.
    Audience,
    /// The token was issued for a page whose origin is not listed.
    Party,
    /// The token does not name the page for which it was issued.
    NoParty,
    /// The token has expired.
    Expired,
    /// The token is not valid yet.
    Early,
    /// The user has not finished signing in.
    Pending,
    /// The browser has signed out, or signed in again, since this cookie was set.
    SignedOut,
}

impl Refused {
    /// Returns the reason for logs and metrics.
    fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLong => "too_long",
            Self::Type => "type",
            Self::Algorithm => "algorithm",
            Self::Category => "category",
            Self::NoKeyId => "no_key_id",
            Self::UnknownKey => "unknown_key",
            Self::KeysUnavailable => "keys_unavailable",
            Self::Signature => "signature",
            Self::Issuer => "issuer",
            Self::Subject => "subject",
            Self::Session => "session",
            Self::Audience => "audience",
            Self::Party => "party",
            Self::NoParty => "no_party",
            Self::Expired => "expired",
            Self::Early => "early",
            Self::Pending => "pending",
            Self::SignedOut => "signed_out",
        }
    }
}

/// Why the proxy rejects a request with a session token in its `Authorization` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unverified {
    /// The token is not valid.
    Invalid,
    /// The issuer's keys are not loaded, so no token can be verified.
    NoKeys,
}

/// Verifies the sessions of one Clerk instance.
pub struct Clerk {
    rules: Rules,
    cookie_suffix: Option<String>,
    keys: Keys,
    metrics: Arc<Metrics>,
}

enum Keys {
    Fixed(PublicKey),
    Loaded(Arc<Jwks>),
}

/// The client that loads keys could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the HTTPS client for Clerk's keys could not be set up")]
pub struct SetUp(#[source] reqwest::Error);

impl Clerk {
    /// Sets up the instance that the settings name.
    ///
    /// # Errors
    /// [`SetUp`] if TLS cannot be initialised.
    pub fn new(settings: &Settings, metrics: Arc<Metrics>) -> Result<Self, SetUp> {
        let keys = match &settings.keys {
            KeySource::Fixed(key) => Keys::Fixed(key.clone()),
            KeySource::Url(url) => {
                let jwks = Jwks::new(url.clone(), Arc::clone(&metrics)).map_err(SetUp)?;
                Keys::Loaded(Arc::new(jwks))
            }
        };
        Ok(Self {
            rules: settings.rules.clone(),
            cookie_suffix: settings.cookie_suffix.clone(),
            keys,
            metrics,
        })
    }

    /// Returns the visitor of a request. The times in tokens are compared with the time of day, and the age of keys is measured
    /// with the boot clock. A request with an invalid token in the header is rejected, so that the page gets a new token. If
    /// only the token in the cookie is invalid, the visitor is unknown, and the request is still accepted, because the browser
    /// sends the cookie by itself, and the cookie can be old if the tab was asleep.
    ///
    /// # Errors
    /// [`Unverified`] for an invalid token in the header.
    pub async fn visitor(&self, headers: &HeaderMap, now: Reading) -> Result<Visitor, Unverified> {
        let suffix = self.cookie_suffix.as_deref();
        let (token, carrier, verified) =
            match carrier::presented(headers, &self.rules.issuer, suffix) {
                Presented::Nothing => return Ok(Visitor::Unknown),
                Presented::Refused(refused, carrier) => (None, carrier, Err(refused)),
                Presented::Token(token, carrier) => {
                    let verified = self.verify(token, carrier, now).await;
                    (Some(token), carrier, verified)
                }
            };
        let refused = match verified {
            Ok(visitor) => {
                self.count(match visitor {
                    Visitor::Impersonated => "impersonated",
                    Visitor::User(_) | Visitor::Unknown => "verified",
                });
                return Ok(visitor);
            }
            Err(refused) => refused,
        };
        self.note(refused, token);
        match (carrier, refused) {
            (Carrier::Cookie, _) => Ok(Visitor::Unknown),
            (Carrier::Header, Refused::KeysUnavailable) => Err(Unverified::NoKeys),
            (Carrier::Header, _) => Err(Unverified::Invalid),
        }
    }

    /// Returns whether tokens can be verified at the moment.
    pub fn has_keys(&self) -> bool {
        match &self.keys {
            Keys::Fixed(_) => true,
            Keys::Loaded(jwks) => jwks.is_loaded(clock::boot_ms()),
        }
    }

    /// Loads the keys now, as a test, and returns the number of keys.
    ///
    /// # Errors
    /// [`NotLoaded`] if the keys could not be loaded.
    pub async fn load(&self) -> Result<usize, NotLoaded> {
        match &self.keys {
            Keys::Fixed(_) => Ok(1),
            Keys::Loaded(jwks) => Ok(jwks.refresh(clock::boot_ms()).await?.unwrap_or_default()),
        }
    }

    /// Loads the keys, and then loads them again from time to time until the task is aborted.
    pub async fn keep(self: Arc<Self>) {
        if let Keys::Loaded(jwks) = &self.keys {
            jwks.keep().await;
        }
    }

    async fn verify(
        &self,
        token: &str,
        carrier: Carrier,
        now: Reading,
    ) -> Result<Visitor, Refused> {
        let key_id = token::key_id(token)?;
        let visitor =
            |key: &PublicKey| token::visitor(token, key, &self.rules, carrier, now.wall_ms / 1000);
        match &self.keys {
            Keys::Fixed(key) => visitor(key),
            Keys::Loaded(jwks) => {
                let key_id = key_id.ok_or(Refused::NoKeyId)?;
                let key = jwks.key(&key_id, now.boot_ms).await;
                let key = key.map_err(|none| match none {
                    NoKey::Unknown => Refused::UnknownKey,
                    NoKey::Unavailable => Refused::KeysUnavailable,
                })?;
                visitor(&key)
            }
        }
    }

    /// Logs and counts why a token was refused. Logs neither the token nor any data about a person.
    fn note(&self, refused: Refused, token: Option<&str>) {
        let reason = refused.reason();
        let key_id = token.and_then(|token| token::key_id(token).ok().flatten());
        let issuer = token.and_then(token::stated).map(|stated| stated.iss);
        let short =
            |text: Option<String>| text.map(|text| text.chars().take(80).collect::<String>());
        tracing::debug!(
            reason,
            kid = short(key_id),
            iss = short(issuer),
            "session token refused"
        );
        self.count(reason);
    }

    fn count(&self, result: &'static str) {
        let label = ResultLabel { result };
        self.metrics.clerk_sessions.get_or_create(&label).inc();
    }
}

#[cfg(test)]
mod tests;
