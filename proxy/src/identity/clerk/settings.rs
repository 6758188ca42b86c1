//! What the settings say of a Clerk instance.

use reqwest::Url;

use super::{PublicKey, Rules};

/// A Clerk instance.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What its tokens have to agree with.
    pub rules: Rules,
    /// Where its keys come from.
    pub keys: KeySource,
    /// What `__session_` ends with in its cookies. Known from the publishable key.
    pub cookie_suffix: Option<String>,
}

/// Where public keys come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// `CLERK_JWT_KEY`: one key, and nothing is fetched.
    Fixed(PublicKey),
    /// `CLERK_JWKS_URL`, or the issuer's own address.
    Url(Url),
}

/// `CLERK_ALLOW_MISSING_AZP`: what becomes of a token in the header that names no page. In a cookie it is refused
/// in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingAzp {
    /// It is refused.
    Refused,
    /// It is taken: tokens of native apps have none.
    Allowed,
}
