//! An event whose post was answered with 202 reaches TikTok, even after kills, outages and refusals.

use std::collections::BTreeSet;

use anyhow::Result;
use duet_sandbox::{Fault, Outcome};
use duet_tests::{Answer, Stack};
use serde_json::json;

use crate::events::event;

fn server_error() -> Fault {
    Fault::Code {
        code: 50000,
        message: None,
    }
}

fn gateway_errors() -> [Fault; 5] {
    [
        Fault::BadGateway {},
        Fault::EmptyBody {},
        Fault::TornJson {},
        Fault::Reset {},
        server_error(),
    ]
}

#[tokio::test]
async fn a_kill_between_202_and_delivery_loses_nothing() -> Result<()> {
    let mut stack = Stack::start(&[]).await?;
    let outage = stack.sandbox.inject(Fault::BadGateway {});
    let mut accepted = BTreeSet::new();
    for round in 0..5 {
        for number in 0..20 {
            let id = format!("{round}-{number}");
            stack.accepted(&event(&id)).await?;
            accepted.insert(id);
        }
        stack.kill().await?;
        stack.run_proxy().await?;
    }
    assert_eq!(stack.sandbox.totals().conversions, 0);
    stack.sandbox.remove_fault(outage);
    let conversions = stack.conversions(100).await?;
    let arrived: BTreeSet<_> = conversions
        .into_iter()
        .filter_map(|conversion| conversion.event_id)
        .collect();
    assert_eq!(arrived, accepted);
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_no_verdict_is_not_taken_for_one() -> Result<()> {
    for fault in gateway_errors() {
        let stack = Stack::start(&[]).await?;
        stack.sandbox.inject(fault.times(1));
        stack.accepted(&event("a")).await?;
        assert_eq!(stack.conversions(1).await?[0].signals.len(), 1);
        assert_eq!(stack.requests().len(), 2);
    }
    Ok(())
}

#[tokio::test]
async fn an_event_that_tiktok_took_before_the_line_broke_counts_once() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    stack
        .sandbox
        .inject(Fault::Reset {}.after_storing().times(1));
    stack.accepted(&event("a")).await?;
    stack
        .until("the event is sent again", async |stack| {
            Ok(stack.requests().len() == 2)
        })
        .await?;
    let conversion = stack.conversions(1).await?.remove(0);
    assert_eq!(
        conversion
            .signals
            .iter()
            .map(|signal| signal.outcome)
            .collect::<Vec<_>>(),
        [Outcome::Counted, Outcome::Deduplicated]
    );
    Ok(())
}

#[tokio::test]
async fn one_refused_event_among_many_is_found_and_the_others_arrive() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let outage = stack.sandbox.inject(Fault::BadGateway {});
    stack.sandbox.inject(Fault::RefuseEvent {
        event_id: "poison".to_owned(),
        name_index: false,
    });
    let mut events: Vec<_> = (0..49).map(|number| event(&number.to_string())).collect();
    events.insert(17, event("poison"));
    stack.accepted(&json!({ "events": events })).await?;
    stack.sandbox.remove_fault(outage);
    stack.conversions(49).await?;
    stack
        .until("the refusal is logged", async |stack| {
            Ok(stack.log().contains("dead letter"))
        })
        .await?;
    assert!(stack.log().contains("poison") && stack.log().contains("40002"));
    assert_eq!(stack.get("/readyz").await?.status.as_u16(), 200);
    let requests = stack
        .requests()
        .iter()
        .filter(|request| request.code.is_some())
        .count();
    assert!(
        requests <= 2 * 6 + 1,
        "finding one bad event among 50 took {requests} requests"
    );
    Ok(())
}

#[tokio::test]
async fn a_revoked_token_stops_delivery_and_a_working_one_resumes_it() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    let revoked = stack.sandbox.inject(Fault::TokenRevoked {});
    stack.accepted(&event("a")).await?;
    stack
        .until("the proxy is not ready", async |stack| {
            Ok(stack.get("/readyz").await?.status.as_u16() == 503)
        })
        .await?;
    assert_eq!(
        stack.get("/readyz").await?.body["checks"]["token"],
        "refused"
    );
    stack.accepted(&event("b")).await?;
    stack.sandbox.remove_fault(revoked);
    stack.conversions(2).await?;
    stack
        .until("the proxy is ready again", async |stack| {
            Ok(stack.get("/readyz").await?.status.as_u16() == 200)
        })
        .await
}

#[tokio::test]
async fn a_remark_of_tiktoks_is_a_delivery_with_a_warning() -> Result<()> {
    let stack = Stack::start(&[]).await?;
    stack
        .sandbox
        .inject(Fault::Partial { event_id: None }.times(1));
    stack.accepted(&event("a")).await?;
    stack.conversions(1).await?;
    stack
        .until("the warning is logged", async |stack| {
            Ok(stack.log().contains("delivered with a warning"))
        })
        .await?;
    assert_eq!(stack.requests().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_stop_signal_delivers_what_waits() -> Result<()> {
    let mut stack = Stack::start(&[]).await?;
    for number in 0..10 {
        stack.accepted(&event(&number.to_string())).await?;
    }
    assert!(stack.stop().await?, "{}", stack.log());
    stack.conversions(10).await?;
    Ok(())
}

#[tokio::test]
async fn a_stop_signal_in_an_outage_keeps_what_waits() -> Result<()> {
    let mut stack = Stack::start(&[]).await?;
    let outage = stack.sandbox.inject(Fault::BadGateway {});
    stack.accepted(&event("a")).await?;
    assert!(stack.stop().await?, "{}", stack.log());
    assert!(stack.log().contains("stay on disk"));
    stack.sandbox.remove_fault(outage);
    stack.run_proxy().await?;
    stack.conversions(1).await?;
    Ok(())
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_is_said_before_it_is() -> Result<()> {
    let stack = Stack::start(&[("DUET_DISK_RESERVE_MB", "1000000000")]).await?;
    let answer = Answer::to(stack.track(&event("a"))?).await?;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["code"]),
        (503, &json!("disk_full"))
    );
    assert_eq!(answer.headers["retry-after"], "30");
    assert_eq!(
        stack.get("/readyz").await?.body["checks"]["store"],
        "not writable"
    );
    assert_eq!(stack.sandbox.totals().conversions, 0);
    Ok(())
}
