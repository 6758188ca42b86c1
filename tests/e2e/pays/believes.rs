//! Tests which notifications the proxy accepts: all kinds from SePay, and forged ones from other senders.

use duet_sandbox::{Auth, Direction, Flaw, Format, Mangling};

use super::*;

/// The row's name, its change to the instruction, the expected status of the answer, and the expected status of the order.
type Row = (&'static str, fn(&mut Instruction), u16, &'static str);

fn flaw(instruction: &mut Instruction, flaw: Flaw) {
    instruction.flaw = Some(flaw);
}

fn signed(instruction: &mut Instruction, flaw: Option<Flaw>) {
    instruction.auth = Some(Auth::Hmac);
    instruction.flaw = flaw;
}

fn gateway(instruction: &mut Instruction, kind: &str) {
    instruction.format = Format::Gateway;
    kind.clone_into(&mut instruction.notification_type);
}

fn form(instruction: &mut Instruction, status: &str) {
    instruction.format = Format::SignedForm;
    status.clone_into(&mut instruction.status);
}

/// Sends the notification of each row for a separate order. TikTok must get exactly the paid orders, and each of them once.
async fn walk(shop: &Shop, rows: &[Row]) -> Result<()> {
    let mut paid = BTreeSet::new();
    for (number, (name, change, expected, status)) in rows.iter().enumerate() {
        let order_id = format!("PHO_SUB_17622287470{number:02}_NTK3U9");
        shop.register(&order_id).await?;
        let mut instruction = transfer(&order_id, PRICE);
        change(&mut instruction);
        let (answered, body) = shop.answer(instruction).await?;
        assert_eq!(answered, *expected, "{name}: {body}");
        assert_eq!(body == THANKS, *expected == 200, "{name}: {body}");
        for secret in [
            SECRET,
            SERVER_KEY,
            "demo-secret",
            "not-the-agreed",
            "NTK3U9",
        ] {
            assert!(!body.contains(secret), "{name}: {body}");
        }
        assert_eq!(shop.status(&order_id).await?, *status, "{name}");
        if *status == "paid" {
            paid.insert(order_id);
        }
    }
    assert_eq!(shop.reported_orders().await?, paid);
    for secret in [SECRET, "demo-secret", "chuyen tien"] {
        assert!(
            !shop.stack.log().contains(secret),
            "the log must not contain {secret}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_transfer_with_the_key_pays_its_order() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    let rows: &[Row] = &[
        ("as documented", |_| {}, 200, "paid"),
        ("id as text", |it| flaw(it, Flaw::IdAsText), 200, "paid"),
        (
            "amount as text",
            |it| flaw(it, Flaw::AmountAsText),
            200,
            "paid",
        ),
        (
            "nulls absent",
            |it| flaw(it, Flaw::NullsAbsent),
            200,
            "paid",
        ),
        (
            "unknown field",
            |it| flaw(it, Flaw::UnknownField),
            200,
            "paid",
        ),
        ("reordered", |it| flaw(it, Flaw::Reordered), 200, "paid"),
        (
            "outgoing",
            |it| it.direction = Direction::Out,
            200,
            "pending",
        ),
        (
            "other account",
            |it| it.account = Some("123499999".into()),
            200,
            "pending",
        ),
        ("nothing", |it| it.amount = 0, 200, "pending"),
        ("too little", |it| it.amount = PRICE - 1, 200, "partial"),
        ("too much", |it| it.amount = PRICE + 1, 200, "paid"),
        ("less than nothing", |it| it.amount = -PRICE, 422, "pending"),
        (
            "no order",
            |it| it.memo = Some("chuyen tien".into()),
            200,
            "pending",
        ),
        ("wrong key", |it| flaw(it, Flaw::WrongKey), 401, "pending"),
        (
            "missing header",
            |it| flaw(it, Flaw::MissingHeader),
            401,
            "pending",
        ),
        ("no proof", |it| it.auth = Some(Auth::None), 401, "pending"),
        (
            "signed instead",
            |it| it.auth = Some(Auth::Hmac),
            401,
            "pending",
        ),
        ("not JSON", |it| flaw(it, Flaw::NotJson), 400, "pending"),
        ("1 MiB", |it| flaw(it, Flaw::TooLarge), 413, "pending"),
    ];
    walk(&shop, rows).await?;
    for (became, count) in [
        ("paid", 6),
        ("overpaid", 1),
        ("partial", 1),
        ("unmatched", 1),
        ("wrong_account", 1),
        ("zero_amount", 1),
        ("ignored", 1),
    ] {
        assert_eq!(shop.payments(became).await?, count, "{became}");
    }
    Ok(())
}

#[tokio::test]
async fn a_mangled_memo_still_names_its_order() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    let rows: &[Row] = &[
        (
            "signs dropped",
            |it| it.mangling = vec![Mangling::NoSigns],
            200,
            "paid",
        ),
        (
            "lower case",
            |it| it.mangling = vec![Mangling::LowerCase],
            200,
            "paid",
        ),
        (
            "spaced",
            |it| it.mangling = vec![Mangling::Spaced, Mangling::NoCode],
            200,
            "paid",
        ),
        (
            "no spaces",
            |it| it.mangling = vec![Mangling::NoSpaces, Mangling::NoCode],
            200,
            "paid",
        ),
        (
            "prefix and suffix",
            |it| it.mangling = vec![Mangling::NoSigns, Mangling::Wrapped],
            200,
            "paid",
        ),
        (
            "no code",
            |it| it.mangling = vec![Mangling::NoCode],
            200,
            "paid",
        ),
        (
            "all of it, in the description",
            |it| {
                it.mangling = vec![
                    Mangling::NoSigns,
                    Mangling::LowerCase,
                    Mangling::Wrapped,
                    Mangling::DescriptionOnly,
                ];
            },
            200,
            "paid",
        ),
        (
            "cut off",
            |it| it.mangling = vec![Mangling::CutOff],
            200,
            "pending",
        ),
    ];
    walk(&shop, rows).await
}

