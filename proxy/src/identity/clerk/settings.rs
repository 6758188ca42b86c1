//! The settings of a Clerk instance.

use reqwest::Url;

use super::{PublicKey, Rules};

/// A Clerk instance.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The rules that the instance's tokens must meet.
    pub rules: Rules,
    /// The source of the instance's public keys.
    pub keys: KeySource,
    /// The suffix of the instance's `__session_` cookies. `None` if the publishable key, which contains the suffix, is not set.
    pub cookie_suffix: Option<String>,
}

/// The source of public keys.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// `CLERK_JWT_KEY`: one key. Nothing is loaded over HTTP.
    Fixed(PublicKey),
    /// `CLERK_JWKS_URL`, or the issuer's own address.
    Url(Url),
}

/// `CLERK_ALLOW_MISSING_AZP`: whether a token in the header without `azp` is accepted. Such a token in a cookie is always
/// refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingAzp {
    /// The token is refused.
    Refused,
    /// The token is accepted, because tokens of native apps have no `azp`.
    Allowed,
}
