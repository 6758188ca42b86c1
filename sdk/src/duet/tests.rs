//! Pages, tabs and a proxy, as far as this module can tell: calls in, effects out.

mod page;

use page::{Browser, DENIED, GRANTED, PENDING, Page, Track};

use crate::{
    duet::kind,
    record::{LEASE_MS, VERDICT_MS},
};

fn search() -> Track<'static> {
    Track::of("Search")
}

fn paid() -> Track<'static> {
    Track {
        order_id: "A1",
        ..Track::of("Purchase")
    }
}

#[test]
fn both_legs_carry_one_id() {
    let mut page = Page::started(&Browser::default());
    let id = page.track(&search());
    assert!(
        page.tells("pixel"),
        "the page fires it under what is answered"
    );
    page.pixel("fired");
    let body = page.sent_body();
    assert!(body.contains(&format!(r#""event_id":"{id}""#)), "{body}");
    assert!(body.contains(r#""pixel":"fired""#), "{body}");
}

#[test]
fn an_event_is_stored_before_it_is_sent() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    page.track(&search());
    assert_eq!(browser.events(), 1);
    assert_eq!(page.told("post"), [] as [Vec<&str>; 0]);
}

#[test]
fn the_proxys_copy_waits_for_the_pixel_but_not_for_long() {
    let mut page = Page::started(&Browser::default());
    page.track(&search());
    assert_eq!(page.told("wake"), [[VERDICT_MS.to_string()]]);
    page.now_ms += VERDICT_MS - 1;
    page.happens(kind::WAKE);
    assert!(!page.tells("post"));
    page.now_ms += 1;
    page.happens(kind::WAKE);
    assert!(!page.sent_body().contains(r#""pixel""#));
}

#[test]
fn events_that_wait_go_out_together() {
    let mut page = Page::started(&Browser::default());
    for _ in 0..3 {
        page.track(&search());
    }
    page.pixel("blocked");
    assert_eq!(page.told("post").len(), 1);
    assert_eq!(page.sent_body().matches(r#""event":"Search""#).count(), 3);
}

#[test]
fn a_request_holds_at_most_100_events_and_32_kib() {
    let mut page = Page::started(&Browser::default());
    for _ in 0..150 {
        page.track(&search());
    }
    let long = "X".repeat(10_000);
    for _ in 0..2 {
        // The name stands in the body twice: as it is stored, and as the pixel it is for.
        page.track(&Track {
            pixel_ids: &long,
            ..search()
        });
    }
    page.pixel("fired");
    let posts = page.told("post");
    let counts: Vec<_> = posts
        .iter()
        .map(|post| post[2].matches(r#""event":"Search""#).count())
        .collect();
    assert_eq!(counts.iter().sum::<usize>(), 152);
    assert!(counts.iter().all(|count| *count <= 100), "{counts:?}");
    assert!(posts.iter().all(|post| post[2].len() <= 32 << 10));
}

#[test]
fn an_accepted_event_leaves_the_outbox_and_its_caller_hears_of_it() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let id = page.track(&search());
    page.pixel("fired");
    page.answer(0, 202, &[&[&id, "accepted", "", "[]"]]);
    assert_eq!(page.told("settle"), [vec!["1", &id, "accepted", "", "[]"]]);
    assert_eq!(browser.events(), 0);
}

#[test]
fn a_refused_order_may_be_reported_again_once_it_is_right() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let id = page.track(&paid());
    page.pixel("fired");
    page.answer(0, 422, &[&[&id, "invalid", "[{}]", ""]]);
    assert_eq!(page.told("settle"), [vec!["1", &id, "invalid", "[{}]", ""]]);
    assert_eq!(page.told("error")[0][0], "invalid");
    assert_eq!(
        browser.keys(),
        ["duet:ttclid"],
        "neither the event nor its mark"
    );
}

#[test]
fn an_answer_that_names_no_event_settles_none() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let id = page.track(&search());
    page.pixel("fired");
    page.answer(0, 202, &[&["another", "accepted"]]);
    assert_eq!(page.told("settle"), [vec!["1", &id, "queued"]]);
    assert_eq!(browser.events(), 1);
}

#[test]
fn a_failed_event_is_tried_again_under_the_lock() {
    let mut page = Page::started(&Browser::default());
    page.track(&search());
    page.pixel("fired");
    page.answer(0, 503, &[]);
    let wait_ms = page.told("wake")[0][0].parse::<u64>().unwrap();
    assert!(!page.tells("adopt"));
    page.now_ms += wait_ms;
    page.happens(kind::WAKE);
    assert!(page.tells("adopt") && !page.tells("post"));
    page.adopt();
    assert_eq!(page.told("post").len(), 1);
}

#[test]
fn a_pause_the_proxy_asks_for_holds_for_every_tab_and_every_event() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    page.track(&search());
    page.pixel("fired");
    page.answer_after(0, 429, 60_000);
    page.now_ms += 59_000;
    page.happens(kind::HURRY);
    page.adopt();
    assert!(!page.tells("post"));
    page.track(&search());
    assert_eq!(page.told("settle")[0][2], "queued");

    let mut other = Page::started(&browser);
    other.now_ms = page.now_ms;
    other.adopt();
    assert!(!other.tells("post"));
    other.now_ms += 1000;
    other.adopt();
    assert!(other.tells("post"));
}

#[test]
fn where_one_event_may_have_spoilt_a_request_each_goes_alone() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let ids = [page.track(&search()), page.track(&search())];
    page.pixel("fired");
    page.answer(0, 400, &[]);
    assert!(page.tells("adopt") && !page.tells("settle"));
    page.adopt();
    assert!(page.sent_body().contains(&ids[0]) && !page.sent_body().contains(&ids[1]));
    page.answer(1, 400, &[]);
    assert_eq!(page.told("settle"), [vec!["1", &ids[0], "dropped", ""]]);
    page.adopt();
    page.answer(2, 202, &[&[&ids[1], "accepted"]]);
    assert_eq!(browser.events(), 0);
}

#[test]
fn a_page_that_is_left_sends_all_it_has() {
    let mut page = Page::started(&Browser::default());
    page.track(&search());
    page.pixel("fired");
    page.answer(0, 0, &[]);
    page.track(&search());
    page.happens(kind::LEAVE);
    assert_eq!(page.sent_body().matches(r#""event":"Search""#).count(), 2);
    assert_eq!(page.told("post")[0][1], "1");
}

#[test]
fn what_a_closed_page_left_behind_is_sent_by_the_next() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let id = page.track(&search());
    let mut next = Page::started(&browser);
    next.adopt();
    assert!(
        !next.tells("post"),
        "the page that made it may still send it"
    );
    assert_eq!(next.told("wake"), [[LEASE_MS.to_string()]]);
    next.now_ms += LEASE_MS;
    next.happens(kind::WAKE);
    assert!(next.tells("adopt"));
    next.adopt();
    assert!(next.sent_body().contains(&id));
}

#[test]
fn what_another_tab_settled_is_not_sent_again() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let id = page.track(&search());
    page.pixel("fired");
    page.answer(0, 0, &[]);
    let mut other = Page::started(&browser);
    other.now_ms += LEASE_MS;
    other.adopt();
    other.answer(0, 202, &[&[&id, "accepted"]]);
    page.now_ms += LEASE_MS;
    page.adopt();
    assert!(!page.tells("post"));
    assert_eq!(page.told("settle"), [vec!["1", &id, "accepted"]]);
}

#[test]
fn an_event_of_an_order_is_fired_once_on_each_leg_of_this_browser() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let id = page.track(&Track {
        server: false,
        ..paid()
    });
    assert!(page.tells("pixel") && page.told("settle")[0][2] == "off");
    let mut reloaded = Page::started(&browser);
    assert_eq!(reloaded.track(&paid()), id);
    assert!(!reloaded.tells("pixel"), "the Pixel has had it");
    assert!(reloaded.tells("wake"), "the proxy has not");
    assert_eq!(reloaded.track(&paid()), id);
    assert_eq!(reloaded.told("settle"), [vec!["2", &id, "duplicate"]]);
}

#[test]
fn calls_before_init_are_replayed_in_order_with_their_ids() {
    let mut page = Page::new(&Browser::default());
    page.identify("test@example.com");
    let ids = [page.track(&search()), page.track(&paid())];
    assert!(!page.tells("pixel") && !page.tells("write"));
    page.init(GRANTED);
    let answered: Vec<_> = page
        .told("answer")
        .into_iter()
        .map(|answer| answer[0])
        .collect();
    assert_eq!(answered, ids);
    assert_eq!(page.told("pixel").len(), 2);
    assert!(page.tells("write"));
    page.pixel("fired");
    assert_eq!(page.sent_body().matches(r#""email":"973dfe46"#).count(), 2);
}

#[test]
fn nothing_is_stored_or_sent_before_consent() {
    let browser = Browser::default();
    let mut page = Page::new(&browser);
    page.init(PENDING);
    page.identify("test@example.com");
    page.track(&paid());
    page.happens(kind::LEAVE);
    assert_eq!(page.effects.len(), 0, "{:?}", page.effects);
    assert_eq!(browser.keys(), [] as [String; 0]);
    page.consent(GRANTED);
    assert_eq!(browser.events(), 1);
    assert!(page.tells("open") && page.tells("cookie"));
}

#[test]
fn denied_consent_drops_everything_and_clears_this_browser() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let id = page.track(&paid());
    page.consent(DENIED);
    assert_eq!(page.told("settle"), [vec!["1", &id, "consent"]]);
    assert!(page.tells("clear"));
    assert_eq!(browser.keys(), [] as [String; 0]);
    assert_eq!(page.told("close"), [["1"]]);
    page.track(&paid());
    assert_eq!(page.told("settle")[0][2], "consent");
    assert!(!page.tells("pixel") && !page.tells("write"));
}

#[test]
fn a_choice_made_before_init_outranks_the_setting() {
    let mut page = Page::new(&Browser::default());
    page.consent(DENIED);
    page.init(GRANTED);
    assert!(!page.tells("open"));
}

#[test]
fn each_of_several_pixels_gets_its_own_copy() {
    let mut page = Page::started(&Browser::default());
    page.track(&Track {
        pixel_ids: "FIRSTPIXEL00 SECONDPIXEL0",
        ..search()
    });
    page.pixel("fired");
    let body = page.sent_body();
    assert!(body.contains(r#""pixel_id":"FIRSTPIXEL00""#), "{body}");
    assert!(body.contains(r#""pixel_id":"SECONDPIXEL0""#), "{body}");
}

#[test]
fn the_pixel_hears_of_digests_only() {
    let mut page = Page::started(&Browser::default());
    page.identify("test@example.com");
    let digest = "973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b";
    assert_eq!(page.told("identify"), [[digest, "", ""]]);
    page.track(&search());
    assert_eq!(page.told("pixel"), [[digest, "", ""]]);
}

#[test]
fn a_wrong_name_is_reported_and_nothing_goes_out() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let id = page.track(&Track::of("viewcontent"));
    assert_eq!(page.told("settle")[0][..3], ["1", &id, "invalid"]);
    assert!(page.told("settle")[0][3].starts_with(r#"[{"field":"event","rule":"event_name""#));
    assert_eq!(page.told("error")[0][0], "event_name");
    assert!(!page.tells("pixel"));
    assert_eq!(browser.events(), 0);
}

#[test]
fn a_wrong_id_is_replaced_and_reported() {
    let mut page = Page::started(&Browser::default());
    let id = page.track(&Track {
        event_id: "two words",
        ..search()
    });
    assert_ne!(id, "two words");
    assert_eq!(page.told("error")[0][2], "eventId");
}

#[test]
fn a_full_outbox_drops_its_oldest_event_without_an_order() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    let order = page.track(&paid());
    let oldest = page.track(&search());
    for _ in 2..1000 {
        page.track(&search());
    }
    assert_eq!(browser.events(), 1000);
    page.track(&search());
    assert_eq!(browser.events(), 1000);
    let settled = page.told("settle");
    assert_eq!(settled, [vec!["2", &oldest, "dropped"]]);
    assert_ne!(order, oldest);
}

#[test]
fn an_event_is_given_up_after_seven_days() {
    let browser = Browser::default();
    let mut page = Page::started(&browser);
    page.track(&search());
    let mut later = Page::started(&browser);
    later.now_ms += 7 * 86_400_000;
    later.adopt();
    assert!(later.tells("post"));
    let mut too_late = Page::started(&browser);
    too_late.now_ms += 7 * 86_400_000 + 1;
    too_late.adopt();
    assert!(!too_late.tells("post"));
    assert_eq!(too_late.told("error")[0][0], "expired");
    assert_eq!(browser.events(), 0);
}
