//! Tests who can open the console, and that a page of another origin cannot misuse it.

use anyhow::{Context, Result};
use duet_tests::{Answer, Stack, stack::free_address};
use reqwest::{Client, Method, RequestBuilder, StatusCode, redirect::Policy};
use serde_json::Value;

mod changes;
mod counts;
mod shows;

const TOKEN: &str = "canary-token-of-the-console";

/// A proxy with a console, and a client that follows no redirect.
struct Console {
    stack: Stack,
    address: String,
    http: Client,
}

impl Console {
    async fn start(settings: &[(&str, &str)]) -> Result<Self> {
        let (mut stack, address) = Self::prepare(Stack::prepare(settings).await?).await?;
        stack.run_proxy().await?;
        Self::of(stack, address)
    }

    async fn prepare(mut stack: Stack) -> Result<(Stack, String)> {
        let address = free_address().await?.to_string();
        stack.set("DUET_CONSOLE_LISTEN", &address);
        stack.set("DUET_CONSOLE_TOKEN", TOKEN);
        Ok((stack, address))
    }

    fn of(stack: Stack, address: String) -> Result<Self> {
        // The stack has set up TLS for the clients of this process.
        let http = Client::builder().redirect(Policy::none()).build()?;
        Ok(Self {
            stack,
            address,
            http,
        })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.address);
        self.http.request(method, url)
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    fn sign_in(&self, token: &str) -> RequestBuilder {
        let kind = "application/x-www-form-urlencoded";
        let form = self.post("/console/sign-in").header("content-type", kind);
        form.body(format!("token={token}&view=lang%3Dvi"))
    }

    /// Signs in and returns the session as `name=value`.
    async fn session(&self) -> Result<String> {
        let answer = Answer::to(self.sign_in(TOKEN)).await?;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
        assert_eq!(answer.headers["location"], "/?lang=vi");
        session_of(&answer)
    }

    /// Returns the page with this query. The request is signed in.
    async fn page(&self, query: &str) -> Result<String> {
        let request = self.get(&format!("/?{query}")).bearer_auth(TOKEN);
        let answer = Answer::to(request).await?;
        assert_eq!(answer.status, 200, "{answer:?}");
        Ok(answer
            .body
            .as_str()
            .context("the answer must be a page")?
            .to_owned())
    }

    /// Returns the JSON of one of the console's routes.
    async fn api(&self, path: &str) -> Result<Value> {
        let request = self.get(&format!("/console/api/{path}"));
        let answer = Answer::to(request.bearer_auth(TOKEN)).await?;
        assert_eq!(answer.status, 200, "{answer:?}");
        Ok(answer.body)
    }

    async fn status(&self, request: RequestBuilder) -> Result<u16> {
        Ok(Answer::to(request).await?.status.as_u16())
    }
}

fn session_of(answer: &Answer) -> Result<String> {
    let cookie = answer.headers["set-cookie"].to_str()?;
    let session = cookie
        .split(';')
        .next()
        .context("the answer must set a cookie")?;
    Ok(session.to_owned())
}

