use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use duet_sandbox::clerk::{Clerk, Mint, SignedWith};
use proptest::prelude::*;
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA512, RsaKeyPair},
};
use serde_json::{Value, json};

use super::*;

const NOW_S: i64 = 1_767_323_045;
const ISSUER: &str = "https://clerk.shop.example";
const SHOP: &str = "https://shop.example";
const PEM: &str = include_str!("../../../../../tests/sandbox/src/clerk/test-key-1.pub.pem");
const PK8: &[u8] = include_bytes!("../../../../../tests/sandbox/src/clerk/test-key-1.pk8");

fn rules() -> Rules {
    Rules {
        issuer: ISSUER.to_owned(),
        authorized_parties: vec![
            SHOP.parse().unwrap(),
            "http://localhost:3000".parse().unwrap(),
        ],
        missing_azp: MissingAzp::Refused,
        audience: None,
        skew_s: 5,
    }
}

fn minted(mint: &Mint) -> String {
    Clerk::default().mint(ISSUER, NOW_S, mint)
}

fn with(header: &Value, claims: &Value) -> Mint {
    Mint {
        user_id: Some("user_2abcDEF".to_owned()),
        azp: Some(SHOP.to_owned()),
        header: header.as_object().cloned().unwrap_or_default(),
        claims: claims.as_object().cloned().unwrap_or_default(),
        ..Mint::default()
    }
}

fn judged(token: &str, rules: &Rules, carrier: Carrier) -> Result<Visitor, Refused> {
    let key = PublicKey::from_pem(PEM).unwrap();
    key_id(token)?.ok_or(Refused::NoKeyId)?;
    visitor(token, &key, rules, carrier, NOW_S)
}

fn of(header: &Value, claims: &Value) -> Result<Visitor, Refused> {
    judged(&minted(&with(header, claims)), &rules(), Carrier::Cookie)
}

fn user() -> Visitor {
    Visitor::User(hash::external_id("user_2abcDEF").unwrap())
}

/// Joins the parts of a token, lets `sign` make the signature, and returns the token.
fn signed_by(header: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let claims = json!({ "iss": ISSUER, "sub": "user_2abcDEF", "sid": "sess_1", "azp": SHOP,
                         "iat": NOW_S, "nbf": NOW_S, "exp": NOW_S + 60 });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(&claims));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn the_user_is_the_digest_of_the_id_with_its_case() {
    assert_eq!(of(&json!({}), &json!({})), Ok(user()));
    let Visitor::User(digest) = user() else {
        unreachable!()
    };
    let published = "6d2d23ed645414b1cb2149eca473460493d4b387057afde07e344bd15ae526b3";
    assert_eq!(digest.to_hex(), published);
}

#[test]
fn headers_are_taken_or_refused_by_every_rule() {
    for (header, expected) in [
        (
            json!({ "oiat": 17, "x": { "y": [1] }, "rnd": "a" }),
            Ok(user()),
        ),
        (json!({ "typ": null }), Ok(user())),
        (json!({ "typ": "jwt" }), Err(Refused::Type)),
        (json!({ "typ": "at+jwt" }), Err(Refused::Type)),
        (json!({ "typ": 1 }), Err(Refused::Malformed)),
        (json!({ "cat": null }), Ok(user())),
        (json!({ "cat": "cl_I7d4PD111III" }), Ok(user())),
        (json!({ "cat": "cl_B7d4PD222AAA" }), Err(Refused::Category)),
        (json!({ "cat": "cl_B7d4PD333AAA" }), Err(Refused::Category)),
        (json!({ "cat": "" }), Err(Refused::Category)),
        (json!({ "cat": 1 }), Err(Refused::Category)),
        (json!({ "kid": null }), Err(Refused::NoKeyId)),
        (json!({ "alg": "none" }), Err(Refused::Algorithm)),
        (json!({ "alg": null }), Err(Refused::Malformed)),
        (json!({ "alg": "HS256" }), Err(Refused::Algorithm)),
        (json!({ "alg": "RS512" }), Err(Refused::Algorithm)),
        (json!({ "alg": "ES256" }), Err(Refused::Algorithm)),
        (json!({ "alg": "PS256" }), Err(Refused::Algorithm)),
        (json!({ "crit": ["b64"] }), Err(Refused::Malformed)),
        // The header can name a key in these fields too. The proxy ignores these fields.
        (
            json!({ "jku": "https://evil.example/jwks.json", "x5u": "https://evil.example" }),
            Ok(user()),
        ),
    ] {
        assert_eq!(of(&header, &json!({})), expected, "{header}");
    }
}

