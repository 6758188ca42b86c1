//! The visible content of a store as text. If two stores have the same text, they are in the same state.

use duet_proxy::{
    decide::{Books as _, HeldId, Lookup, Payment},
    history::Wanted,
    orders::Order,
    payments::{Name, memo::normalised},
    store::{Error, LaneId, Most, Scanned, Source, Store},
};

/// The stored orders and payments.
#[derive(Default)]
struct Kept {
    orders: Vec<Order>,
    payments: Vec<Payment>,
}

/// Returns the content of an open store, without the sequence numbers of its events. Two stores in the same state can number the
/// same events differently.
///
/// # Errors
/// Returns an error if the store cannot be read.
pub fn sight<S: Source>(source: &S, store: &S::Store) -> Result<String, Error> {
    let mut position = store.position()?;
    position
        .places
        .sort_by_key(|place| (place.destination.clone(), place.class));
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
    let mut kept = Kept::default();
    store.scan(&[], usize::MAX - 1, &mut |scanned| match scanned {
        Scanned::Order(order) => kept.orders.push(order.clone()),
        Scanned::Payment(payment) => kept.payments.push(payment.clone()),
    })?;
    records.extend(kept.orders.iter().map(|order| json(order, "held")));
    records.extend(kept.payments.iter().map(|payment| json(payment, "")));
    for (id, order_id) in store.held_until(i64::MAX, usize::MAX)? {
        let held = store.held(id)?;
        let HeldId { until_ms, .. } = id;
        records.push(format!("{order_id} until {until_ms}: {}", json(&held, "")));
    }
    records.extend(names(store, &kept)?);
    let all = Most {
        count: usize::MAX,
        bytes: usize::MAX,
    };
    let letters = source.letters(None, all)?;
    records.extend(letters.iter().map(|(_, letter)| json(letter, "")));
    records.extend(history(source, store, &kept)?);
    records.sort_unstable();
    lines.extend(records);
    lines.push(format!(
        "{} wait, {} are held",
        position.waiting(),
        position.held
    ));
    Ok(lines.join("\n"))
}

/// Returns the history without its digests, because each store has its own salt and so other digests. The entries that a
/// search by these digests finds are included.
fn history<S: Source>(source: &S, store: &S::Store, kept: &Kept) -> Result<Vec<String>, Error> {
    let all = Most {
        count: usize::MAX,
        bytes: usize::MAX,
    };
    let mut lines = Vec::new();
    let mut found = vec![("all", source.ends(None, all)?)];
    for order in &kept.orders {
        let wanted = Wanted {
            order: Some(store.salt().order(order.id())),
            ..Wanted::default()
        };
        found.push((order.id(), source.find_ends(&wanted, usize::MAX)?));
        let paid = source.payments_of(order.id())?;
        let mut paid: Vec<_> = paid.iter().map(|payment| json(payment, "")).collect();
        paid.sort_unstable();
        lines.push(format!("{}: {paid:?}", order.id()));
    }
    for (name, ends) in found {
        for (_, mut end) in ends {
            for ended in std::mem::take(&mut end.events) {
                let has_order = ended.order.is_some();
                let (at, value) = (ended.accepted_ms, ended.value);
                let (name_of, trace) = (&ended.name, &ended.trace);
                lines.push(format!(
                    "{name}: {end:?}: {name_of} at {at}, {trace}, {value:?}, with an order: {has_order}"
                ));
            }
        }
    }
    for (start_ms, mut hour) in source.hours(0..i64::MAX)? {
        hour.lines.sort_by_cached_key(|line| format!("{line:?}"));
        lines.push(format!("{start_ms}: {hour:?}"));
    }
    Ok(lines)
}

/// Returns what is found under the names of orders and payments.
fn names<S: Store>(store: &S, kept: &Kept) -> Result<Vec<String>, Error> {
    let mut names: Vec<Lookup> = Vec::new();
    for order in &kept.orders {
        let id = order.id().to_owned();
        names.push(Lookup::Code(normalised(&id)));
        names.push(Lookup::Waiting(Name::Order(id)));
        for (provider, code) in order.references().clone() {
            names.push(Lookup::Reference { provider, code });
        }
    }
    for payment in &kept.payments {
        for id in &payment.also {
            let (provider, id) = (payment.provider.clone(), id.clone());
            names.push(Lookup::Also { provider, id });
        }
        let waiting = payment.waits_for.iter().cloned();
        names.extend(waiting.map(Lookup::Waiting));
    }
    let line = |name: Lookup| {
        let found = store.found(&name)?;
        Ok(format!("{name:?}: {found:?}"))
    };
    let mut lines = names
        .into_iter()
        .map(line)
        .collect::<Result<Vec<_>, Error>>()?;
    let mut withdrawn = store.withdrawn()?;
    withdrawn.sort_unstable();
    lines.push(format!("withdrawn: {withdrawn:?}"));
    Ok(lines)
}

/// Returns a record as JSON, without the numbers in one of its lists.
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
