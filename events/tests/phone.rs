//! Phone numbers against a port of libphonenumber.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is a failed test"
)]

use duet_events::{Country, Invalid, plain};
use phonenumber::{Mode, country::Id, metadata::DATABASE};
use proptest::prelude::*;

const COUNTRIES: [&str; 10] = ["VN", "US", "GB", "DE", "JP", "BR", "IN", "SG", "TH", "ID"];

fn e164(raw: &str, country: Option<Country>) -> Result<String, Invalid> {
    let number = duet_events::phone::e164(plain::phone(raw), country)?;
    Ok(number.to_string())
}

fn vietnamese(raw: &str) -> Result<String, Invalid> {
    e164(raw, Country::parse("VN"))
}

#[test]
fn every_way_of_writing_one_number_gives_one_number() {
    for raw in [
        "0901234567",
        "0901 234 567",
        "090.123.4567",
        "090-123-4567",
        "(090) 123 4567",
        "901234567",
        "84901234567",
        "84 0901234567",
        "+84901234567",
        "+84 (0)90 123 4567",
        "+84 090 123 4567",
        "0084 90 123 4567",
        " ＋８４ ９０ １２３ ４５６７ ",
        "０９０１２３４５６７",
        "+84\u{a0}90\u{2011}123\u{2013}4567",
    ] {
        assert_eq!(vietnamese(raw).unwrap(), "+84901234567", "{raw}");
    }
}

#[test]
fn what_cannot_be_dialled_is_refused() {
    for raw in [
        "",
        "+",
        "0",
        "12345",
        "090123456",
        "09012345678901",
        "+84",
        "+8490123456",
        "+999123456789",
        "0901234567 x12",
        "call me",
        "+84901234567,1",
        "++84901234567",
        "84+901234567",
        "#0901234567",
    ] {
        assert_eq!(vietnamese(raw).unwrap_err().field, "user.phone", "{raw}");
    }
}

#[test]
fn without_a_country_a_number_needs_its_code() {
    assert_eq!(e164("+14155552671", None).unwrap(), "+14155552671");
    assert_eq!(e164("0014155552671", None).unwrap(), "+14155552671");
    for raw in ["0901234567", "84901234567"] {
        assert_eq!(e164(raw, None).unwrap_err().rule, "phone");
    }
}

#[test]
fn numbers_of_every_e164_length_stay_whole() {
    for (digits, number) in [
        (7, "+6834002"),
        (8, "+24762889"),
        (9, "+298201234"),
        (10, "+6591234567"),
        (11, "+84901234567"),
        (12, "+447911123456"),
        (13, "+8613812345678"),
        (14, "+49151234567890"),
        (15, "+491512345678901"),
    ] {
        assert_eq!(number.len(), digits + 1);
        assert_eq!(e164(number, None).unwrap(), number);
    }
}

#[test]
fn every_region_is_as_libphonenumber_knows_it() {
    let mut seen = 0;
    for region in DATABASE.iter().filter(|region| region.id() != "001") {
        let country = Country::parse(region.id());
        assert!(country.is_some(), "{} is missing", region.id());
        let kinds = region.descriptors();
        for kind in [kinds.fixed_line(), kinds.mobile()].into_iter().flatten() {
            let Some(example) = kind.example() else {
                continue;
            };
            let number = format!("+{}{example}", region.country_code());
            assert_eq!(e164(&number, None).unwrap(), number, "{}", region.id());
            assert_eq!(
                e164(example, country).unwrap(),
                number,
                "{} {example}",
                region.id()
            );
            seen += 1;
        }
    }
    assert!(seen > 400, "only {seen} examples were compared");
}

