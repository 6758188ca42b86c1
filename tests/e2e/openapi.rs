//! The document that `duet-proxy openapi` prints must describe the real proxy.

use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result, ensure};
use duet_sandbox::Fault;
use duet_tests::{
    Answer, Stack,
    stack::{binary, free_address, http_client},
};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::events::event;

const KEY: &str = "a-server-key-of-some-length";
const TRACK: &str = "/api/analytics/tiktok/track";

/// The `OpenAPI` document, as the binary prints it.
struct Document(Value);

impl Document {
    async fn print(track_path: &str) -> Result<Self> {
        let output = Command::new(binary("duet-proxy")?)
            .arg("openapi")
            .env_clear()
            .env("DUET_TRACK_PATH", track_path)
            .output()
            .await?;
        ensure!(output.status.success(), "{output:?}");
        Ok(Self(serde_saphyr::from_slice(&output.stdout)?))
    }

    /// Returns every path with every method that the path accepts.
    fn operations(&self) -> Vec<(String, String)> {
        let paths = self.0["paths"].as_object().unwrap();
        let methods = |item: &Value| -> Vec<String> {
            let fields = item.as_object().unwrap().keys();
            fields
                .filter(|field| *field != "description")
                .cloned()
                .collect()
        };
        paths
            .iter()
            .flat_map(|(path, item)| {
                let methods = methods(item).into_iter();
                methods.map(move |method| (path.clone(), method.to_uppercase()))
            })
            .collect()
    }

    /// Returns the errors that a schema of this document finds in `value`.
    fn problems(&self, schema: &Value, value: &Value) -> Result<Vec<String>> {
        let whole = json!({ "components": self.0["components"], "allOf": [schema] });
        let validator = jsonschema::draft202012::new(&whole)?;
        let errors = validator.iter_errors(value);
        Ok(errors
            .map(|error| format!("{} at {}", error, error.instance_path()))
            .collect())
    }

    /// Checks that the document describes an answer with this status, these headers and this body.
    fn knows(&self, method: &str, path: &str, answer: &Answer) -> Result<()> {
        let status = answer.status.as_str();
        let mut known = &self.0["paths"][path][method]["responses"][status];
        if let Some(shared) = known["$ref"].as_str() {
            let name = shared
                .rsplit('/')
                .next()
                .context("$ref must end with a name")?;
            known = &self.0["components"]["responses"][name];
        }
        ensure!(
            !known.is_null(),
            "the document must describe the status {status} of {method} {path}: {answer:?}"
        );
        for header in known["headers"].as_object().iter().flat_map(|h| h.keys()) {
            let optional = header == "Set-Cookie";
            ensure!(
                optional || answer.headers.contains_key(header),
                "the answer must have the header {header}: {answer:?}"
            );
        }
        let kind = answer.headers["content-type"].to_str()?;
        let kind = kind.split(';').next().unwrap_or_default();
        let schema = &known["content"][kind]["schema"];
        ensure!(
            !schema.is_null(),
            "the document must describe the content type {kind}: {answer:?}"
        );
        let problems = self.problems(schema, &answer.body)?;
        ensure!(
            problems.is_empty(),
            "the body must fit its schema, got the problems {problems:?}: {answer:?}"
        );
        Ok(())
    }
}

