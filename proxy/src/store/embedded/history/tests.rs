use std::path::Path;

use super::*;
use crate::{
    decide::Books as _,
    history::{Ended, Sent, Trace},
    store::{
        Commit, Embedded, Expired, Position, Reader as _, Source as _, Store as _, embedded::Writer,
    },
};

const HOUR_MS: i64 = 60 * 60 * 1000;
const ALL: Most = Most {
    count: usize::MAX,
    bytes: usize::MAX,
};

fn opened(folder: &Path) -> (Embedded, Writer) {
    let store = Embedded::at(folder).unwrap();
    let writer = store.open().unwrap();
    (store, writer)
}

fn event(id: &str, order: &str) -> Vec<u8> {
    let event = serde_json::json!({
        "event": "Purchase", "event_time": 1, "event_id": id, "user": { "ttclid": "E.C.P.x" },
        "properties": { "value": 29.5, "currency": "USD", "order_id": order },
    });
    event.to_string().into_bytes()
}

/// Writes events that ended together, each with its order. All of them were accepted an hour before they ended.
fn write(writer: &mut Writer, at_ms: i64, events: &[(&str, &str)]) {
    let salt = writer.salt();
    let accepted_ms = at_ms - HOUR_MS;
    let ended = |(id, order): &(&str, &str)| {
        Ended::of(&event(id, order), Trace::default(), accepted_ms, &salt)
    };
    let mut records = Records::default();
    let end = End {
        pixel_id: "P".to_owned(),
        is_test: false,
        outcome: "delivered".to_owned(),
        code: Some(0),
        request_id: Some(format!("R{at_ms}")),
        at_ms,
        sent: Sent {
            attempts: 1,
            batch: 2,
        },
        events: events.iter().map(ended).collect(),
    };
    records.ends.insert(LetterId::new(at_ms, 1), end);
    commit(writer, records);
}

fn commit(writer: &mut Writer, records: Records) {
    let mut commit = Commit {
        rows: Vec::new(),
        settled: Vec::new(),
        records,
        position: &mut Position::default(),
        probe_ms: None,
        sync: false,
    };
    writer.write(&mut commit).unwrap();
}

fn expired(history_ms: i64, hours_ms: i64) -> Expired {
    Expired {
        keys_ms: 0,
        letters_ms: 0,
        history_ms,
        hours_ms,
    }
}

fn times(store: &Embedded) -> Vec<i64> {
    let ends = store.ends(None, ALL).unwrap();
    ends.iter().map(|(_, end)| end.at_ms).collect()
}

#[test]
fn an_ended_event_is_found_by_each_of_its_ids_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut writer) = opened(folder.path());
    write(&mut writer, 2 * HOUR_MS, &[("a", "A"), ("b", "B")]);
    // The row of these events is so large that the store compresses it.
    let many: Vec<_> = (0..40).map(|number| format!("many-{number}")).collect();
    let many: Vec<_> = many.iter().map(|id| (id.as_str(), "MANY")).collect();
    write(&mut writer, 3 * HOUR_MS, &many);
    let salt = writer.salt();
    drop(writer);
    drop(store);
    let (store, writer) = opened(folder.path());
    assert_eq!(writer.salt(), salt);
    let by = |wanted: &Wanted| {
        let found = store.find_ends(wanted, 1_000).unwrap().into_iter();
        let times = found.map(|(_, end)| (end.at_ms / HOUR_MS, end.events.len()));
        times.collect::<Vec<_>>()
    };
    let wanted = Wanted::default();
    assert_eq!(by(&wanted), []);
    let order = |id| Some(salt.order(id));
    for (wanted, found) in [
        (
            Wanted {
                order: order("A"),
                ..wanted.clone()
            },
            vec![(2, 1)],
        ),
        (
            Wanted {
                order: order("MANY"),
                ..wanted.clone()
            },
            vec![(3, 40)],
        ),
        (
            Wanted {
                order: order("a"),
                ..wanted.clone()
            },
            vec![],
        ),
        (
            Wanted {
                events: vec![salt.event("b"), salt.event("many-7")],
                ..wanted.clone()
            },
            vec![(3, 1), (2, 1)],
        ),
        (
            Wanted {
                request_id: Some(format!("R{}", 2 * HOUR_MS)),
                ..wanted.clone()
            },
            vec![(2, 2)],
        ),
        (
            Wanted {
                request_id: Some(String::new()),
                ..wanted
            },
            vec![],
        ),
    ] {
        assert_eq!(by(&wanted), found, "{wanted:?}");
    }
    let hours = store.hours(0..i64::MAX).unwrap();
    let counts: Vec<_> = hours
        .iter()
        .map(|(start_ms, hour)| (start_ms / HOUR_MS, hour.lines[0].events))
        .collect();
    assert_eq!(counts, [(1, 2), (2, 40)]);
}

