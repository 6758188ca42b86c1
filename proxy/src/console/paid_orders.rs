//! The paid orders of the last 24 hours in one sentence: how many of them TikTok has counted, and what happened to the others.

use serde::Serialize;

use super::{language::Language, recount::Recount, show};
use crate::paid::Fate;

/// Counts the orders that were paid, by what happened to their events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct PaidOrders {
    paid: u64,
    counted: u64,
    /// Orders whose event is waiting for its delivery.
    waiting: u64,
    /// Orders whose event TikTok refused.
    refused: u64,
    /// Orders whose event ended in another way, or was never sent.
    unreported: u64,
    /// Orders that were withdrawn or refunded, so that nothing is to be reported.
    withdrawn: u64,
}

impl PaidOrders {
    /// Counts the paid orders of a period. Returns `None` if no order was paid.
    pub(super) fn of(recount: &Recount) -> Option<Self> {
        let mut orders = Self::default();
        for paid in &recount.sales.orders {
            orders.paid += 1;
            *match &paid.fate {
                Fate::Delivered => &mut orders.counted,
                Fate::Waiting => &mut orders.waiting,
                Fate::Ended { .. } | Fate::Unreported if paid.is_returned => &mut orders.withdrawn,
                Fate::Ended { outcome, .. } if outcome == "withdrawn" => &mut orders.withdrawn,
                Fate::Ended { outcome, .. } if outcome == "refused" => &mut orders.refused,
                Fate::Ended { .. } | Fate::Unreported => &mut orders.unreported,
            } += 1;
        }
        (orders.paid > 0).then_some(orders)
    }

    pub(super) fn sentence(&self, language: Language) -> String {
        let texts = language.texts();
        let number = |orders| show::count(orders, language);
        let counted = texts.orders_counted.replace("{paid}", &number(self.paid));
        let mut sentence = counted.replace("{counted}", &number(self.counted));
        for (orders, [one, several]) in [
            (self.waiting, texts.orders_wait),
            (self.refused, texts.orders_refused),
            (self.unreported, texts.orders_unreported),
            (self.withdrawn, texts.orders_withdrawn),
        ] {
            let text = match orders {
                0 => continue,
                1 => one,
                _ => several,
            };
            sentence.push(' ');
            sentence.push_str(&text.replace("{orders}", &number(orders)));
        }
        sentence
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        money::{Currency, Money},
        paid::Paid,
    };

    fn orders(fates: Vec<Fate>) -> Option<PaidOrders> {
        let mut recount = Recount::default();
        let paid = fates.into_iter().map(|fate| Paid {
            order_id: "ORDER1".to_owned(),
            at_ms: 1,
            money: Money::zero(Currency::VND),
            is_returned: false,
            fate,
        });
        recount.sales.orders.extend(paid);
        PaidOrders::of(&recount)
    }

    fn ended(outcome: &str) -> Fate {
        let outcome = outcome.to_owned();
        Fate::Ended {
            outcome,
            code: None,
        }
    }

    #[test]
    fn each_missing_order_is_said_to_wait_or_to_need_somebody() {
        let mut fates = vec![Fate::Delivered; 8];
        fates.extend([Fate::Waiting, ended("refused")]);
        let counted = orders(fates.clone()).unwrap();
        assert_eq!(
            counted.sentence(Language::English),
            "TikTok has counted 8 of 10 orders that were paid in the last 24 hours. 1 order waits to be sent to TikTok. \
             TikTok refused 1 order: correct the cause that Trouble shows."
        );
        assert_eq!(
            counted.sentence(Language::Vietnamese),
            "TikTok đã tính 8 trên 10 đơn được trả trong 24 giờ qua. 1 đơn đang chờ gửi tới TikTok. TikTok từ chối 1 đơn: hãy sửa nguyên nhân ở mục Sự cố."
        );
        fates.extend([ended("expired"), Fate::Unreported, ended("refused")]);
        assert_eq!(
            orders(fates).unwrap().sentence(Language::English),
            "TikTok has counted 8 of 13 orders that were paid in the last 24 hours. 1 order waits to be sent to TikTok. \
             TikTok refused 2 orders: correct the causes in the section Trouble. \
             2 orders were not reported to TikTok: search for their ids to see why."
        );
    }

    #[test]
    fn an_order_whose_money_went_back_needs_nobody() {
        let mut recount = Recount::default();
        let fates = [Fate::Unreported, ended("refused"), ended("withdrawn")];
        let paid = fates.into_iter().map(|fate| Paid {
            order_id: "ORDER1".to_owned(),
            at_ms: 1,
            money: Money::zero(Currency::VND),
            is_returned: fate != ended("withdrawn"),
            fate,
        });
        recount.sales.orders.extend(paid);
        assert_eq!(
            PaidOrders::of(&recount)
                .unwrap()
                .sentence(Language::English),
            "TikTok has counted 0 of 3 orders that were paid in the last 24 hours. 3 orders were withdrawn or refunded."
        );
    }

    #[test]
    fn nothing_is_said_of_orders_that_do_not_exist() {
        assert_eq!(orders(Vec::new()), None);
        assert_eq!(
            orders(vec![Fate::Delivered])
                .unwrap()
                .sentence(Language::English),
            "TikTok has counted 1 of 1 orders that were paid in the last 24 hours."
        );
    }
}
