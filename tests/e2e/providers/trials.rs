//! Tests subscriptions that begin with a free trial.

use duet_sandbox::Kind;

use super::*;

impl Shop {
    /// Registers a sale whose first amount is zero, and returns the answer.
    async fn register_trial(&self, sale: &Sale) -> Result<Answer> {
        let order = json!({ "order_id": sale.order_id, "amount": 0, "currency": "USD", "plan_id": "pro",
                            "references": { "polar": sale.code } });
        let request = self.stack.request("POST", "/api/orders")?;
        Answer::to(request.bearer_auth(KEY).json(&order)).await
    }
}

#[tokio::test]
async fn the_first_amount_above_zero_after_a_free_trial_is_the_sale() -> Result<()> {
    let shop = Shop::open().await?;
    let mut paid = Vec::new();
    for (number, provider) in [(1, Provider::Polar), (2, Provider::Stripe)] {
        let sale = sale(number);
        let answer = shop.register_trial(&sale).await?;
        assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
        // Polar has no id of its own for an order, so the proxy warns about the reference.
        let warning = &answer.body["warnings"][0];
        assert_eq!(
            (&warning["field"], &warning["rule"]),
            (&json!("references.polar"), &json!("reference"))
        );
        let of_trial = |amount, kind| Instruction {
            amount,
            kind,
            subscription: Some(format!("sub_{number}")),
            ..shop.payment(&sale, provider)
        };
        let trial = Instruction {
            payment_status: (provider == Provider::Stripe)
                .then(|| "no_payment_required".to_owned()),
            ..of_trial(0, Kind::First)
        };
        shop.told(trial).await?;
        assert_eq!(shop.payments(provider, "free").await?, 1);
        assert_eq!(shop.status(&sale).await?, "pending");
        for month in 1..=2 {
            let later = Instruction {
                // The notifications of later payments name only the subscription.
                order_id: String::new(),
                transaction_id: Some(number * 1000 + month),
                ..of_trial(2900, Kind::Renewal)
            };
            shop.told(later).await?;
            assert_eq!(shop.status(&sale).await?, "paid", "{provider:?}");
        }
        assert_eq!(shop.payments(provider, "amount_differs").await?, 1);
        assert_eq!(shop.payments(provider, "renewed").await?, 1);
        paid.push(expected(&sale, provider));
    }
    assert_eq!(shop.reported().await?, paid);
    Ok(())
}
