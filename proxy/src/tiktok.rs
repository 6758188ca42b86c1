//! TikTok's Events API: the only code that knows its address and holds the token.

use std::{
    error::Error as _,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use reqwest::{
    Client as Http,
    header::{CONTENT_TYPE, DATE, HeaderMap, HeaderValue},
    redirect,
};

use crate::secret::AccessToken;

mod request;
mod response;

pub use request::body;
pub use response::{Reply, Trouble, Verdict, read};

/// How long TikTok may take for an answer; senders report 5 to 10 seconds in the field.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// An answer is a few hundred bytes; a gateway's error page a few thousand.
const LONGEST_ANSWER: usize = 256 * 1024;
const PATH: &str = "/open_api/v1.3/event/track/";

/// A connection pool to TikTok with the token in it; cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: Http,
    url: Arc<str>,
    token: AccessToken,
}

/// The client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the HTTPS client could not be set up")]
pub struct SetUp(#[source] Option<reqwest::Error>);

impl Client {
    /// A client for the API at `api_base`.
    ///
    /// # Errors
    /// [`SetUp`] when TLS cannot be initialised.
    pub fn new(api_base: &str, token: &AccessToken) -> Result<Self, SetUp> {
        let mut secret = HeaderValue::from_str(token.expose()).map_err(|_| SetUp(None))?;
        secret.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert("access-token", secret);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let http = Http::builder()
            .default_headers(headers)
            .user_agent(concat!("duet-proxy/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .build()
            .map_err(|error| SetUp(Some(error)))?;
        Ok(Self {
            http,
            url: format!("{api_base}{PATH}").into(),
            token: token.clone(),
        })
    }

    /// Sends a [`body`] and reads TikTok's answer, and what time it is there, in Unix milliseconds.
    pub async fn track(&self, body: Vec<u8>) -> (Reply, Option<i64>) {
        match self.exchange(body).await {
            Ok(answer) => {
                let body = self.without_token(answer.body);
                (response::read(answer.status, &body), answer.date_ms)
            }
            Err(trouble) => (Reply::Unreachable(trouble), None),
        }
    }

    /// TikTok's words go into logs and dead letters, and TikTok may repeat what it refuses.
    fn without_token(&self, body: Vec<u8>) -> Vec<u8> {
        let text = String::from_utf8_lossy(&body);
        if text.contains(self.token.expose()) {
            text.replace(self.token.expose(), "[redacted]").into_bytes()
        } else {
            body
        }
    }

    async fn exchange(&self, body: Vec<u8>) -> Result<Answer, Trouble> {
        let mut response = self
            .http
            .post(&*self.url)
            .body(body)
            .send()
            .await
            .map_err(|error| trouble(&error))?;
        let date_ms = response.headers().get(DATE).and_then(date_ms);
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| trouble(&error))? {
            answer.extend_from_slice(&chunk);
            if answer.len() > LONGEST_ANSWER {
                break;
            }
        }
        Ok(Answer {
            status: response.status().as_u16(),
            date_ms,
            body: answer,
        })
    }
}

struct Answer {
    status: u16,
    date_ms: Option<i64>,
    body: Vec<u8>,
}

fn date_ms(header: &HeaderValue) -> Option<i64> {
    let date = httpdate::parse_http_date(header.to_str().ok()?).ok()?;
    let since = date.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}

/// Names the trouble without repeating the address: an operator may have put a secret there.
fn trouble(error: &reqwest::Error) -> Trouble {
    if error.is_timeout() {
        return Trouble::TimedOut;
    }
    let mut cause = error.source();
    while let Some(source) = cause.and_then(|cause| cause.source()) {
        cause = Some(source);
    }
    Trouble::Connection(cause.map(ToString::to_string).unwrap_or_default())
}
