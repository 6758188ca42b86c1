//! Collects what the store and the running proxy know about an id, for [`why`](crate::why).

use duet_events::{EventId, name::STANDARD};

use crate::{
    app::Shared,
    config::payments::Payments,
    history::{Ended, Salt, Wanted},
    http::payments::WEBHOOKS,
    orders::Order,
    payments::sepay,
    queue::{self, Error, Found, History, Intake},
    store::Ends,
    why::{Arrived, Chain, Facts, Pending, PixelState, Settings, explain, is_money},
};

/// The largest number of ended events in an answer.
const MOST: usize = 100;

/// Explains what happened to an id, in the running proxy.
///
/// # Errors
/// [`Error::Stopped`] and [`Error::Store`] if the disk fails.
pub async fn why(app: &Shared, id: String) -> Result<Chain, Error> {
    let mut facts = stored(&app.intake, id).await?;
    of_process(&mut facts, app).await;
    if !facts.is_known()
        && let Some(id) = spelt_otherwise(&app.intake, facts.id.clone()).await?
    {
        facts = stored(&app.intake, id).await?;
        of_process(&mut facts, app).await;
    }
    Ok(explain(&facts))
}

/// Explains what happened to an id, as far as the store knows it.
///
/// # Errors
/// The same as those of [`why`].
pub async fn why_stopped(intake: &Intake, id: String) -> Result<Chain, Error> {
    let mut facts = stored(intake, id).await?;
    if !facts.is_known()
        && let Some(id) = spelt_otherwise(intake, facts.id.clone()).await?
    {
        facts = stored(intake, id).await?;
    }
    Ok(explain(&facts))
}

async fn stored(intake: &Intake, id: String) -> Result<Facts, Error> {
    let intake = intake.clone();
    queue::blocking(move || of_store(&intake, &id)).await
}

async fn spelt_otherwise(intake: &Intake, id: String) -> Result<Option<String>, Error> {
    let orders = intake.orders().clone();
    queue::blocking(move || orders.spelt_otherwise(&id)).await
}

/// Reads the name of a transfer as the lists of transfers show it, such as `sepay 18`. Returns the provider and the provider's
/// id of the transfer. If the text has no provider's name, the whole text is the id, and the provider can be any.
fn transfer(text: &str) -> (Option<&'static str>, &str) {
    let named = text.split_once(' ').and_then(|(name, id)| {
        let mut names = WEBHOOKS.iter().map(|webhook| webhook.provider);
        let provider = names.find(|provider| provider.eq_ignore_ascii_case(name))?;
        Some((Some(provider), id.trim()))
    });
    named.unwrap_or((None, text))
}

/// Collects what the store knows about an id. Reads from the disk.
fn of_store(intake: &Intake, id: &str) -> Result<Facts, Error> {
    let history = intake.history();
    let mut facts = Facts {
        id: id.to_owned(),
        now_ms: intake.clock().day_ms(),
        ..Facts::default()
    };
    let (named, transfer_id) = transfer(id);
    let is_meant = |provider: &str| named.is_none_or(|named| named == provider);
    let providers = WEBHOOKS.iter().map(|webhook| webhook.provider);
    for provider in providers.filter(|provider| is_meant(provider)) {
        let payment = history.payment(provider, transfer_id)?;
        facts.payments.extend(payment);
    }
    for id in sepay::ids_of(transfer_id).filter(|_| is_meant(sepay::PROVIDER)) {
        facts
            .payments
            .extend(history.payment(sepay::PROVIDER, &id)?);
    }
    if facts.payments.is_empty() {
        facts.payments = history.payments_of(id)?;
    }
    let paid = facts
        .payments
        .iter()
        .find_map(|payment| payment.order_id.clone());
    let mut order_id = paid.unwrap_or_else(|| id.to_owned());
    let mut found = Search::of(intake, id, &order_id)?;
    // If the event is a sale, the answer explains its whole order. If it is another event, the answer explains only the event.
    if let Some((name, named)) = found.event(history, id)? {
        if is_money(&name)
            && let Some(named) = &named
        {
            order_id.clone_from(named);
            found = Search::of(intake, id, named)?;
        }
        facts.order_id = named;
    } else if order_id != id {
        facts.order_id = Some(order_id.clone());
    }
    facts.withdrawn_ms = history.removed(&order_id)?;
    for found in found.waiting {
        wait(&mut facts, found, history.salt());
    }
    let refused = found.ends.iter().find(|(_, end)| end.outcome == "refused");
    if let Some((letter, _)) = refused {
        let letter = history.letter(*letter)?;
        facts.message = letter.and_then(|letter| letter.message);
    }
    facts.ends = found.ends.into_iter().map(|(_, end)| end).collect();
    facts.order = found.order;
    if facts.payments.is_empty() && facts.order.is_some() {
        facts.payments = history.payments_of(&order_id)?;
    }
    Ok(facts)
}

