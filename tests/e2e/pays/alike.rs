//! Tests orders whose ids look the same in a memo.

use super::*;

const ORDER: &str = "PHO7K3M9Q2X";
const ALIKE: [&str; 3] = ["pho-7k3m9q2x", "PHO.7K3M9Q2X", "phở7k3m9q2x"];

async fn begin(shop: &Shop, event: &str, order_id: &str, click: &str) -> Result<Answer> {
    let event = json!({
        "event": event, "properties": { "order_id": order_id },
        "page": { "url": format!("https://shop.example/plans?ttclid={click}") },
    });
    shop.stack.accepted(&event).await
}

#[tokio::test]
async fn a_stranger_cannot_make_a_payment_ambiguous() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    begin(&shop, "InitiateCheckout", ORDER, "E.C.P.the-click").await?;
    for alike in ALIKE {
        // The proxy accepts these events, but they do not begin an order.
        for (event, status) in [
            ("InitiateCheckout", "accepted"),
            ("AddPaymentInfo", "accepted"),
            ("CompletePayment", "held"),
        ] {
            let answer = begin(&shop, event, alike, "E.C.P.stranger").await?;
            assert_eq!(answer.body["status"], status, "{event} {alike}");
        }
        assert_eq!(shop.status(alike).await?, "unknown");
    }
    shop.pay(ORDER, PRICE).await?;
    assert_eq!(shop.payments("ambiguous").await?, 0);
    assert_eq!(shop.status(ORDER).await?, "paid");
    let mut reported = shop.reported().await?;
    reported.retain(|conversion| conversion.event != "AddPaymentInfo");
    assert_eq!(reported.len(), 1, "{reported:#?}");
    assert_eq!(reported[0].properties["order_id"], ORDER);
    assert_eq!(reported[0].user["ttclid"], "E.C.P.the-click");

    // After the payment, strangers cannot begin such an order either. A second payment must be given back to its payer.
    begin(&shop, "InitiateCheckout", "PHO_7K3M9Q2X", "E.C.P.stranger").await?;
    shop.pay(ORDER, PRICE).await?;
    assert_eq!(shop.payments("paid_before").await?, 1);
    assert_eq!(shop.status("PHO_7K3M9Q2X").await?, "unknown");
    Ok(())
}

#[tokio::test]
async fn a_registration_wins_over_an_order_that_a_page_began() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    // The stranger's order was begun first, and its id is spelled exactly as in the memo.
    begin(&shop, "InitiateCheckout", ORDER, "E.C.P.stranger").await?;
    let registered = "PHO-7K3M-9Q2X";
    shop.register(registered).await?;
    shop.pay(ORDER, PRICE).await?;
    assert_eq!(shop.status(registered).await?, "paid");
    assert_eq!(shop.status(ORDER).await?, "pending");
    shop.pay(ORDER, PRICE).await?;
    assert_eq!(shop.payments("paid_before").await?, 1);
    assert_eq!(shop.status(ORDER).await?, "pending");
    assert_eq!(shop.reported().await?.len(), 1);
    Ok(())
}
