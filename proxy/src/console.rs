//! The console: one page, at an address of its own, that shows what happens to events, orders and payments.
//!
//! The console reads the data of the other modules, but no other module calls the console. So neither a slow page nor many
//! pages can delay an event. The server makes all HTML ([`page`]). A small script replaces parts of the HTML, by their ids.
//!
//! # Which requests are answered
//!
//! 1. Only requests for a loopback name or a name in `DUET_CONSOLE_HOST` are answered. If another name resolves to this address
//!    (DNS rebinding), its requests get 421.
//! 2. A caller signs in with the console's token ([`access`]) and gets a session of 12 hours ([`session`]).
//! 3. A request that changes something must have a header that forms cannot send, and must come from the console's own page.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header},
    middleware,
    response::{IntoResponse, Redirect, Response},
    routing::{MethodRouter, get, post},
};
use hyper::body::Incoming;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    time,
};
use tower::ServiceExt;

use crate::{
    app::App,
    config::{Config, console::Console as Settings},
    headers::text,
    http::body::{self, RequestBody},
    queue::{DeadLetters, Error, Process},
    server,
};

mod access;
mod api;
mod cached;
mod changes;
mod counted;
mod head;
mod language;
mod live;

mod machine;
mod matching;
mod money;
mod page;
mod paid_orders;
mod recount;
mod samples;
mod session;
mod show;
mod texts;
mod trouble;
mod updates;
mod view;
mod why;

use access::Access;
use cached::Cached;
use changes::Changes;
use live::Live;
use money::Money;
use recount::{Period, Recount};
use samples::Samples;
use trouble::Trouble;

/// The largest number of open connections: one live view for each of 32 pages, and the pages' other requests.
const CONNECTIONS: usize = 96;

/// The headers of every answer. The page can use only its own scripts, styles and addresses, and no other page can show it in a
/// frame.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types duet",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// The console, with the data that it reads.
pub struct Console(Arc<Shared>);

/// The data that all handlers of the console share.
struct Shared {
    settings: Settings,
    access: Access,
    app: App,
    letters: DeadLetters,
    data_dir: PathBuf,
    disk_reserve_bytes: u64,
    samples: Samples,
    trouble: Cached<Trouble>,
    money: Cached<Money>,
    proxies: Cached<Vec<Process>>,
    changes: Cached<Changes>,
    /// One recount for each [`Period`].
    recounts: [Cached<Recount>; 3],
    live: Arc<Live>,
    /// One permit for each page that is kept up to date.
    places: Arc<Semaphore>,
    /// Becomes true when the proxy stops.
    closed: watch::Receiver<bool>,
}

type State = axum::extract::State<Arc<Shared>>;

impl Console {
    /// Creates the console. The console stops after `closed` becomes true.
    pub fn new(
        settings: Settings,
        config: &Config,
        app: App,
        letters: DeadLetters,
        closed: watch::Receiver<bool>,
    ) -> Self {
        Self(Arc::new(Shared {
            access: Access::new(&settings.access),
            settings,
            app,
            letters,
            data_dir: config.data_dir.clone(),
            disk_reserve_bytes: config.disk_reserve_bytes,
            samples: Samples::default(),
            trouble: Cached::default(),
            money: Cached::default(),
            proxies: Cached::default(),
            changes: Cached::default(),
            recounts: Default::default(),
            live: Arc::default(),
            places: Arc::new(Semaphore::new(updates::CLIENTS)),
            closed,
        }))
    }

    /// Serves the console on its own address until the proxy stops.
    pub async fn serve(self, listener: TcpListener) {
        self.listen();
        let sampling = tokio::spawn(sample(Arc::clone(&self.0)));
        let mut closed = self.0.closed.clone();
        let shutdown = async move {
            // An error means that the proxy has dropped the sender. The console then stops too.
            let _ = closed.wait_for(|closed| *closed).await;
        };
        let routes = routes(Arc::clone(&self.0));
        let answer =
            move |peer, request| answer(Arc::clone(&self.0), routes.clone(), peer, request);
        server::serve(listener, CONNECTIONS, answer, shutdown).await;
        sampling.abort();
    }

    /// Starts to read the notes about events, for the live view.
    fn listen(&self) {
        let app = Arc::clone(&self.0.app);
        if let Some(notes) = app.intake.live().listen() {
            let dropped = move || app.intake.live().dropped();
            Arc::clone(&self.0.live).read(notes, dropped, self.0.closed.clone());
        }
    }
}

impl Shared {
    /// Returns the causes of the dead letters. The value comes from [`Cached`], so it can be some moments old.
    async fn trouble(&self) -> Result<Arc<Trouble>, Error> {
        let letters = self.letters.clone();
        self.trouble.value(move || Trouble::read(&letters)).await
    }

