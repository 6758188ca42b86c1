//! A visitor's session with Clerk: who is signed in, proven by Clerk's signature.
//!
//! What it promises: only a token that holds in every respect gives an identity; nothing is asked of Clerk
//! on a request's way but its public keys, and those seldom; neither a token nor a user's id is printed, logged
//! or stored.

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

/// How a token came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// `Authorization: Bearer`.
    Header,
    /// `__session`, or `__session_<suffix>`.
    Cookie,
}

/// Why a token gives no identity. The one who sent it is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is not three parts of base64url with JSON in them, or a claim has the wrong type.
    Malformed,
    /// It is longer than 8 KB.
    TooLong,
    /// Its `typ` is not `JWT`.
    Type,
    /// It is not signed with RS256.
    Algorithm,
    /// It is of a kind that proves no session.
    Category,
    /// It does not say which key it is signed with.
    NoKeyId,
    /// The issuer has no such key.
    UnknownKey,
    /// The issuer's keys could not be loaded.
    KeysUnavailable,
    /// The signature is wrong.
    Signature,
    /// Another instance's.
    Issuer,
    /// It names no user.
    Subject,
    /// It names no session.
    Session,
    /// It is meant for somebody else.
    Audience,
    /// It was made for a page that is not listed.
    Party,
    /// It does not say for which page it was made.
    NoParty,
    /// It is over.
    Expired,
    /// It does not hold yet.
    Early,
    /// The user has not finished signing in.
    Pending,
    /// The browser has signed out, or in anew, since this cookie was made.
    SignedOut,
}

impl Refused {
    /// The reason in logs and metrics.
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

/// Why a request with a session token in its header is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unverified {
    /// The token does not hold.
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
    /// For the instance that the settings name.
    ///
    /// # Errors
    /// [`SetUp`] when TLS cannot be initialised.
    pub fn new(settings: &Settings, metrics: Arc<Metrics>) -> Result<Self, SetUp> {
        key::install_ring();
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

    /// Who a request is from. Tokens hold by the time of day, keys by the boot clock. A token in the header that does not hold is refused, so that the page
    /// takes a new one. A cookie travels by itself, as it was when the tab fell asleep: one that does not hold
    /// leaves the visitor unknown, and the event is not lost.
    ///
    /// # Errors
    /// [`Unverified`], for a token in the header.
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

    /// Whether tokens can be verified at this moment.
    pub fn has_keys(&self) -> bool {
        match &self.keys {
            Keys::Fixed(_) => true,
            Keys::Loaded(jwks) => jwks.is_loaded(clock::boot_ms()),
        }
    }

    /// Loads the keys now, to see whether that works; how many there are.
    ///
    /// # Errors
    /// [`NotLoaded`].
    pub async fn load(&self) -> Result<usize, NotLoaded> {
        match &self.keys {
            Keys::Fixed(_) => Ok(1),
            Keys::Loaded(jwks) => Ok(jwks.refresh(clock::boot_ms()).await?.unwrap_or_default()),
        }
    }

    /// Loads the keys and keeps them fresh, for ever.
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

    /// Says why a token was refused: never the token, nor what it says of a person.
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
            "a session token was refused"
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