#[test]
fn claims_are_taken_or_refused_by_every_rule() {
    let o =
        json!({ "id": "org_1", "slg": "shop", "rol": "admin", "per": "read,manage", "fpm": "3,2" });
    for (claims, expected) in [
        (json!({ "iss": format!("{ISSUER}/") }), Err(Refused::Issuer)),
        (
            json!({ "iss": "https://clerk.other.example" }),
            Err(Refused::Issuer),
        ),
        (json!({ "iss": null }), Err(Refused::Issuer)),
        (json!({ "sub": null }), Err(Refused::Subject)),
        (json!({ "sub": "" }), Err(Refused::Subject)),
        (json!({ "sub": "  " }), Err(Refused::Subject)),
        (json!({ "sub": 7 }), Err(Refused::Malformed)),
        (json!({ "sid": null }), Err(Refused::Session)),
        (json!({ "sid": "" }), Err(Refused::Session)),
        (
            json!({ "azp": "https://evil.example" }),
            Err(Refused::Party),
        ),
        (
            json!({ "azp": "https://shop.example/" }),
            Err(Refused::Party),
        ),
        (
            json!({ "azp": "https://shop.example:8443" }),
            Err(Refused::Party),
        ),
        (
            json!({ "azp": "https://SHOP.example" }),
            Err(Refused::Party),
        ),
        (json!({ "azp": "http://shop.example" }), Err(Refused::Party)),
        (json!({ "azp": "" }), Err(Refused::Party)),
        (json!({ "azp": "http://localhost:3000" }), Ok(user())),
        (json!({ "azp": null }), Err(Refused::NoParty)),
        (json!({ "exp": NOW_S - 4 }), Ok(user())),
        (json!({ "exp": NOW_S - 5 }), Err(Refused::Expired)),
        (json!({ "exp": NOW_S - 6 }), Err(Refused::Expired)),
        (json!({ "exp": null }), Err(Refused::Expired)),
        (
            json!({ "exp": (NOW_S + 60).to_string() }),
            Err(Refused::Malformed),
        ),
        (json!({ "nbf": NOW_S + 5 }), Ok(user())),
        (json!({ "nbf": NOW_S + 6 }), Err(Refused::Early)),
        (json!({ "nbf": null }), Ok(user())),
        (json!({ "iat": NOW_S + 5 }), Ok(user())),
        (json!({ "iat": NOW_S + 6 }), Err(Refused::Early)),
        (json!({ "sts": "pending" }), Err(Refused::Pending)),
        (json!({ "sts": "active" }), Ok(user())),
        (json!({ "sts": null }), Ok(user())),
        (
            json!({ "act": { "iss": "x", "sid": "sess_2", "sub": "user_admin" } }),
            Ok(Visitor::Impersonated),
        ),
        (json!({ "act": null }), Ok(user())),
        (json!({ "aud": "anybody" }), Ok(user())),
        (
            json!({ "o": o, "pla": "u:free", "fea": "o:dashboard" }),
            Ok(user()),
        ),
        (
            json!({ "email": "a@b.example", "custom": { "deep": [1, 2] } }),
            Ok(user()),
        ),
    ] {
        assert_eq!(of(&json!({}), &claims), expected, "{claims}");
    }
}

#[test]
fn both_versions_of_claims_are_understood() {
    let organisation = json!({ "org_id": "org_1", "org_slug": "shop", "org_role": "org:admin",
                               "org_permissions": ["org:read"] });
    for claims in [json!({}), organisation] {
        let mint = Mint {
            version: Some(1),
            ..with(&json!({}), &claims)
        };
        let token = minted(&mint);
        assert_eq!(judged(&token, &rules(), Carrier::Cookie), Ok(user()));
    }
}

#[test]
fn a_token_without_azp_is_taken_in_the_header_only_and_only_if_allowed() {
    let token = minted(&with(&json!({}), &json!({ "azp": null })));
    let unlisted = minted(&with(&json!({}), &json!({ "azp": "https://evil.example" })));
    let allowing = Rules {
        missing_azp: MissingAzp::Allowed,
        ..rules()
    };
    for (rules, carrier, expected) in [
        (&rules(), Carrier::Header, Err(Refused::NoParty)),
        (&rules(), Carrier::Cookie, Err(Refused::NoParty)),
        (&allowing, Carrier::Header, Ok(user())),
        (&allowing, Carrier::Cookie, Err(Refused::NoParty)),
    ] {
        assert_eq!(judged(&token, rules, carrier), expected, "{carrier:?}");
        assert_eq!(judged(&unlisted, rules, carrier), Err(Refused::Party));
    }
}

#[test]
fn an_audience_counts_where_one_is_configured_and_one_is_named() {
    let rules = Rules {
        audience: Some("duet".to_owned()),
        ..rules()
    };
    for (claims, expected) in [
        (json!({}), Ok(user())),
        (json!({ "aud": "duet" }), Ok(user())),
        (json!({ "aud": ["x", "duet"] }), Ok(user())),
        (json!({ "aud": "other" }), Err(Refused::Audience)),
        (json!({ "aud": [] }), Err(Refused::Audience)),
    ] {
        let token = minted(&with(&json!({}), &claims));
        assert_eq!(
            judged(&token, &rules, Carrier::Header),
            expected,
            "{claims}"
        );
    }
}