    /// Returns what happened in a period. The value comes from [`Cached`], so it can be some moments old.
    async fn recount(&self, period: Period) -> Result<Arc<Recount>, Error> {
        let intake = &self.app.intake;
        let (history, orders) = (intake.history().clone(), intake.orders().clone());
        let since_ms = intake.clock().day_ms() - period.lasts_ms();
        let read = move || Recount::read(&history, &orders, since_ms);
        let [hour, day, week] = &self.recounts;
        let cached = match period {
            Period::Hour => hour,
            Period::Day => day,
            Period::Week => week,
        };
        cached.value(read).await
    }

    /// Returns the proxies of the same database, or no proxy if the database cannot be read. The value comes from [`Cached`],
    /// so it can be some moments old.
    async fn proxies(&self) -> Vec<Process> {
        let history = self.app.intake.history().clone();
        let read = self.proxies.value(move || history.processes()).await;
        read.map_or_else(|_| Vec::new(), |processes| processes.to_vec())
    }

    /// Returns the change log. The value comes from [`Cached`], so it can be some moments old.
    async fn changes(&self) -> Result<Arc<Changes>, Error> {
        let log = self.app.intake.change_log().clone();
        self.changes.value(move || Changes::read(&log)).await
    }

    /// Returns the transfers. The value comes from [`Cached`], so it can be some moments old.
    async fn money(&self) -> Result<Arc<Money>, Error> {
        let orders = self.app.intake.orders().clone();
        self.money.value(move || Money::read(&orders)).await
    }
}

/// Reads the metrics from time to time, for the charts of the last hour.
async fn sample(shared: Arc<Shared>) {
    loop {
        shared.samples.take(&shared.app.metrics);
        time::sleep(samples::EVERY).await;
    }
}

/// The routes for programs, as `openapi.yaml` describes them.
fn api() -> [(&'static str, MethodRouter<Arc<Shared>>); 11] {
    [
        ("/console/api/changes", get(api::changes)),
        ("/console/api/counted", get(api::counted)),
        ("/console/api/head", get(api::head)),
        ("/console/api/live", get(api::live)),
        ("/console/api/machine", get(api::machine)),
        ("/console/api/match", get(api::match_keys)),
        ("/console/api/money", get(api::money)),
        ("/console/api/trouble", get(api::trouble)),
        ("/console/api/trouble/plan", get(trouble::plan)),
        ("/console/api/trouble/replay", post(trouble::replay)),
        ("/console/api/why", get(api::why)),
    ]
}

/// Returns all routes of the console.
fn routes(shared: Arc<Shared>) -> Router {
    let api = api().into_iter();
    let api = api.fold(Router::new(), |router, (path, methods)| {
        router.route(path, methods)
    });
    let guarded = Router::new()
        .route("/", get(page::show))
        .route("/console/live", get(updates::updates))
        .route("/console/sign-out", post(access::sign_out))
        .merge(api)
        .layer(middleware::from_fn_with_state(
            Arc::clone(&shared),
            access::guard,
        ));
    let open = Router::new()
        .route("/console", get(|| async { Redirect::permanent("/") }))
        .route("/console/sign-in", post(access::sign_in))
        .route("/console/console.css", get(style))
        .route("/console/console.js", get(script));
    guarded
        .merge(open)
        .fallback(|| async { (StatusCode::NOT_FOUND, "no page has this path\n") })
        .with_state(shared)
}

async fn style() -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];
    (kind, include_str!("console/console.css"))
}

async fn script() -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (kind, include_str!("console/console.js"))
}

async fn answer(
    shared: Arc<Shared>,
    routes: Router,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Response {
    let (head, incoming) = request.into_parts();
    let mut response = if is_for(&shared.settings, &head.uri, &head.headers) {
        let ends_connection = body::ends_connection(&head.headers);
        let incoming = Body::new(RequestBody::new(&head.headers, incoming));
        let mut request = Request::from_parts(head, incoming);
        request.extensions_mut().insert(ConnectInfo(peer));
        let Ok(mut response) = routes.oneshot(request).await;
        if ends_connection && !response.status().is_success() {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    } else {
        let rule = "the Host header must be a loopback name, or a name in DUET_CONSOLE_HOST\n";
        let close = [(header::CONNECTION, "close")];
        (StatusCode::MISDIRECTED_REQUEST, close, rule).into_response()
    };
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

/// Returns whether all hosts that a request names are hosts of the console.
fn is_for(settings: &Settings, uri: &axum::http::Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let is_one = hosts.next().is_some() && hosts.next().is_none();
    let named = text(headers, header::HOST).is_some_and(|host| settings.answers(host));
    let absolute = uri.authority().map(axum::http::uri::Authority::as_str);
    is_one && named && absolute.is_none_or(|host| settings.answers(host))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_for_programs_is_described_and_no_other() {
        let paths: BTreeSet<_> = api().into_iter().map(|(path, _)| path).collect();
        let lines = include_str!("../openapi.yaml").lines();
        let described = lines.filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'));
        let described: BTreeSet<_> = described
            .filter(|path| path.starts_with("/console/"))
            .collect();
        assert_eq!(paths, described);
    }
}
