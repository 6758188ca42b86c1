//! Faults on request: every known failure of TikTok, or of the network in front of TikTok.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One way to fail. In JSON: `{"fault": "code", "code": 50000}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// HTTP 200 with this `code` in the body.
    Code {
        /// The code, such as 40100 or 50000.
        code: u32,
        /// The message. Default: the usual message for the code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// Every request is refused with 40105 until the fault is removed.
    TokenRevoked {},
    /// 20001: valid events are stored, and invalid events are listed under `data.errors`. TikTok does not document how such
    /// a list looks, so the format of this list is the sandbox's own.
    Partial {
        /// Events whose `event_id` contains this text also count as invalid.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event_id: Option<String>,
    },
    /// 40002 for every request with an event whose `event_id` contains this text. No event is stored.
    RefuseEvent {
        /// The text in the event's id.
        event_id: String,
        /// Whether the message names the event.
        #[serde(default)]
        name_index: bool,
    },
    /// The same as `RefuseEvent`, but the message names the index of the event after the refused one. TikTok's messages do
    /// not always name the right event.
    BlameAnother {
        /// The text in the event's id.
        event_id: String,
    },
    /// HTTP 200 with this `code` for every request with an event whose `event_id` contains this text.
    CodeForEvent {
        /// The text in the event's id.
        event_id: String,
        /// The code, such as 50000.
        code: u32,
    },
    /// HTTP 502 with a page of HTML.
    BadGateway {},
    /// HTTP 504 with a page of HTML.
    GatewayTimeout {},
    /// HTTP 429 with a page of HTML.
    TooManyRequests {
        /// The `Retry-After` header, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_s: Option<u32>,
    },
    /// HTTP 200 with an empty body.
    EmptyBody {},
    /// HTTP 200 with incomplete JSON.
    TornJson {},
    /// No answer until the hanging requests are released. Then the usual answer follows.
    Hang {},
    /// The usual answer after a delay.
    Slow {
        /// The delay in milliseconds of real time.
        ms: u64,
    },
    /// The TCP connection is reset.
    Reset {},
    /// `events.js` answers 404.
    ScriptMissing {},
    /// `events.js` gets no answer until the hanging requests are released.
    ScriptHangs {},
}

impl Fault {
    /// Limits this fault to the next `times` requests.
    pub fn times(self, times: u32) -> Injection {
        Injection {
            times: Some(times),
            ..self.into()
        }
    }

    /// Makes this fault happen after the events were stored. The sender then does not know that they were stored.
    pub fn after_storing(self) -> Injection {
        Injection::from(self).after_storing()
    }

    /// Returns the name of the fault in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Code { .. } => "code",
            Self::TokenRevoked {} => "token_revoked",
            Self::Partial { .. } => "partial",
            Self::RefuseEvent { .. } => "refuse_event",
            Self::BlameAnother { .. } => "blame_another",
            Self::CodeForEvent { .. } => "code_for_event",
            Self::BadGateway {} => "bad_gateway",
            Self::GatewayTimeout {} => "gateway_timeout",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::EmptyBody {} => "empty_body",
            Self::TornJson {} => "torn_json",
            Self::Hang {} => "hang",
            Self::Slow { .. } => "slow",
            Self::Reset {} => "reset",
            Self::ScriptMissing {} => "script_missing",
            Self::ScriptHangs {} => "script_hangs",
        }
    }

    fn place(&self) -> Place {
        match self {
            Self::ScriptMissing {} | Self::ScriptHangs {} => Place::Script,
            _ => Place::EventsApi,
        }
    }

    fn concerns(&self, body: Option<&Value>) -> bool {
        match self {
            Self::RefuseEvent { event_id, .. }
            | Self::BlameAnother { event_id }
            | Self::CodeForEvent { event_id, .. } => {
                body.is_some_and(|body| position_of(event_id, body).is_some())
            }
            _ => true,
        }
    }
}

/// Returns the index in `data` of the first event whose `event_id` contains `text`.
pub(crate) fn position_of(text: &str, body: &Value) -> Option<usize> {
    let data = body.get("data")?.as_array()?;
    data.iter().position(|event| {
        event
            .get("event_id")
            .and_then(Value::as_str)
            .is_some_and(|event_id| event_id.contains(text))
    })
}

/// A fault with its conditions. In JSON, `times`, `delay_ms` and `after_storing` are beside the fault's own keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Injection {
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
    /// How many requests the fault affects. Without a number, it affects all requests.
    pub times: Option<u32>,
    /// The wait before the fault, in milliseconds of real time.
    pub delay_ms: u64,
    /// Whether the events are judged and stored before the fault.
    pub after_storing: bool,
}

impl From<Fault> for Injection {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            times: None,
            delay_ms: 0,
            after_storing: false,
        }
    }
}

impl Injection {
    /// Limits the fault to the next `times` requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Delays the fault by this duration of real time.
    #[must_use]
    pub fn delayed(mut self, delay: Duration) -> Self {
        self.delay_ms = crate::clock::millis(delay);
        self
    }

    /// Makes the fault happen after the events were stored.
    #[must_use]
    pub fn after_storing(mut self) -> Self {
        self.after_storing = true;
        self
    }
}