/// What the store has about an id and about an order. The id can be the order's id, or the id of an event or transfer of the
/// order.
struct Search {
    order: Option<Order>,
    waiting: Vec<Found>,
    ends: Ends,
}

impl Search {
    /// Searches once through all events for the id and for the order. Reads from the disk.
    fn of(intake: &Intake, id: &str, order_id: &str) -> Result<Self, Error> {
        let history = intake.history();
        let order = intake.orders().find(order_id)?;
        let ids = event_ids(order.as_ref(), order_id).into_iter();
        let ids = ids.chain([id.to_owned()]);
        let wanted = Wanted {
            events: ids.map(|id| history.salt().event(&id)).collect(),
            order: Some(history.salt().order(order_id)),
            request_id: Some(id.to_owned()),
        };
        Ok(Self {
            order,
            waiting: history.waiting(id, order_id)?,
            ends: history.find(&wanted, MOST)?,
        })
    }

    /// Returns the name of the event with this id, and the order that it names.
    fn event(
        &self,
        history: &History,
        id: &str,
    ) -> Result<Option<(String, Option<String>)>, Error> {
        let event = history.salt().event(id);
        let is_it = |found: &&Found| found.event_id == id;
        if let Some(found) = self.waiting.iter().find(is_it) {
            return Ok(Some((found.name.clone(), found.order_id.clone())));
        }
        let mut ended = self.ends.iter().flat_map(|(_, end)| &end.events);
        let Some(ended) = ended.find(|ended| ended.event == event) else {
            return Ok(None);
        };
        let order = ended.order.map(|order| history.order_of(order));
        Ok(Some((ended.name.clone(), order.transpose()?.flatten())))
    }
}

/// Adds an event that waits for its delivery or for a payment.
fn wait(facts: &mut Facts, found: Found, salt: Salt) {
    let ended = Ended::of(&found.event, found.trace, found.accepted_ms, &salt);
    let event = Arrived {
        name: ended.name,
        accepted_ms: ended.accepted_ms,
        happened_s: ended.happened_s,
        trace: ended.trace,
    };
    if found.is_held {
        facts.held.push(event);
    } else {
        facts.pending.push(Pending {
            event,
            pixel_id: found.destination.pixel_id.clone(),
            is_test: found.destination.test_event_code.is_some(),
            number: found.number,
            tried: None,
        });
    }
}

/// Returns the ids that the events of an order can have: the ids that are derived from the order, and the ids of the order's
/// reported events.
fn event_ids(order: Option<&Order>, order_id: &str) -> Vec<String> {
    let derived = STANDARD.iter().map(|name| EventId::derive(name, order_id));
    let reported = order
        .into_iter()
        .flat_map(|order| order.reported().values());
    derived.map(Into::into).chain(reported.cloned()).collect()
}

/// Adds what only the running proxy knows: recent requests, the state of delivery, and the settings.
async fn of_process(facts: &mut Facts, app: &Shared) {
    let order_id = facts.order.as_ref().map_or(&*facts.id, Order::id);
    let mut ids = event_ids(facts.order.as_ref(), order_id);
    ids.push(facts.id.clone());
    (facts.refused, facts.repeats) = app.recent.of(&ids);
    for pending in &mut facts.pending {
        let number = pending.number;
        pending.tried = number.and_then(|number| app.health.tried(&pending.pixel_id, number));
    }
    for (pixel_id, state) in app.health.pixels() {
        let state = PixelState {
            is_configured: false,
            is_barred: state.is_barred(),
            is_down: state.is_down,
            last_code: state.last_code,
        };
        facts.pixels.insert(pixel_id, state);
    }
    for pixel in app.pixels.now().iter() {
        let pixel_id = pixel.id.as_str().to_owned();
        facts.pixels.entry(pixel_id).or_default().is_configured = true;
    }
    let payments = app.payments.iter();
    for (provider, _) in payments.flat_map(Payments::providers) {
        let state = app.recent.webhook(provider);
        facts.webhooks.insert(provider.to_owned(), state);
    }
    facts.settings = Settings {
        is_running: true,
        is_clock_suspect: app.intake.clock().suspect().is_some(),
        is_writable: app.intake.is_writable().await,
    };
}
