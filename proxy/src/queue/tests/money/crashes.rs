//! Tests a power failure during any write. Afterwards, the orders, payments and events are all as before the write or all
//! as after the write. A payment without its event, or an event without its payment, must not occur.

use proptest::prelude::*;

use super::*;
use crate::queue::tests::crashes::{crashed, journals, lost, written};

const ORDERS: [&str; 3] = ["ORDER00001", "ORDER00002", "ORDER00003"];

#[derive(Clone, Debug)]
enum Act {
    Register(usize, i64),
    Begin(usize),
    Claim(usize),
    Pay(usize, u8, i64),
    Withdraw(usize),
}

/// The data that operators, pages and couriers can read.
#[derive(Debug, PartialEq, Eq)]
struct Sight {
    orders: Vec<Option<String>>,
    payments: Vec<String>,
    waiting: Vec<(String, i64)>,
    dead: Vec<String>,
}

fn act() -> impl Strategy<Value = Act> {
    let order = || 0..ORDERS.len();
    let amount = || prop_oneof![Just(1_000_i64), Just(2_000)];
    prop_oneof![
        1 => (order(), amount()).prop_map(|(order, amount)| Act::Register(order, amount)),
        1 => order().prop_map(Act::Begin),
        2 => order().prop_map(Act::Claim),
        4 => (order(), 0_u8..6, amount()).prop_map(|(order, id, amount)| Act::Pay(order, id, amount)),
        1 => order().prop_map(Act::Withdraw),
    ]
}

async fn apply(act: &Act, intake: &Intake) {
    let orders = intake.orders();
    match *act {
        Act::Register(order, amount) => {
            let order = registration_of(ORDERS[order], amount);
            // The registration may be rejected. This test accepts both results.
            let _ = orders
                .register(order, destination(None).into())
                .await
                .unwrap();
        }
        Act::Begin(order) => {
            let event = page_of(ORDERS[order], "InitiateCheckout", Part::Begins);
            intake.enqueue([event]).await.unwrap();
        }
        Act::Claim(order) => {
            let event = page_of(ORDERS[order], "CompletePayment", Part::Claims);
            intake.enqueue([event]).await.unwrap();
        }
        Act::Pay(order, id, amount) => {
            let receipt = receipt(&id.to_string(), amount, ORDERS[order]);
            orders.pay(receipt).await.unwrap();
        }
        Act::Withdraw(order) => {
            orders.withdraw(ORDERS[order].to_owned()).await.unwrap();
        }
    }
}

async fn sight(folder: &Path) -> Sight {
    let (intake, mut outlet, letters) = reopened(folder).await;
    let orders = intake.orders();
    let summary = |id: &str| {
        let order = orders.find(id).unwrap();
        order.map(|order| serde_json::to_string(&order.summary()).unwrap())
    };
    let payments = orders.payments().unwrap().into_iter();
    let waits = intake.depth() > 0;
    Sight {
        orders: ORDERS.map(summary).to_vec(),
        payments: payments
            .map(|payment| serde_json::to_string(&payment).unwrap())
            .collect(),
        waiting: if waits {
            waiting(&mut outlet.leased().await)
        } else {
            Vec::new()
        },
        dead: letters
            .newest(100)
            .unwrap()
            .into_iter()
            .map(|(id, letter)| format!("{id} {}", letter.outcome))
            .collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_crash_parts_no_payment_from_what_follows(
        acts in prop::collection::vec((act(), lost()), 1..8)
    ) {
        on_this_thread(async {
            let folder = tempfile::tempdir().unwrap();
            let (intake, _outlet, _letters) = opened(folder.path());
            for (act, kept) in acts {
                let journal = journals(folder.path()).pop().unwrap();
                let start = written(&journal);
                let before = sight(crashed(folder.path(), start, u64::MAX).path()).await;
                apply(&act, &intake).await;
                let after = sight(crashed(folder.path(), start, u64::MAX).path()).await;
                let found = sight(crashed(folder.path(), start, kept).path()).await;
                assert!(
                    found == before || found == after,
                    "the store must be as before the write {before:#?} or as after it {after:#?}, got {found:#?}"
                );
            }
        });
    }
}
