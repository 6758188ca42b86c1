//! Tests the proxy's answers to each provider.

use super::*;

/// The notification, the expected status of the answer, VNPay's code in the answer, and the expected status of the order.
type Row = (
    &'static str,
    fn(&mut Instruction),
    u16,
    &'static str,
    &'static str,
);

/// The part of the account's number that an operator sees. This text occurs in no time, port or id.
const SHOWN: &str = "QXWV";

const ROWS: [Row; 14] = [
    ("as documented", |_| {}, 200, "00", "paid"),
    (
        "nulls absent",
        |it| it.flaw = Some(Flaw::NullsAbsent),
        200,
        "00",
        "paid",
    ),
    (
        "a field more",
        |it| it.flaw = Some(Flaw::UnknownField),
        200,
        "00",
        "paid",
    ),
    (
        "no order",
        |it| {
            it.order_id = "UNKNOWN0001".into();
            it.order_code = Some(1);
        },
        200,
        "01",
        "pending",
    ),
    (
        "not paid",
        |it| {
            it.payment_status = Some(
                match it.provider {
                    Provider::Stripe => "unpaid",
                    _ => "24",
                }
                .into(),
            );
            it.event = (it.provider == Provider::Polar).then(|| "order.created".into());
        },
        200,
        "00",
        "pending",
    ),
    ("nothing", |it| it.amount = 0, 200, "99", "pending"),
    (
        "another secret",
        |it| it.secret = Some("another-secret".into()),
        401,
        "97",
        "pending",
    ),
    (
        "wrong key",
        |it| it.flaw = Some(Flaw::WrongKey),
        401,
        "97",
        "pending",
    ),
    (
        "no proof",
        |it| it.flaw = Some(Flaw::MissingHeader),
        401,
        "97",
        "pending",
    ),
    (
        "wrong signature",
        |it| it.flaw = Some(Flaw::WrongSignature),
        401,
        "97",
        "pending",
    ),
    (
        "one digit changed",
        |it| it.flaw = Some(Flaw::ChangedByte),
        401,
        "97",
        "pending",
    ),
    (
        "6 minutes old",
        |it| it.flaw = Some(Flaw::OldTimestamp),
        401,
        "97",
        "pending",
    ),
    (
        "reordered",
        |it| it.flaw = Some(Flaw::Reordered),
        401,
        "97",
        "pending",
    ),
    (
        "not JSON",
        |it| it.flaw = Some(Flaw::NotJson),
        400,
        "97",
        "pending",
    ),
];

/// Returns whether a row is possible for this provider. The notifications of payOS and VNPay have no time and so are never too
/// old, and their proof over the values allows any order of the fields. VNPay's query is not JSON and has no nulls.
fn occurs(name: &str, provider: Provider) -> bool {
    let is_values = matches!(provider, Provider::Payos | Provider::Vnpay);
    !(is_values && matches!(name, "6 minutes old" | "reordered" | "not JSON")
        || provider == Provider::Vnpay && matches!(name, "nulls absent" | "a field more"))
}

#[tokio::test]
async fn every_notification_has_the_answer_that_its_provider_wants() -> Result<()> {
    let shop = Shop::open().await?;
    let mut number = 0;
    let mut paid = Vec::new();
    for provider in OTHERS {
        for (name, change, status, code, order) in ROWS {
            if !occurs(name, provider) {
                continue;
            }
            number += 1;
            let sale = sale(number);
            shop.register(&sale, provider).await?;
            let mut payment = shop.payment(&sale, provider);
            if provider == Provider::Payos {
                payment.account = Some(format!("0123{SHOWN}"));
            }
            change(&mut payment);
            let (answered, body) = shop.answer(payment).await?;
            if provider == Provider::Vnpay {
                let answer: Value = serde_json::from_str(&body)?;
                assert_eq!(
                    (answered, &answer["RspCode"]),
                    (200, &json!(code)),
                    "{name}"
                );
            } else {
                assert_eq!(answered, status, "{provider:?} {name}: {body}");
                assert_eq!(
                    body == SUCCESS,
                    status == 200,
                    "{provider:?} {name}: {body}"
                );
            }
            assert!(!body.contains("whsec"), "{body}");
            assert_eq!(shop.status(&sale).await?, order, "{provider:?} {name}");
            if order == "paid" {
                paid.push(expected(&sale, provider));
            }
        }
    }
    assert_eq!(shop.reported().await?, paid);
    for provider in OTHERS {
        assert_eq!(shop.payments(provider, "unmatched").await?, 1);
    }
    let log = shop.stack.log();
    for secret in [SECRET, "vnp_", "Thanh toan", "Thanh+toan", SHOWN] {
        assert!(!log.contains(secret), "the log must not contain {secret}");
    }
    assert!(
        log.contains("key=\"decoded\"") || log.contains("decoded"),
        "{log}"
    );
    Ok(())
}

