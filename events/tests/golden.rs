//! The golden files: what a page posts, and what TikTok gets for it.
#![cfg(feature = "serde")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is a failed test"
)]

use std::{collections::BTreeSet, fs, path::Path};

use duet_events::{
    Claim, Country, name,
    wire::{Body, Text},
};
use serde_json::Value;

fn golden_files() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (
                name,
                serde_json::from_slice(&fs::read(path).unwrap()).unwrap(),
            )
        })
        .collect()
}

#[test]
fn every_standard_event_has_a_golden_file() {
    let names: BTreeSet<_> = golden_files().into_iter().map(|(name, _)| name).collect();
    for name in name::STANDARD {
        assert!(names.contains(name), "{name}");
    }
}

#[test]
fn what_a_page_posts_becomes_what_tiktok_gets() {
    for (name, golden) in golden_files() {
        let body = golden["body"].to_string();
        let text = Text::read(body.as_bytes());
        let mut body = Body::open(&text).unwrap();
        let claim = Claim::read(body.events.remove(0), Country::parse("VN")).unwrap();
        assert_eq!(claim.warnings, [], "{name}");
        let time = claim.time.unwrap();
        assert_eq!(claim.happened_at(None, time * 1000), Ok(time));
        let id = claim.id.clone().unwrap();
        let event = serde_json::to_value(claim.into_event(id, time)).unwrap();
        assert_eq!(event, golden["tiktok"], "{name}");
    }
}
