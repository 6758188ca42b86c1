//! Values that must not be seen: they print as `[redacted]` and do not serialise.

use std::fmt;

use subtle::ConstantTimeEq;

/// The token that TikTok knows us by. It leaves the process in one header only.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(String);

impl AccessToken {
    /// Takes the token, without the white space that files and shells leave around it; `None` if
    /// nothing is left or it could not stand in a header.
    pub fn new(token: &str) -> Option<Self> {
        let token = token.trim();
        let plain = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        plain.then(|| Self(token.to_owned()))
    }

    /// The token in clear, for the `Access-Token` header.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The key that the shop's own servers know us by.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerKey(String);

impl ServerKey {
    /// The shortest key that is accepted.
    pub const MIN_LENGTH: usize = 16;

    /// Takes a key of at least 16 characters.
    pub fn new(key: &str) -> Option<Self> {
        let key = key.trim();
        (key.len() >= Self::MIN_LENGTH).then(|| Self(key.to_owned()))
    }

    /// Whether `presented` is this key, in a time that says nothing about where they differ.
    pub fn matches(&self, presented: &str) -> bool {
        self.0.as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A secret that a partner of the shop knows too: a webhook's key, or the key of its signatures.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedSecret(String);

impl SharedSecret {
    /// Takes the secret, without the white space that files and shells leave around it; `None` if nothing
    /// is left.
    pub fn new(secret: &str) -> Option<Self> {
        let secret = secret.trim();
        (!secret.is_empty()).then(|| Self(secret.to_owned()))
    }

    /// Whether `presented` is this secret, in a time that says nothing about where they differ.
    pub fn matches(&self, presented: &str) -> bool {
        self.0.as_bytes().ct_eq(presented.as_bytes()).into()
    }

    /// The secret in clear, for signatures.
    pub(crate) fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_print() {
        let token = AccessToken::new(" canary-token\n").unwrap();
        let key = ServerKey::new("canary-key-of-16-or-more").unwrap();
        let shared = SharedSecret::new(" canary-secret\n").unwrap();
        let printed = format!("{token:?} {key:?} {shared:?}");
        assert_eq!(printed, "[redacted] [redacted] [redacted]");
        assert_eq!(shared.expose(), b"canary-secret");
        assert_eq!(token.expose(), "canary-token");
    }

    #[test]
    fn a_key_matches_itself_only() {
        let key = ServerKey::new("0123456789abcdef").unwrap();
        assert!(key.matches("0123456789abcdef"));
        assert!(!key.matches("0123456789abcdeF"));
        assert!(!key.matches(""));
        assert!(ServerKey::new("too-short").is_none());

        let shared = SharedSecret::new("s3cret").unwrap();
        assert!(shared.matches("s3cret") && !shared.matches("s3creT") && !shared.matches(""));
        assert!(SharedSecret::new(" \n").is_none());
    }
}
