//! What orders and payments change in a commit.

use std::sync::Arc;

use super::{Group, seconds};
use crate::{
    orders::{EventText, Gate, Held, Order, Received, with_payment},
    outcome::Outcome,
    payments::{
        OrderHint, Transfer,
        matching::{Match, matched},
    },
    queue::{
        Became, DedupKey, Destination, Enqueued, Error, Note, Part, Payment, Receipt, Remember,
        Taken,
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
    /// Takes an event that names an order and was not accepted before.
    pub(super) fn admit_noted(
        &mut self,
        entry: &Packed,
        note: &Note,
        event: &[u8],
    ) -> Result<Enqueued, Error> {
        let text = EventText::of(event).ok_or(Error::Unwritable)?;
        let known = self.ledger.find(&note.order_id, self.now_ms)?;
        let mut order = match (known, note.part) {
            (Some(order), _) => order,
            (None, Part::Begins | Part::Claims) => Order::begin(&note.order_id, self.now_ms),
            (None, Part::Mentions | Part::Reports) => {
                self.draft(&entry.destination).push(event);
                return Ok(Enqueued::Accepted);
            }
        };
        order.is_named_by(&text, note.by, self.now_ms);
        let result = if note.part == Part::Claims {
            self.judge(&mut order, entry, &text, event)?
        } else {
            self.draft(&entry.destination).push(event);
            if note.part == Part::Reports {
                order.reports(&text.event, &text.event_id);
            }
            Enqueued::Accepted
        };
        self.ledger.keep(&order)?;
        Ok(result)
    }

    fn judge(
        &mut self,
        order: &mut Order,
        entry: &Packed,
        text: &EventText<'_>,
        event: &[u8],
    ) -> Result<Enqueued, Error> {
        let name = text.name().ok_or(Error::Unwritable)?;
        match order.gate(&name) {
            Gate::Repeat => Ok(Enqueued::Duplicate),
            Gate::Pass { received } => {
                let paid = with_payment(event, received).ok_or(Error::Unwritable)?;
                self.draft(&entry.destination).push(&paid);
                order.reports(&text.event, &text.event_id);
                Ok(Enqueued::Accepted)
            }
            Gate::Hold => {
                let held = Held {
                    name: name.canonical().to_owned(),
                    until_ms: self.now_ms + HOLD_MS,
                    sequence: self.position.next,
                };
                self.position.next += 1;
                self.position.held += 1;
                let waiting = Waiting {
                    order_id: order.id().to_owned(),
                    destination: Arc::clone(&entry.destination),
                    event: serde_json::from_slice(event).map_err(|_| Error::Unwritable)?,
                    held_at_ms: self.now_ms,
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
        let known = self.ledger.find(id, self.now_ms)?;
        let mut order = known.unwrap_or_else(|| Order::begin(id, self.now_ms));
        if let Err(unregistered) = order.register(registration, self.now_ms) {
            return Ok(Err(unregistered));
        }
        if order.pay_off(self.now_ms).is_some() {
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
                at_ms: self.now_ms,
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
        taken.payment.became = match order.receive(receipt.transfer.amount, self.now_ms) {
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
                let order = self.ledger.find(id, self.now_ms)?;
                Ok(order.map_or(Match::None, |order| Match::One(Box::new(order))))
            }
            OrderHint::Memo(memo) => matched(memo.candidates(pattern.as_ref()), |code| {
                self.ledger.that_read(code, self.now_ms)
            }),
        }
    }

    /// Has TikTok told of a paid order: by the payment's own event, and by those that waited for it. Where one of
    /// them means the same, there is one. Whether nothing is known of who paid.
    fn report(&mut self, order: &mut Order, destination: &Arc<Destination>) -> Result<bool, Error> {
        let conversion = order.conversion(self.now_ms).ok_or(Error::Unwritable)?;
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
                self.draft(&waiting.destination).push(&conversion.json);
                is_told = true;
            } else {
                let paid = with_payment(event, order.received()).ok_or(Error::Corrupt)?;
                self.draft(&waiting.destination).push(&paid);
                is_told |= held.name == conversion.name.canonical();
            }
            order.reports(&text.event, &text.event_id);
        }
        let key = DedupKey::of(destination, &conversion.name, &conversion.id);
        let now_s = seconds(self.now_ms);
        if !is_told && !self.seen.knows(self.tables, &key, now_s)? {
            self.seen.learn(key, Remember::Days90, now_s);
            self.draft(destination).push(&conversion.json);
            self.added += 1;
            order.reports(conversion.name.as_str(), conversion.id.as_str());
        }
        Ok(!conversion.is_attributed)
    }

    /// Gives up events that have waited for a payment long enough; the number of them.
    pub(in crate::queue) fn give_up_waiting(&mut self) -> Result<usize, Error> {
        let due = self.ledger.waited_in_vain(self.now_ms, SWEEP)?;
        for (until_ms, sequence) in &due {
            let waiting = self.ledger.take(*until_ms, *sequence)?;
            let waiting = waiting.ok_or(Error::Corrupt)?;
            self.position.held = self.position.held.saturating_sub(1);
            if let Some(mut order) = self.ledger.find(&waiting.order_id, self.now_ms)? {
                order.give_up(*sequence);
                self.ledger.keep(&order)?;
            }
            self.bury(&Outcome::Unverified, *sequence, waiting)?;
        }
        self.durable |= !due.is_empty();
        Ok(due.len())
    }

    /// Forgets an order; the number of events that waited for its payment.
    pub(in crate::queue) fn withdraw(&mut self, order_id: &str) -> Result<Option<usize>, Error> {
        self.durable = true;
        let Some(mut order) = self.ledger.find(order_id, self.now_ms)? else {
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
        self.ledger.forget(order_id)?;
        Ok(Some(held.len()))
    }

    fn bury(&mut self, outcome: &Outcome, sequence: u64, waiting: Waiting) -> Result<(), Error> {
        let letter = DeadLetter {
            outcome: outcome.label().to_owned(),
            ended_at_ms: self.now_ms,
            code: None,
            message: None,
            request_id: None,
            accepted_at_ms: waiting.held_at_ms,
            destination: waiting.destination,
            event: waiting.event,
        };
        let letter = serde_json::to_vec(&letter).map_err(|_| Error::Corrupt)?;
        let id = LetterId::new(self.now_ms, sequence);
        self.tables
            .dead
            .insert(&mut self.batch, id.to_bytes(), letter)
    }

    /// Forgets orders and payments that have had their time, some of them each time; where to go on.
    pub(in crate::queue) fn forget_orders(&mut self, cursor: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.ledger.sweep(cursor, SWEEP, self.now_ms)
    }
}
