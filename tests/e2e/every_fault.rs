//! `docs/delivery.md` has a table of faults and their effects. These tests check each row of the table.

use std::{collections::BTreeSet, path::Path, rc::Rc};

use anyhow::{Context, Result, bail, ensure};
use duet_sandbox::Injection;
use duet_tests::{Metrics, Stack};
use serde_json::{Value, json};
use tokio::{
    sync::Semaphore,
    task::{JoinSet, LocalSet},
};

use crate::events::event;

/// How many rows are tested at the same time.
const AT_ONCE: usize = 8;
/// Every code that TikTok's contract names.
const CODES: [u32; 23] = [
    0, 20001, 40000, 40001, 40002, 40007, 40016, 40100, 40101, 40102, 40105, 40110, 40133, 40200,
    40201, 40202, 40700, 50000, 50002, 51001, 51002, 51039, 60001,
];
const SETTINGS: [(&str, &str); 2] = [("DUET_SEND_LIMIT", "off"), ("DUET_LOG", "info")];

/// One fault of a row, and the effect that the row states.
#[derive(Clone, Debug)]
struct Case {
    /// The fault to inject. `None` for no fault.
    fault: Option<Value>,
    /// The code in TikTok's answer, or `none`.
    code: String,
    class: String,
    /// The outcomes of the two events: the good event and the other event.
    events: [String; 2],
    ready: u16,
}

impl Case {
    /// Returns one case for each fault in a row.
    fn all_of(row: &str) -> Result<Vec<Self>> {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [faults, code, class, events, ready, _] = cells[..] else {
            bail!("a row must have six cells, got {row}");
        };
        let events = match words(events)[..] {
            [both] => [both, both],
            [good, other] => [good, other],
            _ => bail!(
                "the cell must name one outcome for both events or one for each event, got {events}"
            ),
        };
        words(faults)
            .into_iter()
            .map(|fault| {
                let injected = match fault.strip_prefix("code ") {
                    Some(code) => Some(json!({ "fault": "code", "code": code.parse::<u32>()? })),
                    None if fault == "none" => None,
                    None => Some(serde_json::from_str(fault).context(fault.to_owned())?),
                };
                let own = injected.as_ref().filter(|fault| fault["fault"] == "code");
                let code = match own {
                    Some(fault) => fault["code"].to_string(),
                    None => words(code)
                        .last()
                        .context("the cell must name a code")?
                        .to_string(),
                };
                Ok(Self {
                    fault: injected,
                    code,
                    class: class.to_owned(),
                    events: events.map(str::to_owned),
                    ready: ready.parse()?,
                })
            })
            .collect()
    }

    async fn holds(self) -> Result<()> {
        let stack = Stack::start(&SETTINGS).await?;
        if let Some(fault) = &self.fault {
            stack.sandbox.inject(Injection::try_from(fault.clone())?);
        }
        let answers = format!("duet_tiktok_answers_total{{code=\"{}\"}}", self.code);
        let two = json!({ "events": [event("good"), event("bad")] });
        stack.accepted(&two).await?;
        stack
            .until(&format!("TikTok answers {}", self.code), async |stack| {
                Ok(stack.metrics().await?.count(&answers) > 0)
            })
            .await?;
        match self.class.as_str() {
            "taken" | "in part" | "refused" => self.ends(&stack).await?,
            "barred" | "unclear" | "trouble" => {
                self.is_kept(&stack).await?;
                self.arrives_afterwards(&stack).await?;
            }
            "throttled" => {
                self.is_kept(&stack).await?;
                self.is_left_alone(&stack).await?;
            }
            other => bail!("the test must know the class of a fault, got {other}"),
        }
        Ok(())
    }

    async fn ends(&self, stack: &Stack) -> Result<()> {
        stack
            .until("both events have ended", async |stack| {
                Ok(stack.metrics().await?.sum("duet_events_ended_total") == 2)
            })
            .await?;
        let metrics = stack.metrics().await?;
        for end in &self.events {
            let meant = self.events.iter().filter(|other| *other == end).count();
            ensure!(
                ended(&metrics, end) == i64::try_from(meant)?,
                "{meant} events must have the outcome {end}: {metrics:?}"
            );
        }
        ensure!(metrics.count("duet_queue_events") == 0, "something waits");
        self.readiness(stack).await
    }

