use std::{collections::HashMap, fs, os::unix::fs::PermissionsExt};

use super::*;
use crate::config::TikTok;

const A: &str = "CAAAAAAAAAAAAAAAAAAA";
const B: &str = "CBBBBBBBBBBBBBBBBBBB";
const C: &str = "CCCCCCCCCCCCCCCCCCCC";

/// Makes settings with these pixels. The second value of each pixel is the line with its origins in the pixels file.
fn settings(pixels: &[(&str, &str)], more: &[(&str, &str)]) -> (Settings, Config) {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "token").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let tables = pixels.iter().map(|(id, more)| {
        format!("[[pixels]]\npixel_id = \"{id}\"\naccess_token_file = \"token\"\n{more}\n")
    });
    let file = folder.path().join("pixels.toml");
    fs::write(&file, tables.collect::<String>()).unwrap();
    let mut map = HashMap::from([("DUET_PIXELS_FILE", file.to_str().unwrap())]);
    map.extend(more.iter().copied());
    let lookup = |name: &str| map.get(name).map(|value| (*value).to_owned());
    let settings = TikTok::reload(lookup).unwrap();
    (settings, Config::read(lookup).unwrap())
}

fn configured(pixels: &[(&str, &str)], more: &[(&str, &str)]) -> Arc<Configured> {
    Pixels::new(&settings(pixels, more).1).now()
}

/// Returns first the pixel that gets events that name no pixel, then the other pixels that an event may name.
fn open<'a>(pixels: &'a Configured, from: &From<'_>) -> Vec<&'a str> {
    let choice = pixels.choice(from, 0);
    assert!(choice[0].is_open);
    let open = choice.iter().filter(|pixel| pixel.is_open);
    open.map(|pixel| pixel.id).collect()
}

#[test]
fn a_page_names_only_pixels_that_list_its_origin() {
    let pixels = configured(
        &[
            (A, "origins = ['https://a.example', 'https://all.example']"),
            (
                B,
                "origins = ['https://all.example', 'https://shop.example']",
            ),
            (
                C,
                "origins = ['https://all.example', 'http://Shop.example:8080']",
            ),
        ],
        &[("DUET_ALLOWED_ORIGINS", "https://x.example")],
    );
    let page = |origin| From::Page {
        origin,
        is_own: false,
    };
    for (from, expected) in [
        (From::Anywhere, &[A, B, C][..]),
        (page("https://a.example"), &[A]),
        (page("https://all.example"), &[A, B, C]),
        (page("https://shop.example"), &[B]),
        (page("http://shop.example:8080"), &[C]),
        // No pixel lists this origin, so the first pixel gets the event.
        (page("https://x.example"), &[A]),
        (From::OwnHidden(vec!["SHOP.example"]), &[B]),
        (From::OwnHidden(vec!["shop.example:8080"]), &[C]),
        (From::OwnHidden(vec!["other.example"]), &[A]),
    ] {
        assert_eq!(open(&pixels, &from), expected, "{from:?}");
    }
}

#[test]
fn the_pixel_of_the_variables_has_the_allowed_origins_and_the_proxys_own() {
    let pixels = configured(
        &[(B, "origins = ['https://b.example', 'https://both.example']")],
        &[
            ("TIKTOK_PIXEL_ID", A),
            ("TIKTOK_ACCESS_TOKEN", "own"),
            ("DUET_ALLOWED_ORIGINS", "https://both.example"),
        ],
    );
    let page = |origin, is_own| From::Page { origin, is_own };
    for (from, expected) in [
        (page("https://own.example", true), &[A][..]),
        (From::OwnHidden(vec!["own.example"]), &[A]),
        (page("https://both.example", false), &[A, B]),
        (page("https://b.example", false), &[B]),
    ] {
        assert_eq!(open(&pixels, &from), expected, "{from:?}");
    }
}

#[test]
fn listed_origins_are_allowed() {
    let pixels = configured(
        &[(A, "origins = ['https://a.example']"), (B, "")],
        &[("DUET_ALLOWED_ORIGINS", "https://x.example")],
    );
    for (origin, expected) in [
        ("https://a.example", true),
        ("https://x.example", true),
        ("https://b.example", false),
        ("https://A.example", false),
    ] {
        assert_eq!(
            pixels.allowed(origin.as_bytes()).is_some(),
            expected,
            "{origin}"
        );
    }
}

#[test]
fn a_removed_pixel_keeps_its_token_and_is_named_no_more() {
    let (_, config) = settings(&[(A, ""), (B, "test_event_code = 'TEST1'")], &[]);
    let pixels = Pixels::new(&config);
    let test = |pixels: &Pixels| {
        let now = pixels.now();
        now.in_test(0)
            .map(|pixel| pixel.id.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(test(&pixels), [B]);
    pixels.replace(settings(&[(C, ""), (A, "")], &[]).0);
    let now = pixels.now();
    assert_eq!(open(&now, &From::Anywhere), [C, A]);
    assert!(now.token(B).is_some() && !now.has(B) && now.has(C));
    assert_eq!(now.destinations_at(0).first.pixel_id, C);
    assert!(test(&pixels).is_empty() && now.token("CDDDDDDDDDDDDDDDDDDD").is_none());
}
