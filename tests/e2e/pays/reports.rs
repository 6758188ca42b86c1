//! Tests which events TikTok gets for a paid order, and which data about the visitor these events have.

use super::*;

const ORDER: &str = "PHO7K3M9Q2X";
/// The event ids of `InitiateCheckout`, `Subscribe` and `CompletePayment` of the order.
const INITIATE_CHECKOUT_ID: &str = "880e85cf-8c3b-8c49-a7fc-736afbb04240";
const SUBSCRIBE_ID: &str = "8dfcc057-77d8-88a5-b01a-e0d0586f4129";
const COMPLETE_PAYMENT_ID: &str = "fe42ae63-b5ad-8eb5-b022-89b5eb26d7db";
const AGENT: &str = "Mozilla/5.0 (Linux; Android 14) Chrome/156.0 Mobile Safari/537.36";
const EMAIL_DIGEST: &str = "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b";

/// Posts the events of a visitor who comes from an ad and chooses a plan.
async fn begin(shop: &Shop) -> Result<()> {
    begin_as(shop, "the-click").await
}

async fn begin_as(shop: &Shop, event_id: &str) -> Result<()> {
    let event = json!({
        "event": "InitiateCheckout", "event_id": event_id,
        "properties": { "contents": [{ "content_id": "starter", "content_name": "Starter", "price": PRICE, "quantity": 1 }],
                        "content_type": "product", "value": PRICE, "currency": "VND", "order_id": ORDER },
        "user": { "email": "test@example.com", "ttp": "3vGw2aT0kQ9XbYcZdEfHjLmNpRs" },
        "page": { "url": "https://shop.example/plans?ttclid=E.C.P.the-click" },
    });
    let request = shop.stack.track(&event)?.header("user-agent", AGENT);
    let answer = Answer::to(request.header("x-forwarded-for", "203.0.113.7")).await?;
    ensure!(answer.status.as_u16() == 202, "{answer:?}");
    Ok(())
}

async fn open() -> Result<Shop> {
    Shop::open(&[("DUET_TRUSTED_PROXIES", "127.0.0.1")]).await
}

fn of<'a>(reported: &'a [Conversion], name: &str) -> Vec<&'a Conversion> {
    let named = reported
        .iter()
        .filter(|conversion| conversion.event == name);
    named.collect()
}

