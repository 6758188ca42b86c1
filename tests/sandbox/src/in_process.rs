//! Both ends of TikTok without HTTP, for callers with simulated time.

use serde_json::{Map, Value};

use crate::Sandbox;
use crate::collector;
use crate::events_api::judge_whole;

impl Sandbox {
    /// Judges the body of an Events API request and counts its events. Returns the JSON of the answer.
    pub fn track(&self, token: &str, body: &[u8]) -> String {
        judge_whole(self, token, body)
    }

    /// Reads an event of the Pixel's script, in the form that the collector gets.
    pub fn pixel(&self, event: &Map<String, Value>) {
        collector::collect_in_process(self, event);
    }
}