#[tokio::test]
async fn the_page_is_shown_after_signing_in_and_at_its_own_address_only() -> Result<()> {
    let console = Console::start(&[("DUET_CONSOLE_HOST", "console.shop.example")]).await?;
    let form = Answer::to(console.get("/?lang=en&a=%22%3E%3Cb%3E")).await?;
    assert_eq!(form.status, 401, "{form:?}");
    let shown = form.body.to_string();
    assert!(
        shown.contains("/console/sign-in") && !shown.contains("<b>"),
        "{shown}"
    );

    let answer = Answer::to(console.sign_in(TOKEN)).await?;
    let cookie = answer.headers["set-cookie"].to_str()?;
    for part in [
        "duet_console=",
        "HttpOnly",
        "SameSite=Strict",
        "Path=/",
        "Max-Age=43200",
    ] {
        assert!(
            cookie.contains(part),
            "the cookie must contain {part}, got {cookie}"
        );
    }
    assert!(!cookie.contains("Secure"));
    let session = session_of(&answer)?;
    let page = Answer::to(console.get("/").header("cookie", &session)).await?;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.to_string().contains("CDUETSANDBOX00000001"));

    // If the console is not on loopback, the cookie is valid only for this exact host and only over https.
    let host = console
        .sign_in(TOKEN)
        .header("host", "console.shop.example");
    let answer = Answer::to(host).await?;
    let cookie = answer.headers["set-cookie"].to_str()?;
    assert!(cookie.starts_with("__Host-duet_console="), "{cookie}");
    assert!(
        cookie.contains("; Secure") && cookie.contains("; Path=/;"),
        "{cookie}"
    );
    // A cookie for loopback is not a session at another host.
    let other = console.get("/").header("host", "console.shop.example");
    assert_eq!(console.status(other.header("cookie", &session)).await?, 401);

    for path in [
        "/",
        "/console",
        "/console/sign-in",
        "/console/console.css",
        "/console/api/head",
    ] {
        let request = console.stack.request("GET", path)?;
        assert_eq!(console.status(request).await?, 404, "{path}");
    }
    let texts = [page.body.to_string(), shown, console.stack.log()];
    assert!(texts.iter().all(|text| !text.contains(TOKEN)));
    Ok(())
}

#[tokio::test]
async fn there_is_no_console_without_a_token() -> Result<()> {
    let address = free_address().await?.to_string();
    let stack = Stack::start(&[("DUET_CONSOLE_LISTEN", &address)]).await?;
    let refused = reqwest::get(format!("http://{address}/")).await;
    assert!(refused.is_err_and(|error| error.is_connect()));
    assert!(stack.log().contains("DUET_CONSOLE_TOKEN"));
    Ok(())
}

#[tokio::test]
async fn another_host_is_not_answered() -> Result<()> {
    let console = Console::start(&[]).await?;
    let session = console.session().await?;
    for host in [
        "rebound.example",
        "rebound.example:8789",
        "127.0.0.1.rebound.example",
    ] {
        for path in ["/", "/console/console.css", "/nothing"] {
            let request = console.get(path).header("cookie", &session);
            let answer = Answer::to(request.header("host", host)).await?;
            assert_eq!(answer.status, 421, "{host} {path}");
            assert!(!answer.body.to_string().contains("CDUETSANDBOX"));
        }
        let answer = Answer::to(console.sign_in(TOKEN).header("host", host)).await?;
        assert_eq!(answer.status, 421);
        assert!(!answer.headers.contains_key("set-cookie"));
    }
    Ok(())
}