#[tokio::test]
async fn a_plan_that_is_paid_is_one_subscription_with_the_click_that_led_to_it() -> Result<()> {
    let shop = open().await?;
    shop.register(ORDER).await?;
    begin(&shop).await?;
    shop.pay(ORDER, PRICE).await?;
    let reported = shop.reported().await?;
    assert_eq!(reported.len(), 1, "{reported:#?}");
    let subscription = &reported[0];
    assert_eq!(subscription.event, "Subscribe");
    assert_eq!(subscription.event_id.as_deref(), Some(SUBSCRIBE_ID));
    assert_eq!(subscription.properties["value"], PRICE);
    assert_eq!(subscription.properties["currency"], "VND");
    assert_eq!(subscription.properties["order_id"], ORDER);
    assert_eq!(
        subscription.properties["contents"][0]["content_id"],
        "starter"
    );
    let user = &subscription.user;
    assert_eq!(user["ttclid"], "E.C.P.the-click");
    assert_eq!(user["ttp"], "3vGw2aT0kQ9XbYcZdEfHjLmNpRs");
    assert_eq!(user["email"], EMAIL_DIGEST);
    assert_eq!(user["ip"], "203.0.113.7");
    assert_eq!(user["user_agent"], AGENT);

    let standing = shop.standing(ORDER).await?;
    assert_eq!(standing["status"], "paid");
    assert_eq!(standing["event_ids"]["Subscribe"], SUBSCRIBE_ID);
    for personal in [EMAIL_DIGEST, "E.C.P", "3vGw2a", "203.0.113.7", "Mozilla"] {
        assert!(!standing.to_string().contains(personal), "{standing}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_plan_is_a_purchase() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    let order = json!({ "order_id": ORDER, "amount": PRICE, "currency": "VND" });
    shop.register_as(&order).await?;
    shop.pay(ORDER, PRICE).await?;
    let reported = shop.reported().await?;
    assert_eq!((reported.len(), &*reported[0].event), (1, "Purchase"));
    Ok(())
}

#[tokio::test]
async fn an_order_that_only_a_page_began_is_paid_by_its_first_transfer() -> Result<()> {
    let shop = open().await?;
    begin(&shop).await?;
    assert_eq!(shop.status(ORDER).await?, "pending");
    shop.pay(ORDER, 50_000).await?;
    assert_eq!(shop.status(ORDER).await?, "paid");
    let reported = shop.reported().await?;
    assert_eq!(reported.len(), 1);
    assert_eq!(reported[0].properties["value"], 50_000);
    assert_eq!(reported[0].user["ttclid"], "E.C.P.the-click");
    Ok(())
}

#[tokio::test]
async fn a_pages_word_waits_for_the_bank_and_has_the_banks_amount() -> Result<()> {
    let shop = open().await?;
    shop.register(ORDER).await?;
    begin(&shop).await?;
    let word = json!({ "event": "CompletePayment", "user": { "email": "test@example.com" },
                       "properties": { "value": 1, "currency": "USD", "order_id": ORDER } });
    let answer = Answer::to(shop.stack.track(&word)?).await?;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["status"]),
        (202, &json!("held"))
    );
    assert!(shop.reported().await?.is_empty());

    shop.pay(ORDER, PRICE).await?;
    let reported = shop.reported().await?;
    assert_eq!(of(&reported, "Subscribe").len(), 1);
    let payments = of(&reported, "CompletePayment");
    assert_eq!(payments.len(), 1, "{reported:#?}");
    assert_eq!(payments[0].event_id.as_deref(), Some(COMPLETE_PAYMENT_ID));
    assert_eq!(payments[0].properties["value"], PRICE);
    assert_eq!(payments[0].properties["currency"], "VND");
    Ok(())
}

#[tokio::test]
async fn a_page_cannot_make_a_payment_by_itself() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    for name in ["CompletePayment", "Purchase", "Subscribe", "PlaceAnOrder"] {
        let mut word = json!({ "event": name, "user": { "external_id": "u" },
                               "properties": { "value": PRICE, "currency": "VND", "order_id": ORDER } });
        let answer = Answer::to(shop.stack.track(&word)?).await?;
        assert_eq!(answer.status.as_u16(), 202, "{name}");
        word["properties"]
            .as_object_mut()
            .context("the value must be an object")?
            .remove("order_id");
        let answer = Answer::to(shop.stack.track(&word)?).await?;
        assert_eq!(answer.status.as_u16(), 422, "{name}");
    }
    assert_eq!(shop.status(ORDER).await?, "pending");
    assert!(shop.reported().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_stranger_cannot_hide_a_sale_behind_its_own_id() -> Result<()> {
    let shop = open().await?;
    // The first event has the id of the victim's checkout. From this event, the order stores the victim's click.
    for (name, id) in [
        ("InitiateCheckout", INITIATE_CHECKOUT_ID),
        ("Subscribe", SUBSCRIBE_ID),
        ("InitiateCheckout", SUBSCRIBE_ID),
        ("ViewContent", SUBSCRIBE_ID),
    ] {
        let theft = json!({ "event": name, "event_id": id, "user": { "external_id": "stranger" },
                            "properties": { "order_id": "MINE000001" } });
        let answer = Answer::to(shop.stack.track(&theft)?).await?;
        let error = &answer.body["results"][0]["errors"][0];
        assert_eq!(
            (answer.status.as_u16(), &error["field"], &error["rule"]),
            (422, &json!("event_id"), &json!("reserved_id")),
            "{name} {id}"
        );
    }
    begin_as(&shop, INITIATE_CHECKOUT_ID).await?;
    shop.pay(ORDER, PRICE).await?;
    let reported = shop.reported().await?;
    let sales = of(&reported, "Subscribe").len() + of(&reported, "Purchase").len();
    assert_eq!(sales, 1, "{reported:#?}");
    assert_eq!(reported[0].user["ttclid"], "E.C.P.the-click");
    Ok(())
}