/// The reason why an injection was rejected.
#[derive(Debug, thiserror::Error)]
pub enum BadInjection {
    /// The injection is not an object.
    #[error("a fault must be a JSON object")]
    NotAnObject,
    /// A key is unknown or missing, or a value has the wrong type.
    #[error("not a fault: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// The fault would affect no request.
    #[error("times must be at least 1")]
    Never,
}

impl TryFrom<Value> for Injection {
    type Error = BadInjection;

    fn try_from(value: Value) -> Result<Self, BadInjection> {
        // The keys beside the fault's own keys. They are read here, because serde cannot both flatten a struct and reject
        // unknown keys.
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct When {
            times: Option<u32>,
            delay_ms: u64,
            after_storing: bool,
        }
        let Value::Object(mut fields) = value else {
            return Err(BadInjection::NotAnObject);
        };
        let mut when = Map::new();
        for key in ["times", "delay_ms", "after_storing"] {
            when.extend(fields.remove_entry(key));
        }
        let when: When = serde_json::from_value(Value::Object(when))?;
        let fault = serde_json::from_value(Value::Object(fields))?;
        if when.times == Some(0) {
            return Err(BadInjection::Never);
        }
        Ok(Self {
            fault,
            times: when.times,
            delay_ms: when.delay_ms,
            after_storing: when.after_storing,
        })
    }
}

/// An injected fault that is active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ActiveFault {
    /// The id by which the fault can be removed.
    pub id: u64,
    /// The injection. Its `times` counts down.
    #[serde(flatten)]
    pub injection: Injection,
    /// The number of requests that the fault has affected.
    pub struck: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    EventsApi,
    Script,
}

/// The active faults, oldest first. A request gets the first fault that concerns it.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    active: Vec<ActiveFault>,
    last_id: u64,
}

impl Faults {
    pub(crate) fn active(&self) -> &[ActiveFault] {
        &self.active
    }

    pub(crate) fn add(&mut self, injection: Injection) -> u64 {
        self.last_id += 1;
        self.active.push(ActiveFault {
            id: self.last_id,
            injection,
            struck: 0,
        });
        self.last_id
    }

    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.active.len();
        self.active.retain(|fault| fault.id != id);
        self.active.len() < before
    }

    pub(crate) fn clear(&mut self) {
        self.active.clear();
    }

    pub(crate) fn strike(&mut self, place: Place, body: Option<&Value>) -> Option<Injection> {
        let fault = self.active.iter_mut().find(|active| {
            let fault = &active.injection.fault;
            fault.place() == place && fault.concerns(body)
        })?;
        fault.struck += 1;
        let injection = fault.injection.clone();
        let id = fault.id;
        if let Some(left) = fault.injection.times.as_mut() {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.remove(id);
            }
        }
        Some(injection)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn faults_are_read_from_json_and_unknown_keys_are_refused() {
        let injection =
            Injection::try_from(json!({"fault": "code", "code": 50000, "times": 2, "delay_ms": 5}));
        let expected = Fault::Code {
            code: 50000,
            message: None,
        }
        .times(2)
        .delayed(Duration::from_millis(5));
        assert_eq!(injection.unwrap(), expected);
        assert_eq!(
            Injection::try_from(json!({"fault": "reset", "after_storing": true})).unwrap(),
            Fault::Reset {}.after_storing()
        );
        for bad in [
            json!([]),
            json!({}),
            json!({"fault": "nonsense"}),
            json!({"fault": "code"}),
            json!({"fault": "hang", "time": 2}),
            json!({"fault": "hang", "times": 0}),
            json!({"fault": "slow", "ms": "soon"}),
        ] {
            assert!(Injection::try_from(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_name_of_a_fault_is_its_json_tag() {
        for (fault, name) in [
            (Fault::TokenRevoked {}, "token_revoked"),
            (Fault::GatewayTimeout {}, "gateway_timeout"),
            (
                Fault::RefuseEvent {
                    event_id: "x".to_owned(),
                    name_index: false,
                },
                "refuse_event",
            ),
        ] {
            assert_eq!(fault.name(), name);
            assert_eq!(serde_json::to_value(&fault).unwrap()["fault"], name);
        }
    }

    #[test]
    fn a_fault_strikes_as_often_as_asked_and_then_the_next_one_does() {
        let mut faults = Faults::default();
        faults.add(Fault::Hang {}.times(2));
        faults.add(Fault::Reset {}.into());
        let mut strike = || faults.strike(Place::EventsApi, None).unwrap().fault.name();
        assert_eq!(
            [strike(), strike(), strike(), strike()],
            ["hang", "hang", "reset", "reset"]
        );
        assert!(faults.strike(Place::Script, None).is_none());
    }

    #[test]
    fn an_event_is_refused_only_where_it_is() {
        let mut faults = Faults::default();
        faults.add(
            Fault::RefuseEvent {
                event_id: "poison".to_owned(),
                name_index: true,
            }
            .into(),
        );
        let clean = json!({"data": [{"event_id": "e1"}]});
        let poisoned = json!({"data": [{"event_id": "e1"}, {"event_id": "e2-poison"}]});
        assert!(faults.strike(Place::EventsApi, Some(&clean)).is_none());
        assert!(faults.strike(Place::EventsApi, Some(&poisoned)).is_some());
        assert_eq!(position_of("poison", &poisoned), Some(1));
    }
}
