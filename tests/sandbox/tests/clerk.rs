//! The fake Clerk over HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "an error here must fail the test"
)]

mod sandbox_under_test;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use sandbox_under_test::*;
use serde_json::{Value, json};

async fn post(running: &Running, path: &str, body: &Value) -> Value {
    let request = running.client.post(running.url(path));
    let request = request.header("origin", "https://shop.example");
    let response = request.body(body.to_string()).send().await.unwrap();
    assert!(response.status().is_success(), "{path} {body}");
    response.json().await.unwrap_or_default()
}

async fn token(running: &Running, body: &Value) -> String {
    let answer = post(running, "/clerk/sign-in", body).await;
    answer["token"].as_str().unwrap().to_owned()
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// Returns whether the token has a valid signature by the key that the token names.
async fn is_signed(running: &Running, token: &str) -> bool {
    let set = running.get("/.well-known/jwks.json").await;
    let keys = set["keys"].as_array().unwrap();
    let named = part(token, 0)["kid"].clone();
    let Some(key) = keys.iter().find(|key| key["kid"] == named) else {
        return false;
    };
    let number = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let key = RsaPublicKeyComponents {
        n: number("n"),
        e: number("e"),
    };
    key.verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signature)
        .is_ok()
}

#[tokio::test]
async fn a_token_says_what_clerks_own_say() {
    let running = start().await;
    let token = token(&running, &json!({ "user_id": "user_2abcDEF" })).await;
    assert!(is_signed(&running, &token).await);
    let header =
        json!({ "alg": "RS256", "typ": "JWT", "kid": "ins_test1", "cat": "cl_B7d4PD111AAA" });
    assert_eq!(part(&token, 0), header);
    let claims = json!({
        "azp": "https://shop.example", "exp": NOW_S + 60, "fva": [0, -1], "iat": NOW_S, "iss": running.url(""),
        "jti": "jti_1", "nbf": NOW_S - 10, "sid": "sess_1", "sub": "user_2abcDEF", "v": 2, "sts": "active",
    });
    assert_eq!(part(&token, 1), claims);
}

#[tokio::test]
async fn what_a_token_says_can_be_changed() {
    let running = start().await;
    let mint = json!({ "version": 1, "azp": "x", "impersonator": "user_9", "clock_offset_s": -100,
                       "header": { "cat": null, "oiat": 1 }, "claims": { "sid": null, "custom": [1] } });
    let changed = token(&running, &mint).await;
    let header = part(&changed, 0);
    assert_eq!((header.get("cat"), &header["oiat"]), (None, &json!(1)));
    let claims = part(&changed, 1);
    assert_eq!((claims.get("sid"), claims.get("v")), (None, None));
    assert_eq!(claims["act"]["sub"], "user_9");
    assert_eq!(
        (&claims["azp"], &claims["custom"]),
        (&json!("x"), &json!([1]))
    );
    assert_eq!(claims["exp"], NOW_S - 40);
    let wrong = token(&running, &json!({ "signed_with": "another" })).await;
    assert!(!is_signed(&running, &wrong).await);
    let refused = running.client.post(running.url("/clerk/sign-in"));
    let refused = refused.body(r#"{"user":1}"#).send().await.unwrap();
    assert_eq!(refused.status(), 400);
}

#[tokio::test]
async fn keys_rotate_and_the_old_one_stays_or_goes() {
    let running = start().await;
    let first = token(&running, &json!({})).await;
    post(&running, "/clerk/rotate", &json!({ "keep_old": true })).await;
    let second = token(&running, &json!({})).await;
    assert!(is_signed(&running, &first).await && is_signed(&running, &second).await);
    let rotated = post(&running, "/clerk/rotate", &json!({})).await;
    assert_eq!(rotated["kid"], "ins_test3");
    assert!(!is_signed(&running, &first).await && !is_signed(&running, &second).await);
    let third = token(&running, &json!({})).await;
    assert!(is_signed(&running, &third).await);
    let state = running.get("/clerk").await;
    assert_eq!(state["kids"], json!(["ins_test3"]));
    assert_eq!(state["key_set_hits"], 5);
}

#[tokio::test]
async fn the_key_set_fails_in_every_way_it_is_told() {
    let running = start().await;
    let fetch = || {
        let request = running.client.get(running.url("/.well-known/jwks.json"));
        async move {
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        }
    };
    let set = |answer: &'static str| {
        let running = &running;
        async move { post(running, "/clerk/key-set", &json!({ "answer": answer })).await }
    };
    set("error").await;
    assert_eq!(fetch().await.0, 500);
    set("malformed").await;
    let (status, body) = fetch().await;
    assert!(status == 200 && serde_json::from_str::<Value>(&body).is_err());
    set("empty").await;
    assert_eq!(fetch().await, (200, r#"{"keys":[]}"#.to_owned()));
    set("hang").await;
    let hanging = tokio::spawn(fetch());
    let asked = |sandbox: &duet_sandbox::Sandbox| sandbox.clerk().key_set_hits() == 4;
    assert!(running.sandbox.wait_until(DEADLINE, asked).await);
    assert!(!hanging.is_finished());
    set("keys").await;
    let (status, body) = tokio::time::timeout(DEADLINE, hanging)
        .await
        .unwrap()
        .unwrap();
    assert!(status == 200 && body.contains("ins_test1"));
}
