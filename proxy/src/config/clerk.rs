//! The settings of a Clerk instance, whose sessions identify visitors.

use base64::{
    Engine, alphabet,
    engine::{
        DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD,
    },
};
use reqwest::Url;
use ring::digest;

use super::reader::Reader;
pub use crate::identity::clerk::{KeySource, MissingAzp, Settings as Clerk};
use crate::{
    identity::clerk::{PublicKey, Rules},
    origin::{Origin, safe_url},
};

/// Settings that are allowed only if `CLERK_ISSUER` or `CLERK_PUBLISHABLE_KEY` names an instance.
const DETAILS: [&str; 4] = [
    "CLERK_JWKS_URL",
    "CLERK_JWT_KEY",
    "CLERK_AUTHORIZED_PARTIES",
    "CLERK_AUDIENCE",
];

/// Reads the settings. Returns `None` if no instance is named.
pub(super) fn read(reader: &mut Reader<'_>, allowed_origins: &[Origin]) -> Option<Clerk> {
    let publishable = reader.optional("CLERK_PUBLISHABLE_KEY", Publishable::read);
    let issuer = reader.optional("CLERK_ISSUER", |text| {
        let text = text.trim_end_matches('/');
        safe_url(text)
            .map(|_| text.to_owned())
            .ok_or("must be https:// and a host, such as https://clerk.shop.example")
    });
    let jwks_url = reader.optional("CLERK_JWKS_URL", |text| {
        safe_url(text).ok_or("must be an https URL, or http on loopback")
    });
    let jwt_key = reader.secret(
        "CLERK_JWT_KEY",
        |text| PublicKey::from_pem(text).ok(),
        "must be the JWKS public key from Clerk's dashboard, an RSA key of at least 2048 bits: the PEM text, or only the base64 in it",
    );
    let parties = reader.list("CLERK_AUTHORIZED_PARTIES", str::parse);
    let missing_azp = reader.parsed("CLERK_ALLOW_MISSING_AZP", |text| match text {
        "true" => Ok(MissingAzp::Allowed),
        "false" => Ok(MissingAzp::Refused),
        _ => Err("must be true or false"),
    });
    let audience = reader.optional("CLERK_AUDIENCE", |text| Ok(text.trim().to_owned()));
    let skew_s = reader.parsed("CLERK_CLOCK_SKEW_S", |text| {
        let skew = text.parse().ok();
        skew.filter(|skew| (0..=60).contains(skew))
            .ok_or("must be a number of seconds from 0 to 60")
    });
    let derived = publishable.as_ref().map(|key| key.issuer.clone());
    let Some(issuer) = issuer.or(derived) else {
        if let Some(detail) = DETAILS.into_iter().find(|name| reader.is_set(name)) {
            reader.problem(
                "CLERK_ISSUER",
                format!(
                    "must be set, or CLERK_PUBLISHABLE_KEY must be set, because {detail} is set"
                ),
            );
        }
        return None;
    };
    let authorized_parties = if parties.is_empty() {
        allowed_origins.to_vec()
    } else {
        parties
    };
    if authorized_parties.is_empty() {
        reader.missing("CLERK_AUTHORIZED_PARTIES");
    }
    let keys = key_source(reader, jwt_key, jwks_url, &issuer)?;
    Some(Clerk {
        rules: Rules {
            issuer,
            authorized_parties,
            missing_azp: missing_azp?,
            audience,
            skew_s: skew_s?,
        },
        keys,
        cookie_suffix: publishable.map(|key| key.suffix),
    })
}

/// Returns the source of Clerk's public keys: `CLERK_JWT_KEY`, `CLERK_JWKS_URL`, or the issuer's own address if neither is set.
fn key_source(
    reader: &mut Reader<'_>,
    key: Option<PublicKey>,
    url: Option<Url>,
    issuer: &str,
) -> Option<KeySource> {
    match (key, url) {
        (Some(_), Some(_)) => {
            reader.problem(
                "CLERK_JWT_KEY",
                "must not be set together with CLERK_JWKS_URL: set only one",
            );
            None
        }
        (Some(key), None) => Some(KeySource::Fixed(key)),
        (None, Some(url)) => Some(KeySource::Url(url)),
        (None, None) => safe_url(&format!("{issuer}/.well-known/jwks.json")).map(KeySource::Url),
    }
}

/// A publishable key: `pk_test_` or `pk_live_`, followed by the base64 of the instance's host and a `$`.
struct Publishable {
    issuer: String,
    suffix: String,
}

impl Publishable {
    fn read(text: &str) -> Result<Self, &'static str> {
        const RULE: &str = "must be the publishable key from Clerk's dashboard, such as pk_live_Y2xlcmsuc2hvcC5leGFtcGxlJA";
        const LENIENT: GeneralPurpose = GeneralPurpose::new(
            &alphabet::STANDARD,
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
        );
        let text = text.trim();
        let encoded = text
            .strip_prefix("pk_test_")
            .or_else(|| text.strip_prefix("pk_live_"))
            .ok_or(RULE)?;
        let host = LENIENT.decode(encoded).ok();
        let host = host.and_then(|host| String::from_utf8(host).ok());
        let host = host.as_deref().and_then(|host| host.strip_suffix('$'));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
        let host = host
            .filter(|host| host.contains('.') && host.bytes().all(plain))
            .ok_or(RULE)?;
        let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        Ok(Self {
            issuer: format!("https://{host}"),
            suffix: URL_SAFE_NO_PAD.encode(sha1).chars().take(8).collect(),
        })
    }
}

#[cfg(test)]
mod tests;