    async fn is_kept(&self, stack: &Stack) -> Result<()> {
        ensure!(self.events == ["kept", "kept"], "{:?}", self.events);
        self.readiness(stack).await?;
        let metrics = stack.metrics().await?;
        let waiting = metrics.count("duet_queue_events");
        let ended = metrics.sum("duet_events_ended_total");
        ensure!(
            (waiting, ended) == (2, 0),
            "both events must be pending, but {waiting} are pending and {ended} have ended"
        );
        Ok(())
    }

    async fn arrives_afterwards(&self, stack: &Stack) -> Result<()> {
        stack.sandbox.clear_faults();
        stack.conversions(2).await?;
        stack
            .until(
                "both events are delivered and the proxy is ready",
                async |stack| {
                    let delivered = ended(&stack.metrics().await?, "delivered") == 2;
                    Ok(delivered && stack.get("/readyz").await?.status.as_u16() == 200)
                },
            )
            .await
    }

    /// Checks that the proxy sends no further request, although TikTok would accept requests again.
    async fn is_left_alone(&self, stack: &Stack) -> Result<()> {
        stack.sandbox.clear_faults();
        for id in ["c", "d", "e"] {
            stack.accepted(&event(id)).await?;
        }
        let sent = stack.sandbox.totals().requests;
        ensure!(
            sent == 1,
            "after TikTok asked for fewer requests, the proxy must send only the first request, but it sent {sent}"
        );
        ensure!(stack.metrics().await?.count("duet_queue_events") == 5);
        stack.leaves_waiting(5);
        Ok(())
    }

    async fn readiness(&self, stack: &Stack) -> Result<()> {
        let barred = self.ready == 503;
        stack
            .until(
                "the readiness is the one that the row states",
                async |stack| {
                    let ready = stack.get("/readyz").await?;
                    let token = &ready.body["checks"]["token"];
                    Ok(ready.status.as_u16() == self.ready && (token == "refused") == barred)
                },
            )
            .await
    }
}

fn ended(metrics: &Metrics, outcome: &str) -> i64 {
    metrics.count(&format!("duet_events_ended_total{{outcome=\"{outcome}\"}}"))
}

/// Returns the texts between backticks.
fn words(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn cases() -> Result<Vec<Case>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/delivery.md");
    let page = std::fs::read_to_string(page)?;
    let table = page
        .lines()
        .skip_while(|line| !line.starts_with("| Fault |"));
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    let cases = rows.map(Case::all_of).collect::<Result<Vec<_>>>()?;
    Ok(cases.concat())
}

#[tokio::test]
async fn every_row_of_the_table_holds() -> Result<()> {
    let places = Rc::new(Semaphore::new(AT_ONCE));
    LocalSet::new()
        .run_until(async {
            let mut running = JoinSet::new();
            // Begin with the last row, because it is the slowest.
            for case in cases()?.into_iter().rev() {
                let places = Rc::clone(&places);
                running.spawn_local(async move {
                    let _place = places.acquire().await?;
                    let about = format!("{case:?}");
                    case.holds().await.context(about)
                });
            }
            while let Some(done) = running.join_next().await {
                done??;
            }
            Ok(())
        })
        .await
}

#[test]
fn every_fault_of_the_sandbox_has_a_row() -> Result<()> {
    let cases = cases()?;
    let in_rows = cases.iter().filter_map(|case| case.fault.as_ref());
    let in_rows: BTreeSet<_> = in_rows
        .filter_map(|fault| fault["fault"].as_str())
        .collect();
    // The error for an unknown fault lists all known faults.
    let unknown = Injection::try_from(json!({ "fault": "?" }))
        .unwrap_err()
        .to_string();
    let (_, known) = unknown
        .split_once("expected one of")
        .context(unknown.clone())?;
    let known: BTreeSet<_> = words(known).into_iter().collect();
    assert!(known.len() > 10, "{unknown}");
    assert_eq!(in_rows, known);
    Ok(())
}

#[test]
fn every_code_of_the_contract_has_a_row() -> Result<()> {
    let cases = cases()?;
    for code in CODES {
        let code = code.to_string();
        assert!(
            cases.iter().any(|case| case.code == code),
            "the table must have a row for the code {code}"
        );
    }
    Ok(())
}
