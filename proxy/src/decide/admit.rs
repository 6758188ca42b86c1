//! Admission: decides which events are new, and which are held until their order is paid.

use super::{
    Books, Changes, Class, Decision, DedupKey, Fault, Lookup, Reads, Remember, To,
    transaction::Transaction,
};
use crate::{
    clock::Times,
    history::Trace,
    orders::{By, EventText, Order},
    outcome::Outcome,
};

/// Admits the events of one call.
#[derive(Clone, Debug)]
pub struct Admit<I>(pub I);

/// An event that a call wants to enqueue.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The deduplication key. Events with the same key are the same event.
    pub key: DedupKey,
    /// How long a repeat of the event is recognised.
    pub remember: Remember,
    /// The destination of the event.
    pub destination: &'a To,
    /// The class, which decides how early the event is delivered.
    pub class: Class,
    /// How the event arrived.
    pub trace: &'a Trace,
    /// The order that the event names, and what the event means for that order.
    pub note: Option<&'a Note>,
    /// The event that TikTok receives, as JSON.
    pub json: &'a [u8],
}

/// What an event means for the order it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The order.
    pub order_id: String,
    /// The caller who names the order.
    pub by: By,
    /// The meaning of the event for the order.
    pub part: Part,
}

/// The meaning of an event for the order that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The event changes nothing, except that a known order stores the visitor's data.
    Mentions,
    /// The event begins the order.
    Begins,
    /// The event reports that the order is paid. The sender of the event is trusted.
    Reports,
    /// The event reports that the order is paid. Its sender is not trusted, so the event is held until a payment arrives.
    Claims,
}

/// The result for an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// The event is on disk.
    Accepted,
    /// An event with this key was accepted before.
    Duplicate,
    /// The event is on disk, and is held until its order is paid.
    Held,
}

impl<'a, I: Iterator<Item = Event<'a>> + Clone> Decision<'a> for Admit<I> {
    type Reply = Vec<Enqueued>;

    fn reads(&self) -> Reads {
        let mut reads = Reads::default();
        for event in self.0.clone() {
            reads.keys.insert(event.key, event.remember);
            if let Some(note) = event.note {
                reads.order(&note.order_id);
            }
        }
        reads
    }

    fn decide<B: Books + ?Sized>(
        &self,
        books: &B,
        now: Times,
    ) -> Result<(Changes<'a>, Self::Reply), B::Error> {
        let mut transaction = Transaction::new(books, now);
        let mut results = Vec::with_capacity(self.0.size_hint().0);
        for event in self.0.clone() {
            let is_repeat = transaction.knows(&event.key)?;
            let result = match event.note {
                None => transaction.take(&event, is_repeat),
                Some(note) => transaction.admit_noted(&event, note, is_repeat)?,
            };
            if result != Enqueued::Duplicate {
                transaction.learn(event.key, event.remember);
                let pixel = event.trace.pixel_label();
                transaction.changes.counts.accepted(pixel, 1);
            }
            results.push(result);
        }
        Ok((transaction.changes, results))
    }
}

impl<'a, B: Books + ?Sized> Transaction<'a, '_, B> {
    /// Accepts an event, unless it was accepted before.
    fn take(&mut self, event: &Event<'a>, is_repeat: bool) -> Enqueued {
        if is_repeat {
            return Enqueued::Duplicate;
        }
        self.deliver(
            event.destination,
            event.class,
            event.json,
            event.trace.clone(),
        );
        Enqueued::Accepted
    }

    /// Accepts an event that names an order. If the event was accepted before, it is not sent again, but its order still
    /// stores the visitor's data. If a page reports the payment, the order decides whether the event is a repeat.
    fn admit_noted(
        &mut self,
        event: &Event<'a>,
        note: &Note,
        is_repeat: bool,
    ) -> Result<Enqueued, B::Error> {
        let known = self.order(&note.order_id)?;
        if known.is_none() && note.part == Part::Mentions {
            return Ok(self.take(event, is_repeat));
        }
        let text = EventText::of(event.json).ok_or(Fault::Unwritable)?;
        let mut order = known.unwrap_or_else(|| Order::note(&note.order_id, self.now.stamp_ms));
        let begins = matches!(note.part, Part::Begins | Part::Claims);
        let pixel_id = event.destination.pixel_id.as_str();
        if begins && !order.is_begun() && self.may_begin(note)? {
            order.begins(self.now.stamp_ms);
        }
        if order.is_begun() || note.part == Part::Claims {
            order.is_named_by(&text, note.by, self.now.stamp_ms);
        }
        if begins {
            order.is_begun_at(pixel_id);
        }
        let result = match note.part {
            Part::Claims => self.judge(
                &mut order,
                event.destination,
                &text,
                (event.json, event.trace),
            )?,
            Part::Reports if !is_repeat || !is_reported(&order, &text, pixel_id) => {
                self.end_held(&mut order, &text, pixel_id)?;
                order.reports(&text.event, &text.event_id, pixel_id);
                // The deduplication memory does not decide here. A known id shows only that a page has used the id,
                // perhaps for an event that is still held.
                self.take(event, false)
            }
            Part::Reports | Part::Begins | Part::Mentions => self.take(event, is_repeat),
        };
        if order.is_worth_keeping() {
            self.keep(order)?;
        }
        Ok(result)
    }

    /// Removes the held events that mean the same sale as a trusted report. If a held event has the same name and id as
    /// the report, the held event is sent as well, and TikTok merges the two. The other held events become dead letters,
    /// because TikTok would count them as further sales.
    fn end_held(
        &mut self,
        order: &mut Order,
        text: &EventText<'_>,
        pixel_id: &str,
    ) -> Result<(), B::Error> {
        let name = text.name().ok_or(Fault::Unwritable)?;
        for one in order.release_named(name.canonical(), pixel_id) {
            let Some(held) = self.release(one.id())? else {
                continue;
            };
            let is_same = EventText::of(held.event.get().as_bytes())
                .is_some_and(|held| held.event_id == text.event_id && held.event == text.event);
            if is_same {
                let json = held.event.get().as_bytes().to_vec();
                self.deliver(&held.destination, Class::First, json, held.trace);
            } else {
                self.bury(&Outcome::Unverified, one.sequence, held);
            }
        }
        Ok(())
    }

    /// Returns whether an event can begin the order that it names. A page cannot begin an order whose id looks, in a
    /// memo, like the id of another order that has not expired. Otherwise a stranger could make every payment of that
    /// other order ambiguous.
    fn may_begin(&self, note: &Note) -> Result<bool, B::Error> {
        if note.by == By::Server {
            return Ok(true);
        }
        let code = Lookup::code(&note.order_id);
        Ok(self.orders_found(&code)?.is_empty())
    }
}

/// Returns whether an event of the order was already reported to this pixel under this name, or under another name with
/// the same canonical form.
fn is_reported(order: &Order, text: &EventText<'_>, pixel_id: &str) -> bool {
    let name = text.name();
    name.is_some_and(|name| order.has_reported(name.canonical(), pixel_id))
}
