//! Personal values and secrets appear only where they are needed.

use std::{fs, path::Path};

use anyhow::Result;
use duet_sandbox::Fault;
use duet_tests::{Answer, Stack};
use serde_json::json;

use crate::dead_letters::dead_letters;

const KEY: &str = "canary-server-key-0123456789";
const CANARIES: [&str; 8] = [
    "canary.person@example.com",
    "canary.person%40example.com",
    "0912345678",
    "+84912345678",
    "84912345678",
    "canary-user-17",
    "sandbox-token",
    KEY,
];

#[tokio::test]
async fn no_canary_is_on_disk_in_a_log_or_in_an_answer() -> Result<()> {
    let mut stack = Stack::start(&[
        ("DUET_SERVER_KEY", KEY),
        ("DUET_COUNTRY", "VN"),
        ("DUET_LOG", "trace"),
    ])
    .await?;
    let mut answers = Vec::new();
    let user = json!({ "email": "canary.person@example.com", "phone": "0912345678", "userId": "canary-user-17" });
    let page = json!({ "url": "https://shop.example/?email=canary.person@example.com", "referrer": "https://shop.example/?e=canary.person%40example.com" });
    let hidden = json!({
        "url": "https://canary.person@example.com@shop.example/u/canary.person@example.com/x?phone=0912345678&next=%2Fpay%3Fphone%3D84912345678",
        "referrer": "https://shop.example/canary.person%252540example.com#/pay?customerPhone=%2B84912345678" });
    let everywhere = json!({ "Email": "canary.person@example.com", "customer_email": "canary.person@example.com",
        "em": "canary.person@example.com", "phoneNumber": "0912345678", "userId": "canary-user-17",
        "query": "orders of canary.person@example.com", "description": "canary.person@example.com",
        "custom": { "deep": [{ "customer": { "phone": "+84912345678", "e-mail": "canary.person@example.com" } }],
                    "canary.person@example.com": 1, "note": "to canary.person@example.com, please" },
        "link": "https://shop.example/?email=canary.person%40example.com&tel=0912345678",
        "contents": [{ "content_id": "canary.person@example.com", "content_name": "canary.person@example.com",
                       "buyer": { "mobile": "0912345678" } }] });
    let outage = stack.sandbox.inject(Fault::Reset {});
    for body in [
        json!({ "event": "Lead", "user": user, "page": page, "properties": { "email": "canary.person@example.com", "phone_number": "+84912345678" } }),
        json!({ "event": "Search", "user": user, "page": hidden, "properties": everywhere }),
        json!({ "event": "Lead", "user": { "email": "canary.person@example.com x", "phone": "0912345678 ext", "canary-user-17": 1 } }),
        json!({ "event": "canary.person@example.com", "event_id": "canary.person@example.com", "user": user }),
        json!({ "event": "Lead", "user": "canary.person@example.com", "properties": { "order_id": ["canary-user-17"] } }),
    ] {
        answers.push(
            Answer::to(stack.track(&body)?.header(
                "referer",
                "https://shop.example/?e=canary.person@example.com",
            ))
            .await?,
        );
    }
    answers.push(
        Answer::to(
            stack
                .track(&json!({ "event": "Lead" }))?
                .bearer_auth("canary-user-17"),
        )
        .await?,
    );
    Answer::to(
        stack
            .track(&json!({ "event": "Lead", "user": user }))?
            .bearer_auth(KEY),
    )
    .await?;
    stack
        .until("TikTok has got a request", async |stack| {
            Ok(!stack.requests().is_empty())
        })
        .await?;
    for path in [
        "/readyz",
        "/healthz",
        "/nowhere",
        "/api/analytics/tiktok/track",
    ] {
        answers.push(stack.get(path).await?);
    }
    stack.sandbox.remove_fault(outage);
    stack.conversions(5).await?;
    assert!(stack.stop().await?);
    let sent = format!("{:?}", stack.requests());
    let said = format!("{answers:?}{}", stack.log());
    let stored = content(&stack.data_dir())?;
    assert!(stored.len() > 1000, "the proxy must have stored the events");
    for canary in CANARIES {
        // The name of an unknown field is not personal data, so the answer to the field's sender may repeat the name.
        let found = said.replace("user.canary-user-17", "");
        assert!(
            !found.contains(canary),
            "neither an answer nor the log may contain {canary}"
        );
        assert!(
            canary == "sandbox-token" || !sent.contains(canary),
            "no request to TikTok may contain {canary}"
        );
        assert!(
            !stored
                .windows(canary.len())
                .any(|part| part == canary.as_bytes()),
            "no file may contain {canary}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn no_canary_is_in_what_is_kept_of_a_refusal() -> Result<()> {
    let mut stack = Stack::start(&[("DUET_COUNTRY", "VN"), ("DUET_LOG", "trace")]).await?;
    // TikTok's message repeats the token, as some services do. The last refusal stays active, because the two events can
    // arrive in one request or in two.
    let refusal = |code| {
        let message = Some(format!("Invalid for Access-Token sandbox-token: {code}"));
        Fault::Code { code, message }
    };
    for code in [50000, 40105] {
        stack.sandbox.inject(refusal(code).times(1));
    }
    stack.sandbox.inject(refusal(40002));
    let user = json!({ "email": "canary.person@example.com", "phone": "0912345678", "userId": "canary-user-17" });
    let page = json!({ "url": "https://shop.example/?email=canary.person@example.com" });
    for id in ["a", "b"] {
        let event = json!({ "event": "Lead", "event_id": id, "user": user, "page": page });
        stack.accepted(&event).await?;
    }
    stack
        .until("both events are refused", async |stack| {
            Ok(dead_letters(stack, &["list"]).await?.lines().count() == 2)
        })
        .await?;
    let list = dead_letters(&stack, &["list"]).await?;
    let shown = dead_letters(&stack, &["show", "a"]).await?;
    assert!(shown.contains("[redacted]: 40002"), "{shown}");
    assert!(stack.stop().await?);
    let said = format!("{list}{shown}{}", stack.log());
    assert!(said.contains("[redacted]: 40105"), "{said}");
    let stored = content(&stack.data_dir())?;
    for canary in CANARIES {
        assert!(
            !said.contains(canary),
            "neither the output nor the log may contain {canary}"
        );
        let kept = stored
            .windows(canary.len())
            .any(|part| part == canary.as_bytes());
        assert!(!kept, "no file may contain {canary}");
    }
    Ok(())
}

/// Returns the content of all files in a folder. The zeros at the end of preallocated files are left out.
pub(crate) fn content(folder: &Path) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        assert!(
            path.is_dir() || path.is_file(),
            "every entry of the data directory must be a file or a folder, got {}",
            path.display()
        );
        let bytes = if path.is_dir() {
            content(&path)?
        } else {
            fs::read(&path)?
        };
        let written = bytes.iter().rposition(|byte| *byte != 0);
        all.extend(bytes.into_iter().take(written.map_or(0, |last| last + 1)));
    }
    Ok(all)
}
