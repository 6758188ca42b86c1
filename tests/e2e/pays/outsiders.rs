//! Tests notifications from senders that are not SePay, and SePay's notifications in older formats.

use super::*;
use crate::events::event;

const ORDER: &str = "PHO7K3M9Q2X";

fn body(id: u64) -> String {
    json!({ "id": id, "transferType": "in", "transferAmount": PRICE, "accountNumber": "0123499999", "content": ORDER })
        .to_string()
}

async fn post(shop: &Shop, path: &str, headers: &[(&str, &str)], body: String) -> Result<Answer> {
    let mut request = shop.stack.request("POST", path)?.body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::to(request).await
}

#[tokio::test]
async fn without_a_secret_there_is_no_webhook() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let shop = Shop { stack };
    assert_eq!(shop.answer(transfer(ORDER, PRICE)).await?.0, 404);
    // Without a payment webhook, the proxy does not hold a page's event about a payment, but sends it.
    shop.stack.accepted(&event("a")).await?;
    shop.stack.conversions(1).await?;
    Ok(())
}

#[tokio::test]
async fn the_key_is_taken_in_every_header_it_came_in_before() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    for (id, name, value, status) in [
        (1, "x-sepay-webhook-secret", SECRET, 200),
        (2, "authorization", "Apikey sandbox-secret", 200),
        (3, "authorization", "Bearer apikey sandbox-secret", 200),
        (4, "authorization", "Bearer sandbox-secret", 401),
        (5, "authorization", SERVER_KEY, 401),
        (6, "authorization", "Bearer e2e-server-key-0123456789", 401),
        (7, "x-secret-key", SECRET, 401),
        (8, "x-sepay-webhook-secret", "", 401),
    ] {
        let answer = post(&shop, WEBHOOK, &[(name, value)], body(id)).await?;
        assert_eq!(answer.status.as_u16(), status, "{name}: {value}");
    }
    // A key in the query of the address is no proof.
    let path = format!("{WEBHOOK}?apikey={SECRET}&key={SECRET}");
    assert_eq!(post(&shop, &path, &[], body(9)).await?.status.as_u16(), 401);
    assert!(!shop.stack.log().contains(SECRET));
    Ok(())
}

#[tokio::test]
async fn the_way_around_the_key_is_gone() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    shop.register(ORDER).await?;
    let answer = post(&shop, "/api/sepay/webhook", &[], body(1)).await?;
    assert_eq!(answer.status.as_u16(), 404);
    assert_eq!(shop.stack.get(WEBHOOK).await?.status.as_u16(), 405);
    assert_eq!(shop.status(ORDER).await?, "pending");
    Ok(())
}

#[tokio::test]
async fn who_guesses_is_slowed_down_and_sepay_is_not() -> Result<()> {
    let shop = Shop::open(&[("DUET_RATE_LIMIT", "5/1h")]).await?;
    let mut statuses = Vec::new();
    for id in 0..8 {
        let guess = [("authorization", "Apikey guess")];
        statuses.push(
            post(&shop, WEBHOOK, &guess, body(id))
                .await?
                .status
                .as_u16(),
        );
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429, 429]);
    for id in 10..20 {
        let key = [("x-sepay-webhook-secret", SECRET)];
        assert_eq!(
            post(&shop, WEBHOOK, &key, body(id)).await?.status.as_u16(),
            200
        );
    }
    assert_eq!(shop.payments("unmatched").await?, 10);
    Ok(())
}

#[tokio::test]
async fn whoever_is_no_partner_learns_the_same_of_every_body() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    shop.register(ORDER).await?;
    let mut answers = BTreeSet::new();
    for body in [
        body(1),
        "{".into(),
        String::new(),
        "[]".into(),
        r#"{"orderId":"x"}"#.into(),
    ] {
        let answer = post(&shop, WEBHOOK, &[("authorization", "Apikey guess")], body).await?;
        assert_eq!(answer.status.as_u16(), 401);
        answers.insert(answer.body.to_string());
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    Ok(())
}
