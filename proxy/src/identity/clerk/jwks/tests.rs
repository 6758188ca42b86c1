//! Tests the key set over real HTTP. The sandbox is the issuer, and the test moves the clock.

use axum::http::{HeaderValue, header};
use duet_sandbox::{
    Options, Sandbox,
    clerk::{KeySetAnswer, Mint, OldKey, SignedWith},
};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinSet,
};

use super::*;
use crate::{
    admit::Visitor,
    clock::Reading,
    identity::clerk::{Clerk, KeySource, MissingAzp, Rules, Settings, Unverified},
};

const NOW_S: i64 = 1_767_323_045;

struct Instance {
    sandbox: Sandbox,
    issuer: String,
    clerk: Arc<Clerk>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    User,
    Invalid,
    NoKeys,
    Unknown,
}

impl Instance {
    async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sandbox = Sandbox::new(Options::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let never = std::future::pending();
        tokio::spawn(duet_sandbox::serve(listener, sandbox.clone(), never));
        let settings = Settings {
            rules: Rules {
                issuer: issuer.clone(),
                authorized_parties: vec!["http://localhost:3000".parse().unwrap()],
                missing_azp: MissingAzp::Refused,
                audience: None,
                skew_s: 5,
            },
            keys: KeySource::Url(format!("{issuer}/.well-known/jwks.json").parse().unwrap()),
            cookie_suffix: None,
        };
        let metrics = Arc::new(Metrics::default());
        let clerk = Clerk::new(&settings, Arc::clone(&metrics)).unwrap();
        Self {
            sandbox,
            issuer,
            clerk: Arc::new(clerk),
            metrics,
        }
    }

    fn token(&self, mint: &Mint, at_s: i64) -> String {
        self.sandbox.clerk().mint(&self.issuer, NOW_S + at_s, mint)
    }

    async fn seen(&self, token: &str, at_s: i64) -> Seen {
        seen(
            &self.clerk,
            header::AUTHORIZATION,
            &format!("Bearer {token}"),
            at_s,
        )
        .await
    }

    /// Checks a new token `at_s` seconds after the start, and returns the result.
    async fn fresh(&self, at_s: i64) -> Seen {
        self.seen(&self.token(&Mint::default(), at_s), at_s).await
    }

    fn hits(&self) -> u64 {
        self.sandbox.clerk().key_set_hits()
    }
}

