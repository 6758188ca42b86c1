use super::*;
use crate::history::Tried;
use crate::history::{End, Ended, Salt, Sent, Trace};

fn facts() -> Facts {
    Facts {
        id: "a".to_owned(),
        now_ms: 10_000_000,
        settings: Settings {
            is_running: true,
            is_writable: true,
            ..Settings::default()
        },
        ..Facts::default()
    }
}

fn ended(outcome: &str, user: &str) -> End {
    let json = format!(r#"{{"event":"Lead","event_time":1000,"event_id":"a","user":{{{user}}}}}"#);
    let salt = Salt::from([0; 16]);
    let event = Ended::of(json.as_bytes(), Trace::default(), 1_000_500, &salt);
    End {
        pixel_id: "P".to_owned(),
        is_test: false,
        outcome: outcome.to_owned(),
        code: Some(0),
        request_id: Some("R".to_owned()),
        at_ms: 1_001_000,
        sent: Sent {
            attempts: 2,
            batch: 7,
        },
        events: vec![event],
    }
}

fn causes(facts: &Facts) -> Vec<&'static str> {
    let chain = explain(facts);
    chain
        .causes
        .iter()
        .map(|found| found.cause.code())
        .collect()
}

#[test]
fn every_cause_has_a_name_of_its_own_and_both_texts_in_both_languages() {
    let mut codes: Vec<_> = Cause::ALL.iter().map(|cause| cause.code()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Cause::ALL.len());
    for cause in Cause::ALL {
        for text in [cause.says(), cause.next()] {
            assert!(text.en.ends_with('.') && text.vi.ends_with('.'), "{text:?}");
            assert!(text.en.is_ascii() && text.en != text.vi, "{text:?}");
        }
        let json = serde_json::to_string(cause).unwrap();
        assert_eq!(json, format!("\"{}\"", cause.code()));
    }
}

#[test]
fn a_delivered_event_is_told_step_by_step() {
    let mut facts = facts();
    facts.ends.push(ended("delivered", r#""ttclid":"x""#));
    let chain = explain(&facts);
    let steps: Vec<_> = chain
        .steps
        .iter()
        .map(|step| step.says.en.as_str())
        .collect();
    assert_eq!(
        steps,
        [
            "Lead happened",
            "the proxy accepted Lead from an unknown sender; the Pixel's copy: unknown",
            "Lead was sent to TikTok (attempt 2, events in the request: 7): delivered, code 0, request R",
        ]
    );
    assert_eq!((chain.missing, causes(&facts)), (None, vec!["counted"]));
}

#[test]
fn an_event_that_waits_is_told_with_its_tries() {
    let steps = |code, next_ms| {
        let mut facts = facts();
        let event = Arrived {
            name: "Lead".to_owned(),
            accepted_ms: 1_000_500,
            happened_s: 0,
            trace: Trace::default(),
        };
        facts.pending.push(Pending {
            event,
            pixel_id: "P".to_owned(),
            is_test: false,
            number: Some(7),
            tried: Some(Tried {
                numbers: (5, 9),
                attempts: 3,
                code,
                answered_ms: 1_002_000,
                next_ms,
            }),
        });
        let steps = explain(&facts).steps.into_iter().skip(1);
        steps
            .map(|step| (step.at_ms, step.says.en))
            .collect::<Vec<_>>()
    };
    let step = |at_ms, says: &str| (at_ms, says.to_owned());
    assert_eq!(
        steps(Some(40_100), Some(1_062_000)),
        [
            step(
                1_002_000,
                "Lead was sent to TikTok (attempt 3): not accepted, code 40100"
            ),
            step(1_062_000, "the proxy will send Lead to TikTok (attempt 4)"),
        ]
    );
    assert_eq!(
        steps(None, None),
        [step(
            1_002_000,
            "Lead was sent to TikTok (attempt 3): TikTok did not answer"
        )]
    );
}

#[test]
fn an_unknown_id_is_said_to_be_unknown() {
    let chain = explain(&facts());
    assert!(!chain.is_known && chain.steps.is_empty());
    assert_eq!(chain.missing, Some(Missing::Arrival));
    assert_eq!(causes(&facts()), ["never_arrived"]);
    let stopped = Facts {
        settings: Settings::default(),
        ..facts()
    };
    assert_eq!(causes(&stopped), ["never_arrived", "proxy_stopped"]);
}

#[test]
fn what_is_missing_comes_before_what_could_be_better() {
    let mut facts = facts();
    facts.ends.push(ended("refused", ""));
    facts.repeats.push(Repeat {
        at_ms: 1,
        trace: Trace::default(),
    });
    assert_eq!(causes(&facts), ["refused", "duplicate"]);
    assert_eq!(explain(&facts).missing, Some(Missing::TikTok));
}

#[test]
fn the_page_about_causes_lists_each_of_them() {
    let page = include_str!("../../../docs/why.md");
    let rows: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    let expected = Cause::ALL.iter().map(|cause| {
        let (says, next) = (cause.says().en, cause.next().en);
        format!("| `{}` | {says} | {next} |", cause.code())
    });
    assert_eq!(rows, expected.collect::<Vec<_>>());
}

#[test]
fn a_story_in_vietnamese_has_no_english_words() {
    let transfer = Did::Transfer {
        provider: "sepay".to_owned(),
        id: "18".to_owned(),
        amount: "99000 VND".to_owned(),
        became: "paid".to_owned(),
    };
    let dollars = Did::Transfer {
        provider: "stripe".to_owned(),
        id: "ch_1".to_owned(),
        amount: "1029.50 USD".to_owned(),
        became: "partial".to_owned(),
    };
    let accepted = |pixel: &str| Did::Accepted {
        event: "Subscribe".to_owned(),
        by: None,
        pixel: pixel.to_owned(),
    };
    let ended = Did::Ended {
        event: "Subscribe".to_owned(),
        outcome: "refused".to_owned(),
        attempts: 1,
        batch: 1,
        code: Some(40_002),
        request_id: Some("R".to_owned()),
        message: None,
    };
    for (did, expected) in [
        (
            dollars,
            "stripe báo giao dịch ch_1, 1.029,50 USD: trả một phần",
        ),
        (transfer, "sepay báo giao dịch 18, 99.000 ₫: đã trả đủ"),
        (
            accepted("off"),
            "proxy nhận Subscribe từ nguồn không rõ; bản của Pixel: không dùng",
        ),
        (
            accepted("unknown"),
            "proxy nhận Subscribe từ nguồn không rõ; bản của Pixel: không rõ",
        ),
        (
            ended,
            "Subscribe được gửi tới TikTok (lần 1, số sự kiện trong yêu cầu: 1): bị từ chối, mã 40002, yêu cầu R",
        ),
    ] {
        assert_eq!(Step::new(0, did).says.vi, expected);
    }
    let causes = Cause::ALL.iter();
    let texts = causes.map(|cause| cause.says().vi + &cause.next().vi);
    assert!(!texts.collect::<String>().contains("dead letters"));
}