#[test]
fn what_is_no_token_is_refused() {
    let good = minted(&with(&json!({}), &json!({})));
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    let long = "x".repeat(9 * 1024);
    for (token, expected) in [
        (String::new(), Refused::Malformed),
        ("garbage".to_owned(), Refused::Malformed),
        ("eyJ.eyJ.x".to_owned(), Refused::Malformed),
        (format!("{header}.{claims}"), Refused::Malformed),
        (format!("{good}.{signature}"), Refused::Malformed),
        (format!("{good}="), Refused::Malformed),
        (
            format!("{header}=.{claims}.{signature}"),
            Refused::Malformed,
        ),
        (
            format!("{header}.{claims}=.{signature}"),
            Refused::Signature,
        ),
        (format!("{header}.{claims}."), Refused::Signature),
        (format!("{header}..{signature}"), Refused::Signature),
        (
            format!("{header}.{claims}.{}", &signature[..300]),
            Refused::Signature,
        ),
        (format!("W10.{claims}.{signature}"), Refused::Malformed),
        (
            minted(&with(&json!({}), &json!({ "custom": long }))),
            Refused::TooLong,
        ),
    ] {
        assert_eq!(
            judged(&token, &rules(), Carrier::Header),
            Err(expected),
            "{token:.80}"
        );
    }
}

#[test]
fn only_the_right_key_signs() {
    let other = Mint {
        signed_with: SignedWith::Another,
        ..with(&json!({}), &json!({}))
    };
    assert_eq!(
        judged(&minted(&other), &rules(), Carrier::Header),
        Err(Refused::Signature)
    );
    // Every claim is wrong too, but the error must name only the signature.
    let wrong = Mint {
        signed_with: SignedWith::Another,
        ..with(
            &json!({}),
            &json!({ "iss": "x", "azp": "y", "exp": 1, "sub": null }),
        )
    };
    assert_eq!(
        judged(&minted(&wrong), &rules(), Carrier::Header),
        Err(Refused::Signature)
    );
}

#[test]
fn a_public_key_is_no_shared_secret_and_no_signature_no_signature() {
    let secret = hmac::Key::new(hmac::HMAC_SHA256, PEM.as_bytes());
    let hs256 = json!({ "alg": "HS256", "typ": "JWT", "kid": "ins_test1" });
    let token = signed_by(&hs256, |message| {
        hmac::sign(&secret, message).as_ref().to_vec()
    });
    assert_eq!(
        judged(&token, &rules(), Carrier::Header),
        Err(Refused::Algorithm)
    );

    let none = json!({ "alg": "none", "typ": "JWT", "kid": "ins_test1" });
    let token = signed_by(&none, |_| Vec::new());
    assert_eq!(
        judged(&token, &rules(), Carrier::Header),
        Err(Refused::Algorithm)
    );

    let pair = RsaKeyPair::from_pkcs8(PK8).unwrap();
    let sha512 = |message: &[u8]| {
        let mut signature = vec![0; pair.public().modulus_len()];
        pair.sign(
            &RSA_PKCS1_SHA512,
            &SystemRandom::new(),
            message,
            &mut signature,
        )
        .unwrap();
        signature
    };
    let rs512 = json!({ "alg": "RS512", "typ": "JWT", "kid": "ins_test1" });
    let token = signed_by(&rs512, sha512);
    assert_eq!(
        judged(&token, &rules(), Carrier::Header),
        Err(Refused::Algorithm)
    );
    // The header names the right algorithm, but the signature uses another digest.
    let rs256 = json!({ "alg": "RS256", "typ": "JWT", "kid": "ins_test1" });
    let token = signed_by(&rs256, sha512);
    assert_eq!(
        judged(&token, &rules(), Carrier::Header),
        Err(Refused::Signature)
    );
}

#[test]
fn a_token_changed_in_any_one_place_is_refused() {
    let good = minted(&with(&json!({}), &json!({})));
    assert_eq!(judged(&good, &rules(), Carrier::Header), Ok(user()));
    for (index, letter) in good.char_indices() {
        for other in ['A', '_', '.', '=']
            .into_iter()
            .filter(|other| *other != letter)
        {
            let mut changed = good.clone();
            changed.replace_range(index..=index, other.encode_utf8(&mut [0; 4]));
            let visitor = judged(&changed, &rules(), Carrier::Header);
            assert!(visitor.is_err(), "{other} at {index}");
        }
        let cut = judged(&good[..index], &rules(), Carrier::Header);
        assert!(cut.is_err(), "cut at {index}");
    }
}

proptest! {
    #[test]
    fn any_text_is_refused_without_a_panic(text in any::<String>(), parts in "eyJ[A-Za-z0-9_-]{0,40}\\.eyJ[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}") {
        for token in [text, parts] {
            prop_assert!(judged(&token, &rules(), Carrier::Header).is_err());
            prop_assert!(stated(&token).is_none());
        }
    }
}
