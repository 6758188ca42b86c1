//! The Events API and the Pixel's collector without HTTP, for programs with simulated time.

use serde_json::{Map, Value};

use crate::Sandbox;
use crate::collector;
use crate::events_api::judge_whole;

impl Sandbox {
    /// Judges the body of an Events API request and counts its events. Returns the JSON of the answer.
    pub fn track(&self, token: &str, body: &[u8]) -> String {
        judge_whole(self, token, body)
    }

    /// Records an event of the Pixel's script, in the format that the collector gets.
    pub fn pixel(&self, event: &Map<String, Value>) {
        collector::collect_in_process(self, event);
    }
}
