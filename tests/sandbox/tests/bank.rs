//! Tests the bank over real TCP. The receiver records what it gets, and answers as the test tells it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "an error here must fail the test"
)]

mod sandbox_under_test;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use duet_sandbox::{Auth, Direction, Flaw, Format, Instruction, Mangling, Telling};
use sandbox_under_test::*;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Barrier;

/// The notifications that a receiver got, and its next answers.
#[derive(Clone, Default)]
struct Receiver {
    seen: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    answers: Arc<Mutex<VecDeque<(u16, &'static str)>>>,
    /// If this is set, all requests wait for each other before they are answered.
    together: Option<Arc<Barrier>>,
}

/// The status with which a test asks for no answer at all.
const SILENCE: u16 = 0;

impl Receiver {
    async fn start(self) -> String {
        let routes = axum::Router::new()
            .route("/hook", post(receive))
            .layer(DefaultBodyLimit::disable())
            .with_state(self);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        format!("http://{address}/hook")
    }

    fn answering(answers: &[(u16, &'static str)]) -> Self {
        Self {
            answers: Arc::new(Mutex::new(answers.iter().copied().collect())),
            ..Self::default()
        }
    }

    fn seen(&self) -> Vec<(HeaderMap, String)> {
        self.seen.lock().unwrap().clone()
    }

    fn only(&self) -> (HeaderMap, String) {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1);
        seen.remove(0)
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let text = String::from_utf8(body.to_vec()).unwrap();
    receiver.seen.lock().unwrap().push((headers, text));
    if let Some(together) = &receiver.together {
        together.wait().await;
    }
    let next = receiver.answers.lock().unwrap().pop_front();
    let (status, body) = next.unwrap_or((200, r#"{"success":true}"#));
    if status == SILENCE {
        std::future::pending::<()>().await;
    }
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

/// Carries out an instruction, and returns the headers and the body that the receiver got.
async fn sent(change: impl FnOnce(&mut Instruction)) -> (HeaderMap, String) {
    let receiver = Receiver::default();
    let mut instruction = Instruction {
        webhook_url: Some(receiver.clone().start().await),
        transaction_id: Some(92_704),
        ..Instruction::default()
    };
    change(&mut instruction);
    let running = start().await;
    let told = running.sandbox.bank().send(instruction).await.unwrap();
    assert_eq!(told.state, Telling::Delivered, "{told:?}");
    receiver.only()
}

fn fields(body: &str) -> Value {
    serde_json::from_str(body).unwrap()
}

#[tokio::test]
async fn a_bank_transfer_looks_as_documented() {
    let (headers, body) = sent(|_| {}).await;
    assert_eq!(headers["authorization"], "Apikey sandbox-secret");
    assert_eq!(headers["content-type"], "application/json");
    let (before, rest) = body.split_once("\"transactionDate\":\"").unwrap();
    assert_eq!(before, r#"{"id":92704,"gateway":"Vietcombank","#);
    let (date, rest) = rest.split_once('"').unwrap();
    assert_eq!(date.len(), "2026-03-25 14:02:37".len());
    assert_eq!(
        rest,
        r#","accountNumber":"0123499999","subAccount":null,"code":"LOBE7K3M9Q2X","content":"LOBE7K3M9Q2X chuyen tien","transferType":"in","description":"","transferAmount":99000,"accumulated":19077000,"referenceCode":"MBVCB.92704"}"#
    );
}

#[tokio::test]
async fn every_way_to_prove_it_has_its_headers() {
    let (headers, _) = sent(|instruction| instruction.auth = Some(Auth::None)).await;
    assert!(!headers.contains_key("authorization") && !headers.contains_key("x-sepay-signature"));

    let (headers, _) = sent(|instruction| {
        instruction.auth = Some(Auth::Hmac);
        instruction.secret = Some("another".to_owned());
    })
    .await;
    assert!(
        headers["x-sepay-signature"]
            .to_str()
            .unwrap()
            .starts_with("sha256=")
    );
    assert!(
        headers["x-sepay-timestamp"]
            .to_str()
            .unwrap()
            .parse::<i64>()
            .is_ok()
    );
    assert!(!headers.contains_key("authorization"));

    let (headers, body) = sent(|instruction| instruction.format = Format::Gateway).await;
    assert_eq!(headers["x-secret-key"], "sandbox-secret");
    assert!(!headers.contains_key("authorization"));
    let body = fields(&body);
    assert_eq!(body["notification_type"], "ORDER_PAID");
    assert_eq!(body["order"]["order_amount"], "99000.00");
    assert_eq!(body["order"]["order_invoice_number"], "LOBE7K3M9Q2X");
    assert_eq!(body["transaction"]["transaction_amount"], "99000");

    for format in [Format::SignedForm, Format::CompletedForm] {
        let (headers, body) = sent(|instruction| instruction.format = format).await;
        assert_eq!(headers["authorization"], "Apikey sandbox-secret");
        assert_eq!(fields(&body)["signature"].as_str().unwrap().len(), 32);
    }
}

#[tokio::test]
async fn flaws_and_directions_show_in_what_is_sent() {
    let body = async |flaw| sent(|instruction| instruction.flaw = Some(flaw)).await;
    assert_eq!(fields(&body(Flaw::IdAsText).await.1)["id"], "92704");
    assert_eq!(
        fields(&body(Flaw::AmountAsText).await.1)["transferAmount"],
        "99000.00"
    );
    assert!(
        fields(&body(Flaw::NullsAbsent).await.1)
            .get("subAccount")
            .is_none()
    );
    assert!(
        fields(&body(Flaw::UnknownField).await.1)
            .get("newField")
            .is_some()
    );
    assert_eq!(
        fields(&body(Flaw::ChangedByte).await.1)["transferAmount"],
        19_000
    );
    assert!(
        body(Flaw::Reordered)
            .await
            .1
            .starts_with(r#"{"referenceCode""#)
    );
    assert!(body(Flaw::TooLarge).await.1.len() > 1024 * 1024);
    assert!(serde_json::from_str::<Value>(&body(Flaw::NotJson).await.1).is_err());
    assert_eq!(
        body(Flaw::WrongKey).await.0["authorization"],
        "Apikey not-the-agreed-secret"
    );
    assert!(
        !body(Flaw::MissingHeader)
            .await
            .0
            .contains_key("authorization")
    );
    let (headers, _) = sent(|instruction| {
        instruction.auth = Some(Auth::Hmac);
        instruction.flaw = Some(Flaw::WrongSignature);
    })
    .await;
    assert_eq!(
        headers["x-sepay-signature"],
        format!("sha256={}", "0".repeat(64))
    );
    let timestamp = async |flaw| {
        let (headers, _) = sent(|instruction| {
            instruction.auth = Some(Auth::Hmac);
            instruction.flaw = flaw;
        })
        .await;
        headers["x-sepay-timestamp"]
            .to_str()
            .unwrap()
            .parse::<i64>()
            .unwrap()
    };
    let old = timestamp(Some(Flaw::OldTimestamp)).await;
    assert!(timestamp(None).await - old >= 360);
    let (_, body) = sent(|instruction| instruction.direction = Direction::Out).await;
    assert_eq!(fields(&body)["transferType"], "out");
    let (_, body) = sent(|instruction| {
        instruction.mangling = vec![Mangling::LowerCase, Mangling::DescriptionOnly];
    })
    .await;
    assert_eq!(fields(&body)["code"], Value::Null);
    assert_eq!(
        fields(&body)["description"],
        "BankAPINotify lobe7k3m9q2x chuyen tien"
    );
}

#[tokio::test]
async fn what_is_not_taken_is_sent_eight_times() {
    let refusals = [(500, "no"); 8];
    let receiver = Receiver::answering(&refusals);
    let running = start().await;
    let instruction = Instruction {
        webhook_url: Some(receiver.clone().start().await),
        minute_ms: Some(1),
        ..Instruction::default()
    };
    let told = running.sandbox.bank().send(instruction).await.unwrap();
    assert_eq!((told.state, told.attempts.len()), (Telling::Failed, 8));
    assert_eq!(told.attempts[0].status, Some(500));
    let bodies: Vec<_> = receiver.seen().into_iter().map(|(_, body)| body).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]));
}

#[tokio::test]
async fn any_2xx_ends_the_retries_unless_success_is_asked_for() {
    for (answers, strict, attempts) in [
        (&[(401, ""), (503, ""), (204, "")][..], false, 3),
        (&[(201, r#"{"success":false}"#)], false, 1),
        (&[(201, r#"{"success":false}"#)], true, 2),
        (&[(302, ""), (400, "")], false, 3),
        (&[(SILENCE, "")], false, 2),
    ] {
        let receiver = Receiver::answering(answers);
        let running = start().await;
        let instruction = Instruction {
            webhook_url: Some(receiver.clone().start().await),
            minute_ms: Some(1),
            timeout_ms: if answers[0].0 == SILENCE {
                2_000
            } else {
                30_000
            },
            require_success_true: strict,
            ..Instruction::default()
        };
        let told = running.sandbox.bank().send(instruction).await.unwrap();
        assert_eq!(told.state, Telling::Delivered);
        assert_eq!(told.attempts.len(), attempts, "{answers:?}");
        assert_eq!(receiver.seen().len(), attempts);
    }
}

#[tokio::test]
async fn without_a_schedule_nothing_is_tried_again() {
    let receiver = Receiver::answering(&[(500, "")]);
    let running = start().await;
    let instruction = Instruction {
        webhook_url: Some(receiver.clone().start().await),
        ..Instruction::default()
    };
    let told = running.sandbox.bank().send(instruction).await.unwrap();
    assert_eq!((told.state, told.attempts.len()), (Telling::Failed, 1));
}

#[tokio::test]
async fn copies_carry_the_same_transaction_one_by_one_or_all_at_once() {
    for parallel in [false, true] {
        // If the copies are sent in parallel, the receiver answers only after all ten have arrived.
        let receiver = Receiver {
            together: parallel.then(|| Arc::new(Barrier::new(10))),
            ..Receiver::default()
        };
        let running = start().await;
        let instruction = Instruction {
            webhook_url: Some(receiver.clone().start().await),
            copies: 10,
            parallel,
            ..Instruction::default()
        };
        let told = running.sandbox.bank().send(instruction).await.unwrap();
        assert_eq!((told.state, told.attempts.len()), (Telling::Delivered, 10));
        let seen = receiver.seen();
        assert_eq!(seen.len(), 10);
        assert!(
            seen.iter()
                .all(|(_, body)| fields(body)["id"] == told.transaction_id)
        );
    }
}

#[tokio::test]
async fn the_api_sends_and_lists_and_names_what_it_cannot_do() {
    let receiver = Receiver::default();
    let mut options = options();
    options.bank.webhook_url = Some(receiver.clone().start().await);
    let running = start_with(options).await;
    let post = async |body: &Value| {
        let request = running
            .client
            .post(running.url("/bank/transfers"))
            .json(body);
        let response = request.send().await.unwrap();
        (
            response.status().as_u16(),
            response.json::<Value>().await.unwrap(),
        )
    };
    let (status, told) =
        post(&json!({ "order_id": "PHO7K3M9Q2X", "amount": 1000, "secret": "canary" })).await;
    assert_eq!((status, &told["state"]), (200, &json!("delivered")));
    assert_eq!(told["attempts"][0]["answer"], r#"{"success":true}"#);
    let (_, next) = post(&json!({})).await;
    assert_ne!(told["transaction_id"], next["transaction_id"]);

    let listed = running.get("/bank/transfers").await;
    assert_eq!(listed["transfers"].as_array().unwrap().len(), 2);
    assert_eq!(listed["transfers"][0], told);
    assert_eq!(listed["auth"], "apikey");
    assert!(
        !listed.to_string().contains("canary") && !listed.to_string().contains("sandbox-secret")
    );

    for (body, why) in [
        (json!({ "ordr_id": "x" }), "unknown field"),
        (json!({ "flaw": "boring" }), "unknown variant"),
        (
            json!({ "webhook_url": "ftp://127.0.0.1/" }),
            "webhook_url must",
        ),
        (json!({ "webhook_url": "nowhere" }), "webhook_url must"),
        (
            json!({ "webhook_url": "http://203.0.113.7/hook" }),
            "loopback",
        ),
        (json!({ "copies": 0 }), "copies must"),
        (json!({ "copies": 101 }), "copies must"),
        (json!({ "minute_ms": 60_001 }), "minute_ms"),
    ] {
        let (status, answer) = post(&body).await;
        assert_eq!(status, 400, "{body}");
        assert!(answer["error"].as_str().unwrap().contains(why), "{answer}");
    }
    assert_eq!(receiver.seen().len(), 2);

    let page = running
        .client
        .get(running.url("/bank"))
        .send()
        .await
        .unwrap();
    assert!(
        page.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .contains("default-src 'none'")
    );
    assert!(page.text().await.unwrap().contains("<form id=\"pay\">"));
    running.sandbox.reset();
    assert_eq!(running.sandbox.bank().told(), []);
}

#[tokio::test]
async fn a_shop_that_is_not_there_is_told_later() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let running = start().await;
    let instruction = Instruction {
        webhook_url: Some(format!("http://{address}/hook")),
        minute_ms: Some(0),
        ..Instruction::default()
    };
    let told = running.sandbox.bank().send(instruction).await.unwrap();
    assert_eq!((told.state, told.attempts.len()), (Telling::Failed, 8));
    assert!(
        told.attempts[7]
            .trouble
            .as_ref()
            .unwrap()
            .contains("refused")
    );
    assert!(
        running
            .sandbox
            .bank()
            .send(Instruction::default())
            .await
            .is_err()
    );
}
