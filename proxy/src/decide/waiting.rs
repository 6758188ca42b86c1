//! Payments that wait for their order, and refunds and renewals that wait for their payment.

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
    /// Applies the refunds and renewals that wait for this payment under an id that has only now become known.
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

    /// Applies the payments that wait for an order, after the shop's server has registered the order. Applies refunds
    /// first, then first payments, then renewals.
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

    /// Applies the payments that wait for one of these names and whose kind `is_due` accepts.
    pub(super) fn find_waiting(
        &mut self,
        order: &mut Order,
        names: Vec<Name>,
        is_due: impl Fn(Kind) -> bool,
        reporting: Reporting<'_>,
    ) -> Result<(), B::Error> {
        for payment in self.waiting_for(names, is_due)? {
            // The payment may have been applied already, together with the payment before it.
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

    /// Returns the payments that wait for one of these names and whose kind `is_due` accepts. Payments whose order is
    /// known come first, for example refunds that were already subtracted from the order. Then come the other payments.
    /// Both groups begin with the oldest payment.
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
