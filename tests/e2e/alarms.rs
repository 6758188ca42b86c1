//! Tests the alarms. For each fault, an operator's receiver gets one signed message, even if the receiver or the proxy was
//! down in between.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use base64::{Engine, prelude::BASE64_STANDARD};
use duet_sandbox::{Fault, Pixel};
use duet_tests::Stack;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::pays::{PRICE, Shop};

const KEY: &str = "e2e-canary-key-of-alarms";
/// The path of the receiver's address. The path must not appear in the log.
const PATH: &str = "/hooks/canary-of-the-address";

/// The messages that the receiver got, and the status with which it answers.
struct Received {
    status: StatusCode,
    messages: Vec<(HeaderMap, Bytes)>,
}

#[derive(Clone)]
struct Inbox(Arc<Mutex<Received>>);

/// A server that receives alarms.
struct Receiver {
    inbox: Inbox,
    url: String,
    server: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Receiver {
    async fn open(status: StatusCode) -> Result<Self> {
        let received = Received {
            status,
            messages: Vec::new(),
        };
        let inbox = Inbox(Arc::new(Mutex::new(received)));
        let receive = async |State(Inbox(inbox)): State<Inbox>, headers: HeaderMap, body: Bytes| {
            let mut inbox = inbox.lock().unwrap_or_else(PoisonError::into_inner);
            inbox.messages.push((headers, body));
            inbox.status
        };
        let routes = Router::new()
            .route(PATH, post(receive))
            .with_state(inbox.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}{PATH}", listener.local_addr()?);
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { inbox, url, server })
    }

    fn answers(&self, status: StatusCode) {
        self.lock().status = status;
    }

    /// Checks the signature of each message, and returns the messages.
    fn messages(&self) -> Result<Vec<(String, Value)>> {
        let received = self.lock().messages.clone();
        received
            .iter()
            .map(|(headers, body)| {
                let header = |name: &str| {
                    let value = headers
                        .get(name)
                        .context("the message must have every header of its signature")?;
                    Ok::<_, anyhow::Error>(value.to_str()?.to_owned())
                };
                let (id, time) = (header("webhook-id")?, header("webhook-timestamp")?);
                let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes())?;
                mac.update(format!("{id}.{time}.").as_bytes());
                mac.update(body);
                let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
                ensure!(header("webhook-signature")? == format!("v1,{signature}"));
                Ok((id, serde_json::from_slice(body)?))
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Received> {
        self.inbox.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn with_a_refused_token(receiver: &Receiver) -> Result<Stack> {
    let stack = Stack::start(&[
        ("DUET_ALERT_URL", &receiver.url),
        ("DUET_ALERT_SECRET", KEY),
        ("TIKTOK_ACCESS_TOKEN", "a-token-that-tiktok-refuses"),
    ])
    .await?;
    stack
        .accepted(&json!({ "event": "Lead", "user": { "external_id": "u" } }))
        .await?;
    Ok(stack)
}

fn is_of_a_refused_token((_, message): &(String, Value)) -> bool {
    message["type"] == "alarm.started" && message["data"]["alarm"] == "token_refused"
}

#[tokio::test]
async fn a_refused_token_is_told_once_with_its_pixel() -> Result<()> {
    let receiver = Receiver::open(StatusCode::NO_CONTENT).await?;
    let mut stack = with_a_refused_token(&receiver).await?;
    stack
        .until("the receiver has got the alarm", async |_| {
            Ok(!receiver.messages()?.is_empty())
        })
        .await?;
    let messages = receiver.messages()?;
    assert!(messages.iter().all(is_of_a_refused_token), "{messages:?}");
    let (_, message) = &messages[0];
    assert_eq!(message["data"]["subject"], Pixel::default().code);
    // After a restart, the proxy must still know that the alarm is on and that the receiver has accepted its message.
    assert!(stack.stop().await?);
    stack.set("TIKTOK_ACCESS_TOKEN", &Pixel::default().access_token);
    stack.run_proxy().await?;
    stack.conversions(1).await?;
    assert_eq!(receiver.messages()?.len(), 1);
    let log = stack.log();
    for secret in [KEY, "canary-of-the-address"] {
        assert!(!log.contains(secret), "the log must not contain {secret}");
    }
    // Reset the sandbox, because it has recorded the wrong token as a violation.
    stack.sandbox.reset();
    Ok(())
}

#[tokio::test]
async fn a_receiver_and_a_proxy_that_were_down_lose_no_alarm() -> Result<()> {
    let receiver = Receiver::open(StatusCode::BAD_GATEWAY).await?;
    let mut stack = with_a_refused_token(&receiver).await?;
    stack
        .until("the receiver has refused the alarm", async |_| {
            Ok(!receiver.messages()?.is_empty())
        })
        .await?;
    stack.kill().await?;
    receiver.answers(StatusCode::OK);
    let refused = receiver.messages()?.len();
    stack.set("TIKTOK_ACCESS_TOKEN", &Pixel::default().access_token);
    stack.run_proxy().await?;
    stack
        .until("the receiver has got the alarm again", async |_| {
            Ok(receiver.messages()?.len() > refused)
        })
        .await?;
    let messages = receiver.messages()?;
    assert!(messages.iter().all(is_of_a_refused_token), "{messages:?}");
    let first = &messages[0];
    assert!(messages.iter().all(|message| message == first));
    stack.conversions(1).await?;
    stack.sandbox.reset();
    Ok(())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn paid_orders_that_tiktok_does_not_get_are_told() -> Result<()> {
    const HOURS_3_MS: i64 = 3 * 60 * 60 * 1000;
    let receiver = Receiver::open(StatusCode::OK).await?;
    let settings = [
        ("DUET_ALERT_URL", receiver.url.as_str()),
        ("DUET_ALERT_SECRET", KEY),
    ];
    let mut shop = Shop::open_with_faults(&settings).await?;
    // Report an older event, so that the history reaches back to before the payments.
    shop.reported().await?;
    // Let TikTok give no answer, because its answers would state the right time.
    let reset = shop.stack.sandbox.inject(Fault::Reset {});
    for number in 0..5 {
        let order = format!("ALARMPAID{number}");
        shop.register(&order).await?;
        shop.pay(&order, PRICE).await?;
    }
    shop.stack.kill().await?;
    shop.stack.faults()?.set_clock(HOURS_3_MS)?;
    shop.stack.run_proxy().await?;
    shop.stack
        .until("the receiver has got the alarm", async |_| {
            let messages = receiver.messages()?;
            let is_it = |(_, message): &(String, Value)| {
                message["type"] == "alarm.started"
                    && message["data"]["alarm"] == "paid_not_delivered"
            };
            Ok(messages.iter().any(is_it))
        })
        .await?;
    shop.stack.sandbox.remove_fault(reset);
    shop.stack
        .until("the sales are delivered", async |stack| {
            Ok(stack.metrics().await?.count("duet_queue_events") == 0)
        })
        .await
}
