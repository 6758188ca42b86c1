//! Decides what a transfer changes. A transfer pays an order, renews an order, or takes money back from an order. The
//! module also decides which events are reported to TikTok.

use std::collections::BTreeSet;

use duet_events::EventName;

use super::{
    Became, Books, Changes, Class, Decision, DedupKey, Destinations, Fault, Lookup, Payment, Reads,
    Remember, lookup::names_of, money::told, transaction::Transaction,
};
use crate::{
    clock::Times,
    history::Trace,
    money::Money,
    orders::{Order, Received},
    payments::{
        Kind, Name, OrderHint, Transfer,
        matching::{Match, matched},
        memo::OrderPattern,
    },
};

/// Records a transfer. A transfer that was recorded before changes nothing.
#[derive(Clone, Copy, Debug)]
pub struct Pay<'a>(pub &'a Receipt);

/// A received transfer, with the settings for processing it.
#[derive(Debug)]
pub struct Receipt {
    /// The transfer.
    pub transfer: Transfer,
    /// The provider's reason why this transfer must not pay any order. `None` if the transfer may pay one.
    pub parked: Option<&'static str>,
    /// The pattern of the shop's order ids in a memo.
    pub pattern: Option<OrderPattern>,
    /// The name of the event that reports a renewal. `None` if renewals are not reported.
    pub renewals: Option<EventName>,
    /// The possible destinations for the event of a payment.
    pub destinations: Destinations,
}

/// The result of a receipt.
#[derive(Debug)]
pub struct Taken {
    /// The payment, as it is stored.
    pub payment: Payment,
    /// Whether the payment was already stored, and nothing changed.
    pub is_repeat: bool,
    /// Whether the payment was reported without any data about the payer.
    pub is_unattributed: bool,
}

/// How payments of an order are reported.
#[derive(Clone, Copy)]
pub(super) struct Reporting<'a> {
    /// The possible destinations for the events.
    pub(super) destinations: &'a Destinations,
    /// The name of the event that reports a renewal. `None` if renewals are not reported.
    pub(super) renewals: Option<&'a EventName>,
}

impl Receipt {
    fn reporting(&self) -> Reporting<'_> {
        Reporting {
            destinations: &self.destinations,
            renewals: self.renewals.as_ref(),
        }
    }
}

impl<'a> Decision<'a> for Pay<'_> {
    type Reply = Taken;

    fn reads(&self) -> Reads {
        let Receipt {
            transfer, pattern, ..
        } = self.0;
        let mut reads = Reads::default();
        for id in transfer.ids() {
            reads.payment(transfer.provider, id);
            reads.waiting(transfer.name_of(id));
        }
        match &transfer.hint {
            OrderHint::Exact(names) => names.iter().for_each(|name| reads.named(name)),
            OrderHint::Memo(memo) => {
                let candidates = memo.candidates(pattern.as_ref());
                let codes: BTreeSet<_> = candidates.map(|candidate| candidate.text).collect();
                reads.lookups.extend(codes.into_iter().map(Lookup::Code));
            }
        }
        reads
    }

    fn decide<B: Books + ?Sized>(
        &self,
        books: &B,
        now: Times,
    ) -> Result<(Changes<'a>, Taken), B::Error> {
        let mut transaction = Transaction::new(books, now);
        let transfer = &self.0.transfer;
        let known = transaction.told_before(transfer)?;
        let mut taken = Taken {
            is_repeat: known.is_some(),
            payment: known.unwrap_or_else(|| Payment::of(transfer, self.0.parked, now.stamp_ms)),
            is_unattributed: false,
        };
        if taken.is_repeat {
            if !taken.payment.is_told_as(transfer) {
                return Ok((transaction.changes, taken));
            }
            // The first report of this payment may have named no order. This report, under another id, may name the
            // order.
            taken.is_repeat = !taken.payment.is_without_order();
        }
        if taken.is_repeat {
            transaction.find_more(&mut taken.payment, self.0.reporting())?;
        } else if self.0.parked.is_none() {
            transaction.count(self.0, &mut taken)?;
        }
        transaction.record(taken.payment.clone())?;
        Ok((transaction.changes, taken))
    }
}

impl Transfer {
    /// Returns every id under which the provider can report the transfer.
    fn ids(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.id).chain(&self.also)
    }

    fn name_of(&self, id: &str) -> Name {
        Name::Transfer {
            provider: self.provider.to_owned(),
            id: id.to_owned(),
        }
    }
}

impl<B: Books + ?Sized> Transaction<'_, '_, B> {
    /// Returns the stored payment of this transfer, if the transfer was reported before. A stored payment with another
    /// main id counts only if it has the same kind as the transfer.
    fn told_before(&self, transfer: &Transfer) -> Result<Option<Payment>, B::Error> {
        for id in transfer.ids() {
            let payment = self.payment_told(transfer.provider, id)?;
            let payment = payment.filter(|payment| {
                let is_itself = *id == transfer.id && payment.id == transfer.id;
                is_itself || payment.kind == transfer.kind
            });
            if payment.is_some() {
                return Ok(payment);
            }
        }
        Ok(None)
    }

    fn count(&mut self, receipt: &Receipt, taken: &mut Taken) -> Result<(), B::Error> {
        let transfer = &receipt.transfer;
        let payment = &mut taken.payment;
        if transfer.is_test && !receipt.destinations.are_all_in_test() {
            payment.became = Became::Test;
            if let Match::One(order) = self.order_of(receipt)? {
                payment.order_id = Some(order.id().to_owned());
            }
            return Ok(());
        }
        if transfer.money.is_zero() && !transfer.knows {
            payment.reason = Some("zero_amount".to_owned());
            return Ok(());
        }
        match self.order_of(receipt)? {
            Match::One(mut order) => {
                self.waits_no_longer(payment)?;
                taken.is_unattributed = self.apply(&mut order, payment, receipt.reporting())?;
                self.keep(*order)
            }
            Match::None => {
                let names = match &transfer.hint {
                    OrderHint::Exact(names) => names.as_slice(),
                    OrderHint::Memo(_) => &[],
                };
                payment.waits_for_one_of(names);
                Ok(())
            }
            Match::Several => {
                payment.became = Became::Ambiguous;
                Ok(())
            }
        }
    }