#[tokio::test]
async fn a_shops_pattern_rebuilds_an_id_whose_prefix_was_lost() -> Result<()> {
    let shop = Shop::open(&[
        ("SEPAY_ORDER_PATTERN", "([0-9]{13})([0-9A-Z]{6})"),
        ("SEPAY_ORDER_TEMPLATE", "PHO_SUB_$1_$2"),
    ])
    .await?;
    let order_id = "PHO_SUB_1762228747088_NTK3U9";
    shop.register(order_id).await?;
    let memo = "phohat Premium Plan monthly billing RUCSIA1762228747088NTK3U9 FT25308710231543";
    let mut instruction = transfer(order_id, PRICE);
    instruction.memo = Some(memo.to_owned());
    instruction.mangling = vec![Mangling::NoCode];
    assert_eq!(shop.answer(instruction).await?.0, 200);
    assert_eq!(shop.status(order_id).await?, "paid");
    Ok(())
}

#[tokio::test]
async fn a_signed_transfer_pays_its_order_and_no_key_does() -> Result<()> {
    let shop = Shop::open(&[("SEPAY_WEBHOOK_AUTH", "hmac")]).await?;
    let rows: &[Row] = &[
        ("signed", |it| signed(it, None), 200, "paid"),
        (
            "unknown field",
            |it| signed(it, Some(Flaw::UnknownField)),
            200,
            "paid",
        ),
        (
            "key instead",
            |it| it.auth = Some(Auth::ApiKey),
            401,
            "pending",
        ),
        ("no proof", |it| it.auth = Some(Auth::None), 401, "pending"),
        (
            "wrong signature",
            |it| signed(it, Some(Flaw::WrongSignature)),
            401,
            "pending",
        ),
        (
            "another secret",
            |it| signed(it, Some(Flaw::WrongKey)),
            401,
            "pending",
        ),
        (
            "missing header",
            |it| signed(it, Some(Flaw::MissingHeader)),
            401,
            "pending",
        ),
        (
            "6 minutes old",
            |it| signed(it, Some(Flaw::OldTimestamp)),
            401,
            "pending",
        ),
        (
            "one byte changed",
            |it| signed(it, Some(Flaw::ChangedByte)),
            401,
            "pending",
        ),
        (
            "reordered",
            |it| signed(it, Some(Flaw::Reordered)),
            401,
            "pending",
        ),
        (
            "not JSON",
            |it| signed(it, Some(Flaw::NotJson)),
            400,
            "pending",
        ),
        (
            "signed gateway",
            |it| {
                signed(it, None);
                it.format = Format::Gateway;
            },
            200,
            "paid",
        ),
        (
            "form with a key",
            |it| {
                it.format = Format::SignedForm;
                it.auth = Some(Auth::ApiKey);
            },
            401,
            "pending",
        ),
    ];
    walk(&shop, rows).await
}

#[tokio::test]
async fn the_gateway_and_the_signed_form_pay_orders_too() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    let rows: &[Row] = &[
        ("gateway", |it| gateway(it, "ORDER_PAID"), 200, "paid"),
        ("void", |it| gateway(it, "TRANSACTION_VOID"), 200, "pending"),
        (
            "unknown type",
            |it| gateway(it, "ORDER_REFUNDED"),
            200,
            "pending",
        ),
        (
            "a renewal of an unpaid order",
            |it| gateway(it, "RENEWAL_ORDER_PAID"),
            200,
            "paid",
        ),
        (
            "gateway, wrong key",
            |it| {
                gateway(it, "ORDER_PAID");
                it.flaw = Some(Flaw::WrongKey);
            },
            401,
            "pending",
        ),
        (
            "gateway, no header",
            |it| {
                gateway(it, "ORDER_PAID");
                it.flaw = Some(Flaw::MissingHeader);
            },
            401,
            "pending",
        ),
        ("form, row 1", |it| form(it, "success"), 200, "paid"),
        (
            "form, row 2",
            |it| it.format = Format::CompletedForm,
            200,
            "paid",
        ),
        ("form, failed", |it| form(it, "failed"), 200, "pending"),
        ("form, pending", |it| form(it, "pending"), 200, "pending"),
        (
            "form, bad signature",
            |it| {
                form(it, "success");
                it.flaw = Some(Flaw::WrongSignature);
            },
            401,
            "pending",
        ),
        (
            "form, other amount",
            |it| {
                form(it, "success");
                it.flaw = Some(Flaw::ChangedByte);
            },
            401,
            "pending",
        ),
        (
            "form without the webhook's secret",
            |it| {
                form(it, "success");
                it.flaw = Some(Flaw::MissingHeader);
            },
            401,
            "pending",
        ),
        (
            "form with another key",
            |it| {
                form(it, "success");
                it.form_key = Some("not-the-agreed-key".to_owned());
            },
            401,
            "pending",
        ),
    ];
    walk(&shop, rows).await
}
