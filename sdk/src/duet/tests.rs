//! Tests with pages, tabs and a proxy. The tests use only the interface of this module: they make calls and read the effects.

mod page;

use page::{Browser, Event, PLAIN, Page};

use crate::{
    consent::{
        Consent::{Denied as DENIED, Granted as GRANTED, Pending as PENDING},
        Gate,
    },
    duet::Call,
    effect::{Effect, Word},
    outbox::{LEASE_MS, MAX_AGE_MS, VERDICT_MS},
    pace::SLOW_MS,
};

const ORDERED: Event = Event {
    ordered: true,
    ..PLAIN
};

const NONE: [(u32, Word); 0] = [];

#[test]
fn an_event_is_stored_before_it_is_sent() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    page.add(PLAIN);
    assert_eq!(browser.events(), 1);
    assert!(page.sent().is_empty());
}

#[test]
fn the_proxys_copy_waits_for_the_pixel_but_not_for_long() {
    let mut page = Page::started(&Browser::default());
    let event = page.add(PLAIN);
    assert_eq!(page.wakes_in().map(f64::from), Some(VERDICT_MS));
    page.now_ms += VERDICT_MS - 1.0;
    page.call(Call::Wake);
    assert!(page.sent().is_empty());
    page.now_ms += 1.0;
    page.call(Call::Wake);
    assert_eq!(page.sent(), [[event]]);
}

#[test]
fn an_event_without_the_pixel_does_not_wait_for_it() {
    let mut page = Page::started(&Browser::default());
    let event = page.add(Event {
        pixel_off: true,
        ..PLAIN
    });
    assert_eq!(page.wakes_in(), Some(0));
    page.call(Call::Wake);
    assert_eq!(page.sent(), [[event]]);
}

#[test]
fn events_that_wait_go_out_together() {
    let mut page = Page::started(&Browser::default());
    let events = [page.add(PLAIN), page.add(PLAIN), page.add(PLAIN)];
    page.pixel();
    assert_eq!(page.sent(), [events]);
}

#[test]
fn a_request_holds_at_most_100_events_and_32_kib() {
    let mut page = Page::started(&Browser::default());
    for _ in 0..150 {
        page.add(PLAIN);
    }
    for _ in 0..4 {
        page.add(Event {
            bytes: 10_000,
            ..PLAIN
        });
    }
    page.pixel();
    let counts: Vec<_> = page.sent().iter().map(Vec::len).collect();
    assert_eq!(
        counts,
        [100, 51, 3],
        "the fourth of the large ones is too much for the second"
    );
}

#[test]
fn an_accepted_event_leaves_the_outbox_and_its_caller_hears_of_it() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let event = page.add(PLAIN);
    page.pixel();
    page.answer(0, 202, "1");
    assert_eq!(page.settled(), [(event, Word::Accepted)]);
    assert_eq!(browser.events(), 0);
    assert!(page.reported().is_empty());
}

#[test]
fn each_event_of_a_request_has_a_result_of_its_own() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let events: Vec<_> = (0..5).map(|_| page.add(PLAIN)).collect();
    page.pixel();
    page.answer(0, 202, "12340");
    let words = [
        Word::Accepted,
        Word::Duplicate,
        Word::Held,
        Word::Invalid,
        Word::Queued,
    ];
    let settled: Vec<_> = events.into_iter().zip(words).collect();
    assert_eq!(page.settled(), settled);
    assert_eq!(browser.events(), 1);
}

#[test]
fn a_refused_order_may_be_reported_again_once_it_is_right() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let event = page.add(ORDERED);
    page.pixel();
    page.answer(0, 422, "4");
    assert_eq!(page.settled(), [(event, Word::Invalid)]);
    assert_eq!(page.reported(), [Word::Invalid]);
    let unmarked = |effect| matches!(effect, Effect::Unmark { .. }).then_some(());
    assert_eq!(page.all(unmarked), [()]);
    assert_eq!(browser.events(), 0);
}

#[test]
fn an_answer_that_names_no_event_settles_none() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let event = page.add(PLAIN);
    page.pixel();
    page.answer(0, 202, "0");
    assert_eq!(page.settled(), [(event, Word::Queued)]);
    assert_eq!(browser.events(), 1);
    assert!(page.wakes_in().is_some(), "it is tried again");
}

#[test]
fn a_failed_event_is_tried_again_under_the_lock() {
    let mut page = Page::started(&Browser::default());
    let event = page.add(PLAIN);
    page.pixel();
    page.answer(0, 503, "");
    let wait_ms = page.wakes_in().unwrap();
    assert!(!page.tells(Effect::Adopt));
    page.now_ms += f64::from(wait_ms);
    page.call(Call::Wake);
    assert!(page.tells(Effect::Adopt) && page.sent().is_empty());
    page.look();
    assert_eq!(page.sent(), [[event]]);
}

