//! Posts messages to `DUET_ALERT_URL`, with the signature of the Standard Webhooks specification.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::{Client, StatusCode, header::CONTENT_TYPE, redirect};

use super::Message;
use crate::{
    config::{AlertUrl, Alerts},
    payments::proof::hmac_sha256,
    secret::SharedSecret,
};

const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// The client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the HTTPS client for alarms could not be set up")]
pub struct SetUp(#[source] reqwest::Error);

/// Why a message was not sent. The address can be a secret, so the reason does not contain the address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotSent {
    /// No answer arrived in time.
    #[error("no answer within {} s", ANSWER_WITHIN.as_secs())]
    TimedOut,
    /// The connection failed, or was closed before the answer arrived.
    #[error("no connection")]
    Connection,
    /// The status is not 2xx. Redirects are not followed.
    #[error("the answer's status is {0}")]
    Status(StatusCode),
}

/// The receiver of the messages.
pub(super) struct Post {
    http: Client,
    url: AlertUrl,
    secret: Option<SharedSecret>,
}

impl Post {
    pub(super) fn new(settings: &Alerts) -> Result<Self, SetUp> {
        let http = Client::builder()
            .user_agent(concat!("duet-proxy/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .timeout(ANSWER_WITHIN)
            .build()
            .map_err(SetUp)?;
        Ok(Self {
            http,
            url: settings.url.clone(),
            secret: settings.secret.clone(),
        })
    }

    pub(super) async fn send(&self, message: &Message, day_ms: i64) -> Result<(), NotSent> {
        let time = (day_ms / 1000).to_string();
        let mut request = self
            .http
            .post(self.url.expose().clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", &time);
        if let Some(secret) = &self.secret {
            request = request.header("webhook-signature", signature(secret, message, &time));
        }
        let answer = request.body(message.body.clone()).send().await;
        let status = answer.map_err(|error| not_sent(&error))?.status();
        if status.is_success() {
            Ok(())
        } else {
            Err(NotSent::Status(status))
        }
    }
}

fn not_sent(error: &reqwest::Error) -> NotSent {
    if error.is_timeout() {
        NotSent::TimedOut
    } else {
        NotSent::Connection
    }
}

/// Returns the signature of `<id>.<time>.<body>`.
fn signature(secret: &SharedSecret, message: &Message, time: &str) -> String {
    // The settings reject a secret from which no key can be read.
    let key = secret.webhook_key().unwrap_or_default();
    let text = [
        message.id.as_bytes(),
        b".",
        time.as_bytes(),
        b".",
        message.body.as_bytes(),
    ];
    let digest = hmac_sha256(&key, &text);
    format!("v1,{}", BASE64_STANDARD.encode(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        // The example in the specification: https://github.com/standard-webhooks/standard-webhooks
        let message = Message {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned(),
            body: r#"{"test": 2432232314}"#.to_owned(),
        };
        let secret = SharedSecret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(
            signature(&secret, &message, "1614265330"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }
}
