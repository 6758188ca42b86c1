//! Three RSA keys, used in turn.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents};
use serde_json::{Value, json};

const KEYS: [&[u8]; 3] = [
    include_bytes!("test-key-1.pk8"),
    include_bytes!("test-key-2.pk8"),
    include_bytes!("test-key-3.pk8"),
];

pub(crate) struct Signer(RsaKeyPair);

impl Signer {
    /// Returns the key with this serial number. Serial numbers begin at 1.
    pub(crate) fn of(serial: usize) -> Self {
        let [first, second, third] = KEYS;
        let bytes = match serial % KEYS.len() {
            1 => first,
            2 => second,
            _ => third,
        };
        #[expect(clippy::expect_used, reason = "the keys are part of this program")]
        Self(RsaKeyPair::from_pkcs8(bytes).expect("a test key is PKCS #8"))
    }

    /// Returns the signed token: `header.claims.signature`.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.0.public().modulus_len()];
        let signed = self.0.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            message.as_bytes(),
            &mut signature,
        );
        #[expect(
            clippy::expect_used,
            reason = "a sandbox without random numbers cannot do its work"
        )]
        signed.expect("the system has random numbers");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Returns the public key as an entry of a key set.
    pub(crate) fn jwk(&self, key_id: &str) -> Value {
        let public: RsaPublicKeyComponents<Vec<u8>> = self.0.public().into();
        json!({
            "use": "sig", "kty": "RSA", "kid": key_id, "alg": "RS256",
            "n": URL_SAFE_NO_PAD.encode(public.n), "e": URL_SAFE_NO_PAD.encode(public.e),
        })
    }
}