#[test]
fn old_ends_and_ends_that_are_too_many_are_removed_and_the_counts_stay() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut writer) = opened(folder.path());
    for hour in 2..12 {
        write(&mut writer, hour * HOUR_MS, &[("a", "A"), ("b", "B")]);
    }
    writer.expire(expired(4 * HOUR_MS, 2 * HOUR_MS)).unwrap();
    let left =
        |hours: std::ops::Range<i64>| hours.rev().map(|hour| hour * HOUR_MS).collect::<Vec<_>>();
    assert_eq!(times(&store), left(4..12));
    let hours = store.hours(0..i64::MAX).unwrap();
    assert_eq!(
        hours.first().map(|(start_ms, _)| *start_ms),
        Some(2 * HOUR_MS)
    );
    assert_eq!(hours.len(), 9);
    writer.history.most = 7;
    writer.tidy().unwrap();
    assert_eq!(times(&store), left(9..12));
    drop(writer);
    drop(store);
    let (store, mut writer) = opened(folder.path());
    writer.history.most = 7;
    assert_eq!(writer.history.surplus(), 0);
    write(&mut writer, 12 * HOUR_MS, &[("a", "A"), ("b", "B")]);
    assert_eq!(writer.history.surplus(), 1);
    writer.tidy().unwrap();
    assert_eq!(times(&store), left(10..13));
    let events = |hours: Vec<(i64, Hour)>| {
        let lines = hours.into_iter().flat_map(|(_, hour)| hour.lines);
        lines.map(|line| line.events).sum::<u64>()
    };
    assert_eq!(events(store.hours(0..i64::MAX).unwrap()), 20);
}

#[test]
fn the_records_of_a_withdrawn_order_are_gone_and_later_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut writer) = opened(folder.path());
    write(&mut writer, 2 * HOUR_MS, &[("a", "A"), ("b", "B")]);
    let order = writer.salt().order("A");
    let mut records = Records::default();
    records.covered.insert(order, 2 * HOUR_MS);
    commit(&mut writer, records);
    write(&mut writer, 3 * HOUR_MS, &[("c", "A")]);
    let wanted = Wanted {
        order: Some(order),
        ..Wanted::default()
    };
    let found = |store: &Embedded| {
        let found = store.find_ends(&wanted, 10).unwrap();
        found.iter().map(|(_, end)| end.at_ms).collect::<Vec<_>>()
    };
    assert_eq!(found(&store), [3 * HOUR_MS]);
    let shown = store.ends(None, ALL).unwrap();
    let shown: Vec<_> = shown.iter().map(|(_, end)| end.events.len()).collect();
    assert_eq!(shown, [1, 1]);
    assert_eq!(store.covered(order).unwrap(), Some(2 * HOUR_MS));
    writer.expire(expired(2 * HOUR_MS + 1, 0)).unwrap();
    assert_eq!(store.covered(order).unwrap(), None);
    assert_eq!(found(&store), [3 * HOUR_MS]);
}

#[test]
fn a_torn_end_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut writer) = opened(folder.path());
    let many: Vec<_> = (0..40).map(|number| format!("many-{number}")).collect();
    let many: Vec<_> = many.iter().map(|id| (id.as_str(), "A")).collect();
    write(&mut writer, HOUR_MS, &many);
    let (_, end) = store.ends(None, ALL).unwrap().remove(0);
    let value = packed(&end).unwrap();
    assert_eq!(read(&value).unwrap(), end);
    for length in 0..value.len() {
        assert!(read(&value[..length]).is_err(), "{length} bytes");
    }
    let endless = [&[0; 4][..], &[0xff; 4], &[0; 9]].concat();
    assert!(read(&endless).is_err());
}
