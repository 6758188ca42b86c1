//! Clerk's public keys, which verify only RS256 signatures.

use base64::{Engine, engine::general_purpose};
use pkcs1::RsaPublicKeyRef;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;
use spki::SubjectPublicKeyInfoRef;

const SHORTEST_BITS: usize = 2048;
const LONGEST_BITS: usize = 8192;

/// An RSA key of 2048 to 8192 bits.
#[derive(Clone, Debug)]
pub struct PublicKey(RsaPublicKeyComponents<Vec<u8>>);

impl PublicKey {
    /// Reads a key in PEM, or only the base64 between the first and the last line of the PEM. The two characters `\n` also
    /// count as a line break.
    ///
    /// # Errors
    /// A message that describes the expected form.
    pub fn from_pem(text: &str) -> Result<Self, &'static str> {
        const RULE: &str = "must be the JWKS public key from Clerk's dashboard: the PEM text, or only the base64 in it";
        let body = text.split("-----").nth(2).unwrap_or(text);
        let body: String = body.replace("\\n", "").split_ascii_whitespace().collect();
        let der = general_purpose::STANDARD.decode(body).map_err(|_| RULE)?;
        let info = SubjectPublicKeyInfoRef::try_from(der.as_slice()).ok();
        let wrapped = info.filter(|info| info.algorithm.oid == pkcs1::ALGORITHM_OID);
        let key = wrapped
            .as_ref()
            .and_then(|info| info.subject_public_key.as_bytes())
            .unwrap_or(&der);
        let key = RsaPublicKeyRef::try_from(key).map_err(|_| RULE)?;
        Self::of(key.modulus.as_bytes(), key.public_exponent.as_bytes())
            .ok_or("must be a key of 2048 to 8192 bits")
    }

    /// Returns the key in an entry of a key set, together with its id. Returns `None` if the key is not of a kind that can sign
    /// sessions.
    pub(super) fn from_jwk(jwk: &Jwk) -> Option<Self> {
        let signs = jwk.usage.as_deref().is_none_or(|usage| usage == "sig");
        let algorithm = jwk.alg.as_deref().is_none_or(|alg| alg == "RS256");
        let decoded = |text: &Option<String>| {
            let text = text.as_deref()?;
            general_purpose::URL_SAFE_NO_PAD.decode(text).ok()
        };
        if jwk.kty != "RSA" || !signs || !algorithm {
            return None;
        }
        Self::of(&decoded(&jwk.n)?, &decoded(&jwk.e)?)
    }

    fn of(n: &[u8], e: &[u8]) -> Option<Self> {
        let n = without_leading_zeros(n);
        let spare = n.first()?.leading_zeros() as usize;
        let fits = (SHORTEST_BITS..=LONGEST_BITS).contains(&(n.len() * 8 - spare));
        let e = without_leading_zeros(e);
        let (n, e) = (n.to_vec(), e.to_vec());
        (fits && !e.is_empty()).then_some(Self(RsaPublicKeyComponents { n, e }))
    }

    /// Returns whether the owner of this key signed the message with RS256.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let Self(key) = self;
        key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            .is_ok()
    }
}

/// One entry of a key set. Other fields are ignored.
#[derive(Deserialize)]
pub(super) struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    pub(super) kid: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
