//! Types for secret values. A secret value prints as `[redacted]` and cannot be serialised.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use subtle::ConstantTimeEq;

/// The access token for TikTok. The token leaves the process only in one header of requests to TikTok.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(String);

impl AccessToken {
    /// Creates a token, without the white space that files and shells leave around it. Returns `None` if nothing is left, or if
    /// the token cannot be sent in a header.
    pub fn new(token: &str) -> Option<Self> {
        let token = token.trim();
        let plain = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        plain.then(|| Self(token.to_owned()))
    }

    /// Returns the plain token, for the `Access-Token` header.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The key that proves that a request comes from the shop's own servers.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerKey(String);

impl ServerKey {
    /// The shortest key that is accepted.
    pub const MIN_LENGTH: usize = 16;

    /// Creates a key. Returns `None` if it has fewer than 16 characters.
    pub fn new(key: &str) -> Option<Self> {
        let key = key.trim();
        (key.len() >= Self::MIN_LENGTH).then(|| Self(key.to_owned()))
    }

    /// Returns whether `presented` is this key. The time of the comparison does not show where the two differ.
    pub fn matches(&self, presented: &str) -> bool {
        self.0.as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The token with which an operator signs in to the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleToken(SharedSecret);

impl ConsoleToken {
    /// The smallest number of characters that is accepted.
    pub const MIN_LENGTH: usize = 16;

    /// Creates a token. Returns `None` if it has fewer than 16 characters.
    pub fn new(token: &str) -> Option<Self> {
        let token = SharedSecret::new(token)?;
        (token.0.chars().count() >= Self::MIN_LENGTH).then_some(Self(token))
    }

    /// Returns whether `presented` is this token. The time of the comparison does not show where the two differ.
    pub fn matches(&self, presented: &str) -> bool {
        self.0.matches(presented)
    }

    /// Returns the plain token, for the signatures of sessions.
    pub(crate) fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

/// A secret that a partner of the shop also knows: the password of a webhook, or the key that signs its notifications.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedSecret(String);

impl SharedSecret {
    /// Creates a secret, without the white space that files and shells leave around it. Returns `None` if nothing is left.
    pub fn new(secret: &str) -> Option<Self> {
        let secret = secret.trim();
        (!secret.is_empty()).then(|| Self(secret.to_owned()))
    }

    /// Returns whether `presented` is this secret. The time of the comparison does not show where the two differ.
    pub fn matches(&self, presented: &str) -> bool {
        self.0.as_bytes().ct_eq(presented.as_bytes()).into()
    }

    /// Returns the plain secret, for signatures.
    pub(crate) fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Returns the key for signatures of the Standard Webhooks specification. If the secret has the form `whsec_<base64>`, the
    /// base64 contains the key. Any other secret is the key itself. Returns `None` if the base64 cannot be decoded.
    pub(crate) fn webhook_key(&self) -> Option<Vec<u8>> {
        match self.0.strip_prefix("whsec_") {
            Some(encoded) => BASE64_STANDARD.decode(encoded).ok(),
            None => Some(self.0.as_bytes().to_owned()),
        }
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The secrets of one partner. All of them are valid, because the partner can sign with the old and with the new secret while
/// one replaces the other.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets(Vec<SharedSecret>);

impl Secrets {
    /// The minimum length, in bytes, of a generated secret, and of each secret in a list. A phrase of short words would be read
    /// as a list of secrets, although it is meant as one secret. Such a phrase is rejected, because its words are shorter than
    /// this.
    pub const MIN_LENGTH: usize = 8;

    /// Reads one secret, or several secrets with white space between them. Returns `None` if the text has no secret, or if it
    /// has several and one of them has fewer than [`Secrets::MIN_LENGTH`] bytes.
    pub fn new(text: &str) -> Option<Self> {
        let secrets = Self::read(text, char::is_whitespace);
        (secrets.0.len() == 1 || secrets.are_long()).then_some(secrets)
    }

    /// Reads secrets that a partner generates, with white space or commas between them. Returns `None` if the text has no
    /// secret, or if any of them has fewer than [`Secrets::MIN_LENGTH`] bytes, also if there is only one.
    pub fn generated(text: &str) -> Option<Self> {
        let secrets = Self::read(text, |char| char == ',' || char.is_whitespace());
        secrets.are_long().then_some(secrets)
    }

    fn read(text: &str, separates: impl Fn(char) -> bool) -> Self {
        let secrets = text.split(separates).filter_map(SharedSecret::new);
        Self(secrets.collect())
    }

    /// Returns whether there is at least one secret, and every secret has at least [`Secrets::MIN_LENGTH`] bytes.
    fn are_long(&self) -> bool {
        let is_long = |secret: &SharedSecret| secret.0.len() >= Self::MIN_LENGTH;
        !self.0.is_empty() && self.0.iter().all(is_long)
    }

    /// Returns whether `presented` is one of the secrets. The time of a comparison does not show where the two differ.
    pub fn matches(&self, presented: &str) -> bool {
        let matches = self.0.iter().filter(|secret| secret.matches(presented));
        matches.count() > 0
    }

    /// Returns the secrets, in the order in which they were written.
    pub fn iter(&self) -> impl Iterator<Item = &SharedSecret> {
        self.0.iter()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_secrets_are_valid_and_a_phrase_is_none() {
        let read = |text: &str| {
            let secrets = Secrets::new(text)?;
            let texts = secrets.iter().map(|secret| secret.0.clone());
            Some(texts.collect::<Vec<_>>())
        };
        assert_eq!(read(" s \n").unwrap(), ["s"]);
        assert_eq!(read("old,secret").unwrap(), ["old,secret"]);
        let both = ["whsec_new", "whsec_old"];
        for text in ["whsec_new whsec_old", "whsec_new\r\n\twhsec_old\n"] {
            assert_eq!(read(text).unwrap(), both, "{text:?}");
        }
        let commas = Secrets::generated("whsec_new, whsec_old,").unwrap();
        assert_eq!(Some(commas), Secrets::new("whsec_new whsec_old"));
        for short in ["whsec_", "abc", "1234567"] {
            assert_eq!(Secrets::generated(short), None, "{short}");
        }
        for text in ["", " \n", "correct horse battery staple", "whsec_new x"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn secrets_do_not_print() {
        let token = AccessToken::new(" canary-token\n").unwrap();
        let key = ServerKey::new("canary-key-of-16-or-more").unwrap();
        let shared = SharedSecret::new(" canary-secret\n").unwrap();
        let secrets = Secrets::new("canary-secret another-secret").unwrap();
        let printed = format!("{token:?} {key:?} {shared:?} {secrets:?}");
        assert_eq!(printed, ["[redacted]"; 4].join(" "));
        let console = ConsoleToken::new("canary-token-of-the-console").unwrap();
        assert_eq!(format!("{console:?}"), "ConsoleToken([redacted])");
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
        let console = ConsoleToken::new(" 0123456789abcdef\n").unwrap();
        assert!(console.matches("0123456789abcdef") && !console.matches("0123456789abcdeF"));
        // These 15 letters are 16 bytes.
        assert!(ConsoleToken::new("mật-mã-của-quán").is_none());

        let shared = SharedSecret::new("s3cret").unwrap();
        assert!(shared.matches("s3cret") && !shared.matches("s3creT") && !shared.matches(""));
        assert!(SharedSecret::new(" \n").is_none());
    }
}
