//! The ways of forging a notification.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Format, Proof, formats};
use crate::payments::{
    proof::{hmac_sha256, hmac_sha512},
    samples::{AT_S, Sent, hex},
};

/// One way of forging. Makes a forged request from a genuine one, and states how many seconds later the forged request
/// arrives. Returns `None` if the way is not possible with this format.
pub(super) type Way = fn(&Format, Sent) -> Option<(Sent, i64)>;

pub(super) const WAYS: [(&str, Way); 24] = [
    ("no proof", |format, sent| {
        now(proven_by(format, sent, |_| None))
    }),
    ("an empty proof", |format, sent| {
        now(proven_by(format, sent, |_| Some(String::new())))
    }),
    ("zeros", |format, sent| {
        now(proven_by(format, sent, |proof| {
            Some("0".repeat(proof.len()))
        }))
    }),
    ("another secret", |format, _| {
        now((format.sign)(&format.body, "another-secret"))
    }),
    ("the secret in other letters", |format, _| {
        let other = if format.secret.to_uppercase() == format.secret {
            format.secret.to_lowercase()
        } else {
            format.secret.to_uppercase()
        };
        now((format.sign)(&format.body, &other))
    }),
    ("a piece of the secret", |format, _| {
        now((format.sign)(
            &format.body,
            &format.secret[..format.secret.len() - 1],
        ))
    }),
    ("the secret and more", |format, _| {
        now((format.sign)(&format.body, &format!("{}0", format.secret)))
    }),
    ("the name of the setting", |format, _| {
        now((format.sign)(&format.body, "undefined"))
    }),
    ("the body as the proof", |format, sent| {
        let digest = hex(&hmac_sha256(b"", &[format.body.as_bytes()]));
        now(proven_by(format, sent, |_| Some(digest.clone())))
    }),
    ("a proof that is cut off", |format, sent| {
        now(proven_by(format, sent, |proof| {
            Some(proof[..proof.len() - 2].to_owned())
        }))
    }),
    ("a proof with more behind it", |format, sent| {
        now(proven_by(format, sent, |proof| Some(format!("{proof}00"))))
    }),
    ("one sign of the proof changed", |format, sent| {
        now(proven_by(format, sent, |proof| {
            let (rest, last) = proof.split_at(proof.len() - 4);
            Some(format!(
                "{rest}{}{}",
                if last.starts_with('a') { 'b' } else { 'a' },
                &last[1..]
            ))
        }))
    }),
    ("the proof elsewhere", |_, sent| {
        let mut forged = Sent {
            headers: vec![],
            ..sent.clone()
        };
        for (name, value) in &sent.headers {
            write!(forged.query, "&{name}={value}").unwrap();
        }
        let (query, signature) = sent
            .query
            .split_once("&vnp_SecureHash=")
            .unwrap_or_default();
        if !query.is_empty() {
            query.clone_into(&mut forged.query);
            forged
                .headers
                .push(("vnp_securehash", signature.to_owned()));
        }
        if let Ok(Value::Object(mut body)) = serde_json::from_str(&sent.body)
            && let Some(Value::String(signature)) = body.remove("signature")
        {
            forged.headers.push(("signature", signature));
            forged.body = Value::Object(body).to_string();
        }
        now(forged)
    }),
    ("another provider's proof", |format, sent| {
        let mut sent = Sent {
            headers: vec![],
            query: String::new(),
            ..sent
        };
        for other in formats().iter().filter(|other| {
            other.name.split([',', ' ']).next() != format.name.split([',', ' ']).next()
        }) {
            sent.headers
                .extend((other.sign)(&other.body, format.secret).headers);
        }
        if format.proof == Proof::Values {
            sent.body = sent.body.replace("\"signature\"", "\"other\"");
        }
        now(sent)
    }),
    ("another digest", |format, sent| {
        let bytes = hmac_sha512(format.secret.as_bytes(), &[sent.body.as_bytes()]);
        now(proven_by(format, sent, |_| Some(hex(&bytes))))
    }),
    ("a higher amount", |format, sent| {
        signed_otherwise(format, sent, &[("99000", "990000"), ("2900", "29000")])
    }),
    ("another order", |format, sent| {
        signed_otherwise(
            format,
            sent,
            &[("PHO7K3M9Q2X", "PHO7K3M9Q2Y"), ("92704", "92705")],
        )
    }),
    ("another payment", |format, sent| {
        signed_otherwise(
            format,
            sent,
            &[
                ("\"92704\"", "\"1\""),
                ("T1", "T2"),
                ("1111", "1112"),
                ("92704", "92706"),
                ("cs_live", "cs_test"),
                ("duetlink1", "duetlink2"),
                ("TransactionNo=1", "TransactionNo=2"),
            ],
        )
    }),
    ("a field more", |format, sent| {
        let with_field = |text: &str| text.replacen('{', r#"{"amount_total":1,"vnp_Amount":1,"#, 1);
        match format.name {
            "vnpay" => now(Sent {
                query: format!("vnp_Amount=1&{}", sent.query),
                ..sent
            }),
            "payos" => now(Sent {
                body: sent.body.replacen(r#""data":{"#, r#""data":{"more":1,"#, 1),
                ..sent
            }),
            _ => altered(
                format,
                Sent {
                    body: with_field(&sent.body),
                    ..sent
                },
            ),
        }
    }),
    ("a field less", |format, sent| match format.name {
        "vnpay" => now(Sent {
            query: sent.query.replacen("&vnp_BankCode=NCB", "", 1),
            ..sent
        }),
        "payos" => now(Sent {
            body: sent.body.replacen(r#""amount":99000,"#, "", 1),
            ..sent
        }),
        "sepay form" => now(Sent {
            body: sent.body.replacen(r#""currency":"VND","#, "", 1),
            ..sent
        })
        .filter(|(sent, _)| sent.body.contains("currency")),
        _ => altered(
            format,
            Sent {
                body: sent.body[..sent.body.len() - 1].to_owned(),
                ..sent
            },
        ),
    }),
    ("a byte more", |format, sent| match format.proof {
        Proof::Timed => now(Sent {
            body: format!("{} ", sent.body),
            ..sent
        }),
        _ => None,
    }),
    ("after six minutes", |format, sent| {
        (format.proof == Proof::Timed).then_some((sent, 360))
    }),
    ("six minutes ahead", |format, sent| {
        (format.proof == Proof::Timed).then_some((sent, -360))
    }),
    ("with a new time", |format, mut sent| {
        if format.proof != Proof::Timed {
            return None;
        }
        for (_, value) in &mut sent.headers {
            *value = value.replace(&AT_S.to_string(), &(AT_S + 360).to_string());
        }
        Some((sent, 360))
    }),
];

#[allow(clippy::unnecessary_wraps, reason = "a way may not exist for a format")]
fn now(sent: Sent) -> Option<(Sent, i64)> {
    Some((sent, 0))
}

/// Returns the request with another proof, which `by` makes from the genuine proof.
fn proven_by(format: &Format, mut sent: Sent, by: impl Fn(&str) -> Option<String>) -> Sent {
    let replace = |text: &str, from: &str| {
        let proof = text.rsplit(from).next().unwrap();
        let kept = &text[..text.len() - proof.len()];
        by(proof).map(|proof| format!("{kept}{proof}"))
    };
    if format.name == "vnpay" {
        let replaced = replace(&sent.query, "vnp_SecureHash=");
        let unsigned = sent.query.rsplit_once('&').unwrap().0.to_owned();
        sent.query = replaced.unwrap_or(unsigned);
    } else if matches!(format.name, "payos" | "sepay form") {
        let mut body: Value = serde_json::from_str(&sent.body).unwrap();
        let map = body.as_object_mut().unwrap();
        let signature = map.remove("signature").unwrap();
        if let Some(proof) = by(signature.as_str().unwrap()) {
            map.insert("signature".to_owned(), json!(proof));
        }
        sent.body = body.to_string();
    } else {
        let (name, value) = sent.headers.pop().unwrap();
        let from = if value.contains("v1,") {
            "v1,"
        } else if value.contains("v1=") {
            "v1="
        } else if value.contains("sha256=") {
            "sha256="
        } else {
            " "
        };
        sent.headers
            .extend(replace(&value, from).map(|value| (name, value)));
    }
    sent
}

/// Returns the request with texts that were changed after the request was signed.
fn signed_otherwise(
    format: &Format,
    mut sent: Sent,
    changes: &[(&str, &str)],
) -> Option<(Sent, i64)> {
    let before = (sent.body.clone(), sent.query.clone());
    for (from, to) in changes {
        sent.body = sent.body.replacen(from, to, 1);
        sent.query = sent.query.replacen(from, to, 1);
    }
    assert_ne!(
        before,
        (sent.body.clone(), sent.query.clone()),
        "{}",
        format.name
    );
    altered(format, sent)
}

/// Returns a request whose body was changed. Returns `None` if a key in a header is the proof: anybody who has the key can
/// send any body, so the request is not a forgery.
fn altered(format: &Format, sent: Sent) -> Option<(Sent, i64)> {
    (format.proof != Proof::Key).then_some((sent, 0))
}
