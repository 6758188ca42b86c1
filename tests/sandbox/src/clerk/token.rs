//! The content of a token: Clerk's own session claims, and the changes that a test makes to them.

use serde::Deserialize;
use serde_json::{Map, Value, json};

const LIFE_S: i64 = 60;
const SESSION: &str = "cl_B7d4PD111AAA";
/// The default origin of the page that requests a token.
const USUAL_PARTY: &str = "http://localhost:3000";

/// The description of a token that the fake Clerk makes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mint {
    /// `sub`. Default: `user_1`.
    pub user_id: Option<String>,
    /// `azp`. Default: the origin of the page, else `http://localhost:3000`.
    pub azp: Option<String>,
    /// The id of another user who acts as this user.
    pub impersonator: Option<String>,
    /// 1 for the deprecated form of the claims. Default: 2.
    pub version: Option<u8>,
    /// How many seconds the issuer's clock is ahead of the real time.
    pub clock_offset_s: i64,
    /// Fields to set in the token's header. `null` removes a field.
    pub header: Map<String, Value>,
    /// Claims to set. `null` removes a claim.
    pub claims: Map<String, Value>,
    /// The key that signs.
    pub signed_with: SignedWith,
}

/// The key that signs a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignedWith {
    /// The key that the token's `kid` names.
    #[default]
    Current,
    /// A key that the token's `kid` does not name.
    Another,
}

impl Mint {
    /// Describes a token of this user.
    pub fn of(user_id: &str) -> Self {
        Self {
            user_id: Some(user_id.to_owned()),
            ..Self::default()
        }
    }

    pub(super) fn parts(
        &self,
        issuer: &str,
        now_s: i64,
        key_id: &str,
        number: u64,
    ) -> (Value, Value) {
        let now_s = now_s + self.clock_offset_s;
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": key_id, "cat": SESSION });
        let user_id = self.user_id.as_deref().unwrap_or("user_1");
        let session = format!("sess_{number}");
        let mut claims = json!({
            "azp": self.azp.as_deref().unwrap_or(USUAL_PARTY),
            "exp": now_s + LIFE_S, "fva": [0, -1], "iat": now_s, "iss": issuer, "nbf": now_s - 10,
            "sid": session, "sub": user_id,
        });
        if self.version != Some(1) {
            let newer = json!({ "jti": format!("jti_{number}"), "v": 2, "sts": "active" });
            merge(&mut claims, newer.as_object());
        }
        if let Some(actor) = &self.impersonator {
            let act = json!({ "act": { "iss": "https://dashboard.clerk.com", "sid": "sess_act", "sub": actor } });
            merge(&mut claims, act.as_object());
        }
        merge(&mut claims, Some(&self.claims));
        let mut header = header;
        merge(&mut header, Some(&self.header));
        (header, claims)
    }
}

fn merge(object: &mut Value, changes: Option<&Map<String, Value>>) {
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    for (name, value) in changes.into_iter().flatten() {
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
}