#[test]
fn a_pause_the_proxy_asks_for_holds_for_every_tab_and_every_event() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    page.add(PLAIN);
    page.pixel();
    page.answer_after(0, 429, "", 60_000.0);
    page.now_ms += 59_000.0;
    page.call(Call::Hurry);
    page.look();
    assert!(page.sent().is_empty());
    let event = page.add(PLAIN);
    assert_eq!(page.settled(), [(event, Word::Queued)]);

    let mut other = Page::started(&browser);
    other.now_ms = page.now_ms;
    other.look();
    assert!(other.sent().is_empty());
    other.now_ms += 1000.0;
    other.look();
    assert_eq!(other.sent().len(), 1);
}

#[test]
fn a_page_sleeps_through_a_pause_the_proxy_asks_for() {
    let mut page = Page::started(&Browser::default());
    page.add(Event {
        pixel_off: true,
        ..PLAIN
    });
    page.call(Call::Wake);
    page.add(PLAIN);
    page.answer_after(0, 429, "", 60_000.0);
    page.now_ms += 2000.0;
    page.call(Call::Wake);
    assert!(page.sent().is_empty());
    assert_eq!(page.wakes_in(), Some(58_000));
}

#[test]
fn where_one_event_may_have_spoilt_a_request_each_goes_alone() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let [first, second] = [page.add(PLAIN), page.add(PLAIN)];
    page.pixel();
    page.answer(0, 400, "");
    assert!(page.tells(Effect::Adopt));
    assert_eq!(page.settled(), NONE);
    page.look();
    assert_eq!(page.sent(), [[first]]);
    page.answer(1, 202, "1");
    page.look();
    assert_eq!(page.sent(), [[second]]);
    page.answer(2, 202, "1");
    assert_eq!(browser.events(), 0);
}

#[test]
fn an_event_that_is_rejected_alone_and_without_a_rule_goes_last_and_seldom() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let at_fault = page.add(PLAIN);
    page.pixel();
    page.answer(0, 413, "");
    assert_eq!(page.settled(), [(at_fault, Word::Queued)]);
    assert_eq!(page.reported(), []);
    assert_eq!(browser.events(), 1, "it is not given up");
    page.now_ms += 1000.0;
    let other = page.add(PLAIN);
    page.call(Call::Wake);
    assert_eq!(page.sent(), [[other]], "it is in nobody's way");
    page.answer(1, 503, "");
    page.now_ms += SLOW_MS;
    page.look();
    assert_eq!(page.sent(), [[other]], "others go first");
    page.answer(2, 202, "1");
    page.look();
    assert_eq!(page.sent(), [[at_fault]]);
    page.answer(3, 202, "1");
    assert_eq!(browser.events(), 0);
}

#[test]
fn an_event_that_was_rejected_alone_is_tried_at_once_where_there_is_reason_to_hope() {
    let mut page = Page::started(&Browser::default());
    let event = page.add(PLAIN);
    page.pixel();
    page.answer(0, 400, "");
    page.now_ms += 1000.0;
    page.look();
    assert!(page.sent().is_empty());
    page.call(Call::Hurry);
    page.look();
    assert_eq!(page.sent(), [[event]]);
}

#[test]
fn nothing_is_rejected_at_the_pace_of_the_network_by_whoever_rejects_all() {
    let mut page = Page::started(&Browser::default());
    page.add(PLAIN);
    page.add(PLAIN);
    page.pixel();
    page.answer(0, 400, "");
    page.look();
    page.answer(1, 400, "");
    page.look();
    assert!(page.sent().is_empty(), "the second waits a moment");
    page.now_ms += 1000.0;
    page.look();
    assert_eq!(page.sent().len(), 1);
}

#[test]
fn an_event_whose_storage_was_cleared_goes_out_from_memory() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let event = page.add(PLAIN);
    page.pixel();
    page.answer(0, 503, "");
    browser.clear();
    page.now_ms += 1000.0;
    page.look();
    assert_eq!(page.settled(), NONE, "nobody has answered for it");
    assert_eq!(page.sent(), [[event]]);
    assert_eq!(browser.events(), 0, "nothing is stored again");
    page.answer(1, 202, "1");
    assert_eq!(page.settled(), [(event, Word::Accepted)]);
}

#[test]
fn consent_denied_on_another_page_drops_what_waits_here() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let event = page.add(PLAIN);
    browser.clear();
    page.call(Call::Forget);
    assert_eq!(page.settled(), [(event, Word::Consent)]);
    page.look();
    page.call(Call::Leave);
    assert!(page.sent().is_empty());
}

#[test]
fn a_page_that_is_left_sends_all_it_has() {
    let mut page = Page::started(&Browser::default());
    let first = page.add(PLAIN);
    page.pixel();
    page.answer(0, 0, "");
    let second = page.add(PLAIN);
    page.call(Call::Leave);
    assert_eq!(page.sent(), [[first, second]]);
    assert!(page.tells(Effect::Post {
        request: 1,
        is_leaving: true
    }));
}

