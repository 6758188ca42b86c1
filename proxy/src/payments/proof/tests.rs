//! Test vectors for each way of proof. The providers published some of the vectors. Other programs computed the rest.

use axum::http::{HeaderName, HeaderValue};
use sha2::Digest as _;

use super::*;
use crate::payments::samples::{PAYOS, POLAR, STRIPE, VNPAY};

const AT_S: i64 = 1_774_422_157;
const PAYOS_SAMPLE: &str = "accountNumber=12345678&amount=3000&code=00&counterAccountBankId=&counterAccountBankName=&counterAccountName=&counterAccountNumber=&currency=VND&desc=Thành công&description=VQRIO123&orderCode=123&paymentLinkId=124c33293c43417ab7879e14c8d9eb18&reference=TF230204212323&transactionDateTime=2023-02-04 18:25:00&virtualAccountName=&virtualAccountNumber=";
const CASSO: &str = r#"1727948258788.{"data":{"accountNumber":"88888888","amount":599000,"bankAbbreviation":"VPB","bankName":"VPBank","counterAccountBankId":"970415","counterAccountBankName":"VietinBank","counterAccountName":"NGUYEN VAN A","counterAccountNumber":"8888888888","description":"giao dich thu nghiem","id":0,"reference":"MA_GIAO_DICH_THU_NGHIEM","runningBalance":25000000,"transactionDateTime":"2024-10-03 15:06:37","virtualAccountName":"","virtualAccountNumber":""},"error":0}"#;
const MOMO: &str = "accessKey=duetAccess&amount=99000&extraData=&message=Successful.&orderId=PHO7K3M9Q2X&orderInfo=Pro monthly&orderType=momo_wallet&partnerCode=MOMODUET&payType=qr&requestId=PHO7K3M9Q2X&responseTime=1774422157942&resultCode=0&transId=4088878653";
const ZALOPAY: &str = r#"{"app_id":2553,"app_trans_id":"260325_PHO7K3M9Q2X","app_time":1774422100000,"app_user":"user-17","amount":99000,"embed_data":"{}","item":"[]","zp_trans_id":260325000000123,"server_time":1774422157000,"channel":38,"merchant_user_id":"","user_fee_amount":0,"discount_amount":0}"#;
const PADDLE: &str = r#"{"event_id":"evt_01duet","event_type":"transaction.completed","occurred_at":"2026-03-25T07:02:37.000Z","notification_id":"ntf_01duet","data":{"id":"txn_01duet","status":"completed","currency_code":"USD","custom_data":{"order_id":"PHO7K3M9Q2X"},"details":{"totals":{"grand_total":"2900"}}}}"#;
const LEMON_SQUEEZY: &str = r#"{"meta":{"event_name":"order_created","custom_data":{"order_id":"PHO7K3M9Q2X"}},"data":{"type":"orders","id":"1","attributes":{"status":"paid","currency":"USD","total":2900,"identifier":"636f855c-1fb9-4c07-b75c-3a10afef010a"}}}"#;

fn secrets(text: &str) -> Secrets {
    Secrets::new(text).unwrap()
}

