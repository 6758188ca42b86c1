//! Bodies as other senders write them: server containers, platforms, plugins, libraries, pages. All are accepted but for
//! their event names and a time that is none, and what TikTok gets has its types and no personal data in the clear.
#![cfg(feature = "serde")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::too_many_lines,
    reason = "a panic is a failed test, and a table is as long as it is"
)]

use std::{fs, path::Path};

use duet_events::{
    Claim, Country, EventId,
    wire::{Body, Text},
};
use serde_json::{Value, value::RawValue};

#[derive(serde::Deserialize)]
struct Sample {
    from: String,
    /// The rule for which it is rejected.
    rejected: Option<String>,
    body: Box<RawValue>,
}

fn samples() -> Vec<Sample> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let files = fs::read_dir(folder).unwrap();
    let read = |path| serde_json::from_slice::<Vec<Sample>>(&fs::read(path).unwrap()).unwrap();
    files.flat_map(|file| read(file.unwrap().path())).collect()
}

#[test]
fn what_other_senders_write_is_accepted_but_for_its_names() {
    let samples = samples();
    assert!(samples.len() >= 90, "only {}", samples.len());
    for Sample {
        from,
        rejected,
        body,
    } in &samples
    {
        let text = Text::read(body.get().as_bytes());
        let mut body = Body::open(&text).unwrap();
        match (
            Claim::read(body.events.remove(0), Country::parse("VN")),
            rejected,
        ) {
            (Ok(claim), None) => {
                let warnings = format!("{:?}", claim.warnings);
                assert!(!warnings.contains("example"), "{from}: {warnings}");
                let id = EventId::parse("id").unwrap();
                let event = serde_json::to_value(claim.into_event(id, 1)).unwrap();
                is_tiktoks(&event, from);
            }
            (Err(refusal), Some(rule)) => assert_eq!(refusal.errors[0].rule(), rule, "{from}"),
            (Ok(_), Some(_)) => panic!("{from} is accepted"),
            (Err(refusal), None) => panic!("{from}: {:?}", refusal.errors),
        }
    }
    let rejected = samples
        .iter()
        .filter_map(|sample| sample.rejected.as_deref());
    let is_name = |rule: &&str| matches!(*rule, "event_name" | "reserved_name");
    let (names, others): (Vec<_>, Vec<_>) = rejected.partition(is_name);
    assert!(names.len() < 12);
    // The stated exception: an empty `event_time`. No time can be read from it, and "now" would be wrong.
    assert_eq!(others, ["unix_seconds"]);
}

/// The types that TikTok checks, and nothing of a person that is no digest.
fn is_tiktoks(event: &Value, from: &str) {
    let text = event.to_string();
    assert!(
        !text.contains("@example") && !text.contains("%40"),
        "{from}: {text}"
    );
    assert!(
        !text.contains("0901234567") && !text.contains("14155550123"),
        "{from}: {text}"
    );
    let properties = &event["properties"];
    for (name, value) in properties.as_object().into_iter().flatten() {
        let fits = match name.as_str() {
            "contents" => value.is_array(),
            "value" | "predicted_ltv" => value.is_number(),
            "num_items" => value.is_i64(),
            "content_ids" => value.as_array().unwrap().iter().all(Value::is_string),
            "currency"
            | "order_id"
            | "shop_id"
            | "query"
            | "search_string"
            | "description"
            | "status"
            | "delivery_category"
            | "gtm_version"
            | "event_trigger_source" => value.is_string(),
            "content_type" => value == "product" || value == "product_group",
            _ => true,
        };
        assert!(fits, "{from}: {name} is {value}");
    }
    for item in properties["contents"].as_array().into_iter().flatten() {
        for (name, value) in item.as_object().unwrap() {
            let fits = match name.as_str() {
                "content_id" | "content_name" | "content_category" | "brand" | "description" => {
                    value.is_string()
                }
                "price" => value.as_f64().is_some_and(|price| price >= 0.0),
                "quantity" => value.is_u64(),
                _ => name != "content_type",
            };
            assert!(fits, "{from}: {name} is {value}");
        }
    }
}
