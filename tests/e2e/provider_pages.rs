//! Follows the page of each payment provider from its first command until a payment is reported, with the sandbox as the
//! provider.

use std::{fs, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use duet_tests::{
    Answer,
    stack::{PATIENCE, binary, free_address, http_client},
};
use serde_json::{Value, json};
use tokio::{process::Command, time};

const ORDER: &str = "PHO7K3M9Q2X";

/// For each page: the path, and the value and the currency of the sale that the page describes.
const PAGES: [(&str, &str, i64, &str); 5] = [
    ("sepay", include_str!("../../docs/sepay.md"), 99_000, "VND"),
    (
        "polar",
        include_str!("../../docs/payments/polar.md"),
        29,
        "USD",
    ),
    (
        "stripe",
        include_str!("../../docs/payments/stripe.md"),
        29,
        "USD",
    ),
    (
        "payos",
        include_str!("../../docs/payments/payos.md"),
        99_000,
        "VND",
    ),
    (
        "vnpay",
        include_str!("../../docs/payments/vnpay.md"),
        99_000,
        "VND",
    ),
];

/// Returns the two code blocks of a page's section *Try it with the sandbox*: the start of the proxy, and the requests.
fn blocks(page: &str) -> Result<[String; 2]> {
    let (_, walk) = page
        .split_once("## Try it with the sandbox\n")
        .context("the page must have the section Try it with the sandbox")?;
    let mut blocks = walk.split("```sh\n").skip(1).map(|rest| {
        let block = rest.split("```").next().unwrap_or_default();
        block.replace("\n   ", "\n")
    });
    let mut block = || {
        blocks
            .next()
            .context("the section must have two code blocks")
    };
    Ok([block()?, block()?])
}

#[tokio::test]
async fn each_providers_page_leads_to_a_reported_payment() -> Result<()> {
    let programs = binary("duet-proxy")?;
    let programs = programs
        .parent()
        .context("the program's path must have a folder")?;
    let path = std::env::var("PATH")?;
    let path = format!("{}:{path}", programs.display());
    let http = http_client();
    for (provider, page, value, currency) in PAGES {
        let (proxy, sandbox) = (free_address().await?, free_address().await?);
        let [start, requests] = blocks(page)?.map(|block| {
            let block = block.replace("127.0.0.1:8787", &proxy.to_string());
            block.replace("127.0.0.1:8788", &sandbox.to_string())
        });
        // Replace the ports of the page, because they may be in use.
        let command = format!("exec duet-proxy dev --sandbox-listen {sandbox}");
        let start = start.replace("duet-proxy dev", &command);
        let run = |script: &str| {
            let mut command = Command::new("bash");
            command
                .args(["-euo", "pipefail", "-c", script])
                .env("PATH", &path)
                .env("DUET_LISTEN", proxy.to_string())
                .stdin(Stdio::null())
                .kill_on_drop(true);
            command
        };
        let mut dev = run(&start);
        let _dev = dev.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let get = async |url: String| Answer::to(http.get(url)).await;
        let patience = async {
            while get(format!("http://{proxy}/healthz")).await.is_err() {
                time::sleep(Duration::from_millis(50)).await;
            }
        };
        time::timeout(PATIENCE, patience).await?;

        let output = run(&requests).output().await?;
        let said = String::from_utf8(output.stdout)?;
        ensure!(output.status.success(), "{provider}: {said}");
        let last = said.rsplit("{\"order_id\"").next().unwrap_or_default();
        assert!(last.contains("\"status\":\"paid\""), "{provider}: {said}");

        let sale = async || -> Result<Value> {
            let url = format!("http://{sandbox}/sandbox/conversions");
            let conversions = get(url).await?.body;
            let conversions = conversions
                .as_array()
                .context("the sandbox must answer with a list")?;
            let mut sales = conversions
                .iter()
                .filter(|event| event["event"] == "Subscribe");
            sales
                .next()
                .cloned()
                .context("the sandbox must have a sale")
        };
        let patience = async {
            loop {
                match sale().await {
                    Ok(sale) => break sale,
                    Err(_) => time::sleep(Duration::from_millis(50)).await,
                }
            }
        };
        let sale = time::timeout(PATIENCE, patience).await?;
        let properties = &sale["properties"];
        assert_eq!(properties["order_id"], ORDER, "{provider}: {sale}");
        assert_eq!(
            (&properties["value"], &properties["currency"]),
            (&json!(value), &json!(currency)),
            "{provider}: {sale}"
        );
        assert_eq!(sale["user"]["ttclid"], "E.C.P.sandbox-click", "{sale}");
    }
    Ok(())
}

/// Returns the text of all Rust sources below a folder.
fn sources(folder: &Path) -> Result<String> {
    let mut text = String::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            text.push_str(&sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path)?);
        }
    }
    Ok(text)
}

#[test]
fn every_kind_of_payment_of_every_provider_has_a_test_or_a_reason() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let root = root.context("the tests must be in a folder of the workspace")?;
    let page = fs::read_to_string(root.join("docs/payments.md"))?;
    let sources = sources(&root.join("proxy/src"))? + &sources(&root.join("tests/e2e"))?;
    let (_, table) = page
        .split_once("Each cell has a test")
        .context("the page must have the table of the tests")?;
    let rows = table.lines().skip_while(|line| !line.starts_with('|'));
    let rows: Vec<_> = rows.take_while(|line| line.starts_with('|')).collect();
    let kinds = ["first", "renewal", "refund", "chargeback", "void"];
    assert_eq!(rows.len(), 2 + kinds.len());
    for (row, kind) in rows[2..].iter().zip(kinds) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!((cells.len(), cells[0]), (6, format!("`{kind}`").as_str()));
        for cell in &cells[1..] {
            assert!(!cell.is_empty(), "{row}");
            for name in cell.split('`').skip(1).step_by(2) {
                assert!(sources.contains(&format!("fn {name}(")), "{name}");
            }
        }
    }
    Ok(())
}
