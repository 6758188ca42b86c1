//! All that can be seen of a store, as text: two stores that read the same are in the same state.

use duet_proxy::{
    decide::{Books as _, HeldId},
    store::{Error, LaneId, Most, Source, Store},
};

/// What an open store contains, but for the numbers of its events, which are names.
///
/// # Errors
/// When it cannot be read.
pub fn sight<S: Source>(source: &S, store: &S::Store) -> Result<String, Error> {
    let position = store.position()?;
    let mut lines = Vec::new();
    for place in &position.places {
        let lane = LaneId {
            destination: place.destination.clone(),
            class: place.class,
        };
        for (row, settled) in source.rows(&lane, place.head, usize::MAX)? {
            let waits = |index: &u32| !settled.iter().any(|range| range.contains(index));
            lines.extend((0..row.events()).filter(waits).map(|index| {
                let event = String::from_utf8_lossy(row.event(index)).into_owned();
                format!("{lane:?} since {}: {event}", row.accepted_at_ms)
            }));
        }
    }
    let mut records = Vec::new();
    let page = store.page(&[], usize::MAX - 1)?;
    records.extend(page.orders.iter().map(|order| json(order, "held")));
    records.extend(page.payments.iter().map(|payment| json(payment, "")));
    for (id, order_id) in store.held_until(i64::MAX, usize::MAX)? {
        let held = store.held(id)?;
        let HeldId { until_ms, .. } = id;
        records.push(format!("{order_id} until {until_ms}: {}", json(&held, "")));
    }
    let all = Most {
        count: usize::MAX,
        bytes: usize::MAX,
    };
    let letters = source.letters(None, all)?;
    records.extend(letters.iter().map(|(_, letter)| json(letter, "")));
    records.sort_unstable();
    lines.extend(records);
    lines.push(format!(
        "{} wait, {} are held",
        position.waiting(),
        position.held
    ));
    Ok(lines.join("\n"))
}

/// A record, without the numbers in one of its lists.
fn json(record: &impl serde::Serialize, list: &str) -> String {
    let mut value = serde_json::to_value(record).unwrap_or_default();
    let list = value
        .get_mut(list)
        .and_then(serde_json::Value::as_array_mut);
    for item in list.into_iter().flatten() {
        if let Some(item) = item.as_object_mut() {
            item.remove("sequence");
        }
    }
    value.to_string()
}
