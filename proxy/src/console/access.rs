//! Decides who may see the console, and who may change something.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};

use super::{
    Shared, State, page,
    session::{self, Sessions},
    view::View,
};
use crate::{
    clock,
    config::console::{self, is_loopback},
    headers::{cookies_of, text},
    http::{body, client},
    identity,
    origin::Origin,
    rates::{RateLimit, Rates, TooMany},
    secret::ConsoleToken,
};

/// The header that every request that changes something must have. A form cannot send this header. A script of another origin
/// could send it only if the console allowed that origin, but the console allows no other origin.
pub(super) const CHANGES: HeaderName = HeaderName::from_static("x-duet-console");

/// How often one client can try a token in the form. After that, the form rejects every token of the client for a while, even
/// the right one.
const SIGN_INS: RateLimit = RateLimit {
    most: NonZeroU32::new(30).unwrap(),
    per: Duration::from_mins(1),
};
/// How often one client can send a token as `Authorization: Bearer`. Programs that read the console's data send the token in
/// this way.
const REQUESTS: RateLimit = RateLimit {
    most: NonZeroU32::new(600).unwrap(),
    per: Duration::from_mins(1),
};

/// The cookie of a session on a loopback name. It is not `Secure`, because Safari stores a `Secure` cookie only if it comes
/// over https, even on loopback.
const ON_LOOPBACK: &str = "duet_console";
/// The cookie of a session on every other name. Browsers accept a cookie with this prefix only from https and only for this
/// very host.
const OFF_LOOPBACK: &str = "__Host-duet_console";

/// Who may see the console.
pub(super) struct Access {
    /// `None` in `duet-proxy dev`, where every program on this machine may see the console.
    token: Option<(ConsoleToken, Sessions)>,
    sign_ins: Rates,
    requests: Rates,
}

/// A caller that may see the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    /// A browser with a session. If the console needs no token, any caller.
    Browser,
    /// A program that sends the token with each request.
    Program,
}

/// Why the console rejects a request.
enum Denied {
    NotSignedIn,
    WrongToken,
    TooMany(u64),
}

impl Access {
    pub(super) fn new(access: &console::Access) -> Self {
        let token = match access {
            console::Access::Token(token) => Some((token.clone(), Sessions::of(token))),
            console::Access::ThisMachine => None,
        };
        Self {
            token,
            sign_ins: Rates::new(Some(SIGN_INS)),
            requests: Rates::new(Some(REQUESTS)),
        }
    }

    /// Returns whether callers have to sign in.
    pub(super) fn needs_token(&self) -> bool {
        self.token.is_some()
    }

    fn caller(&self, headers: &HeaderMap, client: IpAddr, now_ms: i64) -> Result<Caller, Denied> {
        let Some((token, sessions)) = &self.token else {
            return Ok(Caller::Browser);
        };
        if let Some(presented) = identity::bearer(headers) {
            self.requests.check(client)?;
            if token.matches(presented) {
                return Ok(Caller::Program);
            }
            self.sign_ins.check(client)?;
            return Err(Denied::WrongToken);
        }
        let mut presented = cookies_of(headers, cookie_of(headers));
        if presented.any(|session| sessions.is_valid(session, now_ms)) {
            Ok(Caller::Browser)
        } else {
            Err(Denied::NotSignedIn)
        }
    }
}

impl From<TooMany> for Denied {
    fn from(TooMany { retry_after_s }: TooMany) -> Self {
        Self::TooMany(retry_after_s)
    }
}

/// Answers a request of a caller that may see the console. A request that changes something also needs [`CHANGES`] and, from a
/// browser, the console's own origin.
pub(super) async fn guard(
    axum::extract::State(shared): State,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let is_api = request.uri().path().starts_with("/console/");
    let client = address(&shared, peer, headers);
    let caller = match shared.access.caller(headers, client, clock::now_ms()) {
        Ok(caller) => caller,
        Err(denied) if is_api => return denied.as_json(),
        Err(denied) => {
            return denied.as_page(&View::of(request.uri().query(), headers));
        }
    };
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && !(headers.contains_key(&CHANGES) && is_from_own_page(headers, caller)) {
        let rule = "a request that changes something must have the header X-Duet-Console: 1, and come from the console's own origin";
        return error(StatusCode::FORBIDDEN, "not_from_the_console", rule);
    }
    next.run(request).await
}

/// The fields of the sign-in form, as a browser sends them.
#[derive(Default)]
struct Form {
    token: String,
    /// The query of the view that the person wanted to open.
    view: String,
}

impl Form {
    fn parse(body: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            match name.as_ref() {
                "token" => value.trim().clone_into(&mut form.token),
                "view" => form.view = value.into_owned(),
                _ => {}
            }
        }
        form
    }
}

