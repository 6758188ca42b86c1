use std::collections::HashMap;

use super::*;
use crate::config::{Config, Problem};

/// The publishable keys of two instances: `example-app-1.clerk.accounts.dev` and `clerk.shop.example`.
const DEVELOPMENT: &str = "pk_test_ZXhhbXBsZS1hcHAtMS5jbGVyay5hY2NvdW50cy5kZXYk";
const LIVE: &str = "pk_live_Y2xlcmsuc2hvcC5leGFtcGxlJA";
const PEM: &str = include_str!("../../../../tests/sandbox/src/clerk/test-key-1.pub.pem");

fn read(settings: &[(&str, &str)]) -> Result<Option<Clerk>, Vec<Problem>> {
    let mut map = HashMap::from([
        ("TIKTOK_PIXEL_ID", "C4A1B2C3D4E5F6G7H8I9"),
        ("TIKTOK_ACCESS_TOKEN", "canary-token"),
        ("DUET_ALLOWED_ORIGINS", "https://shop.example"),
    ]);
    map.extend(settings.iter().copied());
    Config::read(|name| map.get(name).map(|value| (*value).to_owned())).map(|config| config.clerk)
}

fn url(clerk: &Clerk) -> &str {
    match &clerk.keys {
        KeySource::Url(url) => url.as_str(),
        KeySource::Fixed(_) => "",
    }
}

#[test]
fn a_publishable_key_is_enough() {
    assert!(read(&[]).unwrap().is_none());
    let clerk = read(&[("CLERK_PUBLISHABLE_KEY", DEVELOPMENT)])
        .unwrap()
        .unwrap();
    let host = "https://example-app-1.clerk.accounts.dev";
    assert_eq!(clerk.rules.issuer, host);
    assert_eq!(url(&clerk), format!("{host}/.well-known/jwks.json"));
    assert_eq!(clerk.cookie_suffix.as_deref(), Some("RK90Hasd"));
    assert_eq!(
        clerk.rules.authorized_parties[0].as_str(),
        "https://shop.example"
    );
    assert_eq!(clerk.rules.missing_azp, MissingAzp::Refused);
    assert_eq!(clerk.rules.skew_s, 5);
    for padding in ["", "=", "=="] {
        let key = format!("{LIVE}{padding}");
        let clerk = read(&[("CLERK_PUBLISHABLE_KEY", &key)]).unwrap().unwrap();
        assert_eq!(clerk.rules.issuer, "https://clerk.shop.example");
    }
}

#[test]
fn every_part_can_be_set_by_itself() {
    let clerk = read(&[
        ("CLERK_PUBLISHABLE_KEY", DEVELOPMENT),
        ("CLERK_ISSUER", "http://127.0.0.1:8788/"),
        ("CLERK_JWKS_URL", "http://localhost:9/keys"),
        (
            "CLERK_AUTHORIZED_PARTIES",
            "https://a.example,http://localhost:3000",
        ),
        ("CLERK_ALLOW_MISSING_AZP", "true"),
        ("CLERK_AUDIENCE", "duet"),
        ("CLERK_CLOCK_SKEW_S", "60"),
    ]);
    let clerk = clerk.unwrap().unwrap();
    assert_eq!(clerk.rules.issuer, "http://127.0.0.1:8788");
    assert_eq!(url(&clerk), "http://localhost:9/keys");
    assert_eq!(clerk.rules.authorized_parties.len(), 2);
    assert_eq!(clerk.rules.missing_azp, MissingAzp::Allowed);
    assert_eq!(clerk.rules.audience.as_deref(), Some("duet"));
    assert_eq!(clerk.rules.skew_s, 60);
    assert_eq!(clerk.cookie_suffix.as_deref(), Some("RK90Hasd"));
    let offline = read(&[
        ("CLERK_ISSUER", "https://clerk.shop.example"),
        ("CLERK_JWT_KEY", PEM),
    ]);
    let offline = offline.unwrap().unwrap();
    assert!(matches!(offline.keys, KeySource::Fixed(_)) && offline.cookie_suffix.is_none());
}

#[test]
fn what_cannot_be_meant_is_said() {
    let issuer = ("CLERK_ISSUER", "https://clerk.shop.example");
    let no_dot = "pk_live_bG9jYWxob3N0JA";
    let no_dollar = "pk_live_Y2xlcmsuc2hvcC5leGFtcGxl";
    let two_dollars = "pk_live_Y2xlcmsuc2hvcC5leGFtcGxlJCQ";
    for (settings, setting) in [
        (
            &[("CLERK_PUBLISHABLE_KEY", "sk_live_abc")][..],
            "CLERK_PUBLISHABLE_KEY",
        ),
        (
            &[("CLERK_PUBLISHABLE_KEY", no_dot)],
            "CLERK_PUBLISHABLE_KEY",
        ),
        (
            &[("CLERK_PUBLISHABLE_KEY", no_dollar)],
            "CLERK_PUBLISHABLE_KEY",
        ),
        (
            &[("CLERK_PUBLISHABLE_KEY", two_dollars)],
            "CLERK_PUBLISHABLE_KEY",
        ),
        (
            &[("CLERK_ISSUER", "http://clerk.shop.example")],
            "CLERK_ISSUER",
        ),
        (&[("CLERK_ISSUER", "clerk.shop.example")], "CLERK_ISSUER"),
        (
            &[issuer, ("CLERK_JWKS_URL", "http://10.0.0.1/jwks")],
            "CLERK_JWKS_URL",
        ),
        (&[issuer, ("CLERK_JWT_KEY", "no key")], "CLERK_JWT_KEY"),
        (
            &[
                issuer,
                ("CLERK_JWT_KEY", PEM),
                ("CLERK_JWKS_URL", "https://a.example/"),
            ],
            "CLERK_JWT_KEY",
        ),
        (
            &[issuer, ("CLERK_AUTHORIZED_PARTIES", "*")],
            "CLERK_AUTHORIZED_PARTIES",
        ),
        (
            &[issuer, ("CLERK_ALLOW_MISSING_AZP", "yes")],
            "CLERK_ALLOW_MISSING_AZP",
        ),
        (
            &[issuer, ("CLERK_CLOCK_SKEW_S", "61")],
            "CLERK_CLOCK_SKEW_S",
        ),
        (
            &[issuer, ("DUET_ALLOWED_ORIGINS", "")],
            "CLERK_AUTHORIZED_PARTIES",
        ),
        (&[("CLERK_JWT_KEY", PEM)], "CLERK_ISSUER"),
        (&[("CLERK_JWKS_URL", "https://a.example/")], "CLERK_ISSUER"),
    ] {
        let problems = read(settings).unwrap_err();
        let named: Vec<_> = problems.iter().map(|problem| problem.setting).collect();
        assert!(named.contains(&setting), "{settings:?}: {problems:?}");
    }
}