async fn seen(clerk: &Clerk, name: header::HeaderName, value: &str, at_s: i64) -> Seen {
    let mut headers = header::HeaderMap::new();
    headers.insert(name, HeaderValue::from_str(value).unwrap());
    let now_ms = (NOW_S + at_s) * 1000;
    let now = Reading {
        wall_ms: now_ms,
        boot_ms: now_ms,
    };
    match clerk.visitor(&headers, now).await {
        Ok(Visitor::User(_)) => Seen::User,
        Ok(Visitor::Unknown) => Seen::Unknown,
        Err(Unverified::Invalid) => Seen::Invalid,
        Err(Unverified::NoKeys) => Seen::NoKeys,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn two_hundred_requests_at_once_ask_for_the_keys_once() {
    let instance = Instance::start().await;
    let mut requests = JoinSet::new();
    for number in 0..200 {
        let clerk = Arc::clone(&instance.clerk);
        let token = instance.token(&Mint::default(), 0);
        requests.spawn(async move {
            let bearer = format!("Bearer {token}");
            // The requests have slightly different readings of the clock.
            let at_s = number % 3;
            seen(&clerk, header::AUTHORIZATION, &bearer, at_s).await
        });
    }
    assert!(
        requests
            .join_all()
            .await
            .iter()
            .all(|seen| *seen == Seen::User)
    );
    assert_eq!(instance.hits(), 1);
}

#[tokio::test]
async fn made_up_keys_are_asked_for_once_in_ten_seconds() {
    let instance = Instance::start().await;
    assert_eq!(instance.fresh(0).await, Seen::User);
    let made_up = |number: i64, at_s| {
        let header = json!({ "kid": format!("ins_junk{number}") });
        let mint = Mint {
            header: header.as_object().cloned().unwrap(),
            ..Mint::default()
        };
        instance.token(&mint, at_s)
    };
    for number in 0..50 {
        assert_eq!(instance.seen(&made_up(number, 10), 10).await, Seen::Invalid);
    }
    assert_eq!(instance.hits(), 2);
    assert_eq!(instance.seen(&made_up(0, 19), 19).await, Seen::Invalid);
    assert_eq!(instance.hits(), 2);
    assert_eq!(instance.fresh(19).await, Seen::User);
    assert_eq!(instance.seen(&made_up(0, 20), 20).await, Seen::Invalid);
    assert_eq!(instance.hits(), 3);
}

#[tokio::test]
async fn a_new_key_is_found_with_one_question_and_the_old_one_is_gone() {
    let instance = Instance::start().await;
    assert_eq!(instance.fresh(0).await, Seen::User);
    let old = instance.token(&Mint::default(), 11);
    instance.sandbox.clerk().rotate(OldKey::Removed);
    // The proxy learns that the key was withdrawn only from its next request to the issuer. Until then the key is valid.
    assert_eq!(instance.seen(&old, 11).await, Seen::User);
    assert_eq!(instance.fresh(11).await, Seen::User);
    assert_eq!(instance.seen(&old, 11).await, Seen::Invalid);
    assert_eq!(instance.hits(), 2);
}

#[tokio::test]
async fn both_keys_hold_while_both_are_published() {
    let instance = Instance::start().await;
    assert_eq!(instance.fresh(0).await, Seen::User);
    let old = instance.token(&Mint::default(), 11);
    instance.sandbox.clerk().rotate(OldKey::Kept);
    assert_eq!(instance.fresh(11).await, Seen::User);
    assert_eq!(instance.seen(&old, 11).await, Seen::User);
    assert_eq!(instance.hits(), 2);
}

#[tokio::test]
async fn a_set_is_refreshed_after_five_minutes_without_being_asked_for() {
    let instance = Instance::start().await;
    assert_eq!(instance.fresh(0).await, Seen::User);
    let old = instance.token(&Mint::default(), 300);
    instance.sandbox.clerk().rotate(OldKey::Removed);
    let jwks = match &instance.clerk.keys {
        super::super::Keys::Loaded(jwks) => Arc::clone(jwks),
        super::super::Keys::Fixed(_) => panic!("this instance must load its keys from the issuer"),
    };
    assert_eq!(jwks.cache().due_ms(), (NOW_S + 300) * 1000);
    assert_eq!(jwks.refresh((NOW_S + 9) * 1000).await.unwrap(), None);
    assert_eq!(jwks.refresh((NOW_S + 300) * 1000).await.unwrap(), Some(1));
    assert_eq!(instance.seen(&old, 300).await, Seen::Invalid);
}

#[tokio::test]
async fn without_keys_a_token_waits_a_cookie_is_nobodys_and_it_recovers() {
    let instance = Instance::start().await;
    let clerk = instance.sandbox.clerk();
    let mut asked = 0;
    for (answer, at_s) in [
        (KeySetAnswer::Error, 0),
        (KeySetAnswer::Malformed, 10),
        (KeySetAnswer::Empty, 20),
    ] {
        clerk.answer_with(answer);
        asked += 1;
        assert_eq!(instance.fresh(at_s).await, Seen::NoKeys, "{answer:?}");
        let cookie = format!("__session={}", instance.token(&Mint::default(), at_s));
        let shown = seen(&instance.clerk, header::COOKIE, &cookie, at_s).await;
        assert_eq!(shown, Seen::Unknown);
        assert_eq!(instance.fresh(at_s + 9).await, Seen::NoKeys);
        assert_eq!(instance.hits(), asked);
    }
    assert!(!instance.clerk.has_keys());
    clerk.answer_with(KeySetAnswer::Keys);
    assert_eq!(instance.fresh(29).await, Seen::NoKeys);
    assert_eq!(instance.fresh(30).await, Seen::User);
    let counted = instance.metrics.text();
    for line in [
        "duet_clerk_key_fetches_total{result=\"failed\"} 3",
        "duet_clerk_key_fetches_total{result=\"loaded\"} 1",
        "duet_clerk_sessions_total{result=\"verified\"} 1",
        "duet_clerk_sessions_total{result=\"keys_unavailable\"} 10",
    ] {
        assert!(
            counted.contains(line),
            "the metrics must contain {line}, got\n{counted}"
        );
    }
}

#[tokio::test]
async fn an_outage_after_warm_up_is_not_noticed_for_a_day() {
    const DAY_S: i64 = 24 * 60 * 60;
    let instance = Instance::start().await;
    assert_eq!(instance.fresh(0).await, Seen::User);
    let clerk = instance.sandbox.clerk();
    for (answer, at_s) in [
        (KeySetAnswer::Error, 300),
        (KeySetAnswer::Malformed, 600),
        (KeySetAnswer::Empty, DAY_S),
    ] {
        clerk.answer_with(answer);
        let another = Mint {
            header: json!({ "kid": "ins_next" }).as_object().cloned().unwrap(),
            ..Mint::default()
        };
        let unknown = instance.token(&another, at_s);
        assert_eq!(instance.seen(&unknown, at_s).await, Seen::Invalid);
        assert_eq!(instance.fresh(at_s).await, Seen::User, "{answer:?}");
    }
    assert_eq!(instance.fresh(DAY_S + 10).await, Seen::NoKeys);
}

#[tokio::test]
async fn whoever_goes_away_while_keys_are_loaded_takes_them_from_nobody() {
    let instance = Instance::start().await;
    instance.sandbox.clerk().answer_with(KeySetAnswer::Hang);
    let clerk = Arc::clone(&instance.clerk);
    let bearer = format!("Bearer {}", instance.token(&Mint::default(), 0));
    let first = tokio::spawn(async move { seen(&clerk, header::AUTHORIZATION, &bearer, 0).await });
    let asked = |sandbox: &Sandbox| sandbox.clerk().key_set_hits() == 1;
    let deadline = Duration::from_mins(2);
    assert!(instance.sandbox.wait_until(deadline, asked).await);
    first.abort();
    instance.sandbox.clerk().answer_with(KeySetAnswer::Keys);
    assert_eq!(instance.fresh(1).await, Seen::User);
    assert_eq!(instance.hits(), 1);
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_is_given_up() {
    let instance = Instance::start().await;
    instance.sandbox.clerk().answer_with(KeySetAnswer::Hang);
    assert_eq!(instance.fresh(0).await, Seen::NoKeys);
    assert_eq!(instance.fresh(9).await, Seen::NoKeys);
    assert_eq!(instance.hits(), 1);
}

#[tokio::test]
async fn another_key_under_the_same_id_is_refused() {
    let instance = Instance::start().await;
    let mint = Mint {
        signed_with: SignedWith::Another,
        ..Mint::default()
    };
    assert_eq!(
        instance.seen(&instance.token(&mint, 0), 0).await,
        Seen::Invalid
    );
}

#[test]
fn a_set_is_read_without_what_signs_no_sessions() {
    let key = |changes: Value| {
        let n = "u".repeat(341) + "w";
        let mut key =
            json!({ "use": "sig", "kty": "RSA", "kid": "k", "alg": "RS256", "n": n, "e": "AQAB" });
        for (name, value) in changes.as_object().into_iter().flatten() {
            key[name] = value.clone();
        }
        key
    };
    let usable =
        |keys: Value| read(json!({ "keys": keys }).to_string().as_bytes()).map(|set| set.len());
    let short = "u".repeat(340);
    for changes in [
        json!({ "kty": "EC" }),
        json!({ "use": "enc" }),
        json!({ "alg": "RS512" }),
        json!({ "n": short }),
        json!({ "n": "!" }),
        json!({ "e": "" }),
        json!({ "kid": null }),
        json!({ "kid": 7 }),
    ] {
        let with_good = json!([key(changes.clone()), key(json!({ "kid": "good" }))]);
        assert_eq!(usable(with_good).unwrap(), 1, "{changes}");
        let alone = usable(json!([key(changes.clone())]));
        assert!(matches!(alone, Err(NotLoaded::NoKey)), "{changes}");
    }
    assert_eq!(
        usable(json!([key(json!({ "use": null, "alg": null }))])).unwrap(),
        1
    );
    let many = |count| {
        (0..count)
            .map(|kid| key(json!({ "kid": format!("{kid}") })))
            .collect::<Value>()
    };
    assert_eq!(usable(many(20)).unwrap(), 20);
    assert!(matches!(usable(many(21)), Err(NotLoaded::TooMany)));
    for body in ["", "[]", "{}", "{\"keys\":7}", "<html>"] {
        assert!(
            matches!(read(body.as_bytes()), Err(NotLoaded::Malformed)),
            "{body}"
        );
    }
}

/// Starts a server that answers every request with `answer`. Returns the server's address.
async fn answering(answer: Vec<u8>) -> Url {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&answer).await;
        }
    });
    format!("http://{address}/").parse().unwrap()
}

async fn loaded_from(url: Url) -> Result<Option<usize>, NotLoaded> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let jwks = Jwks::new(url, Arc::default()).unwrap();
    jwks.refresh(0).await
}

#[tokio::test]
async fn redirects_are_not_followed_and_answers_are_bounded() {
    let elsewhere =
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let redirected = loaded_from(answering(elsewhere.into()).await).await;
    assert!(matches!(redirected, Err(NotLoaded::Status(302))));
    let mut long = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    long.resize(300 * 1024, b' ');
    let too_large = loaded_from(answering(long).await).await;
    assert!(matches!(too_large, Err(NotLoaded::TooLarge)));
    // Bind the port without listening: connections to the port fail, and no other program can get the port.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = format!("http://{}/secret-path", nobody.local_addr().unwrap());
    let refused = loaded_from(closed.parse().unwrap()).await.unwrap_err();
    assert!(matches!(refused, NotLoaded::Connection(_)));
    assert!(!refused.to_string().contains("secret-path"), "{refused}");
}
