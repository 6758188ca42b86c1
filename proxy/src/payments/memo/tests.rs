use std::cmp::Reverse;

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

fn memo(code: Option<&str>, content: &str, description: &str) -> Memo {
    Memo {
        code: code.map(str::to_owned),
        content: content.to_owned(),
        description: description.to_owned(),
    }
}

/// Returns the strength with which a memo names an order.
fn strength(memo: &Memo, order_id: &str) -> Option<Strength> {
    let id = normalised(order_id);
    let mut candidates = memo.candidates(None);
    candidates
        .find(|candidate| candidate.text == id)
        .map(|candidate| candidate.strength)
}

#[test]
fn an_order_is_found_in_the_code_the_content_and_the_description() {
    let id = "PHO_7K3M-9Q2X";
    for (memo, expected) in [
        (memo(Some("pho7k3m9q2x"), "", ""), Some(Strength::Code)),
        (
            memo(Some("OTHER"), "PHO7K3M9Q2X chuyen tien", ""),
            Some(Strength::Content),
        ),
        (memo(None, "ck pho 7k3m 9q2x", ""), Some(Strength::Content)),
        (
            memo(None, "MBVCB.1.PHO7K3M9Q2X.CT tu 01", ""),
            Some(Strength::Content),
        ),
        (
            memo(None, "xPHO7K3M9Q2XFT25308710231543", ""),
            Some(Strength::Content),
        ),
        (
            memo(None, "", "BankAPINotify pho_7k3m-9q2x"),
            Some(Strength::Description),
        ),
        (memo(None, "PHO7K3M9Q2", "chuyen tien"), None),
        (memo(None, "", ""), None),
    ] {
        assert_eq!(strength(&memo, id), expected, "{}", memo.content);
    }
}

#[test]
fn a_short_id_is_found_as_a_word_only() {
    for (content, found) in [
        ("thanh toan DH-42 nhe", true),
        ("thanh toan dh42 nhe", true),
        ("MBVCB.DH42.CT", true),
        ("thanh toan DH 42", false),
        ("XDH42", false),
    ] {
        let memo = memo(None, content, "");
        assert_eq!(strength(&memo, "DH-42").is_some(), found, "{content}");
    }
}

#[test]
fn the_strongest_come_first_and_of_those_the_longest() {
    let pattern = OrderPattern::new("PHO([0-9A-Z]{8})", "PHO$1").unwrap();
    let memo = memo(Some("PHO7K3M9Q2X"), "a PHO7K3M9Q2X b", "PHO7K3M9Q2X");
    let order: Vec<_> = memo
        .candidates(Some(&pattern))
        .map(|candidate| (candidate.strength, Reverse(candidate.span.len())))
        .collect();
    assert!(order.is_sorted());
    for strength in [
        Strength::Code,
        Strength::ContentPattern,
        Strength::DescriptionPattern,
        Strength::Content,
        Strength::Description,
    ] {
        assert!(
            order.iter().any(|(found, _)| *found == strength),
            "{strength:?}"
        );
    }
}

#[test]
fn an_id_inside_a_longer_one_is_known_as_its_piece() {
    let memo = memo(None, "x ORDER12345678 y", "ORDER1234");
    let all: Vec<_> = memo.candidates(None).collect();
    let of = |text: &str, strength| {
        all.iter()
            .find(|candidate| candidate.text == text && candidate.strength == strength)
            .unwrap()
    };
    let long = of("ORDER12345678", Strength::Content);
    let short = of("ORDER1234", Strength::Content);
    assert!(short.lies_inside(long));
    assert!(!long.lies_inside(short) && !long.lies_inside(long));
    assert!(!of("ORDER1234", Strength::Description).lies_inside(long));
}

#[test]
fn memos_and_candidates_do_not_print() {
    let memo = memo(Some("CANARY01"), "CANARY02 NGUYEN VAN A", "CANARY03");
    let candidates: Vec<_> = memo.candidates(None).collect();
    assert!(!format!("{memo:?}{candidates:?}").contains("CANARY"));
}

#[test]
fn a_long_text_is_looked_at_up_to_a_point() {
    let long = "đơn ".repeat(100_000);
    assert!(memo(Some(&long), &long, &long).candidates(None).count() < 17_000);
    let late = format!("{} PHO7K3M9Q2X", "x".repeat(LOOKED_AT));
    assert_eq!(strength(&memo(None, &late, ""), "PHO7K3M9Q2X"), None);
}

/// Generates an id as shops make their ids: letters, digits and punctuation, with 8 to 40 letters and digits in total.
fn order_id() -> impl Strategy<Value = String> {
    vec(("[_.-]{0,1}", "[A-Za-z0-9]"), ANYWHERE..=LONGEST).prop_map(|parts| {
        let parts = parts.into_iter().map(|(sign, letter)| sign + &letter);
        parts.collect()
    })
}

/// Generates an id, and the form into which a bank changes the id in the middle of a memo.
fn mangled() -> impl Strategy<Value = (String, String)> {
    let separator = select(vec!["", " ", "_", "-", "."]);
    let act = (any::<bool>(), separator, 2_usize..9, any::<bool>());
    (order_id(), act).prop_map(|(id, (dropped, separator, every, lower))| {
        let kept = id
            .chars()
            .filter(|char| !dropped || char.is_ascii_alphanumeric());
        let kept: Vec<char> = kept.collect();
        let pieces: Vec<String> = kept
            .chunks(every)
            .map(|piece| piece.iter().collect())
            .collect();
        let text = pieces.join(separator);
        let text = if lower {
            text.to_lowercase()
        } else {
            text.to_uppercase()
        };
        (id, text)
    })
}

proptest! {
    #[test]
    fn an_id_that_survives_uncut_is_always_found(
        (id, mangled) in mangled(),
        prefix in "[a-zA-Z0-9 .đơ]{0,60}",
        suffix in "( FT[0-9]{14})?[a-zA-Z0-9 .ế-]{0,160}",
        in_description in any::<bool>(),
    ) {
        let text = format!("{prefix}{mangled}{suffix}");
        let memo = if in_description { memo(None, "", &text) } else { memo(None, &text, "") };
        prop_assert!(strength(&memo, &id).is_some(), "{text}");
    }

    #[test]
    fn every_candidate_stands_where_it_says(content in "\\PC{0,300}") {
        let bare = normalised(&content.chars().take(LOOKED_AT).collect::<String>());
        for candidate in memo(None, &content, "").candidates(None) {
            prop_assert_eq!(&bare[candidate.span.clone()], candidate.text.as_str());
        }
    }
}
