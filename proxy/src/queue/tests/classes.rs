//! Tests the two classes of one destination. The events of each class have their own sequence, and both sequences survive
//! restarts.

use super::*;

fn urgent(id: &str) -> Entry<'static, serde_json::Value> {
    Entry {
        class: Class::First,
        ..entry(id)
    }
}

fn claimed(lane: &mut Lane, class: Class) -> Vec<Claimed> {
    let batch = lane.claim_of(class, ANY).unwrap();
    batch.map(|batch| batch.events).unwrap_or_default()
}

fn ids_of(lane: &mut Lane, class: Class) -> Vec<String> {
    claimed(lane, class).iter().map(id_of).collect()
}

#[tokio::test]
async fn the_first_class_is_claimed_past_all_that_waits_in_the_second() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, _letters) = opened(folder.path());
    for number in 0..100 {
        let id = number.to_string();
        intake.enqueue([entry(&id)]).await.unwrap();
    }
    let mixed = [entry("x"), urgent("a"), entry("y"), urgent("b")];
    intake.enqueue(mixed).await.unwrap();
    let mut lane = outlet.leased().await;
    assert_eq!(ids_of(&mut lane, Class::First), ["a", "b"]);
    assert_eq!(ids_of(&mut lane, Class::First), [""; 0]);
    let second = ids_of(&mut lane, Class::Second);
    assert_eq!(
        (second.len(), &second[0][..], &second[101][..]),
        (102, "0", "y")
    );
}

#[tokio::test]
async fn the_first_class_may_come_to_a_lane_that_has_only_the_second() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, _letters) = opened(folder.path());
    intake.enqueue([entry("x")]).await.unwrap();
    let mut lane = outlet.leased().await;
    let events = claimed(&mut lane, Class::Second);
    assert_eq!(ids_of(&mut lane, Class::First), [""; 0]);
    intake.enqueue([urgent("a")]).await.unwrap();
    lane.arrival(None).await;
    assert_eq!(ids_of(&mut lane, Class::First), ["a"]);
    settled(&mut lane, &events).await;
    assert_eq!(outlet.depth(), 1);
}

#[tokio::test]
async fn each_class_is_settled_for_itself_and_a_restart_keeps_what_is_left_of_both() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (intake, mut outlet, _letters) = opened(folder.path());
        let mixed = [
            entry("v"),
            urgent("a"),
            entry("w"),
            urgent("b"),
            entry("x"),
            urgent("c"),
        ];
        intake.enqueue(mixed).await.unwrap();
        intake.enqueue([urgent("d"), entry("y")]).await.unwrap();
        let mut lane = outlet.leased().await;
        let (first, second) = (
            claimed(&mut lane, Class::First),
            claimed(&mut lane, Class::Second),
        );
        settled(&mut lane, &first[1..2]).await;
        settled(&mut lane, &second[..3]).await;
        assert_eq!(outlet.depth(), 4);
        lane.rewind();
        assert_eq!(ids_of(&mut lane, Class::First), ["a", "c", "d"]);
        assert_eq!(ids_of(&mut lane, Class::Second), ["y"]);
    }
    {
        let (_intake, mut outlet, _letters) = reopened(folder.path()).await;
        let mut lane = outlet.leased().await;
        let first = claimed(&mut lane, Class::First);
        assert_eq!(first.iter().map(id_of).collect::<Vec<_>>(), ["a", "c", "d"]);
        settled(&mut lane, &first).await;
        assert_eq!(outlet.depth(), 1);
    }
    let (intake, mut outlet, _letters) = reopened(folder.path()).await;
    let again = intake.enqueue([urgent("y"), urgent("e")]).await.unwrap();
    assert_eq!(again, [Enqueued::Duplicate, Enqueued::Accepted]);
    let mut lane = outlet.leased().await;
    assert_eq!(ids_of(&mut lane, Class::Second), ["y"]);
    assert_eq!(ids_of(&mut lane, Class::First), ["e"]);
}

#[tokio::test]
async fn a_position_without_classes_is_of_the_second() {
    if is_on_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    {
        let (intake, outlet, _letters) = opened(folder.path());
        intake.enqueue([entry("x")]).await.unwrap();
        let tables = outlet.embedded();
        let position = serde_json::to_value(tables.writer().position().unwrap()).unwrap();
        let place =
            serde_json::json!({ "destination": { "pixel_id": "P" }, "waiting": 1, "head": 0 });
        assert_eq!(position["places"], serde_json::json!([place]));
        tables.set_format(4);
    }
    let (_intake, mut outlet, _letters) = reopened(folder.path()).await;
    assert_eq!(ids_of(&mut outlet.leased().await, Class::Second), ["x"]);
}

#[tokio::test]
async fn replayed_letters_are_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, mut outlet, letters) = opened(folder.path());
    intake.enqueue([urgent("a")]).await.unwrap();
    let mut lane = outlet.leased().await;
    let events = claimed(&mut lane, Class::First);
    lane.settle(&events, &Outcome::Expired, 2).await.unwrap();
    let dead = letters.newest(1).unwrap();
    letters.replay(&[dead[0].0]).await.unwrap();
    assert_eq!(ids_of(&mut lane, Class::First), [""; 0]);
    assert_eq!(ids_of(&mut lane, Class::Second), ["a"]);
}
