//! Tests repeated notifications and kills. No payment is lost, and no payment counts twice.

use duet_sandbox::Telling;
use duet_tests::faults::{Call, Data};

use super::*;

#[tokio::test]
async fn ten_copies_at_once_are_one_payment() -> Result<()> {
    let shop = Shop::open().await?;
    let mut paid = Vec::new();
    for (number, provider) in (1..).zip(OTHERS) {
        let sale = sale(number);
        shop.register(&sale, provider).await?;
        let copies = Instruction {
            copies: 10,
            parallel: true,
            ..shop.payment(&sale, provider)
        };
        let told = shop.stack.sandbox.bank().send(copies).await?;
        assert_eq!(told.state, Telling::Delivered, "{told:?}");
        assert_eq!(shop.payments(provider, "paid").await?, 1);
        assert_eq!(shop.payments(provider, "repeat").await?, 9);
        paid.push(expected(&sale, provider));
    }
    assert_eq!(shop.reported().await?, paid);
    Ok(())
}

#[tokio::test]
async fn a_kill_in_the_midst_of_payments_loses_none_and_counts_none_twice() -> Result<()> {
    let mut shop = Shop::open().await?;
    let outage = shop.stack.sandbox.inject(Fault::BadGateway {});
    let mut paid = Vec::new();
    for (round, provider) in (0..).zip(OTHERS) {
        let sales: Vec<_> = (1..=10).map(|number| sale(round * 10 + number)).collect();
        let mut under_way = Vec::new();
        for sale in &sales {
            shop.register(sale, provider).await?;
            paid.push(expected(sale, provider));
        }
        for sale in &sales {
            let bank = shop.stack.sandbox.bank().clone();
            let payment = Instruction {
                copies: 2,
                parallel: true,
                minute_ms: Some(500),
                ..shop.payment(sale, provider)
            };
            under_way.push(tokio::spawn(async move { bank.send(payment).await }));
        }
        // At this moment some notifications have an answer, and others do not.
        shop.stack
            .until("a payment is answered", async |stack| {
                let told = stack.sandbox.bank().told();
                Ok(told
                    .iter()
                    .any(|told| told.provider == provider && !told.attempts.is_empty()))
            })
            .await?;
        shop.stack.kill().await?;
        shop.stack.run_proxy().await?;
        for payment in under_way {
            let told = payment.await??;
            assert_eq!(told.state, Telling::Delivered, "{told:?}");
        }
        for sale in &sales {
            assert_eq!(shop.status(sale).await?, "paid", "{provider:?}");
        }
    }
    shop.stack.sandbox.remove_fault(outage);
    assert_eq!(shop.reported().await?, paid);
    Ok(())
}

#[tokio::test]
async fn polar_is_told_to_try_again_and_the_operator_how_to_switch_it_on() -> Result<()> {
    let shop = Shop {
        stack: Stack::start_with_faults(&SETTINGS).await?,
    };
    let unavailable = r#"{"RspCode":"99","Message":"Unknown error"}"#;
    for (number, provider, status) in [(1, Provider::Polar, 503), (2, Provider::Vnpay, 200)] {
        let sale = sale(number);
        shop.register(&sale, provider).await?;
        let faults = shop.stack.faults()?;
        faults.fail_next(Call::Fdatasync, 1, Data::Dropped)?;
        let (answered, body) = shop.answer(shop.payment(&sale, provider)).await?;
        assert_eq!(answered, status, "{body}");
        assert_eq!(body == unavailable, status == 200, "{body}");
        // The provider sends the notification again, and now the payment counts.
        let again = shop.answer(shop.payment(&sale, provider)).await?;
        assert_eq!(again, (200, thanks(provider).to_owned()));
    }
    let log = shop.stack.log();
    assert!(
        log.contains("switches an endpoint off after 10 failures"),
        "{log}"
    );
    assert_eq!(shop.reported().await?.len(), 2);
    Ok(())
}
