//! Explains what happened to an order, an event, a request to TikTok or a transfer. The explanation states the steps in words,
//! the step that is missing, the cause, and what to do.
//!
//! [`explain`] is pure. [`evidence`](crate::evidence) collects its [`Facts`] from the store and from the running
//! proxy. `cause.rs` has the meaning and the next step of every [`Cause`], in English and Vietnamese.

use serde::{Deserialize, Serialize};

mod cause;
mod delivery;
mod events;
mod facts;
mod money;
mod step;
mod vietnamese;

pub use cause::{Cause, Text};
pub(crate) use facts::is_money;
pub use facts::{Arrived, Facts, Pending, PixelState, Refused, Repeat, Settings, WebhookState};
pub use step::{Did, Step};

/// The answer: what happened, and why nothing else happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// The id that the answer explains.
    pub id: String,
    /// The order to which the id belongs, if the id is not the order's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// Whether the store or the running proxy knows the id.
    pub is_known: bool,
    /// What happened, the oldest step first.
    pub steps: Vec<Step>,
    /// The step that is missing, by the most important cause. `None` if TikTok has counted everything.
    pub missing: Option<Missing>,
    /// The causes, the most important first. The list has at least one cause.
    pub causes: Vec<Found>,
}

/// A step that has not happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// The event has not reached the proxy.
    Arrival,
    /// The proxy has not accepted the event.
    Acceptance,
    /// No payment has paid the order.
    Payment,
    /// The event has not been sent to TikTok.
    Delivery,
    /// TikTok has not accepted the event.
    #[serde(rename = "tiktok")]
    TikTok,
    /// The Pixel's copy was not sent.
    Pixel,
}

/// A cause, with its texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The cause.
    pub cause: Cause,
    /// What the cause means.
    pub says: Text,
    /// What to do.
    pub next: Text,
}

impl From<Cause> for Found {
    fn from(cause: Cause) -> Self {
        Self {
            cause,
            says: cause.says(),
            next: cause.next(),
        }
    }
}

/// Explains what the facts show.
pub fn explain(facts: &Facts) -> Chain {
    let mut found = Findings::default();
    events::look(facts, &mut found);
    money::look(facts, &mut found);
    delivery::look(facts, &mut found);
    let is_known = facts.is_known();
    if !is_known {
        found.add(Some(Missing::Arrival), Cause::NeverArrived);
        if !facts.settings.is_running {
            found.add(None, Cause::ProxyStopped);
        }
    }
    let is_missing = found.causes.iter().any(|(missing, _)| missing.is_some());
    if is_known && !is_missing && (facts.is_delivered() || found.causes.is_empty()) {
        found.add(None, Cause::Counted);
    }
    found.steps.sort_by_key(|step| step.at_ms);
    // Causes that explain a missing step come before remarks about steps that happened.
    found.causes.sort_by_key(|(missing, _)| missing.is_none());
    let missing = found.causes.iter().find_map(|(missing, _)| *missing);
    let mut causes: Vec<Cause> = Vec::new();
    for (_, cause) in found.causes {
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    Chain {
        id: facts.id.clone(),
        order_id: facts.order_id.clone(),
        is_known,
        steps: found.steps,
        missing,
        causes: causes.into_iter().map(Found::from).collect(),
    }
}

/// The steps and causes that have been found so far.
#[derive(Default)]
struct Findings {
    steps: Vec<Step>,
    causes: Vec<(Option<Missing>, Cause)>,
}

impl Findings {
    fn step(&mut self, at_ms: i64, did: Did) {
        self.steps.push(Step::new(at_ms, did));
    }

    /// Adds a cause, and the step that is missing because of it.
    fn add(&mut self, missing: Option<Missing>, cause: Cause) {
        self.causes.push((missing, cause));
    }
}

#[cfg(test)]
mod tests;
