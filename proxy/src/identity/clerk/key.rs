//! Clerk's public keys, and the signatures they check: RS256 and nothing else.

use base64::{Engine, engine::general_purpose};
use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result as JwtResult},
    signature::{self, Verifier},
};
use pkcs1::RsaPublicKeyRef;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;
use spki::SubjectPublicKeyInfoRef;

const SHORTEST_BITS: usize = 2048;
const LONGEST_BITS: usize = 8192;

/// An RSA key of 2048 to 8192 bits.
#[derive(Clone, Debug)]
pub struct PublicKey(DecodingKey);

impl PublicKey {
    /// Reads a key in PEM, or the base64 of one without the lines around it; `\n` written out is a line end too.
    ///
    /// # Errors
    /// What such a key looks like.
    pub fn from_pem(text: &str) -> Result<Self, &'static str> {
        const RULE: &str =
            "must be the JWKS public key from Clerk's dashboard: PEM, or its base64 alone";
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

    /// A key of a set, if it is one that signs sessions, with its id.
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
        let key = DecodingKey::from_rsa_raw_components(n, e);
        (fits && !e.is_empty()).then_some(Self(key))
    }

    pub(super) fn decoding(&self) -> &DecodingKey {
        &self.0
    }
}

/// One entry of a key set; what it says beyond this does not matter.
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

/// Has the JWT library check signatures with ring. It keeps the first provider of a process.
pub(super) fn install_ring() {
    static RING: CryptoProvider = CryptoProvider {
        signer_factory: no_signer,
        verifier_factory: verifier,
        key_utils: KeyUtils::new_unimplemented(),
    };
    // That there is one already is no failure.
    let _ = RING.install_default();
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the library's signature")]
fn no_signer(_: &Algorithm, _: &EncodingKey) -> JwtResult<Box<dyn JwtSigner>> {
    Err(ErrorKind::UnsupportedAlgorithm.into())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the library's signature")]
fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> JwtResult<Box<dyn JwtVerifier>> {
    match (algorithm, key.kind()) {
        (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            let (n, e) = (n.clone(), e.clone());
            Ok(Box::new(Rs256(RsaPublicKeyComponents { n, e })))
        }
        _ => Err(ErrorKind::UnsupportedAlgorithm.into()),
    }
}

struct Rs256(RsaPublicKeyComponents<Vec<u8>>);

impl Verifier<Vec<u8>> for Rs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.0
            .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            .map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Rs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