/// A number that libphonenumber holds to be a real fixed or mobile one, and its country.
fn real_number() -> impl Strategy<Value = (String, phonenumber::PhoneNumber)> {
    let country = prop::sample::select(COUNTRIES.to_vec());
    (country, "[1-9][0-9]{6,11}").prop_filter_map("not a number in use", |(country, national)| {
        let id: Id = country.parse().ok()?;
        let number = phonenumber::parse(
            Some(id),
            format!("+{}{national}", DATABASE.by_id(country)?.country_code()),
        )
        .ok()?;
        let region = DATABASE.by_id(country)?.descriptors();
        let real = [region.fixed_line(), region.mobile()]
            .into_iter()
            .flatten()
            .any(|kind| kind.is_match(&national));
        real.then(|| (country.to_owned(), number))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_global_rejects: 200_000, ..ProptestConfig::default() })]

    #[test]
    fn a_real_number_is_the_same_here_and_there_however_it_is_printed((country, number) in real_number()) {
        let expected = number.format().mode(Mode::E164).to_string();
        for mode in [Mode::E164, Mode::International, Mode::National] {
            let printed = number.format().mode(mode).to_string();
            prop_assert_eq!(e164(&printed, Country::parse(&country)).unwrap(), expected.clone(), "{} {}", country, printed);
        }
        let bare = expected.trim_start_matches('+');
        prop_assert_eq!(e164(bare, Country::parse(&country)).unwrap(), expected.clone(), "{} {}", country, bare);
    }

    #[test]
    fn what_is_no_possible_length_there_is_refused_here(country in prop::sample::select(COUNTRIES.to_vec()), national in "[1-9][0-9]{0,15}") {
        let region = DATABASE.by_id(country).unwrap();
        let kinds = region.descriptors();
        let lengths: Vec<usize> = [kinds.fixed_line(), kinds.mobile()].into_iter().flatten()
            .flat_map(phonenumber::metadata::Descriptor::possible_length).map(|length| usize::from(*length)).collect();
        let code = region.country_code().to_string();
        let possible = (*lengths.iter().min().unwrap()..=*lengths.iter().max().unwrap()).contains(&national.len())
            && code.len() + national.len() <= 15;
        let answer = e164(&format!("+{code}{national}"), None);
        prop_assert_eq!(answer.is_ok(), possible || (code == "1" && national.len() == 11 && national.starts_with('1')));
    }
}

/// Numbers that libphonenumber holds to be real ones of a region: its examples, and what they become with other digits
/// at their end.
fn real_numbers(region: &phonenumber::Metadata) -> Vec<String> {
    let kinds = region.descriptors();
    let kinds = [kinds.fixed_line(), kinds.mobile()];
    let mut numbers = Vec::new();
    for kind in kinds.into_iter().flatten() {
        let Some(example) = kind.example() else {
            continue;
        };
        for kept in (1..=example.len()).step_by(3) {
            for end in [
                "0000000000000",
                "1234567890123",
                "9999999999999",
                "5819374620517",
            ] {
                for length in kind.possible_length() {
                    let number: String = example.chars().take(kept).chain(end.chars()).collect();
                    let number = number.get(..usize::from(*length)).unwrap_or_default();
                    if kind.is_match(number) {
                        numbers.push(number.to_owned());
                    }
                }
            }
        }
    }
    numbers.sort();
    numbers.dedup();
    numbers
}

#[test]
fn a_country_code_without_a_plus_counts_once_in_every_country() {
    const LONGEST: usize = 15;
    let mut seen = 0;
    let mut wrong = Vec::new();
    for region in DATABASE.iter().filter(|region| region.id() != "001") {
        let country = Country::parse(region.id());
        let id: Id = region.id().parse().unwrap();
        for national in real_numbers(region) {
            let coded = format!("{}{national}", region.country_code());
            for typed in [&coded, &national] {
                let theirs = phonenumber::parse(Some(id), typed);
                let Some(theirs) = theirs.ok().filter(|_| coded.len() <= LONGEST) else {
                    continue;
                };
                let theirs = theirs.format().mode(Mode::E164).to_string();
                seen += 1;
                let ours = e164(typed, country).unwrap_or_default();
                // Of a number without its code and its trunk prefix, that begins with the digits of that code, their
                // answer is at times another number.
                let is_own = typed == &national && ours == format!("+{coded}");
                if ours != theirs && !is_own {
                    wrong.push(format!("{} {typed}: {ours}, not {theirs}", region.id()));
                }
            }
        }
    }
    assert!(seen > 1000, "only {seen} numbers were compared");
    assert!(wrong.is_empty(), "{} of {seen}: {wrong:#?}", wrong.len());
}

#[test]
fn an_italian_number_is_the_same_with_and_without_its_code() {
    for (typed, number) in [
        ("393331234567", "+393331234567"),
        ("3331234567", "+393331234567"),
        ("3931234567", "+393931234567"),
        ("393931234567", "+393931234567"),
        ("390612345678", "+390612345678"),
        ("0612345678", "+390612345678"),
    ] {
        assert_eq!(
            e164(typed, Country::parse("IT")).unwrap(),
            number,
            "{typed}"
        );
    }
}
