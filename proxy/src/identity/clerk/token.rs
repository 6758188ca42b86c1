//! Whether a session token holds, and for whom. Pure: the key, the rules and the time come in as arguments.

use duet_events::hash;
use jsonwebtoken::{Algorithm, Validation, dangerous, decode, decode_header};
use serde::{Deserialize, de::IgnoredAny};

use super::{Carrier, MissingAzp, PublicKey, Refused};
use crate::{admit::Visitor, origin::Origin};

/// Far above what fits into a cookie.
const LONGEST_BYTES: usize = 8 * 1024;
/// What a header parameter `cat` may say: a session, or that it does not matter. Tokens from templates and for
/// machines are signed by the same key and prove no session.
const CATEGORIES: [&str; 2] = ["cl_B7d4PD111AAA", "cl_I7d4PD111III"];

/// What a token has to agree with.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The issuer, exactly as `iss` says it.
    pub issuer: String,
    /// Origins whose pages may have asked for the token: `azp`.
    pub authorized_parties: Vec<Origin>,
    /// What becomes of a token in the header without `azp`.
    pub missing_azp: MissingAzp,
    /// What `aud` has to name, where the token has one.
    pub audience: Option<String>,
    /// How far clocks may be apart, in seconds.
    pub skew_s: i64,
}

/// The part of a token's header that says which key it is signed with.
///
/// # Errors
/// [`Refused`], when the token cannot be a session's.
pub(super) fn key_id(token: &str) -> Result<Option<String>, Refused> {
    if token.len() > LONGEST_BYTES {
        return Err(Refused::TooLong);
    }
    let head = decode_header(token).map_err(|_| Refused::Malformed)?;
    if head.typ.is_some_and(|typ| typ != "JWT") {
        return Err(Refused::Type);
    }
    if head.alg != Algorithm::RS256 {
        return Err(Refused::Algorithm);
    }
    // Extensions that have to be understood, and none is.
    if head.crit.is_some() {
        return Err(Refused::Malformed);
    }
    match head.extras.get::<String>("cat") {
        Ok(category)
            if category
                .as_deref()
                .is_none_or(|cat| CATEGORIES.contains(&cat)) =>
        {
            Ok(head.kid)
        }
        _ => Err(Refused::Category),
    }
}

/// Whom a token with an acceptable header stands for at `now_s`, in Unix seconds.
///
/// # Errors
/// [`Refused`] for the first rule it breaks. The signature comes before all claims, so that nobody learns
/// from guesses what is configured.
pub(super) fn visitor(
    token: &str,
    key: &PublicKey,
    rules: &Rules,
    carrier: Carrier,
    now_s: i64,
) -> Result<Visitor, Refused> {
    let claims = signed_claims(token, key)?;
    if claims.iss.as_deref() != Some(rules.issuer.as_str()) {
        return Err(Refused::Issuer);
    }
    let user_id = claims.sub.ok_or(Refused::Subject)?;
    let external_id = hash::external_id(&user_id).map_err(|_| Refused::Subject)?;
    if claims.sid.is_none_or(|session| session.is_empty()) {
        return Err(Refused::Session);
    }
    if let (Some(wanted), Some(audience)) = (&rules.audience, &claims.aud)
        && !audience.names(wanted)
    {
        return Err(Refused::Audience);
    }
    party(claims.azp.as_deref(), rules, carrier)?;
    if claims.exp.is_none_or(|exp| exp <= now_s - rules.skew_s) {
        return Err(Refused::Expired);
    }
    let ahead = |time: Option<i64>| time.is_some_and(|time| time > now_s + rules.skew_s);
    if ahead(claims.nbf) || ahead(claims.iat) {
        return Err(Refused::Early);
    }
    if claims.sts.as_deref() == Some("pending") {
        return Err(Refused::Pending);
    }
    Ok(match claims.act {
        Some(IgnoredAny) => Visitor::Impersonated,
        None => Visitor::User(external_id),
    })
}

/// Issuer and time of issue as a token states them, to choose between cookies; nothing of it is proven.
pub(super) fn stated(token: &str) -> Option<Stated> {
    if token.len() > LONGEST_BYTES {
        return None;
    }
    dangerous::insecure_decode_claims(token).ok()
}

/// What a token says without proof.
#[derive(Deserialize)]
pub(super) struct Stated {
    pub(super) iss: String,
    pub(super) iat: i64,
}

fn signed_claims(token: &str, key: &PublicKey) -> Result<Claims, Refused> {
    // The library checks the signature; the claims' rules are below, by our clock.
    let mut signature_only = Validation::new(Algorithm::RS256);
    signature_only.required_spec_claims.clear();
    signature_only.validate_exp = false;
    signature_only.validate_nbf = false;
    signature_only.validate_aud = false;
    decode::<Claims>(token, key.decoding(), &signature_only)
        .map(|token| token.claims)
        .map_err(|error| match error.kind() {
            jsonwebtoken::errors::ErrorKind::InvalidSignature => Refused::Signature,
            _ => Refused::Malformed,
        })
}

/// Whether the token was made for a page of ours: one for a sibling domain may have leaked there.
fn party(azp: Option<&str>, rules: &Rules, carrier: Carrier) -> Result<(), Refused> {
    match (azp, carrier, rules.missing_azp) {
        (Some(azp), ..) => {
            let listed = rules.authorized_parties.iter();
            let mut listed = listed.map(Origin::as_str);
            let is_listed = listed.any(|listed| listed == azp);
            is_listed.then_some(()).ok_or(Refused::Party)
        }
        (None, Carrier::Header, MissingAzp::Allowed) => Ok(()),
        (None, ..) => Err(Refused::NoParty),
    }
}

/// The claims that decide. The user's id is in here, so this neither prints nor lives long.
#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    sid: Option<String>,
    azp: Option<String>,
    aud: Option<Audience>,
    exp: Option<i64>,
    nbf: Option<i64>,
    iat: Option<i64>,
    sts: Option<String>,
    act: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn names(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::Many(many) => many.iter().any(|one| one == wanted),
        }
    }
}

#[cfg(test)]
mod tests;