#[tokio::test]
async fn a_signed_notification_that_cannot_be_read_is_counted_and_named() -> Result<()> {
    let shop = Shop::open().await?;
    for (number, provider) in [(1, Provider::Polar), (2, Provider::Stripe)] {
        let sale = sale(number);
        shop.register(&sale, provider).await?;
        let mut payment = shop.payment(&sale, provider);
        payment.currency = Some("XXX".into());
        let (status, body) = shop.answer(payment).await?;
        assert_eq!(status, 422, "{body}");
        let body: Value = serde_json::from_str(&body)?;
        let error = body["error"].as_str().unwrap();
        assert!(!error.contains("event"), "{error}");
        assert_eq!(shop.status(&sale).await?, "pending");
        assert_eq!(shop.payments(provider, "unreadable").await?, 1);
    }
    let log = shop.stack.log();
    for words in [
        "cannot be read; its money is not recorded",
        "currency",
        "switch the endpoint on again",
    ] {
        assert!(
            log.contains(words),
            "the log must contain {words}, got\n{log}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_route_exists_where_its_secret_is_set() -> Result<()> {
    let stack = Stack::start(&[("STRIPE_WEBHOOK_SECRET", SECRET)]).await?;
    for (method, provider, status) in [
        ("POST", "sepay", 404),
        ("POST", "polar", 404),
        ("POST", "stripe", 401),
        ("POST", "payos", 404),
        ("GET", "vnpay", 404),
        ("POST", "momo", 404),
        ("GET", "stripe", 405),
        ("POST", "vnpay", 405),
    ] {
        let path = format!("/api/payment/{provider}/webhook");
        let answer = Answer::to(stack.request(method, &path)?.body("{}")).await?;
        assert_eq!(answer.status.as_u16(), status, "{method} {provider}");
    }
    assert!(
        stack.log().contains("stripe"),
        "the proxy must log its webhooks at the start"
    );
    assert!(stack.log().contains("cash on delivery"));
    Ok(())
}

#[tokio::test]
async fn vnpay_hears_of_a_repeat_and_of_a_sum_that_is_not_enough() -> Result<()> {
    let shop = Shop::open().await?;
    let sale = sale(1);
    shop.register(&sale, Provider::Vnpay).await?;
    let part = Instruction {
        amount: 50_000,
        transaction_id: Some(7),
        ..shop.payment(&sale, Provider::Vnpay)
    };
    let less = r#"{"RspCode":"04","Message":"Invalid amount"}"#;
    assert_eq!(shop.answer(part.clone()).await?, (200, less.to_owned()));
    let again = r#"{"RspCode":"02","Message":"Order already confirmed"}"#;
    assert_eq!(shop.answer(part).await?, (200, again.to_owned()));
    let whole = shop.payment(&sale, Provider::Vnpay);
    let first = shop.answer(whole.clone()).await?;
    assert_eq!(first, (200, thanks(Provider::Vnpay).to_owned()));
    assert_eq!(shop.answer(whole).await?, (200, again.to_owned()));
    let value = json!(149_000);
    let reported = (sale.order_id.clone(), value, "VND".to_owned());
    assert_eq!(shop.reported().await?, [reported]);
    Ok(())
}

#[tokio::test]
async fn a_session_and_its_invoice_count_once_in_either_order() -> Result<()> {
    let shop = Shop::open().await?;
    let mut paid = Vec::new();
    for (number, order) in [
        (1, ["checkout.session.completed", "invoice.paid"]),
        (2, ["invoice.paid", "checkout.session.completed"]),
    ] {
        let sale = sale(number);
        shop.register(&sale, Provider::Stripe).await?;
        for event in order {
            let payment = Instruction {
                event: Some(event.to_owned()),
                subscription: Some(format!("sub_{number}")),
                ..shop.payment(&sale, Provider::Stripe)
            };
            assert_eq!(shop.answer(payment).await?, (200, SUCCESS.to_owned()));
            assert_eq!(shop.status(&sale).await?, "paid", "{event}");
        }
        paid.push(expected(&sale, Provider::Stripe));
    }
    assert_eq!(shop.reported().await?, paid);
    assert_eq!(shop.payments(Provider::Stripe, "repeat").await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_secret_that_is_replaced_stays_valid_beside_the_new_one() -> Result<()> {
    let both = format!("the-next-secret {SECRET}");
    let stack =
        Stack::start(&[&SETTINGS[..], &[("STRIPE_WEBHOOK_SECRET", both.as_str())]].concat())
            .await?;
    let shop = Shop { stack };
    for (number, secret) in [(1, SECRET), (2, "the-next-secret")] {
        let sale = sale(number);
        shop.register(&sale, Provider::Stripe).await?;
        let payment = Instruction {
            secret: Some(secret.to_owned()),
            ..shop.payment(&sale, Provider::Stripe)
        };
        assert_eq!(shop.answer(payment).await?, (200, SUCCESS.to_owned()));
    }
    assert_eq!(shop.reported().await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn payos_sample_is_answered_and_not_recorded() -> Result<()> {
    let shop = Shop::open().await?;
    let sample = Instruction {
        order_code: Some(123),
        memo: Some("VQRIO123".to_owned()),
        ..shop.payment(&sale(1), Provider::Payos)
    };
    assert_eq!(shop.answer(sample).await?, (200, SUCCESS.to_owned()));
    assert_eq!(shop.payments(Provider::Payos, "ignored").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_guesser_is_slowed_down_whatever_provider_it_plays() -> Result<()> {
    let shop = Shop::open().await?;
    for provider in OTHERS {
        let guess = Instruction {
            secret: Some("another-secret".to_owned()),
            copies: 32,
            ..shop.payment(&sale(1), provider)
        };
        let told = shop.stack.sandbox.bank().send(guess).await?;
        let last = told
            .attempts
            .last()
            .context("the bank must have sent the notification")?;
        assert_eq!(last.status, Some(429), "{provider:?}");
    }
    let sale = sale(2);
    shop.register(&sale, Provider::Polar).await?;
    let genuine = shop.payment(&sale, Provider::Polar);
    assert_eq!(shop.answer(genuine).await?, (200, SUCCESS.to_owned()));
    assert_eq!(shop.reported().await?.len(), 1);
    Ok(())
}