/// Begins a session if the form has the right token.
pub(super) async fn sign_in(
    axum::extract::State(shared): State,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (head, sent) = request.into_parts();
    let headers = &head.headers;
    let form = match body::read(headers, sent).await {
        Ok(read) => Form::parse(&read),
        Err(rejection) => return rejection.into_response(),
    };
    let view = View::of(Some(&form.view), headers);
    if is_from_foreign_page(headers) {
        let rule =
            "the sign-in form must be sent by the console's own page, got a form of another origin";
        return error(StatusCode::FORBIDDEN, "not_from_the_console", rule);
    }
    let Some((token, sessions)) = &shared.access.token else {
        return Redirect::to("/").into_response();
    };
    // The attempt is counted before the token is compared. If only wrong tokens were counted, a client without attempts left
    // could still recognise the right token.
    if let Err(too_many) = shared
        .access
        .sign_ins
        .check(address(&shared, peer, headers))
    {
        return Denied::from(too_many).as_page(&view);
    }
    if !token.matches(&form.token) {
        tracing::warn!("somebody tried to sign in to the console with a wrong token");
        return Denied::WrongToken.as_page(&view);
    }
    tracing::info!("a session of the console has begun");
    let session = sessions.begin(clock::now_ms());
    let target = format!("/?{}", view.query());
    let cookie = cookie(headers, &session, session::LASTS_MS / 1000);
    ([(header::SET_COOKIE, cookie)], Redirect::to(&target)).into_response()
}

/// Signs the browser out: the answer deletes the cookie of the browser's session.
pub(super) async fn sign_out(headers: HeaderMap) -> impl IntoResponse {
    (
        StatusCode::NO_CONTENT,
        [(header::SET_COOKIE, cookie(&headers, "", 0))],
    )
}

impl Denied {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotSignedIn | Self::WrongToken => StatusCode::UNAUTHORIZED,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    fn as_json(&self) -> Response {
        let response = match self {
            Self::NotSignedIn => error(
                self.status(),
                "not_signed_in",
                "the request must have the cookie of a session, or the header Authorization with \"Bearer\" followed by the console's token",
            ),
            Self::WrongToken => error(
                self.status(),
                "wrong_token",
                "Authorization must be \"Bearer\" followed by the console's token, got another token",
            ),
            Self::TooMany(_) => error(
                self.status(),
                "too_many",
                "too many requests from this address; try again later",
            ),
        };
        self.told(response)
    }

    fn as_page(&self, view: &View) -> Response {
        let texts = view.texts();
        let trouble = match self {
            Self::NotSignedIn => None,
            Self::WrongToken => Some(texts.wrong_token),
            Self::TooMany(_) => Some(texts.too_many_tokens),
        };
        let form = page::sign_in(view, trouble);
        self.told((self.status(), form).into_response())
    }

    /// Adds the header that the answer's status requires.
    fn told(&self, mut response: Response) -> Response {
        let (name, value) = match self {
            Self::NotSignedIn | Self::WrongToken => (
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"duet console\""),
            ),
            Self::TooMany(retry_after_s) => {
                (header::RETRY_AFTER, HeaderValue::from(*retry_after_s))
            }
        };
        response.headers_mut().insert(name, value);
        response
    }
}

/// Returns the answer with an error, as JSON, for scripts and programs.
pub(super) fn error(status: StatusCode, code: &'static str, rule: &str) -> Response {
    let body = serde_json::json!({ "success": false, "code": code, "error": rule });
    (status, axum::Json(body)).into_response()
}

fn address(shared: &Shared, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
    client::address(peer, headers, &shared.app.server.trusted_proxies)
}

fn is_on_loopback(headers: &HeaderMap) -> bool {
    text(headers, header::HOST).is_some_and(is_loopback)
}

fn cookie_of(headers: &HeaderMap) -> &'static str {
    if is_on_loopback(headers) {
        ON_LOOPBACK
    } else {
        OFF_LOOPBACK
    }
}

fn cookie(headers: &HeaderMap, session: &str, lasts_s: i64) -> String {
    let name = cookie_of(headers);
    let secure = if is_on_loopback(headers) {
        ""
    } else {
        "; Secure"
    };
    format!("{name}={session}; Max-Age={lasts_s}; Path=/; HttpOnly; SameSite=Strict{secure}")
}

/// Returns whether a change comes from the console's own page, or from a program that sends the token. A request without an
/// origin is accepted only from a program: a program sends no cookie, so another page cannot make a browser send the program's
/// request.
fn is_from_own_page(headers: &HeaderMap, caller: Caller) -> bool {
    if headers.contains_key(header::ORIGIN) {
        is_own(headers)
    } else {
        caller == Caller::Program
    }
}

/// Returns whether another page than the console's has sent the sign-in form. The console's pages send no referrer, so
/// browsers send the origin `null` with the forms of these pages. If the origin is `null`, only `Sec-Fetch-Site` shows which
/// page has sent the form.
fn is_from_foreign_page(headers: &HeaderMap) -> bool {
    let site = text(headers, HeaderName::from_static("sec-fetch-site"));
    let is_hidden = headers
        .get(header::ORIGIN)
        .is_some_and(|origin| origin == "null");
    let is_foreign = headers.contains_key(header::ORIGIN) && !is_hidden && !is_own(headers);
    is_foreign || site.is_some_and(|site| !matches!(site, "same-origin" | "none"))
}

fn is_own(headers: &HeaderMap) -> bool {
    let origin = text(headers, header::ORIGIN).and_then(|origin| origin.parse::<Origin>().ok());
    let host = text(headers, header::HOST).unwrap_or_default();
    origin.is_some_and(|origin| origin.is_at(host))
}
