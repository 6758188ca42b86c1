//! Runs the demo, and kills a proxy and the primary while a shop sells.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use duet_tests::stack::{PATIENCE, binary, http_client};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::sleep;

/// The running demo, and the lines that it printed.
struct Demo {
    process: Child,
    lines: Receiver<String>,
    said: Vec<String>,
    www: PathBuf,
    http: Client,
}

impl Demo {
    fn start() -> Result<Self> {
        let www = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../www-demo");
        let mut process = Command::new(env!("CARGO_BIN_EXE_duet-cluster"))
            .args([
                "--listen",
                "127.0.0.1:0",
                "--sandbox-listen",
                "127.0.0.1:0",
                "--www",
            ])
            .arg(&www)
            .arg("--proxy")
            .arg(binary("duet-proxy")?)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process
            .stdout
            .take()
            .context("the output of the demo must be piped")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Ok(Self {
            process,
            lines,
            said: Vec::new(),
            www,
            http: http_client(),
        })
    }

    /// Waits for a line that begins with `words`. Returns the line's last word.
    fn next(&mut self, words: &str) -> Result<String> {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.with_context(|| {
                format!(
                    "the demo must print a line that begins with {words:?}, got {:#?}",
                    self.said
                )
            })?;
            self.said.push(line.clone());
            if let Some(rest) = line.strip_prefix(words) {
                return Ok(rest.split(' ').next_back().unwrap_or_default().to_owned());
            }
        }
    }

    /// Posts until the answer has this status.
    async fn post(&self, url: &str, body: &Value, status: u16) -> Result<Value> {
        let since = Instant::now();
        loop {
            let sent = self
                .http
                .post(url)
                .header("content-type", "application/json");
            if let Ok(answer) = sent.body(body.to_string()).send().await
                && answer.status().as_u16() == status
            {
                return Ok(serde_json::from_str(&answer.text().await?)?);
            }
            ensure!(
                since.elapsed() < PATIENCE,
                "{url} must answer with status {status}, but did not in time"
            );
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn text(&self, url: &str) -> Result<String> {
        Ok(self.http.get(url).send().await?.text().await?)
    }

    /// Returns how often TikTok counted each order as sold.
    async fn sales(&self, sandbox: &str) -> Result<BTreeMap<String, usize>> {
        let conversions = self.text(&format!("{sandbox}/sandbox/conversions")).await?;
        let conversions: Vec<Value> = serde_json::from_str(&conversions)?;
        let mut counted = BTreeMap::new();
        for conversion in conversions {
            let text = |pointer| conversion.pointer(pointer).and_then(Value::as_str);
            if text("/event") == Some("Subscribe") {
                let order = text("/properties/order_id").context("a sale must name its order")?;
                *counted.entry(order.to_owned()).or_default() += 1;
            }
        }
        Ok(counted)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn kill(signal: &str, id: &str) -> Result<()> {
    let killed = Command::new("kill").args([signal, id]).status()?;
    ensure!(killed.success(), "{id}");
    Ok(())
}

/// Returns the command lines of all processes whose arguments contain one of these ports.
fn left(ports: &[String]) -> Result<Vec<String>> {
    let mut left = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Ok(text) = fs::read_to_string(entry.path().join("cmdline")) else {
            continue;
        };
        let words: Vec<_> = text.split('\0').collect();
        if words
            .iter()
            .any(|word| ports.iter().any(|port| port == word))
        {
            left.push(words.join(" "));
        }
    }
    Ok(left)
}

#[tokio::test]
async fn each_sale_is_counted_once_while_a_proxy_and_the_primary_are_killed() -> Result<()> {
    let mut demo = Demo::start()?;
    let address = |line: String| line.trim_end_matches('/').to_owned();
    let shop = address(demo.next("shop ")?);
    let sandbox = address(demo.next("sandbox ")?);
    let proxy = demo.next("proxy 1 ")?;
    let primary = demo.next("primary ")?;
    demo.next("Each sale ")?;
    let ports: Vec<_> = demo
        .said
        .iter()
        .filter_map(|line| line.split_once("port ")?.1.split(' ').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(ports.len(), 2, "{:#?}", demo.said);
    assert!(left(&ports)?.len() >= 2);
    let index = fs::read_to_string(demo.www.join("index.html"))?;
    assert_eq!(demo.text(&shop).await?, index);

    let mut sold = Vec::new();
    for number in 0..12 {
        match number {
            3 => kill("-9", &proxy)?,
            6 => kill("-9", &primary)?,
            _ => {}
        }
        let order = format!("NET7K3M9Q2X{number:02}");
        let registration = json!({ "order_id": order, "amount": 99_000, "currency": "VND", "plan_id": "starter",
                                   "plan_name": "Starter", "billing_cycle": "monthly" });
        let register = format!("{shop}/duet-dev/orders");
        demo.post(&register, &registration, 200).await?;
        let event = json!({ "event": "InitiateCheckout", "event_id": format!("checkout-{order}"),
                            "properties": { "order_id": order, "value": 99_000, "currency": "VND" },
                            "user": { "external_id": "u" } });
        let track = format!("{shop}/api/analytics/tiktok/track");
        demo.post(&track, &event, 202).await?;
        let payment = json!({ "order_id": order, "amount": 99_000 });
        let bank = format!("{sandbox}/bank/transfers");
        let told = demo.post(&bank, &payment, 200).await?;
        assert_eq!(told["state"], "delivered", "{told}");
        sold.push(order);
    }
    demo.next("the primary has ended")?;

    let since = Instant::now();
    let mut counted = demo.sales(&sandbox).await?;
    while counted.len() < sold.len() {
        ensure!(since.elapsed() < PATIENCE, "{counted:?}");
        sleep(Duration::from_millis(100)).await;
        counted = demo.sales(&sandbox).await?;
    }
    let once: BTreeMap<_, _> = sold.into_iter().map(|order| (order, 1)).collect();
    assert_eq!(counted, once);

    kill("-INT", &demo.process.id().to_string())?;
    let ended = demo.process.wait()?;
    ensure!(ended.success(), "{ended}: {:#?}", demo.said);
    assert_eq!(left(&ports)?, Vec::<String>::new());
    Ok(())
}