    fn order_of(&self, receipt: &Receipt) -> Result<Match, B::Error> {
        match &receipt.transfer.hint {
            OrderHint::Exact(names) => {
                let mut begun = None;
                for name in names {
                    match self.order_named(name)? {
                        Some(order) if order.is_registered() => {
                            return Ok(Match::One(Box::new(order)));
                        }
                        order => begun = begun.or(order),
                    }
                }
                // A registered order wins, even if its name comes later in the list. Anybody can begin an order whose
                // id is the reference of a registered order.
                Ok(begun.map_or(Match::None, |order| Match::One(Box::new(order))))
            }
            OrderHint::Memo(memo) => matched(memo, receipt.pattern.as_ref(), |code| {
                self.orders_found(&Lookup::Code(code.to_owned()))
            }),
        }
    }

    /// Applies a payment to its order, as the payment's kind requires. Then applies the payments that have waited for
    /// this payment or its order. Returns true if a report was sent without any data about the payer.
    pub(super) fn apply(
        &mut self,
        order: &mut Order,
        payment: &mut Payment,
        reporting: Reporting<'_>,
    ) -> Result<bool, B::Error> {
        let had_order = payment.order_id.replace(order.id().to_owned()).is_some();
        if payment.kind.is_back() {
            payment.became = Became::Returned;
            self.take_back(order, payment, had_order)?;
            return Ok(false);
        }
        let pays = self.receive(order, payment)?;
        self.record(payment.clone())?;
        let mut names: Vec<_> = names_of(order).collect();
        names.extend(payment.names());
        self.find_waiting(order, names, Kind::is_back, reporting)?;
        self.use_owed(order)?;
        let is_unattributed = pays && self.report(order, reporting.destinations)?;
        let known = self.books().payment(&payment.provider, &payment.id)?;
        *payment = known.ok_or(Fault::Corrupt)?;
        self.renew(order, payment, reporting)?;
        self.record(payment.clone())?;
        let names = payment.names().collect();
        self.find_waiting(order, names, |kind| kind == Kind::Renewal, reporting)?;
        Ok(is_unattributed)
    }

    /// Applies money that came. Returns whether the money pays the order. The first payment with an amount above zero is
    /// the sale. If the provider calls this payment a renewal, the subscription's first payment was free, or has not
    /// arrived yet. A payment that was refunded before it was known does not replace another payment as the sale.
    fn receive(&mut self, order: &mut Order, payment: &mut Payment) -> Result<bool, B::Error> {
        let is_renewal = payment.kind == Kind::Renewal;
        if payment.amount.is_zero() {
            payment.became = Became::Free;
            if !is_renewal {
                order.is_free_at_first();
            }
            return Ok(false);
        }
        let is_later = if is_renewal {
            order.is_sold() && !order.is_unsold(self.now.stamp_ms)
        } else {
            order.is_sold() && !order.is_returned() && order.takes_late_first()
        };
        if is_later {
            payment.became = Became::Renewed;
            self.add(order, Kind::Renewal, payment.amount);
            return Ok(false);
        }
        let received = if self.went_back_before(payment)? && order.receive_returned(payment.amount)
        {
            Received::Paid
        } else if payment.knows {
            order.receive_whole(payment.amount, self.now.stamp_ms)
        } else {
            order.receive(payment.amount, self.now.stamp_ms)
        };
        payment.became = Became::of(received);
        match received {
            Received::PaidBefore => order.owes(payment.key(), payment.amount),
            // The payment waits, because the shop's server can register the order again in the currency of the payment.
            Received::OtherCurrency => payment.waits_for.push(Name::Order(order.id().to_owned())),
            _ => self
                .changes
                .counts
                .money
                .push((Kind::First, payment.amount)),
        }
        if is_renewal {
            order.is_paid_by_renewal();
        }
        Ok(received.pays())
    }

    pub(super) fn add(&mut self, order: &mut Order, kind: Kind, money: Money) {
        order.add(kind, money);
        self.changes.counts.money.push((kind, money));
    }

    /// Reports a renewal, if the shop enables renewals and some of the payment's money is left. The renewal gets an event
    /// of its own. The id and the order id of this event also contain the payment's id.
    fn renew(
        &mut self,
        order: &Order,
        payment: &mut Payment,
        reporting: Reporting<'_>,
    ) -> Result<(), B::Error> {
        let is_due = payment.became == Became::Renewed && !payment.is_returned();
        let Some(name) = reporting.renewals.filter(|_| is_due) else {
            return Ok(());
        };
        let renewal = order.renewal(name, &payment.id, payment.amount, self.now.day_ms);
        let renewal = renewal.ok_or(Fault::Unwritable)?;
        for destination in told(order, reporting.destinations) {
            let key = DedupKey::of(&destination, name, &renewal.id);
            self.learn(key, Remember::Days90);
            let json = renewal.json.clone();
            self.deliver(&destination, Class::First, json, Trace::of_payment());
            // No browser sent this event, so there is no copy by the Pixel.
            self.changes.counts.accepted("off", 1);
        }
        payment.event_id = Some(renewal.id.as_str().to_owned());
        Ok(())
    }
}
