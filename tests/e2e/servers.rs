//! Runs the examples of `docs/servers.md` without changes.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use duet_tests::Stack;
use serde_json::{Value, json};
use tokio::process::Command;

mod example;

const PAGE: &str = include_str!("../../docs/servers.md");
const KEY: &str = "a-server-key-of-some-length";

/// Returns the code blocks that are written in this language.
fn blocks(language: &str) -> impl Iterator<Item = &'static str> {
    let blocks = PAGE.split("\n```").skip(1).step_by(2);
    blocks.filter_map(move |block| block.strip_prefix(language)?.strip_prefix('\n'))
}

async fn run(stack: &Stack, program: &str, args: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(args)
        .env("PROXY", format!("http://{}", stack.address()))
        .env("DUET_SERVER_KEY", KEY)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("{program} could not be started"))?;
    ensure!(output.status.success(), "{program}: {output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

/// Returns the event with this name as TikTok got it.
fn sent<'a>(requests: &'a [Value], name: &str) -> &'a Value {
    let events = requests
        .iter()
        .filter_map(|body| body["data"].as_array())
        .flatten();
    let mut named = events.filter(|event| event["event"] == name);
    named.next().unwrap_or(&Value::Null)
}

#[tokio::test]
async fn every_example_for_servers_is_delivered_for_the_customer_it_names() -> Result<()> {
    let stack = Stack::start(&[("DUET_SERVER_KEY", KEY)]).await?;
    for block in blocks("sh") {
        let said = run(&stack, "sh", &["-c", block]).await?;
        let answer: Value = serde_json::from_str(&said)?;
        let expected = if block.contains("/api/orders") {
            "pending"
        } else {
            "delivered"
        };
        assert_eq!(answer["status"], expected, "{answer}");
    }
    for block in blocks("js") {
        let said = run(&stack, "node", &["--input-type=module", "--eval", block]).await?;
        assert!(said.starts_with("delivered "), "{said}");
    }
    assert_eq!(
        blocks("rust").collect::<Vec<_>>(),
        [include_str!("servers/example.rs").trim_end()]
    );
    let proxy = format!("http://{}", stack.address());
    let answer = example::start_trial(&reqwest::Client::new(), &proxy, KEY).await?;
    assert_eq!(answer["status"], "delivered", "{answer}");

    stack.conversions(3).await?;
    let requests = stack.requests().into_iter();
    let bodies: Vec<Value> = requests.filter_map(|request| request.body).collect();
    for name in ["Subscribe", "Purchase", "StartTrial"] {
        let user = &sent(&bodies, name)["user"];
        assert_eq!(
            (&user["ip"], &user["user_agent"]),
            (&json!("203.0.113.7"), &json!("Mozilla/5.0")),
            "{name}: {bodies:?}"
        );
    }
    Ok(())
}
