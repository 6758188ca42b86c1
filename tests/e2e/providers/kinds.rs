//! Tests renewals, refunds and chargebacks for each provider that reports them.

use duet_sandbox::Kind;

use super::*;

impl Shop {
    /// Sends a notification, which the proxy must store.
    pub(super) async fn told(&self, payment: Instruction) -> Result<()> {
        let answer = self.answer(payment).await?;
        ensure!(answer == (200, SUCCESS.to_owned()), "{answer:?}");
        Ok(())
    }

    /// Returns what is left of a sale after its refunds, as the proxy reports it to the shop's server.
    pub(super) async fn net_value(&self, sale: &Sale) -> Result<Value> {
        let request = self
            .stack
            .request("GET", &format!("/api/orders/{}", sale.order_id))?;
        let answer = Answer::to(request.bearer_auth(KEY)).await?;
        Ok(answer.body["net_value"].clone())
    }

    /// Returns a sale that is registered, paid and reported.
    async fn sold(
        &self,
        number: u64,
        provider: Provider,
        subscription: Option<&str>,
    ) -> Result<Sale> {
        let sale = sale(number);
        self.register(&sale, provider).await?;
        self.told(Instruction {
            subscription: subscription.map(str::to_owned),
            ..self.payment(&sale, provider)
        })
        .await?;
        assert_eq!(self.status(&sale).await?, "paid");
        self.reported().await?;
        Ok(sale)
    }
}

#[tokio::test]
async fn a_refund_that_is_told_by_two_events_is_taken_back_once() -> Result<()> {
    let shop = Shop::open().await?;
    let rows = [
        (1, Provider::Polar, ["order.refunded", "refund.created"]),
        (2, Provider::Polar, ["refund.created", "order.refunded"]),
        (3, Provider::Stripe, ["charge.refunded", "refund.created"]),
        (4, Provider::Stripe, ["refund.created", "charge.refunded"]),
    ];
    for (number, provider, events) in rows {
        let sale = shop.sold(number, provider, None).await?;
        for event in events {
            shop.told(Instruction {
                kind: Kind::Refund,
                refunded: Some(1000),
                event: Some(event.to_owned()),
                ..shop.payment(&sale, provider)
            })
            .await?;
            assert_eq!(
                shop.net_value(&sale).await?,
                json!(19),
                "{provider:?} {event}"
            );
        }
    }
    for provider in [Provider::Polar, Provider::Stripe] {
        assert_eq!(shop.payments(provider, "returned").await?, 4);
    }
    assert_eq!(shop.reported().await?.len(), rows.len());
    Ok(())
}

#[tokio::test]
async fn money_that_the_payers_bank_takes_back_leaves_nothing_of_the_sale() -> Result<()> {
    let shop = Shop::open().await?;
    for (number, provider) in [(1, Provider::Polar), (2, Provider::Stripe)] {
        let sale = shop.sold(number, provider, None).await?;
        let taken = Instruction {
            kind: Kind::Chargeback,
            ..shop.payment(&sale, provider)
        };
        shop.told(taken).await?;
        assert_eq!(shop.net_value(&sale).await?, json!(0), "{provider:?}");
        assert_eq!(shop.status(&sale).await?, "paid");
    }
    assert_eq!(shop.reported().await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_renewal_is_no_new_sale() -> Result<()> {
    let shop = Shop::open().await?;
    for (number, provider) in [(1, Provider::Polar), (2, Provider::Stripe)] {
        let subscription = format!("sub_{number}");
        let sale = shop.sold(number, provider, Some(&subscription)).await?;
        for month in 1..=2 {
            shop.told(Instruction {
                kind: Kind::Renewal,
                subscription: Some(subscription.clone()),
                transaction_id: Some(number * 1000 + month),
                ..shop.payment(&sale, provider)
            })
            .await?;
        }
        assert_eq!(shop.payments(provider, "renewed").await?, 2);
    }
    let sales = shop.reported().await?;
    assert_eq!(sales.len(), 2, "{sales:?}");
    Ok(())
}

#[tokio::test]
async fn stripes_test_mode_pays_nothing() -> Result<()> {
    let shop = Shop::open().await?;
    let sale = sale(1);
    shop.register(&sale, Provider::Stripe).await?;
    shop.told(Instruction {
        is_test: true,
        ..shop.payment(&sale, Provider::Stripe)
    })
    .await?;
    assert_eq!(shop.status(&sale).await?, "pending");
    assert_eq!(shop.payments(Provider::Stripe, "test").await?, 1);
    assert!(shop.reported().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_payment_that_comes_first_pays_the_order_that_the_shops_server_registers() -> Result<()> {
    let shop = Shop::open().await?;
    let mut paid = Vec::new();
    for (number, provider) in (1..).zip(OTHERS) {
        let sale = sale(number);
        let (status, _) = shop.answer(shop.payment(&sale, provider)).await?;
        assert_eq!(status, 200);
        assert_eq!(shop.payments(provider, "unmatched").await?, 1);
        shop.register(&sale, provider).await?;
        assert_eq!(shop.status(&sale).await?, "paid", "{provider:?}");
        paid.push(expected(&sale, provider));
    }
    assert_eq!(shop.reported().await?, paid);
    Ok(())
}
