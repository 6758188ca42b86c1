//! Decides whether a session token is valid, and for which user. The decision is pure: the key, the rules and the time are
//! arguments.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use duet_events::hash;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value;

use super::{Carrier, MissingAzp, PublicKey, Refused};
use crate::{admit::Visitor, origin::Origin};

/// The longest accepted token, in bytes. Browsers store only shorter cookies.
const LONGEST_BYTES: usize = 8 * 1024;
/// The allowed values of the header parameter `cat`: a session, or "not relevant". Tokens from templates and for machines are
/// signed with the same key, but prove no session.
const CATEGORIES: [&str; 2] = ["cl_B7d4PD111AAA", "cl_I7d4PD111III"];

/// The rules that a token must meet.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The issuer, exactly as in `iss`.
    pub issuer: String,
    /// The origins of the pages whose tokens are accepted. A token states its page's origin in `azp`.
    pub authorized_parties: Vec<Origin>,
    /// Whether a token in the header without `azp` is accepted.
    pub missing_azp: MissingAzp,
    /// The audience that `aud` must name, if the token has an `aud`.
    pub audience: Option<String>,
    /// How far Clerk's clock and this machine's clock can differ, in seconds.
    pub skew_s: i64,
}

/// Returns the key id in a token's header.
///
/// # Errors
/// [`Refused`] if the token cannot be a session token.
pub(super) fn key_id(token: &str) -> Result<Option<String>, Refused> {
    if token.len() > LONGEST_BYTES {
        return Err(Refused::TooLong);
    }
    let head: Head = json(Parts::of(token)?.head)?;
    if head.typ.is_some_and(|typ| typ != "JWT") {
        return Err(Refused::Type);
    }
    if head.alg != "RS256" {
        return Err(Refused::Algorithm);
    }
    // With `crit`, the header requires that the reader supports extensions, but the proxy supports none.
    if head.crit.is_some() {
        return Err(Refused::Malformed);
    }
    match head.cat {
        Value::Null => Ok(head.kid),
        Value::String(category) if CATEGORIES.contains(&&*category) => Ok(head.kid),
        _ => Err(Refused::Category),
    }
}

/// Verifies a token whose header was accepted, and returns its visitor. `now_s` is in Unix seconds.
///
/// # Errors
/// [`Refused`] with the first broken rule. The signature is checked before the claims, so nobody can find out the settings with
/// forged tokens.
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

/// Reads the issuer and the time of issue of a token, to choose between cookies. The two values have not been verified yet.
pub(super) fn stated(token: &str) -> Option<Stated> {
    if token.len() > LONGEST_BYTES {
        return None;
    }
    json(Parts::of(token).ok()?.claims).ok()
}

/// The claims of a token before it is verified.
#[derive(Deserialize)]
pub(super) struct Stated {
    pub(super) iss: String,
    pub(super) iat: i64,
}

fn signed_claims(token: &str, key: &PublicKey) -> Result<Claims, Refused> {
    let parts = Parts::of(token)?;
    if key.verifies(parts.signed.as_bytes(), &decoded(parts.signature)?) {
        json(parts.claims)
    } else {
        Err(Refused::Signature)
    }
}

/// The three parts of a token, each in base64url (RFC 7515, section 7.1).
struct Parts<'a> {
    head: &'a str,
    claims: &'a str,
    signature: &'a str,
    /// The signed text: the header, a dot and the claims.
    signed: &'a str,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Result<Self, Refused> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Refused::Malformed)?;
        let (head, claims) = signed.split_once('.').ok_or(Refused::Malformed)?;
        if claims.contains('.') {
            return Err(Refused::Malformed);
        }
        Ok(Self {
            head,
            claims,
            signature,
            signed,
        })
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, Refused> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refused::Malformed)
}

fn json<T: DeserializeOwned>(part: &str) -> Result<T, Refused> {
    serde_json::from_slice(&decoded(part)?).map_err(|_| Refused::Malformed)
}

/// The header parameters that are checked.
#[derive(Deserialize)]
struct Head {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    /// A value of any type. A token whose `cat` is not text is not a session token.
    #[serde(default)]
    cat: Value,
    crit: Option<IgnoredAny>,
}

/// Checks that the token was issued for one of the shop's pages. A token that was issued for a page on another subdomain is
/// refused, because such a page may have leaked it.
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

/// The claims that are checked. This type contains the user's id, so it cannot be printed and is dropped soon.
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
