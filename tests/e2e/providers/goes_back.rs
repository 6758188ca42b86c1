//! Tests refunds and chargebacks that come before TikTok has the event of the sale, and those without a known payment.

use duet_sandbox::Kind;

use super::*;

#[tokio::test]
async fn a_refund_while_tiktok_is_down_withdraws_a_sale_that_was_in_no_attempt() -> Result<()> {
    let settings = [&SETTINGS[..], &[("DUET_SEND_PARALLEL", "1")]].concat();
    let stack = Stack::start(&settings).await?;
    let shop = Shop { stack };
    let outage = shop.stack.sandbox.inject(Fault::Hang {});
    let other = json!({ "event": "Lead", "event_id": "lead", "user": { "external_id": "u" },
                        "properties": { "order_id": "LEAD", "value": 1, "currency": "USD" } });
    shop.stack.accepted(&other).await?;
    shop.stack
        .until("a request hangs", async |stack| {
            Ok(stack.requests().len() == 1)
        })
        .await?;
    let mut kept = Vec::new();
    for (number, provider) in [(1, Provider::Polar), (2, Provider::Stripe)] {
        for (number, refunded) in [(number, 2900), (number + 10, 1000)] {
            let sale = sale(number);
            shop.register(&sale, provider).await?;
            shop.told(shop.payment(&sale, provider)).await?;
            assert_eq!(shop.status(&sale).await?, "paid");
            shop.told(Instruction {
                kind: Kind::Refund,
                refunded: Some(refunded),
                ..shop.payment(&sale, provider)
            })
            .await?;
            if refunded < 2900 {
                kept.push(expected(&sale, provider));
            }
        }
    }
    shop.stack.sandbox.remove_fault(outage);
    let reported = shop.reported().await?;
    let sales: Vec<_> = reported
        .into_iter()
        .filter(|(order_id, ..)| order_id != "LEAD")
        .collect();
    assert_eq!(sales, kept);
    let metrics = shop.stack.metrics().await?;
    let withdrawn = metrics.count("duet_events_ended_total{outcome=\"withdrawn\"}");
    assert_eq!(withdrawn, 2);
    Ok(())
}

#[tokio::test]
async fn the_payment_after_a_refunded_one_is_reported() -> Result<()> {
    let settings = [&SETTINGS[..], &[("DUET_SEND_PARALLEL", "1")]].concat();
    let stack = Stack::start(&settings).await?;
    let shop = Shop { stack };
    let mut paid = Vec::new();
    for (round, has_ended) in [(0, false), (2, true)] {
        let outage = shop.stack.sandbox.inject(Fault::Hang {});
        let lead = format!("A{round}");
        let other = json!({ "event": "Lead", "event_id": lead, "user": { "external_id": "u" },
                            "properties": { "order_id": lead, "value": 1, "currency": "USD" } });
        let before = shop.stack.requests().len();
        shop.stack.accepted(&other).await?;
        shop.stack
            .until("a request hangs", async |stack| {
                Ok(stack.requests().len() > before)
            })
            .await?;
        let sales = [
            (sale(round + 1), Provider::Polar),
            (sale(round + 2), Provider::Stripe),
        ];
        for (sale, provider) in &sales {
            shop.register(sale, *provider).await?;
            shop.told(shop.payment(sale, *provider)).await?;
            shop.told(Instruction {
                kind: Kind::Refund,
                ..shop.payment(sale, *provider)
            })
            .await?;
        }
        if has_ended {
            shop.stack.sandbox.remove_fault(outage);
            shop.reported().await?;
        }
        for (sale, provider) in &sales {
            shop.told(Instruction {
                transaction_id: Some(sale.code + 1000),
                ..shop.payment(sale, *provider)
            })
            .await?;
            assert_eq!(shop.payments(*provider, "paid_before").await?, 0);
            paid.push(expected(sale, *provider));
        }
        shop.stack.sandbox.remove_fault(outage);
        let sold = shop.reported().await?.into_iter();
        let sold: Vec<_> = sold.filter(|(id, ..)| !id.starts_with('A')).collect();
        assert_eq!(sold, paid, "{has_ended}");
    }
    let unreported = shop.stack.metrics().await?.count("duet_paid_unreported");
    assert_eq!(unreported, 0);
    Ok(())
}

#[tokio::test]
async fn refunds_that_are_told_twice_before_their_payment_count_once() -> Result<()> {
    let shop = Shop::open().await?;
    for (number, provider, events) in [
        (1, Provider::Polar, ["order.refunded", "refund.created"]),
        (2, Provider::Polar, ["refund.created", "order.refunded"]),
        (3, Provider::Stripe, ["charge.refunded", "refund.created"]),
    ] {
        let sale = sale(number);
        shop.register(&sale, provider).await?;
        for event in events {
            shop.told(Instruction {
                kind: Kind::Refund,
                refunded: Some(1000),
                event: Some(event.to_owned()),
                ..shop.payment(&sale, provider)
            })
            .await?;
        }
        shop.told(shop.payment(&sale, provider)).await?;
        assert_eq!(shop.net_value(&sale).await?, json!(19), "{events:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_refund_of_no_known_payment_is_listed() -> Result<()> {
    let shop = Shop::open().await?;
    let sale = sale(1);
    let back = Instruction {
        kind: Kind::Refund,
        ..shop.payment(&sale, Provider::Stripe)
    };
    shop.told(back).await?;
    let listed = shop.stack.command(&["payments", "list"]).await?;
    assert!(listed.contains("29.00 USD  refund unmatched"), "{listed}");
    Ok(())
}
