//! Admission: which events are new, and which of them are held until their order is paid.

use super::{
    Books, Changes, Class, Decision, DedupKey, Fault, Reads, Remember, To, transaction::Transaction,
};
use crate::{
    clock::Times,
    orders::{By, EventText, Order},
    outcome::Outcome,
};

/// Admits the events of one call.
#[derive(Clone, Debug)]
pub struct Admit<I>(pub I);

/// An event to be admitted.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// What makes it the same event as another.
    pub key: DedupKey,
    /// How long a repeat is recognised.
    pub remember: Remember,
    /// Where it goes.
    pub destination: &'a To,
    /// How urgent it is.
    pub class: Class,
    /// The state of the Pixel's copy, by which it is counted.
    pub pixel: &'static str,
    /// The order it names, and what it means for it.
    pub note: Option<&'a Note>,
    /// What TikTok gets, as JSON.
    pub json: &'a [u8],
}

/// What an event means for the order it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The order.
    pub order_id: String,
    /// Who names it.
    pub by: By,
    /// What follows.
    pub part: Part,
}

/// What follows from an event that names an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Nothing, but an order that is known remembers who named it.
    Mentions,
    /// The order is known from now on.
    Begins,
    /// It says that the order is paid, and is believed.
    Reports,
    /// It says that the order is paid, and waits until that is true.
    Claims,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It is on disk.
    Accepted,
    /// Its key was seen before.
    Duplicate,
    /// It is on disk, and waits until its order is paid.
    Held,
}

impl<'a, I: Iterator<Item = Event<'a>> + Clone> Decision<'a> for Admit<I> {
    type Reply = Vec<Enqueued>;

    fn reads(&self) -> Reads {
        let mut reads = Reads::default();
        for event in self.0.clone() {
            reads.keys.insert(event.key);
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
                transaction.changes.counts.accepted(event.pixel, 1);
            }
            results.push(result);
        }
        Ok((transaction.changes, results))
    }
}

impl<'a, B: Books + ?Sized> Transaction<'a, '_, B> {
    /// Takes an event as it is, unless it was accepted before.
    fn take(&mut self, event: &Event<'a>, is_repeat: bool) -> Enqueued {
        if is_repeat {
            return Enqueued::Duplicate;
        }
        self.deliver(event.destination, event.class, event.json);
        Enqueued::Accepted
    }

    /// Takes an event that names an order. An event that was accepted before is not sent again, but its order knows who
    /// named it; and whether a page's word for a payment is a repeat is for the order to say.
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
        if begins && !order.is_begun() && self.may_begin(note)? {
            order.begins(self.now.stamp_ms);
        }
        if order.is_begun() || note.part == Part::Claims {
            order.is_named_by(&text, note.by, self.now.stamp_ms);
        }
        let result = match note.part {
            Part::Claims => self.judge(&mut order, event.destination, &text, event.json)?,
            Part::Reports if !is_repeat || !is_reported(&order, &text) => {
                self.end_held(&mut order, &text)?;
                order.reports(&text.event, &text.event_id);
                // That its id is known says only that a page has used it, perhaps for an event that is held.
                self.take(event, false)
            }
            Part::Reports | Part::Begins | Part::Mentions => self.take(event, is_repeat),
        };
        if order.is_worth_keeping() {
            self.keep(order)?;
        }
        Ok(result)
    }

    /// Ends what pages have reported of an order under the name of a trusted report: the same event goes out with it, and
    /// TikTok merges the two; another would count again.
    fn end_held(&mut self, order: &mut Order, text: &EventText<'_>) -> Result<(), B::Error> {
        let name = text.name().ok_or(Fault::Unwritable)?;
        for one in order.release_named(name.canonical()) {
            let Some(held) = self.release(one.id())? else {
                continue;
            };
            let is_same = EventText::of(held.event.get().as_bytes())
                .is_some_and(|held| held.event_id == text.event_id && held.event == text.event);
            if is_same {
                let json = held.event.get().as_bytes().to_vec();
                self.deliver(&held.destination, Class::First, json);
            } else {
                self.bury(&Outcome::Unverified, one.sequence, held);
            }
        }
        Ok(())
    }

    /// Whether an event may begin the order it names. A page may not, where the order would read like a live one in a
    /// memo: a stranger could make each payment of that order ambiguous.
    fn may_begin(&self, note: &Note) -> Result<bool, B::Error> {
        if note.by == By::Server {
            return Ok(true);
        }
        let code = crate::payments::memo::normalised(&note.order_id);
        Ok(self.orders_that_read(&code)?.is_empty())
    }
}

/// Whether an event that means the same was reported of the order.
fn is_reported(order: &Order, text: &EventText<'_>) -> bool {
    let name = text.name();
    name.is_some_and(|name| order.has_reported(name.canonical()))
}
