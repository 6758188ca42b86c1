use std::{collections::HashMap, fs};

use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
    let map: HashMap<_, _> = pairs.iter().copied().collect();
    Config::read(|name| map.get(name).map(|value| (*value).to_owned()))
}

const MINIMAL: [(&str, &str); 2] = [
    ("TIKTOK_PIXEL_ID", "C4A1B2C3D4E5F6G7H8I9"),
    ("TIKTOK_ACCESS_TOKEN", "canary-token"),
];

fn with(more: &[(&'static str, &'static str)]) -> Result<Config, Vec<Problem>> {
    read(&[&MINIMAL, more].concat())
}

#[test]
fn two_settings_are_enough() {
    let config = with(&[]).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8787");
    assert_eq!(config.server.track_path, "/api/analytics/tiktok/track");
    assert_eq!(config.tiktok.api_base, "https://business-api.tiktok.com");
    assert_eq!(config.delivery.batch_events, 1000);
    assert!(config.country.is_none() && config.server.server_key.is_none());
}

#[test]
fn the_replaced_systems_name_for_the_pixel_works() {
    let config = read(&[
        ("NEXT_PUBLIC_TIKTOK_PIXEL_ID", "C4A1B2C3D4E5F6G7H8I9"),
        MINIMAL[1],
    ]);
    assert_eq!(
        config.unwrap().tiktok.pixel_id.as_str(),
        "C4A1B2C3D4E5F6G7H8I9"
    );
}

#[test]
fn every_problem_is_reported_at_once() {
    let problems = read(&[
        ("TIKTOK_PIXEL_ID", "';alert(1)//"),
        ("DUET_LISTEN", "8787"),
        ("DUET_TRACK_PATH", "collect"),
        ("DUET_ALLOWED_ORIGINS", "https://shop.example, *"),
        ("DUET_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("DUET_RATE_LIMIT", "many"),
        ("DUET_SERVER_KEY", "short"),
        ("DUET_COUNTRY", "Vietnam"),
        ("DUET_MONEY_EVENTS", "sometimes"),
        ("DUET_QUEUE", "kafka"),
        ("DUET_BATCH_EVENTS", "1001"),
        ("TIKTOK_API_BASE", "tiktok"),
        ("TIKTOK_TEST_EVENT_UNTIL", "2026-12-31T18:00:00+07:00"),
    ])
    .unwrap_err();
    let named: Vec<_> = problems.iter().map(|problem| problem.setting).collect();
    let expected = [
        "TIKTOK_PIXEL_ID",
        "TIKTOK_ACCESS_TOKEN",
        "TIKTOK_API_BASE",
        "TIKTOK_TEST_EVENT_UNTIL",
        "DUET_BATCH_EVENTS",
        "DUET_LISTEN",
        "DUET_TRACK_PATH",
        "DUET_ALLOWED_ORIGINS",
        "DUET_TRUSTED_PROXIES",
        "DUET_RATE_LIMIT",
        "DUET_SERVER_KEY",
        "DUET_COUNTRY",
        "DUET_QUEUE",
        "DUET_MONEY_EVENTS",
    ];
    assert_eq!(named, expected);
}

#[test]
fn a_secret_comes_from_a_file_and_never_shows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    fs::write(&path, "canary-token\n").unwrap();
    let path = path.to_str().unwrap();
    let config = read(&[MINIMAL[0], ("TIKTOK_ACCESS_TOKEN_FILE", path)]).unwrap();
    assert_eq!(config.tiktok.access_token.expose(), "canary-token");
    assert!(!format!("{config:?}").contains("canary"));

    let both = read(&[MINIMAL[0], MINIMAL[1], ("TIKTOK_ACCESS_TOKEN_FILE", path)]).unwrap_err();
    assert_eq!(both.len(), 1);
    assert!(!both[0].message.contains("canary"));
    let gone = read(&[MINIMAL[0], ("TIKTOK_ACCESS_TOKEN_FILE", "/nowhere")]).unwrap_err();
    assert_eq!((gone.len(), gone[0].setting), (1, "TIKTOK_ACCESS_TOKEN"));
}

#[test]
fn origins_are_compared_in_the_form_browsers_send() {
    let config = with(&[(
        "DUET_ALLOWED_ORIGINS",
        "https://Shop.example:443/,http://localhost:3000",
    )])
    .unwrap();
    let origins: Vec<_> = config
        .server
        .allowed_origins
        .iter()
        .map(Origin::as_str)
        .collect();
    assert_eq!(origins, ["https://shop.example", "http://localhost:3000"]);
    for wrong in [
        "https://shop.example/path",
        "shop.example",
        "https://*.example",
        "null",
        "ftp://a.example",
    ] {
        assert!(wrong.parse::<Origin>().is_err(), "{wrong}");
    }
}

#[test]
fn what_is_set_and_has_no_effect_is_known() {
    let config = with(&[("DUET_PIXELS_FILE", "x"), ("CLERK_ISSUER", " ")]).unwrap();
    assert_eq!(config.without_effect, ["DUET_PIXELS_FILE"]);
}

#[test]
fn test_mode_ends_by_itself() {
    let config = with(&[
        ("TIKTOK_TEST_EVENT_CODE", "TEST123"),
        ("TIKTOK_TEST_EVENT_UNTIL", "1970-01-01T00:00:10Z"),
    ]);
    let test = config.unwrap().tiktok.test.unwrap();
    assert_eq!(test.code_at(9_999), Some("TEST123"));
    assert_eq!(test.code_at(10_000), None);
}

#[test]
fn the_example_file_lists_every_setting_as_it_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../.env.example");
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        settings::env_example(),
        ".env.example is the text of settings::env_example()"
    );
}
