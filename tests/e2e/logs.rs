//! With `DUET_LOG_FORMAT=json`, every log line is valid JSON, also when errors are logged.

use anyhow::{Context, Result};
use duet_sandbox::Fault;
use duet_tests::{Answer, Stack};
use serde_json::{Value, json};

use crate::events::event;

#[tokio::test]
async fn every_line_is_json_with_its_time_its_level_and_its_words() -> Result<()> {
    let mut stack = Stack::start(&[
        ("DUET_LOG_FORMAT", "json"),
        ("DUET_SEND_PARALLEL", "1"),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "without effect in this version",
        ),
    ])
    .await?;
    stack.sandbox.inject(Fault::BadGateway {}.times(1));
    stack.sandbox.inject(Fault::TokenRevoked {}.times(1));
    stack.sandbox.inject(Fault::RefuseEvent {
        event_id: "bad".to_owned(),
        name_index: false,
    });
    stack
        .sandbox
        .inject(Fault::Partial { event_id: None }.times(1));
    for id in ["bad \"quoted\"\n", "bad", "good"] {
        Answer::to(stack.track(&event(id))?).await?;
    }
    stack.conversions(1).await?;
    assert!(stack.stop().await?);

    let log = stack.log();
    let mut said = Vec::new();
    for text in log.lines() {
        let line: Value = serde_json::from_str(text).with_context(|| text.to_owned())?;
        let time = line["timestamp"]
            .as_str()
            .context("the line must have a time")?;
        assert!(time.ends_with('Z') && time.contains('T'), "{line}");
        let level = line["level"]
            .as_str()
            .context("the line must have a level")?;
        assert!(
            ["ERROR", "WARN", "INFO", "DEBUG"].contains(&level),
            "{line}"
        );
        assert!(line["target"].is_string(), "{line}");
        let times =
            ["\"message\":", "\"code\":", "\"events\":"].map(|key| text.matches(key).count());
        assert!(
            times.iter().all(|times| *times <= 1),
            "a name must be only once in a line, got {text}"
        );
        let words = line["fields"]["message"]
            .as_str()
            .context("the line must have a message")?;
        said.push((level.to_owned(), words.to_owned(), line["fields"].clone()));
    }
    for (level, words, fields) in [
        (
            "INFO",
            "accepting events",
            json!({ "pixels": "CDUETSANDBOX00000001" }),
        ),
        (
            "WARN",
            "has no effect in this version yet",
            json!({ "variable": "OTEL_EXPORTER_OTLP_ENDPOINT" }),
        ),
        ("WARN", "TikTok request failed", json!({ "attempts": 1 })),
        (
            "ERROR",
            "TikTok refuses the token",
            json!({ "code": 40105 }),
        ),
        (
            "ERROR",
            "TikTok refused an event",
            json!({ "code": 40002, "event_id": "bad", "tiktok_message": "Invalid value for event_id: not a valid string." }),
        ),
        ("INFO", "stopping", json!({})),
    ] {
        let found = said.iter().any(|(at, said, with)| {
            let fields = fields.as_object().unwrap();
            at == level
                && said.contains(words)
                && fields.iter().all(|(name, value)| &with[name] == value)
        });
        assert!(
            found,
            "the log must have a line {level} {words} {fields}, got\n{log}"
        );
    }
    Ok(())
}