#[test]
fn what_a_closed_page_left_behind_is_sent_by_the_next() {
    let browser = Browser::default();
    let event = Page::started(&browser).add(PLAIN);
    let mut next = Page::started(&browser);
    next.look();
    assert!(
        next.sent().is_empty(),
        "the page that made it may still send it"
    );
    assert_eq!(next.wakes_in().map(f64::from), Some(LEASE_MS));
    next.now_ms += LEASE_MS;
    next.call(Call::Wake);
    assert!(next.tells(Effect::Adopt));
    next.look();
    assert_eq!(next.sent(), [[event]]);
}

#[test]
fn what_another_tab_settled_is_not_sent_again() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let event = page.add(PLAIN);
    page.pixel();
    page.answer(0, 0, "");
    let mut other = Page::started(&browser);
    other.now_ms += LEASE_MS;
    other.look();
    other.answer(0, 202, "1");
    page.now_ms += LEASE_MS;
    page.look();
    assert!(page.sent().is_empty());
    assert_eq!(page.settled(), [(event, Word::Accepted)]);
}

#[test]
fn calls_before_init_are_held() {
    let page = Page::new(&Browser::default());
    assert_eq!(page.gate, Gate::Held);
    let page = Page::started(&Browser::default());
    assert_eq!(page.gate, Gate::Open);
    assert!(page.tells(Effect::Gate(Gate::Open)));
}

#[test]
fn nothing_is_stored_or_sent_before_consent() {
    let browser = Browser::default();
    let mut page = Page::new(&browser);
    page.init(PENDING);
    assert_eq!(page.gate, Gate::Held);
    page.add(ORDERED);
    page.call(Call::Leave);
    page.look();
    assert!(page.is_quiet());
    assert_eq!(browser.events(), 0);
    page.consent(GRANTED);
    assert_eq!(page.gate, Gate::Open);
    assert!(page.tells(Effect::Gate(Gate::Open)));
}

#[test]
fn denied_consent_drops_everything_and_clears_this_browser() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let event = page.add(ORDERED);
    page.consent(DENIED);
    assert_eq!(page.settled(), [(event, Word::Consent)]);
    assert!(page.tells(Effect::Clear));
    assert!(page.tells(Effect::Gate(Gate::Denied)));
    assert_eq!(browser.events(), 0);
    assert_eq!(page.gate, Gate::Denied);
    page.call(Call::Leave);
    assert!(page.is_quiet());
}

#[test]
fn consent_that_is_open_again_only_holds_the_pixel() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    page.add(PLAIN);
    page.consent(PENDING);
    assert!(page.tells(Effect::Gate(Gate::Held)));
    assert_eq!((page.gate, browser.events()), (Gate::Held, 1));
    page.consent(GRANTED);
    page.pixel();
    assert_eq!(page.sent().len(), 1);
}

#[test]
fn a_choice_made_before_init_outranks_the_setting() {
    let mut page = Page::new(&Browser::default());
    page.consent(DENIED);
    page.init(GRANTED);
    assert!(!page.tells(Effect::Gate(Gate::Open)));
    assert_eq!(page.gate, Gate::Denied);
}

#[test]
fn a_full_outbox_drops_its_oldest_event_without_an_order() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    page.add(ORDERED);
    let oldest = page.add(PLAIN);
    for _ in 2..1000 {
        page.add(PLAIN);
    }
    assert_eq!(browser.events(), 1000);
    page.add(PLAIN);
    assert_eq!(browser.events(), 1000);
    assert_eq!(page.settled(), [(oldest, Word::Dropped)]);
    assert_eq!(page.reported(), [Word::Full]);
}

#[test]
fn among_orders_alone_the_oldest_goes_and_bytes_count_too() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let large = Event {
        bytes: 400_000,
        ..ORDERED
    };
    let oldest = page.add(large);
    page.add(large);
    page.add(large);
    assert_eq!(page.settled(), [(oldest, Word::Dropped)]);
    assert_eq!(browser.events(), 2);
}

#[test]
fn what_is_stored_beyond_the_outboxs_room_is_left_for_later() {
    let browser = Browser::default();
    let mut other = Page::started(&browser);
    other.add(PLAIN);
    let mut page = Page::started(&browser);
    for _ in 0..1000 {
        page.add(PLAIN);
    }
    page.now_ms += LEASE_MS;
    page.look();
    let left = |effect| matches!(effect, Effect::Leave { .. }).then_some(());
    assert_eq!(page.all(left), [()]);
    assert_eq!(browser.events(), 1001);
}

#[test]
fn an_event_is_given_up_after_seven_days() {
    let browser = Browser::default();
    Page::started(&browser).add(PLAIN);
    let mut later = Page::started(&browser);
    later.now_ms += MAX_AGE_MS;
    later.look();
    assert_eq!(later.sent().len(), 1);
    let mut too_late = Page::started(&browser);
    too_late.now_ms += MAX_AGE_MS + 1.0;
    too_late.look();
    assert!(too_late.sent().is_empty());
    assert_eq!(too_late.reported(), [Word::Expired]);
    assert_eq!(browser.events(), 0);
}