fn timed(time: &'static str, separator: &'static str, body: &'static str) -> Timed<'static> {
    let body = body.as_bytes();
    Timed {
        time,
        separator,
        body,
    }
}

#[test]
fn time_and_body_agree_with_the_vectors() {
    for (provider, secret, time, separator, body, signature) in [
        (
            "paddle, published",
            "VALID_SECRET",
            "1698796800",
            ":",
            r#"{"data": ["1", "2"]}"#,
            "a300428748dce5c70e4da19bffd60769591ea969c99dea3105d0ec9612cf43f9",
        ),
        (
            "paddle",
            "pdl_ntfset_duet_secret",
            "1774422157",
            ":",
            PADDLE,
            "b7a708ee6d0e03e7ca2fc6c4b09351c3f55075ece471b40b7a3df1b9f76139b8",
        ),
        (
            "stripe",
            "whsec_duet_stripe_secret",
            "1774422157",
            ".",
            STRIPE,
            "225d43b3779072c458df2a48920304f40eb7d04539e01759746b3d30ac8d0b3c",
        ),
    ] {
        let signed = timed(time, separator, body);
        let signature = hex(signature).unwrap();
        let now_s = time.parse().unwrap();
        let check = |secret, signature: &[Vec<u8>], now_s| {
            timed_body(&secrets(secret), &signed, signature, now_s)
        };
        let one = std::slice::from_ref(&signature);
        assert!(check(secret, one, now_s), "{provider}");
        // While a secret is being replaced, two secrets are valid, and both can sign.
        let [before, behind] = [
            format!("a-former-one {secret}"),
            format!("{secret} the-next-one"),
        ];
        let both = [vec![0; 32], signature.clone()];
        assert!(check(&before, one, now_s) && check(&behind, &both, now_s));
        assert!(check(secret, one, now_s + 300) && check(secret, one, now_s - 300));
        assert!(!check(secret, one, now_s + 301) && !check(secret, one, now_s - 301));
        assert!(!check("another-secret", one, now_s) && !check(secret, &[], now_s));
        for wrong in [
            &[][..],
            &signature[..31],
            &[0; 32],
            &[&signature[..], &[0]].concat(),
        ] {
            assert!(!check(secret, &[wrong.to_vec()], now_s), "{provider}");
        }
    }
}

#[test]
fn a_body_agrees_with_the_vectors() {
    let rows: [(&str, Algorithm, &str, &str, &str); 3] = [
        (
            "casso, published: the time and the sorted body",
            hmac_sha512,
            "mgExMrjj4i7a1p8Cs6LmFbpCd8lbw4sSX4LZXPag7TKazeIogtR90tvWYTkwQbvs",
            CASSO,
            "ed0a4bd2e826d5cb69988cdb141e6c1a080e21f3b57eb72cd78192220042b9e7dde0868fc667faea8e224900fa7904e7c88dfa098032fb2d6b6996856e8b7ff3",
        ),
        (
            "zalopay: the text of data",
            hmac_sha256,
            "duet-zalo-key2",
            ZALOPAY,
            "b7545a26c679af225552285e251d098a7bd5d9540b9b3118ff9d4c372baa3335",
        ),
        (
            "lemon squeezy",
            hmac_sha256,
            "duet-ls-secret",
            LEMON_SQUEEZY,
            "843dadfc25eccb945e1e94be5d1f931e99253048abe6292cfb6dd210421f9681",
        ),
    ];
    for (provider, algorithm, secret, text, signature) in rows {
        let check = |secret, text: &str, signature: &str| {
            let signature = hex(signature).unwrap();
            body(&secrets(secret), algorithm, text.as_bytes(), signature)
        };
        assert!(check(secret, text, signature), "{provider}");
        assert!(check(secret, text, &signature.to_uppercase()), "{provider}");
        let both = format!("another-secret {secret}");
        assert!(check(&both, text, signature), "{provider}");
        assert!(!check("another-secret", text, signature), "{provider}");
        assert!(
            !check(secret, &format!("{text}\n"), signature),
            "{provider}"
        );
        assert!(!check(secret, text, &signature[2..]), "{provider}");
        assert!(!check(secret, text, ""), "{provider}");
    }
}

#[test]
fn fields_agree_with_the_vectors() {
    let rows: [(&str, Algorithm, &str, &str, &str); 4] = [
        (
            "payos, published",
            hmac_sha256,
            "1a54716c8f0efb2744fb28b6e38b25da7f67a925d98bc1c18bd8faaecadd7675",
            PAYOS_SAMPLE,
            "412e915d2871504ed31be63c8f62a149a4410d34c4c42affc9006ef9917eaa03",
        ),
        (
            "payos",
            hmac_sha256,
            "duet-payos-checksum",
            PAYOS,
            "f94bb29c276110acfd557ddfcaaec2515c3dc45270142b4f6d3fd6fca503ced6",
        ),
        (
            "vnpay",
            hmac_sha512,
            "DUETVNPAYSECRET",
            VNPAY,
            "ddd24b9a80bfafe20b95e5c3b91fb726d28fb15761f61b4980460cda44fb294931e706a01cfe915a3b64557dd3bacea833fc12daed96d505b1ced40c9d38a40c",
        ),
        (
            "momo",
            hmac_sha256,
            "duetMomoSecret",
            MOMO,
            "3e2322f82fc55cc3dec22fb3d05596bef7ce7cd6ba709080d4d7f53a811f44a8",
        ),
    ];
    for (provider, algorithm, secret, text, signature) in rows {
        let pairs: Vec<_> = text
            .split('&')
            .map(|pair| pair.split_once('=').unwrap())
            .collect();
        let known: Vec<_> = pairs.iter().map(|(name, _)| *name).collect();
        let check = |pairs: &[(&str, &str)]| {
            let signature = hex(signature).unwrap();
            fields(&secrets(secret), algorithm, (pairs, &known), signature)
        };
        assert!(check(&pairs), "{provider}");
        let [first, second, ..] = pairs[..] else {
            panic!("{provider}");
        };
        let rest = &pairs[2..];
        // In each case the signed text is the same, but it is divided into names and values in another way.
        let merged = format!("{}&{}={}", first.1, second.0, second.1);
        assert!(
            !check(&[&[(first.0, merged.as_str())], rest].concat()),
            "{provider}"
        );
        let name = format!("{}={}&{}", first.0, first.1, second.0);
        assert!(
            !check(&[&[(name.as_str(), second.1)], rest].concat()),
            "{provider}"
        );
        let name = format!("{}={}", first.0, &first.1[..1]);
        assert!(
            !check(&[&[(name.as_str(), ""), second], rest].concat()),
            "{provider}"
        );
        assert!(!check(&[&[second, first], rest].concat()), "{provider}");
        assert!(!check(rest) && !check(&[]), "{provider}");
    }
}

#[test]
fn a_sign_between_fields_may_stand_in_a_value_where_it_begins_no_field() {
    let text = b"desc=A & B&c=d&orderCode=1";
    let signature = hmac_sha256(b"a-secret", &[text]);
    let check = |pairs: &[(&str, &str)], known: &[&str]| {
        fields(
            &secrets("a-secret"),
            hmac_sha256,
            (pairs, known),
            signature.clone(),
        )
    };
    let known = ["desc", "orderCode"];
    assert!(check(&[("desc", "A & B&c=d"), ("orderCode", "1")], &known));
    assert!(!check(&[("desc", "A & B&c=d&orderCode=1")], &known));
}

#[test]
fn a_digest_with_the_key_behind_is_midtrans_way_too() {
    let text = [
        &b"PHO7K3M9Q2X"[..],
        b"200",
        b"99000.00",
        b"SB-Mid-server-duet",
    ]
    .concat();
    let signature = "c74d7657ddc5d0669e6436c6ade250394d4abc6283f01823febc7d14e568991d57d91c2895a7069c5e5d876f1fde3f8b4d97cbf726fc4b68f465f5d393d2d831";
    let algorithm: Algorithm = |key, text| {
        let digest = sha2::Sha512::new().chain_update(text.concat());
        digest.chain_update(key).finalize().to_vec()
    };
    let check = |secret| {
        let signed = text.strip_suffix(b"SB-Mid-server-duet").unwrap();
        body(&secrets(secret), algorithm, signed, hex(signature).unwrap())
    };
    assert!(check("SB-Mid-server-duet") && !check("SB-Mid-server-duet2"));
}

#[test]
fn a_token_is_compared_whole() {
    let both = secrets("token-that-is token-that-comes");
    assert!(token(&both, "token-that-is") && token(&both, "token-that-comes"));
    for wrong in [
        "",
        "token-that",
        "token-that-is ",
        "token-that-is token-that-comes",
    ] {
        assert!(!token(&both, wrong), "{wrong}");
    }
}

const ID: &str = "0b5c9a52-5a0e-4c5e-9d4f-1b2a3c4d5e6f";
const NEW: &str = "v1,6qGLn3rFD33ecZKocR8S3r3R9WdZeO03LwPeNzxXKOs=";
const OLD: &str = "v1,wXHzXerMGQ2sIMDAWQZo9E1qfihdJPFCHytJ0fzQYRw=";

fn headers(id: &str, time: &str, signature: &str) -> HeaderMap {
    let pairs = [("id", id), ("timestamp", time), ("signature", signature)];
    let pairs = pairs.map(|(name, value)| {
        let name: HeaderName = format!("webhook-{name}").parse().unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    });
    pairs.into_iter().collect()
}

/// Returns the two keys that a secret can mean: its text, and the bytes that the text encodes.
fn both_keys() -> [Vec<u8>; 2] {
    let text = "whsec_ZHVldC1wb2xhci1zYW5kYm94LXNlY3JldC0zMmJ5dGU=";
    let bytes = BASE64_STANDARD.decode(&text[6..]).unwrap();
    [text.as_bytes().to_vec(), bytes]
}

#[test]
fn standard_webhooks_agree_with_the_vectors() {
    let key = BASE64_STANDARD
        .decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        .unwrap();
    let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let published = headers("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", signature);
    let body = br#"{"test": 2432232314}"#;
    assert_eq!(
        standard_webhook(&[key], &published, body, 1_614_265_330),
        Some(0)
    );
    for (signature, key) in [(OLD, 0), (NEW, 1)] {
        let signed = headers(ID, "1774422157", signature);
        let found = standard_webhook(&both_keys(), &signed, POLAR.as_bytes(), AT_S);
        assert_eq!(found, Some(key));
    }
}

#[test]
fn one_of_several_signatures_is_enough_and_nothing_else_is() {
    let other = format!("v1,{}", BASE64_STANDARD.encode([0; 32]));
    let bare = NEW.strip_prefix("v1,").unwrap();
    for (what, id, time, signature, drift_s, expected) in [
        ("alone", ID, "1774422157", NEW.to_owned(), 0, true),
        (
            "behind another",
            ID,
            "1774422157",
            format!("{other} {NEW}"),
            0,
            true,
        ),
        (
            "before others",
            ID,
            "1774422157",
            format!("{NEW} {other} v2,x v1a,y  junk"),
            0,
            true,
        ),
        ("5 min old", ID, "1774422157", NEW.to_owned(), 300, true),
        ("5 min ahead", ID, "1774422157", NEW.to_owned(), -300, true),
        ("older", ID, "1774422157", NEW.to_owned(), 301, false),
        (
            "further ahead",
            ID,
            "1774422157",
            NEW.to_owned(),
            -301,
            false,
        ),
        (
            "another id",
            "0b5c9a52",
            "1774422157",
            NEW.to_owned(),
            0,
            false,
        ),
        ("no id", "", "1774422157", NEW.to_owned(), 0, false),
        ("another time", ID, "1774422158", NEW.to_owned(), 0, false),
        (
            "milliseconds",
            ID,
            "1774422157000",
            NEW.to_owned(),
            0,
            false,
        ),
        ("a sign", ID, "+1774422157", NEW.to_owned(), 0, false),
        (
            "a dot moved",
            "0b5c9a52-5a0e-4c5e-9d4f-1b2a3c4d5e6f.1774422157",
            "",
            NEW.to_owned(),
            0,
            false,
        ),
        (
            "another signature",
            ID,
            "1774422157",
            other.clone(),
            0,
            false,
        ),
        ("no version", ID, "1774422157", bare.to_owned(), 0, false),
        (
            "another version",
            ID,
            "1774422157",
            format!("v2,{bare}"),
            0,
            false,
        ),
        (
            "the public-key version",
            ID,
            "1774422157",
            format!("v1a,{bare}"),
            0,
            false,
        ),
        (
            "commas between",
            ID,
            "1774422157",
            format!("{other},{NEW}"),
            0,
            false,
        ),
        ("cut off", ID, "1774422157", NEW[..40].to_owned(), 0, false),
        ("empty", ID, "1774422157", "v1,".to_owned(), 0, false),
        ("nothing", ID, "1774422157", String::new(), 0, false),
    ] {
        let signed = headers(id, time, &signature);
        let found = standard_webhook(&both_keys(), &signed, POLAR.as_bytes(), AT_S + drift_s);
        assert_eq!(found.is_some(), expected, "{what}");
    }
}

#[test]
fn a_standard_webhook_is_signed_as_a_whole() {
    let signed = headers(ID, "1774422157", NEW);
    for body in [&POLAR[1..], "", &POLAR.replace("2900", "2901")] {
        assert_eq!(
            standard_webhook(&both_keys(), &signed, body.as_bytes(), AT_S),
            None
        );
    }
    assert_eq!(standard_webhook(&[], &signed, POLAR.as_bytes(), AT_S), None);
    for missing in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let mut signed = signed.clone();
        signed.remove(missing);
        assert_eq!(
            standard_webhook(&both_keys(), &signed, POLAR.as_bytes(), AT_S),
            None
        );
    }
}
