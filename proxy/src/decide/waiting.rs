//! Payments that wait for their order, and refunds and renewals that arrived before their payment.

use super::{
    Books, Fault, Lookup, Notice, Payment,
    lookup::{key_of, names_of},
    pay::Reporting,
    transaction::Transaction,
};
use crate::{
    limits,
    orders::Order,
    payments::{Kind, Name},
};

impl<B: Books + ?Sized> Transaction<'_, '_, B> {
    /// Applies payments that arrived before this payment, if they name this payment by an id that is known only now.
    pub(super) fn find_more(
        &mut self,
        payment: &mut Payment,
        reporting: Reporting<'_>,
    ) -> Result<(), B::Error> {
        if let Some(id) = &payment.order_id
            && let Some(mut order) = self.order(id)?
        {
            self.record(payment.clone())?;
            for is_due in [Kind::is_back, |kind: Kind| kind == Kind::Renewal] {
                let names = payment.names().collect();
                self.find_waiting(&mut order, names, is_due, reporting)?;
            }
            let known = self.books().payment(&payment.provider, &payment.id)?;
            *payment = known.ok_or(Fault::Corrupt)?;
            self.keep(order)?;
        }
        Ok(())
    }

    /// Applies the waiting payments of an order that the shop's server registers. Money that went back is applied first, and
    /// the first payment before renewals.
    pub(super) fn find_all(
        &mut self,
        order: &mut Order,
        reporting: Reporting<'_>,
    ) -> Result<(), B::Error> {
        for is_due in [
            Kind::is_back,
            |kind: Kind| kind == Kind::First,
            |kind: Kind| kind == Kind::Renewal,
        ] {
            let names = names_of(order).collect();
            self.find_waiting(order, names, is_due, reporting)?;
        }
        Ok(())
    }

    /// Applies the payments that wait for one of these names.
    pub(super) fn find_waiting(
        &mut self,
        order: &mut Order,
        names: Vec<Name>,
        is_due: impl Fn(Kind) -> bool,
        reporting: Reporting<'_>,
    ) -> Result<(), B::Error> {
        for payment in self.waiting_for(names, is_due)? {
            // A payment that was applied just before may have applied this one.
            let (provider, id) = payment.key();
            let Some(mut payment) = self.books().payment(&provider, &id)? else {
                continue;
            };
            if payment.waits_for.is_empty() {
                continue;
            }
            self.waits_no_longer(&mut payment)?;
            let had_order = payment.order_id.is_some();
            self.apply(order, &mut payment, reporting)?;
            if !had_order {
                self.changes.notices.push(Notice::Found {
                    order_id: order.id().to_owned(),
                    transfer: payment.id.clone(),
                    became: payment.became.label(),
                });
            }
            self.record(payment)?;
        }
        Ok(())
    }

    /// Returns the payments that wait for one of these names. Refunds that were already taken from their order come first, then
    /// the oldest.
    pub(super) fn waiting_for(
        &self,
        names: impl IntoIterator<Item = Name>,
        is_due: impl Fn(Kind) -> bool,
    ) -> Result<Vec<Payment>, B::Error> {
        let mut found: Vec<Payment> = Vec::new();
        for name in names {
            for key in self.books().found(&Lookup::Waiting(name))? {
                let (provider, id) = key_of(&key).ok_or(Fault::Corrupt)?;
                let payment = self.books().payment(&provider, &id)?;
                found.extend(payment.filter(|payment| is_due(payment.kind)));
            }
        }
        found.retain(|payment| self.now.expiry_ms < payment.at_ms + limits::WAITING_PAYMENT_MS);
        found.sort_by_cached_key(|payment| {
            (payment.order_id.is_none(), payment.at_ms, payment.key())
        });
        found.dedup_by_key(|payment| payment.key());
        Ok(found)
    }
}
