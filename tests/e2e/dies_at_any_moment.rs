//! An event whose post was answered with 202 reaches TikTok, even if the process ends at any moment and TikTok fails at times.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    hash::{BuildHasher, RandomState},
};

use anyhow::Result;
use duet_sandbox::{Fault, Injection};
use duet_tests::{Answer, Stack};
use serde_json::json;

use crate::events::{arrived, event, ids};

const ROUNDS: usize = 12;

/// What the proxy answered to the callers.
#[derive(Default)]
struct Told {
    accepted: RefCell<BTreeSet<String>>,
    posts: Cell<usize>,
}

impl Told {
    /// Posts single events and batches in turn until the process has ended.
    async fn post(&self, stack: &Stack) -> Result<()> {
        loop {
            let post = self.posts.replace(self.posts.get() + 1);
            let batch = if post.is_multiple_of(2) { 1 } else { 7 };
            let ids = ids(&format!("{post}-"), batch);
            let events: Vec<_> = ids.iter().map(|id| event(id)).collect();
            // If a call gets no answer, its events may be stored or not. The caller cannot know this, so the events are not
            // counted as accepted.
            let Ok(answer) = Answer::to(stack.track(&json!({ "events": events }))?).await else {
                return Ok(());
            };
            assert_eq!(answer.status.as_u16(), 202, "{answer:?}");
            self.accepted.borrow_mut().extend(ids);
        }
    }

    /// Lets callers post until the process gets `signal` at a random moment.
    async fn post_until(&self, signal: &str, stack: &Stack) -> Result<()> {
        let enough = self.accepted.borrow().len() + any_below(500);
        let end = async {
            stack
                .until("enough events were accepted", async |_| {
                    Ok(self.accepted.borrow().len() >= enough)
                })
                .await?;
            stack.signal(signal).await
        };
        let call = || self.post(stack);
        tokio::try_join!(end, call(), call(), call(), call(), call(), call())?;
        Ok(())
    }

    /// Checks that every accepted event arrives at TikTok and that no event stays pending.
    async fn all_arrive(&self, stack: &Stack) -> Result<()> {
        stack
            .until("no event is pending", async |stack| {
                Ok(stack.metrics().await?.count("duet_queue_events") == 0)
            })
            .await?;
        let conversions = stack.sandbox.conversions();
        let (accepted, arrived) = (self.accepted.borrow(), arrived(&conversions));
        let lost: Vec<_> = accepted
            .iter()
            .filter(|id| !arrived.contains(id.as_str()))
            .collect();
        assert!(
            lost.is_empty(),
            "no accepted event may be lost, but {lost:?} of {} are lost",
            accepted.len()
        );
        let twice = conversions.iter().filter(|found| found.signals.len() > 1);
        println!(
            "{} accepted, {} arrived, {} of them more than once",
            accepted.len(),
            conversions.len(),
            twice.count()
        );
        Ok(())
    }
}

fn any_below(bound: u64) -> usize {
    let number = RandomState::new().hash_one(()) % bound;
    usize::try_from(number).unwrap_or_default()
}

async fn stack() -> Result<Stack> {
    Stack::start(&[
        ("DUET_RATE_LIMIT", "off"),
        ("DUET_SEND_LIMIT", "off"),
        ("DUET_LOG", "info"),
    ])
    .await
}

/// Returns TikTok's fault in a round: it stores events but sends no answer, it is down, it is slow, or it has no fault.
fn trouble(round: usize) -> Option<Injection> {
    match round % 4 {
        0 => Some(Fault::Reset {}.after_storing()),
        1 => Some(Fault::BadGateway {}.into()),
        2 => Some(Fault::Slow { ms: 50 }.into()),
        _ => None,
    }
}

#[tokio::test]
async fn kills_under_load_lose_nothing_that_was_accepted() -> Result<()> {
    let mut stack = stack().await?;
    let told = Told::default();
    for round in 0..ROUNDS {
        stack.sandbox.clear_faults();
        if let Some(trouble) = trouble(round) {
            stack.sandbox.inject(trouble);
        }
        told.post_until("KILL", &stack).await?;
        stack.kill().await?;
        stack.run_proxy().await?;
    }
    stack.sandbox.clear_faults();
    told.all_arrive(&stack).await
}

#[tokio::test]
async fn stop_signals_under_load_lose_nothing_that_was_accepted() -> Result<()> {
    let mut stack = stack().await?;
    let told = Told::default();
    for round in 1..4 {
        stack.sandbox.clear_faults();
        if let Some(trouble) = trouble(round) {
            stack.sandbox.inject(trouble);
        }
        told.post_until("TERM", &stack).await?;
        assert!(stack.stop().await?, "{}", stack.log());
        stack.run_proxy().await?;
    }
    stack.sandbox.clear_faults();
    told.all_arrive(&stack).await
}
