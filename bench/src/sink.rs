//! A fake TikTok that is faster than the measured servers. The sink reads the body, counts its events and answers. The sink
//! does not check the events; only the sandbox does.
//!
//! `PUT /mode/…` sets the sink's behaviour. `GET /count` returns the counts since the last `PUT`.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::CONTENT_TYPE,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, time::sleep};

use crate::{http, server::Server};

const PATH: &str = "/open_api/v1.3/event/track/";
const OK: &str =
    r#"{"code":0,"message":"OK","request_id":"202611231200000102030405060708","data":{}}"#;
const GATEWAY: &str = "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>";
const SLOW: Duration = Duration::from_millis(100);
/// The first number of events that only test whether a server answers. The sink does not count events from this number on.
pub(crate) const PROBES: u64 = 1 << 63;

/// The behaviour of the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Accepts every event immediately.
    Up,
    /// Accepts everything after a tenth of a second.
    Slow,
    /// Accepts nothing: answers with a gateway's HTML page.
    Down,
    /// Accepts everything and closes the connection without an answer.
    Cut,
}

const MODES: [(&str, Mode); 4] = [
    ("up", Mode::Up),
    ("slow", Mode::Slow),
    ("down", Mode::Down),
    ("cut", Mode::Cut),
];

/// The counts since the mode was set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) requests: u64,
    pub(crate) events: u64,
    /// The sum of all event numbers, with wrapping overflow.
    pub(crate) sum: u64,
    /// The times of the first and the last event since the mode was set.
    pub(crate) first_ms: Option<u64>,
    pub(crate) last_ms: u64,
    /// The number of requests in the first second, the second, and so on.
    pub(crate) by_second: Vec<u64>,
}

/// A stored event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Receipt {
    pub(crate) number: u64,
    /// The number in the token of the process that sent the event, see `Proxy::in_life`.
    pub(crate) life: u32,
    /// Whether the sender got no answer.
    pub(crate) cut: bool,
}

impl Mode {
    fn word(self) -> &'static str {
        let found = MODES.iter().find(|(_, mode)| *mode == self);
        found.map_or("", |(word, _)| word)
    }
}

/// Sets the behaviour of a sink in a separate process, and resets its counts.
pub(crate) fn behave(sink: &Server, mode: Mode) -> Result<()> {
    http::request(sink.address, "PUT", &format!("/mode/{}", mode.word()), "")?;
    Ok(())
}

/// Returns the counts of a sink in a separate process.
pub(crate) fn count(sink: &Server) -> Result<Count> {
    let answer = http::request(sink.address, "GET", "/count", "")?;
    serde_json::from_str(&answer.body).context("the sink must return its counts as JSON")
}

/// The sink with its state.
pub(crate) struct Sink(Mutex<State>);

struct State {
    mode: Mode,
    since: Instant,
    count: Count,
    receipts: Option<Vec<Receipt>>,
}

impl Sink {
    /// Makes a sink that accepts everything. With `receipts` it remembers every event.
    pub(crate) fn new(receipts: bool) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            mode: Mode::Up,
            since: Instant::now(),
            count: Count::default(),
            receipts: receipts.then(Vec::new),
        })))
    }

    /// Sets the behaviour and resets the counts.
    pub(crate) fn behave(&self, mode: Mode) {
        self.with(|state| {
            state.mode = mode;
            state.since = Instant::now();
            state.count = Count::default();
        });
    }

    /// Returns every stored event, in the order of arrival.
    pub(crate) fn receipts(&self) -> Vec<Receipt> {
        self.with(|state| state.receipts.take()).unwrap_or_default()
    }

    /// Serves until the process ends.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) -> Result<()> {
        loop {
            let (stream, _) = listener.accept().await?;
            let sink = Arc::clone(&self);
            tokio::spawn(async move {
                let answer = service_fn(|request| sink.answer(request));
                // A broken connection is not an error of the sink.
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        if parts.uri.path() != PATH {
            return Ok(self.order(&parts.method, parts.uri.path()));
        }
        match self.take(life(&parts.headers), &body) {
            Mode::Up => {}
            Mode::Slow => sleep(SLOW).await,
            Mode::Down => {
                return Ok(response(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "text/html",
                    GATEWAY,
                ));
            }
            // hyper closes a connection if the connection's service fails.
            Mode::Cut => bail!("closed without an answer, as the mode demands"),
        }
        Ok(response(StatusCode::OK, "application/json", OK))
    }

    fn take(&self, life: u32, body: &[u8]) -> Mode {
        let numbers = numbers(body);
        self.with(|state| {
            state.take(life, &numbers);
            state.mode
        })
    }

    fn order(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if *method == Method::PUT
            && let Some(word) = path.strip_prefix("/mode/")
        {
            let Some((_, mode)) = MODES.iter().find(|(name, _)| *name == word) else {
                return response(
                    StatusCode::NOT_FOUND,
                    "text/plain",
                    "the mode must be up, slow, down or cut",
                );
            };
            self.behave(*mode);
        }
        let count = self.with(|state| state.count.clone());
        let text = serde_json::to_string(&count).unwrap_or_default();
        response(StatusCode::OK, "application/json", text)
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn take(&mut self, life: u32, numbers: &[u64]) {
        let since = self.since.elapsed();
        let second = usize::try_from(since.as_secs()).unwrap_or(usize::MAX);
        let count = &mut self.count;
        count.requests += 1;
        if count.by_second.len() <= second {
            count.by_second.resize(second + 1, 0);
        }
        if let Some(requests) = count.by_second.get_mut(second) {
            *requests += 1;
        }
        if self.mode == Mode::Down {
            return;
        }
        for number in numbers.iter().copied().filter(|number| *number < PROBES) {
            count.events += 1;
            count.sum = count.sum.wrapping_add(number);
            if let Some(receipts) = &mut self.receipts {
                receipts.push(Receipt {
                    number,
                    life,
                    cut: self.mode == Mode::Cut,
                });
            }
        }
        count.last_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        count.first_ms.get_or_insert(count.last_ms);
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    data: Vec<Event<'a>>,
}

#[derive(Deserialize)]
struct Event<'a> {
    event_id: &'a str,
}

/// Returns the numbers at the end of the events' ids. Returns no numbers if the body is not JSON in TikTok's format.
fn numbers(body: &[u8]) -> Vec<u64> {
    let events = serde_json::from_slice::<Body<'_>>(body).map_or(Vec::new(), |body| body.data);
    let number = |event: &Event<'_>| {
        let digits = event.event_id.len().checked_sub(20)?;
        event.event_id.get(digits..)?.parse().ok()
    };
    events.iter().filter_map(number).collect()
}

fn life(headers: &HeaderMap) -> u32 {
    let token = headers.get("access-token");
    token
        .and_then(|token| token.to_str().ok()?.strip_prefix("life-")?.parse().ok())
        .unwrap_or_default()
}

fn response(
    status: StatusCode,
    kind: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let kind = hyper::header::HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
