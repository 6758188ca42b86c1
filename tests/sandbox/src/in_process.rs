//! Both ends of TikTok without HTTP, for callers whose time is simulated.

use serde_json::{Map, Value};

use crate::Sandbox;
use crate::collector;
use crate::events_api::judge_whole;

impl Sandbox {
    /// Judges the body of an Events API request and counts its events; the JSON of the answer.
    pub fn track(&self, token: &str, body: &[u8]) -> String {
        judge_whole(self, token, body)
    }

    /// Takes an event of the Pixel's script, as the collector gets it.
    pub fn pixel(&self, event: &Map<String, Value>) {
        collector::collect_in_process(self, event);
    }
}
