use axum::http::{HeaderValue, header};
use duet_sandbox::clerk::{Clerk as Issuer, Mint};
use serde_json::json;

use super::*;

const NOW_S: i64 = 1_767_323_045;
const ISSUER: &str = "https://clerk.shop.example";
const PEM: &str = include_str!("../../../../tests/sandbox/src/clerk/test-key-1.pub.pem");

fn offline() -> Clerk {
    let settings = Settings {
        rules: Rules {
            issuer: ISSUER.to_owned(),
            authorized_parties: vec!["http://localhost:3000".parse().unwrap()],
            missing_azp: MissingAzp::Refused,
            audience: None,
            skew_s: 5,
        },
        keys: KeySource::Fixed(PublicKey::from_pem(PEM).unwrap()),
        cookie_suffix: None,
    };
    Clerk::new(&settings, Arc::default()).unwrap()
}

fn token(mint: &Mint, now_s: i64) -> String {
    Issuer::default().mint(ISSUER, now_s, mint)
}

async fn seen(values: &[(header::HeaderName, String)]) -> Result<Visitor, Unverified> {
    let values = values.iter().cloned();
    let headers = values.map(|(name, value)| (name, HeaderValue::from_str(&value).unwrap()));
    let now = Reading {
        wall_ms: NOW_S * 1000,
        boot_ms: 0,
    };
    offline().visitor(&headers.collect(), now).await
}

fn bearer(token: &str) -> (header::HeaderName, String) {
    (header::AUTHORIZATION, format!("Bearer {token}"))
}

fn cookie(token: &str) -> (header::HeaderName, String) {
    (header::COOKIE, format!("__session={token}"))
}

#[tokio::test]
async fn a_bad_header_is_refused_even_beside_a_good_cookie() {
    let good = token(&Mint::default(), NOW_S);
    let expired = token(&Mint::default(), NOW_S - 100);
    let header_first = seen(&[bearer(&good), cookie(&expired)]).await;
    assert!(matches!(header_first, Ok(Visitor::User(_))));
    let no_way_back = seen(&[bearer(&expired), cookie(&good)]).await;
    assert_eq!(no_way_back.err(), Some(Unverified::Invalid));
}

#[tokio::test]
async fn a_cookie_that_does_not_hold_leaves_the_visitor_unknown() {
    for bad in [
        token(&Mint::default(), NOW_S - 100),
        token(
            &Mint {
                signed_with: duet_sandbox::clerk::SignedWith::Another,
                ..Mint::default()
            },
            NOW_S,
        ),
        "garbage".to_owned(),
    ] {
        let visitor = seen(&[cookie(&bad)]).await;
        assert!(matches!(visitor, Ok(Visitor::Unknown)), "{bad}");
    }
    assert!(matches!(seen(&[]).await, Ok(Visitor::Unknown)));
    let good = seen(&[cookie(&token(&Mint::default(), NOW_S))]).await;
    assert!(matches!(good, Ok(Visitor::User(_))));
}

#[tokio::test]
async fn a_configured_key_needs_no_key_id() {
    let header = json!({ "kid": null }).as_object().cloned().unwrap();
    let mint = Mint {
        header,
        ..Mint::default()
    };
    let visitor = seen(&[bearer(&token(&mint, NOW_S))]).await;
    assert!(matches!(visitor, Ok(Visitor::User(_))));
    assert!(offline().has_keys());
}

#[test]
fn a_key_is_read_with_and_without_the_lines_around_it() {
    let lines: Vec<_> = PEM.lines().collect();
    let bare = lines[1..lines.len() - 1].concat();
    for text in [
        PEM,
        &bare,
        &PEM.replace('\n', "\\n"),
        &lines.join(" "),
        &format!("  {bare}\n"),
    ] {
        assert!(PublicKey::from_pem(text).is_ok(), "{text}");
    }
    // An RSA key of only 1024 bits, and a key of an elliptic curve.
    let short = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDdlatRjRjogo3WojgGHFHYLugdUWAY9iR3fy4arWNA1KoS8kVw33cJibXr8bvwUAUparCwlvdbH6dvEOfou0/gCFQsHUfQrSDv+MuSUMAe8jzKE4qW+jK+xQU9a03GUnKHkkle+Q0pX/g6jXZ7r1/xAK5Do2kQ+X5xK9cipRgEKwIDAQAB";
    let curve = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==";
    for text in [short, curve, "", "no key", "-----BEGIN PUBLIC KEY-----"] {
        assert!(PublicKey::from_pem(text).is_err(), "{text}");
    }
    assert!(PublicKey::from_pem(short).unwrap_err().contains("2048"));
}
