//! What orders and payments change in a commit.

use std::sync::Arc;

use super::{Group, seconds};
use crate::{
    orders::{By, EventText, Gate, Held, Order, Received, with_payment},
    outcome::Outcome,
    payments::{
        OrderHint, Transfer,
        matching::{Match, matched},
    },
    queue::{
        Became, Class, DedupKey, Destination, Enqueued, Error, Note, Part, Payment, Receipt,
        Remember, Taken,
        intake::Packed,
        ledger::Waiting,
        letter::{DeadLetter, LetterId},
        writer::Registered,
    },
};

/// How long an event waits for its payment.
const HOLD_MS: i64 = 72 * 60 * 60 * 1000;
/// The most events that one sweep gives up, and the most orders and payments it looks at.
const SWEEP: usize = 1_000;

impl Group<'_> {
    /// Takes an event that names an order. An event that was accepted before is not sent again, but its order knows who
    /// named it; and whether a page's word for a payment is a repeat is for the order to say.
    pub(super) fn admit_noted(
        &mut self,
        entry: &Packed,
        note: &Note,
        event: &[u8],
        is_repeat: bool,
    ) -> Result<Enqueued, Error> {
        let known = self.ledger.find(&note.order_id, self.times.expiry_ms)?;
        if known.is_none() && note.part == Part::Mentions {
            return Ok(self.take(entry, event, is_repeat));
        }
        let text = EventText::of(event).ok_or(Error::Unwritable)?;
        let mut order = known.unwrap_or_else(|| Order::note(&note.order_id, self.times.stamp_ms));
        let begins = matches!(note.part, Part::Begins | Part::Claims);
        if begins && !order.is_begun() && self.may_begin(note)? {
            order.begins();
        }
        if order.is_begun() || note.part == Part::Claims {
            order.is_named_by(&text, note.by, self.times.stamp_ms);
        }
        let result = match note.part {
            Part::Claims => self.judge(&mut order, &entry.destination, &text, event)?,
            Part::Reports if !is_repeat => {
                order.reports(&text.event, &text.event_id);
                self.take(entry, event, is_repeat)
            }
            Part::Reports | Part::Begins | Part::Mentions => self.take(entry, event, is_repeat),
        };
        if order.is_worth_keeping() {
            self.ledger.keep(&order)?;
        }
        Ok(result)
    }

    /// Whether an event may begin the order it names. A page may not, where the order would read like a live one in a
    /// memo: a stranger could make each payment of that order ambiguous.
    fn may_begin(&self, note: &Note) -> Result<bool, Error> {
        Ok(note.by == By::Server
            || !self
                .ledger
                .has_lookalike(&note.order_id, self.times.expiry_ms)?)
    }

    /// Takes an event as it is, unless it was accepted before.
    pub(super) fn take(&mut self, entry: &Packed, event: &[u8], is_repeat: bool) -> Enqueued {
        if is_repeat {
            return Enqueued::Duplicate;
        }
        self.draft(&entry.destination, entry.class).push(event);
        Enqueued::Accepted
    }

    /// Decides what becomes of a page's word for a payment.
    fn judge(
        &mut self,
        order: &mut Order,
        destination: &Arc<Destination>,
        text: &EventText<'_>,
        event: &[u8],
    ) -> Result<Enqueued, Error> {
        let name = text.name().ok_or(Error::Unwritable)?;
        match order.gate(&name) {
            Gate::Repeat => Ok(Enqueued::Duplicate),
            Gate::Pass { received } => {
                let paid = with_payment(event, received).ok_or(Error::Unwritable)?;
                self.draft(destination, Class::First).push(&paid);
                order.reports(&text.event, &text.event_id);
                Ok(Enqueued::Accepted)
            }
            Gate::Hold => {
                let held = Held {
                    name: name.canonical().to_owned(),
                    until_ms: self.times.stamp_ms + HOLD_MS,
                    sequence: self.position.next,
                };
                self.position.next += 1;
                self.position.held += 1;
                let waiting = Waiting {
                    order_id: order.id().to_owned(),
                    destination: Arc::clone(destination),
                    event: serde_json::from_slice(event).map_err(|_| Error::Unwritable)?,
                    held_at_ms: self.times.stamp_ms,
                };
                self.ledger.hold(&held, &waiting)?;
                order.hold(held);
                Ok(Enqueued::Held)
            }
        }
    }

    /// Takes what the shop's server says of an order.
    pub(in crate::queue) fn register(
        &mut self,
        registration: &duet_events::order::Order,
        destination: &Arc<Destination>,
    ) -> Result<Registered, Error> {
        self.durable = true;
        let id = &registration.order_id;
        let known = self.ledger.find(id, self.times.expiry_ms)?;
        let mut order = known.unwrap_or_else(|| Order::begin(id, self.times.stamp_ms));
        if let Err(unregistered) = order.register(registration, self.times.stamp_ms) {
            return Ok(Err(unregistered));
        }
        if order.pay_off(self.times.stamp_ms).is_some() {
            self.report(&mut order, destination)?;
        }
        self.ledger.keep(&order)?;
        Ok(Ok(order))
    }

    /// Takes a transfer, once.
    pub(in crate::queue) fn pay(&mut self, receipt: &Receipt) -> Result<Taken, Error> {
        self.durable = true;
        let transfer = &receipt.transfer;
        if let Some(payment) = self.ledger.payment(transfer.provider, &transfer.id)? {
            return Ok(Taken {
                payment,
                is_repeat: true,
                is_unattributed: false,
            });
        }
        let mut taken = Taken {
            payment: Payment {
                provider: transfer.provider.to_owned(),
                id: transfer.id.clone(),
                amount: transfer.amount,
                at_ms: self.times.stamp_ms,
                account: transfer.account.clone(),
                reference: transfer.reference.clone(),
                order_id: None,
                became: Became::NotCounted,
                reason: receipt.parked.map(str::to_owned),
            },
            is_repeat: false,
            is_unattributed: false,
        };
        if receipt.parked.is_none() {
            self.count(receipt, &mut taken)?;
        }
        self.ledger.keep_payment(&taken.payment)?;
        Ok(taken)
    }

    fn count(&mut self, receipt: &Receipt, taken: &mut Taken) -> Result<(), Error> {
        let mut order = match self.order_of(receipt)? {
            Match::One(order) => order,
            Match::None => {
                taken.payment.became = Became::Unmatched;
                return Ok(());
            }
            Match::Several => {
                taken.payment.became = Became::Ambiguous;
                return Ok(());
            }
        };
        taken.payment.order_id = Some(order.id().to_owned());
        taken.payment.became = match order.receive(receipt.transfer.amount, self.times.stamp_ms) {
            Received::Paid { over } => {
                taken.is_unattributed = self.report(&mut order, &receipt.destination)?;
                if over > 0 {
                    Became::Overpaid
                } else {
                    Became::Paid
                }
            }
            Received::Partial => Became::Partial,
            Received::PaidBefore => Became::PaidBefore,
            Received::OtherCurrency => Became::OtherCurrency,
        };
        self.ledger.keep(&order)
    }

    fn order_of(
        &self,
        Receipt {
            transfer, pattern, ..
        }: &Receipt,
    ) -> Result<Match, Error> {
        let Transfer { hint, .. } = transfer;
        match hint {
            OrderHint::Exact(id) => {
                let order = self
                    .ledger
                    .find(id, self.times.expiry_ms)?
                    .filter(Order::is_begun);
                Ok(order.map_or(Match::None, |order| Match::One(Box::new(order))))
            }
            OrderHint::Memo(memo) => matched(memo, pattern.as_ref(), |code| {
                self.ledger.that_read(code, self.times.expiry_ms)
            }),
        }
    }

    /// Has TikTok told of a paid order: by the payment's own event, and by those that waited for it. Where one of
    /// them means the same, there is one. That the payment's event has an id which was accepted before is no reason to
    /// keep it back: the event of then may have waited in vain. Whether nothing is known of who paid.
    fn report(&mut self, order: &mut Order, destination: &Arc<Destination>) -> Result<bool, Error> {
        let conversion = order
            .conversion(self.times.day_ms)
            .ok_or(Error::Unwritable)?;
        let mut is_told = order.has_reported(conversion.name.canonical());
        for held in order.release() {
            let Some(waiting) = self.ledger.take(held.until_ms, held.sequence)? else {
                continue;
            };
            self.position.held = self.position.held.saturating_sub(1);
            let event = waiting.event.get().as_bytes();
            let text = EventText::of(event).ok_or(Error::Corrupt)?;
            // The same event, of which the bank knows more.
            if text.event_id == conversion.id.as_str() && text.event == conversion.name.as_str() {
                self.draft(&waiting.destination, Class::First)
                    .push(&conversion.json);
                is_told = true;
            } else {
                let paid = with_payment(event, order.received()).ok_or(Error::Corrupt)?;
                self.draft(&waiting.destination, Class::First).push(&paid);
                is_told |= held.name == conversion.name.canonical();
            }
            order.reports(&text.event, &text.event_id);
        }
        if !is_told {
            let key = DedupKey::of(destination, &conversion.name, &conversion.id);
            self.seen
                .learn(key, Remember::Days90, seconds(self.times.stamp_ms));
            self.draft(destination, Class::First).push(&conversion.json);
            // No browser sent it.
            self.changes.accepted("off");
            order.reports(conversion.name.as_str(), conversion.id.as_str());
        }
        Ok(!conversion.is_attributed)
    }

    /// Has the order that an event reported as paid know that TikTok does not have it.
    pub(super) fn ended_in_vain(&mut self, letter: &DeadLetter) -> Result<(), Error> {
        let Some((text, order_id)) = sale(letter) else {
            return Ok(());
        };
        let Some(mut order) = self.ledger.find(&order_id, self.times.expiry_ms)? else {
            return Ok(());
        };
        if !order.takes_back(&text.event, &text.event_id) {
            return Ok(());
        }
        if order.is_unreported() {
            self.unreported += 1;
            tracing::error!(
                order_id,
                outcome = letter.outcome,
                "a paid order is not reported: TikTok does not have its event; see `duet-proxy dead-letters`"
            );
        }
        self.ledger.keep(&order)
    }

    /// Sends a dead letter again. Where it says that an order is paid, the order decides: it is sent unless the order
    /// is reported already; and what a page said of a payment waits again until it is true.
    pub(super) fn send_again(&mut self, letter: &DeadLetter) -> Result<(), Error> {
        let event = letter.event.get().as_bytes();
        let Some((text, order_id)) = sale(letter) else {
            // However many an operator replays, they are in nobody's way.
            self.draft(&letter.destination, Class::Second).push(event);
            self.changes.replayed();
            return Ok(());
        };
        let known = self.ledger.find(&order_id, self.times.expiry_ms)?;
        let mut order = known.unwrap_or_else(|| Order::note(&order_id, self.times.stamp_ms));
        let was_unreported = order.is_unreported();
        let name = text.name().ok_or(Error::Corrupt)?;
        let is_sent = if letter.waited_for_payment() {
            self.judge(&mut order, &letter.destination, &text, event)? != Enqueued::Duplicate
        } else if order.has_reported(name.canonical()) {
            false
        } else {
            self.draft(&letter.destination, Class::Second).push(event);
            order.reports(&text.event, &text.event_id);
            true
        };
        if is_sent {
            self.changes.replayed();
        } else {
            tracing::warn!(
                order_id,
                event_id = &*text.event_id,
                "a dead letter is not sent again: its order is reported"
            );
        }
        if was_unreported && !order.is_unreported() {
            self.unreported -= 1;
        }
        if order.is_worth_keeping() {
            self.ledger.keep(&order)?;
        }
        Ok(())
    }

    /// Gives up events that have waited for a payment long enough; the number of them.
    pub(in crate::queue) fn give_up_waiting(&mut self) -> Result<usize, Error> {
        let due = self.ledger.waited_in_vain(self.times.expiry_ms, SWEEP)?;
        let mut given_up = 0;
        for (until_ms, sequence) in due {
            let done = self.whole(|group| group.give_up(until_ms, sequence))?;
            given_up += usize::from(done.is_ok());
        }
        self.durable |= given_up > 0;
        Ok(given_up)
    }

    fn give_up(&mut self, until_ms: i64, sequence: u64) -> Result<(), Error> {
        let waiting = self.ledger.take(until_ms, sequence)?;
        let waiting = waiting.ok_or(Error::Corrupt)?;
        self.position.held = self.position.held.saturating_sub(1);
        if let Some(mut order) = self.ledger.find(&waiting.order_id, self.times.expiry_ms)? {
            order.give_up(sequence);
            self.ledger.keep(&order)?;
        }
        self.bury(&Outcome::Unverified, sequence, waiting)
    }

    /// Forgets an order; the number of events that waited for its payment.
    pub(in crate::queue) fn withdraw(&mut self, order_id: &str) -> Result<Option<usize>, Error> {
        self.durable = true;
        let Some(mut order) = self.ledger.find(order_id, self.times.expiry_ms)? else {
            return Ok(None);
        };
        let held = order.release();
        for Held {
            until_ms, sequence, ..
        } in &held
        {
            let waiting = self.ledger.take(*until_ms, *sequence)?;
            let waiting = waiting.ok_or(Error::Corrupt)?;
            self.position.held = self.position.held.saturating_sub(1);
            self.bury(&Outcome::Withdrawn, *sequence, waiting)?;
        }
        if order.is_unreported() {
            self.unreported -= 1;
        }
        self.ledger.forget(order_id)?;
        Ok(Some(held.len()))
    }

    fn bury(&mut self, outcome: &Outcome, sequence: u64, waiting: Waiting) -> Result<(), Error> {
        let letter = DeadLetter {
            outcome: outcome.label().to_owned(),
            ended_at_ms: self.times.stamp_ms,
            code: None,
            message: None,
            request_id: None,
            accepted_at_ms: waiting.held_at_ms,
            destination: waiting.destination,
            event: waiting.event,
        };
        let letter = serde_json::to_vec(&letter).map_err(|_| Error::Corrupt)?;
        let id = LetterId::new(self.times.stamp_ms, sequence);
        self.buried.push((id, letter));
        self.changes.ended(outcome.label(), 1);
        Ok(())
    }

    /// Forgets orders and payments that have had their time, some of them each time. Where to go on, and how many
    /// paid orders that report nothing it has come across.
    pub(in crate::queue) fn forget_orders(
        &mut self,
        cursor: Vec<u8>,
    ) -> Result<(Vec<u8>, usize), Error> {
        self.ledger.sweep(cursor, SWEEP, self.times.expiry_ms)
    }
}

/// An event that reports a real order as paid, and that order's id.
fn sale(letter: &DeadLetter) -> Option<(EventText<'_>, String)> {
    // A rehearsal says nothing of real orders.
    if letter.destination.test_event_code.is_some() {
        return None;
    }
    let text = EventText::of(letter.event.get().as_bytes())?;
    let order_id = text.property("order_id")?;
    text.name()?.is_money().then_some((text, order_id))
}