#[tokio::test]
async fn the_proxy_takes_every_method_of_the_document_and_no_other() -> Result<()> {
    let document = Document::print("/collect").await?;
    let settings = [
        ("DUET_TRACK_PATH", "/collect"),
        ("SEPAY_WEBHOOK_SECRET", "a-secret-of-some-length"),
        ("POLAR_WEBHOOK_SECRET", "a-secret-of-some-length"),
        ("STRIPE_WEBHOOK_SECRET", "a-secret-of-some-length"),
        ("PAYOS_CHECKSUM_KEY", "a-secret-of-some-length"),
        ("VNPAY_HASH_SECRET", "a-secret-of-some-length"),
        ("VNPAY_TMN_CODE", "DUETTEST"),
    ];
    let stack = Stack::start(&settings).await?;
    let operations = document.operations();
    let paths = operations.iter().map(|(path, _)| path);
    // The console has a separate address, which the next test checks.
    let paths: BTreeSet<_> = paths
        .filter(|path| !path.starts_with("/console/"))
        .collect();
    assert_eq!(paths.len(), 11);
    for path in paths {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let operation = (path.clone(), method.to_owned());
            let real = path.replace("{order_id}", "PHO7K3M9Q2X");
            let answer = Answer::to(stack.request(method, &real)?).await?;
            let taken = !matches!(answer.status.as_u16(), 404 | 405);
            let described = operations.contains(&operation);
            assert_eq!(taken, described, "{method} {path}: {answer:?}");
            if taken {
                document.knows(&method.to_lowercase(), path, &answer)?;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_console_takes_every_method_of_the_document_and_no_other() -> Result<()> {
    const TOKEN: &str = "a-console-token-of-some-length";
    let document = Document::print(TRACK).await?;
    let address = free_address().await?.to_string();
    let settings = [
        ("DUET_CONSOLE_TOKEN", TOKEN),
        ("DUET_CONSOLE_LISTEN", &address),
    ];
    let stack = Stack::start(&settings).await?;
    let refused = stack.sandbox.inject(Fault::RefuseEvent {
        event_id: "bad".to_owned(),
        name_index: true,
    });
    stack.accepted(&event("bad")).await?;
    stack
        .until("the event is refused", async |stack| {
            let metrics = stack.metrics().await?;
            Ok(metrics.count("duet_events_ended_total{outcome=\"refused\"}") == 1)
        })
        .await?;
    stack.sandbox.remove_fault(refused);
    let operations = document.operations();
    let paths = operations.iter().map(|(path, _)| path);
    let paths: BTreeSet<_> = paths.filter(|path| path.starts_with("/console/")).collect();
    assert!(!paths.is_empty());
    for path in paths {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let request = || {
                let url = format!("http://{address}{path}?which=since:0&id=bad");
                let request = http_client().request(method.parse().unwrap(), url);
                request.json(&json!({ "which": "since:0" }))
            };
            let marked = request().header("x-duet-console", "1").bearer_auth(TOKEN);
            let answer = Answer::to(marked).await?;
            let taken = !matches!(answer.status.as_u16(), 404 | 405);
            let described = operations.contains(&(path.clone(), method.to_owned()));
            assert_eq!(taken, described, "{method} {path}: {answer:?}");
            if taken {
                assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
                let method = method.to_lowercase();
                document.knows(&method, path, &answer)?;
                document.knows(&method, path, &Answer::to(request()).await?)?;
            }
        }
    }
    stack.conversions(1).await?;
    Ok(())
}

#[tokio::test]
async fn orders_are_answered_as_the_document_says() -> Result<()> {
    let document = Document::print(TRACK).await?;
    let settings = [
        ("DUET_SERVER_KEY", KEY),
        ("SEPAY_WEBHOOK_SECRET", "a-secret-of-some-length"),
    ];
    let stack = Stack::start(&settings).await?;
    let order = json!({ "order_id": "PHO7K3M9Q2X", "amount": 199_000, "currency": "VND",
                        "plan_id": "pro", "user": { "email": "lan@example.com" } });
    let schema = json!({ "$ref": "#/components/schemas/Order" });
    assert_eq!(document.problems(&schema, &order)?, Vec::<String>::new());
    let register = |body: String| {
        let request = stack.request("POST", "/api/orders")?;
        Ok::<_, anyhow::Error>(request.body(body))
    };
    for (request, status) in [
        (register(order.to_string())?.bearer_auth(KEY), 200),
        (register("{}".to_owned())?.bearer_auth(KEY), 422),
        (register("{".to_owned())?.bearer_auth(KEY), 400),
        (register(order.to_string())?, 401),
    ] {
        let answer = Answer::to(request).await?;
        assert_eq!(answer.status.as_u16(), status, "{answer:?}");
        document.knows("post", "/api/orders", &answer)?;
    }
    let status = "/api/orders/{order_id}";
    for id in ["PHO7K3M9Q2X", "nobody-knows-this"] {
        let answer = stack.get(&format!("/api/orders/{id}")).await?;
        document.knows("get", status, &answer)?;
    }
    for (key, code) in [(KEY, 200), ("another-key-of-some-length", 401)] {
        let request = stack.request("GET", "/api/orders/PHO7K3M9Q2X")?;
        let answer = Answer::to(request.bearer_auth(key)).await?;
        assert_eq!(answer.status.as_u16(), code, "{answer:?}");
        document.knows("get", status, &answer)?;
    }
    Ok(())
}

#[tokio::test]
async fn real_answers_are_as_the_document_says() -> Result<()> {
    let document = Document::print(TRACK).await?;
    let stack = Stack::start(&[("DUET_SERVER_KEY", KEY)]).await?;
    let refused = stack.sandbox.inject(Fault::RefuseEvent {
        event_id: "bad".to_owned(),
        name_index: true,
    });
    let post = |query: &str, body: String| {
        let request = stack.request("POST", &format!("{TRACK}{query}"))?;
        Ok::<_, anyhow::Error>(request.body(body))
    };
    let batch = json!({ "events": [event("b"), { "event": "two words" }, event("bad")] });
    for (request, status) in [
        (post("", event("a").to_string())?, 202),
        (post("", event("a").to_string())?, 202),
        (post("?wait=1", event("c").to_string())?, 202),
        (
            post("?wait=30000", batch.to_string())?.bearer_auth(KEY),
            200,
        ),
        (
            post("?wait=30000", event("d").to_string())?.bearer_auth(KEY),
            200,
        ),
        (
            post("?wait=soon", event("e").to_string())?.bearer_auth(KEY),
            422,
        ),
        (post("", "{".to_owned())?, 400),
        (post("", "[]".to_owned())?, 422),
        (post("", r#"{"event":"two words"}"#.to_owned())?, 422),
        (post("", String::new())?.bearer_auth("not-the-key"), 401),
        (
            post("", String::new())?.header("origin", "https://evil.example"),
            403,
        ),
        // This request must be the last one, because the proxy closes the connection before it has read the whole body.
        (post("", "x".repeat(256 * 1024 + 1))?, 413),
    ] {
        let answer = Answer::to(request).await?;
        assert_eq!(answer.status.as_u16(), status, "{answer:?}");
        document.knows("post", TRACK, &answer)?;
    }
    stack.sandbox.remove_fault(refused);
    stack.conversions(4).await?;
    Ok(())
}

#[tokio::test]
async fn what_operators_ask_and_what_a_busy_client_hears_is_as_the_document_says() -> Result<()> {
    let document = Document::print(TRACK).await?;
    let mut stack = Stack::start(&[("DUET_RATE_LIMIT", "1/1h")]).await?;
    stack.accepted(&event("a")).await?;
    let busy = Answer::to(stack.track(&event("b"))?).await?;
    assert_eq!(busy.status.as_u16(), 429);
    document.knows("post", TRACK, &busy)?;
    for path in [TRACK, "/healthz", "/readyz", "/metrics"] {
        document.knows("get", path, &stack.get(path).await?)?;
    }
    stack.conversions(1).await?;

    stack.sandbox.inject(Fault::TokenRevoked {});
    assert!(stack.stop().await?);
    stack.run_proxy().await?;
    stack.accepted(&event("b")).await?;
    stack
        .until("the token is refused", async |stack| {
            Ok(stack.get("/readyz").await?.status.as_u16() == 503)
        })
        .await?;
    document.knows("get", "/readyz", &stack.get("/readyz").await?)?;
    stack.leaves_waiting(1);
    Ok(())
}

#[tokio::test]
async fn the_bodies_that_the_proxy_takes_are_as_the_document_says() -> Result<()> {
    let document = Document::print(TRACK).await?;
    let schema = &document.0["paths"][TRACK]["post"]["requestBody"]["content"]["text/plain"];
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/golden");
    let mut seen = 0;
    for file in fs::read_dir(golden)? {
        let path = file?.path();
        let file: Value = serde_json::from_slice(&fs::read(&path)?)?;
        let body = &file["body"];
        for body in [body.clone(), json!({ "events": [body], "sent_at": 1 })] {
            let problems = document.problems(&schema["schema"], &body)?;
            assert!(problems.is_empty(), "{}: {problems:?}", path.display());
        }
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
    let unknown = json!({ "event": "Lead", "evnt_time": 1 });
    assert!(!document.problems(&schema["schema"], &unknown)?.is_empty());
    Ok(())
}

#[tokio::test]
async fn the_document_follows_the_track_path_and_the_version() -> Result<()> {
    let usual = Document::print(TRACK).await?;
    let renamed = Document::print("/collect").await?;
    assert_eq!(renamed.0["info"]["version"], env!("CARGO_PKG_VERSION"));
    let renamed = renamed.operations();
    assert!(renamed.contains(&("/collect".to_owned(), "POST".to_owned())));
    assert!(renamed.iter().all(|(path, _)| path != TRACK));
    assert_eq!(renamed.len(), usual.operations().len());
    Ok(())
}
