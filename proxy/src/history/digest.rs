//! Digests of ids. A record contains the digest of an id instead of the id. Somebody who reads the store and knows an id
//! can find the id's records.
//!
//! Order ids are often short and can be guessed. Every digest therefore contains a salt: 16 random bytes that each store
//! makes for itself and never shows. Without the store's files, nobody can test guesses against an exported record.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};

/// How many bytes of a SHA-256 digest are kept. The probability that two of a million ids have the same digest is about 1
/// in 10^17.
const BYTES: usize = 12;

/// The digest of an id. As text, a digest is 16 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; BYTES]);

/// The random bytes of one store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; 16]);

impl Salt {
    /// Returns the digest of an `event_id`.
    pub fn event(&self, event_id: &str) -> Digest {
        self.digest(b'e', event_id)
    }

    /// Returns the digest of an order id.
    pub fn order(&self, order_id: &str) -> Digest {
        self.digest(b'o', order_id)
    }

    /// Returns the random bytes, for the store.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    fn digest(&self, kind: u8, id: &str) -> Digest {
        let hashed = Sha256::new()
            .chain_update(self.0)
            .chain_update([kind])
            .chain_update(id)
            .finalize();
        let mut digest = [0; BYTES];
        for (byte, hashed) in digest.iter_mut().zip(hashed) {
            *byte = hashed;
        }
        Digest(digest)
    }
}

impl Digest {
    pub(crate) fn as_bytes(&self) -> &[u8; BYTES] {
        &self.0
    }
}

impl From<[u8; 16]> for Salt {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt [redacted]")
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Digest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Self)
            .ok_or("a digest must be 16 characters of base64url")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_depends_on_the_salt_the_kind_and_the_id_and_reads_back() {
        let (salt, other) = (Salt::from([1; 16]), Salt::from([2; 16]));
        let digest = salt.order("PHO7K3M9Q2X");
        for different in [
            other.order("PHO7K3M9Q2X"),
            salt.event("PHO7K3M9Q2X"),
            salt.order("PHO7K3M9Q2Y"),
        ] {
            assert_ne!(digest, different);
        }
        assert_eq!(digest.to_string().len(), 16);
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("short".parse::<Digest>().is_err());
        assert!(!format!("{salt:?}").contains('1'));
    }
}
