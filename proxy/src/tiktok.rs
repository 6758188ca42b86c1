//! The client of TikTok's Events API. Only this code knows the API's address and sends the access token.

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

/// How long TikTok can take to answer. Other senders report answers after 5 to 10 seconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The longest accepted answer. An answer has a few hundred bytes, and a gateway's error page a few thousand.
const LONGEST_ANSWER: usize = 256 * 1024;
const PATH: &str = "/open_api/v1.3/event/track/";

/// A connection pool to TikTok for all pixels. Cloning a client is cheap.
#[derive(Clone)]
pub struct Client {
    http: Http,
    url: Arc<str>,
}

/// The client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the HTTPS client could not be set up")]
pub struct SetUp(#[source] reqwest::Error);

impl Client {
    /// Returns a client for the API at `api_base`.
    ///
    /// # Errors
    /// [`SetUp`] if TLS cannot be initialised.
    pub fn new(api_base: &str) -> Result<Self, SetUp> {
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, json)]);
        let http = Http::builder()
            .default_headers(headers)
            .user_agent(concat!("duet-proxy/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .build()
            .map_err(SetUp)?;
        Ok(Self {
            http,
            url: format!("{api_base}{PATH}").into(),
        })
    }

    /// Sends a [`body`] with the token of its pixel. Returns TikTok's answer, and the time that the answer states, in Unix
    /// milliseconds.
    pub async fn track(&self, token: &AccessToken, body: Vec<u8>) -> (Reply, Option<i64>) {
        match self.exchange(token, body).await {
            Ok(answer) => {
                let body = without_token(token, answer.body);
                (response::read(answer.status, &body), answer.date_ms)
            }
            Err(trouble) => (Reply::Unreachable(trouble), None),
        }
    }

    async fn exchange(&self, token: &AccessToken, body: Vec<u8>) -> Result<Answer, Trouble> {
        // The token was read as printable ASCII, so it is a valid header value.
        let mut secret = HeaderValue::from_str(token.expose())
            .map_err(|_| Trouble::Connection(String::new()))?;
        secret.set_sensitive(true);
        let mut response = self
            .http
            .post(&*self.url)
            .header("access-token", secret)
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

/// Removes the token from TikTok's answer. TikTok's answer may repeat refused data of the request, such as the token, and
/// logs and dead letters contain TikTok's answer.
fn without_token(token: &AccessToken, body: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8_lossy(&body);
    if text.contains(token.expose()) {
        text.replace(token.expose(), "[redacted]").into_bytes()
    } else {
        body
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

/// Describes the error without the address, because an operator may have put a secret into the address.
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