#[tokio::test]
async fn every_answer_forbids_frames_and_foreign_scripts() -> Result<()> {
    let console = Console::start(&[]).await?;
    let session = console.session().await?;
    let answers = [
        console.get("/"),
        console.get("/").header("cookie", &session),
        console.get("/").header("host", "rebound.example"),
        console.get("/console/console.css"),
        console.get("/nothing"),
        console.sign_in("wrong"),
    ];
    for request in answers {
        let answer = Answer::to(request).await?;
        for (name, part) in [
            ("content-security-policy", "default-src 'none'"),
            ("content-security-policy", "script-src 'self';"),
            ("content-security-policy", "frame-ancestors 'none'"),
            (
                "content-security-policy",
                "require-trusted-types-for 'script'",
            ),
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            let value = answer.headers[name].to_str()?;
            assert!(value.contains(part), "{name}: {value}");
        }
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
    Ok(())
}

#[tokio::test]
async fn wrong_tokens_are_slowed_down() -> Result<()> {
    let console = Console::start(&[]).await?;
    let mut last = 401;
    for _ in 0..40 {
        let answer = Answer::to(console.sign_in("wrong-token-of-the-console")).await?;
        last = answer.status.as_u16();
        if last == 429 {
            let wait: u64 = answer.headers["retry-after"].to_str()?.parse()?;
            assert!(wait >= 1, "{wait}");
            break;
        }
        assert_eq!(last, 401);
    }
    assert_eq!(last, 429);
    // From now on, the console rejects the right token with 429 too, so that a guesser cannot recognise this token. On a slow
    // machine, another attempt may already be allowed (303).
    let mut right = 429;
    for _ in 0..5 {
        right = right.min(console.status(console.sign_in(TOKEN)).await?);
    }
    assert!([303, 429].contains(&right));
    let bearer = console.get("/").bearer_auth("wrong-token-of-the-console");
    assert!([401, 429].contains(&console.status(bearer).await?));
    assert!(!console.stack.log().contains("wrong-token-of-the-console"));
    Ok(())
}

#[tokio::test]
async fn a_change_needs_the_header_and_the_own_origin() -> Result<()> {
    let console = Console::start(&[]).await?;
    let session = console.session().await?;
    let own = format!("http://{}", console.address);
    let path = "/console/sign-out";
    let change = || console.post(path).header("cookie", &session);
    let marked = || change().header("x-duet-console", "1");
    for (request, expected) in [
        (change(), 403),
        (change().header("origin", &own), 403),
        (marked(), 403),
        (marked().header("origin", "null"), 403),
        (marked().header("origin", "http://127.0.0.1:8787"), 403),
        (marked().header("origin", "https://rebound.example"), 403),
        (
            console
                .post(path)
                .header("x-duet-console", "1")
                .header("origin", &own),
            401,
        ),
        (console.post(path).bearer_auth(TOKEN), 403),
        (
            console
                .post(path)
                .bearer_auth(TOKEN)
                .header("x-duet-console", "1"),
            204,
        ),
        (marked().header("origin", &own), 204),
    ] {
        assert_eq!(console.status(request).await?, expected);
    }
    // A form on another page must not be able to sign in.
    for (name, value) in [
        ("origin", "https://rebound.example"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let request = console.sign_in(TOKEN).header(name, value);
        assert_eq!(console.status(request).await?, 403, "{name}: {value}");
    }
    let hidden = console.sign_in(TOKEN).header("origin", "null");
    let hidden = hidden.header("sec-fetch-site", "same-origin");
    assert_eq!(console.status(hidden).await?, 303);
    Ok(())
}

#[tokio::test]
async fn a_session_survives_a_restart_and_a_new_token_ends_it() -> Result<()> {
    let mut console = Console::start(&[]).await?;
    let session = console.session().await?;
    let (end, signature) = session
        .split_once('.')
        .context("the session must have a signature")?;
    let forged = [
        format!("{end}0.{signature}"),
        format!("{end}.{}", signature.to_uppercase()),
        "duet_console=".to_owned(),
    ];
    for forged in forged {
        let request = console.get("/").header("cookie", &forged);
        assert_eq!(console.status(request).await?, 401, "{forged}");
    }
    console.stack.kill().await?;
    console.stack.run_proxy().await?;
    let request = || console.get("/").header("cookie", &session);
    assert_eq!(console.status(request()).await?, 200);
    console.stack.kill().await?;
    console
        .stack
        .set("DUET_CONSOLE_TOKEN", "another-token-of-the-console");
    console.stack.run_proxy().await?;
    let request = || console.get("/").header("cookie", &session);
    assert_eq!(console.status(request()).await?, 401);
    assert_eq!(console.status(console.sign_in(TOKEN)).await?, 401);
    Ok(())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_session_ends_after_twelve_hours() -> Result<()> {
    const HOUR_MS: i64 = 60 * 60 * 1000;
    let stack = Stack::prepare_with_faults(&[]).await?;
    let (mut stack, address) = Console::prepare(stack).await?;
    stack.run_proxy().await?;
    let mut console = Console::of(stack, address)?;
    let session = console.session().await?;
    for (hours, expected) in [(11, 200), (13, 401)] {
        console.stack.kill().await?;
        console.stack.faults()?.set_clock(hours * HOUR_MS)?;
        console.stack.run_proxy().await?;
        let request = console.get("/").header("cookie", &session);
        assert_eq!(console.status(request).await?, expected, "{hours} h");
    }
    Ok(())
}
