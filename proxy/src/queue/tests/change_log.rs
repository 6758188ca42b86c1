//! Tests the entries of the change log: with which earlier start a start of the proxy is compared, and which entries name
//! their proxy.

use std::collections::BTreeMap;

use super::*;
use crate::change_log::{By, Change, Compared, Fingerprints};

fn settings(token: &str, limit: &str) -> Fingerprints {
    let limit = ("DUET_RATE_LIMIT", limit.to_owned());
    Fingerprints::of(token, &BTreeMap::from([limit]))
}

fn changes(intake: &Intake) -> Vec<Change> {
    let entries = intake.change_log().read().unwrap().entries;
    entries.into_values().map(|entry| entry.change).collect()
}

fn started(compared: Compared, settings: &[&str]) -> Change {
    Change::Started {
        version: "1.2.3".to_owned(),
        compared,
        settings: settings.iter().map(|name| (*name).to_owned()).collect(),
    }
}

#[tokio::test]
async fn each_start_is_compared_with_the_last_also_after_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for (token, limit, start) in [
        ("token", "1/1s", started(Compared::Nothing, &[])),
        ("token", "1/1s", started(Compared::Values, &[])),
        (
            "token",
            "2/1s",
            started(Compared::Values, &["DUET_RATE_LIMIT"]),
        ),
        ("other", "3/1s", started(Compared::Names, &[])),
        ("other", "3/1s", started(Compared::Values, &[])),
    ] {
        let (intake, _outlet, _letters) = reopened(folder.path()).await;
        let log = intake.change_log();
        log.started("1.2.3", &settings(token, limit)).await;
        // A command between two starts must not change how these starts are compared.
        let action = Change::LettersDropped {
            letters: 1,
            by: By::Command,
        };
        log.add(action.clone()).await;
        expected.extend([start, action]);
        assert_eq!(changes(&intake), expected);
        intake.close().await;
    }
}

#[tokio::test]
async fn an_entry_names_its_proxy_only_in_a_database_and_if_a_proxy_made_it() {
    let folder = tempfile::tempdir().unwrap();
    let (intake, _outlet, _letters) = opened(folder.path());
    let log = intake.change_log();
    log.started("1.2.3", &settings("token", "1/1s")).await;
    for by in [By::Console, By::Command] {
        let change = Change::LettersReplayed { letters: 1, by };
        log.add(change).await;
    }
    let entries = log.read().unwrap().entries;
    let this = is_on_postgres().then_some(0);
    let proxies: Vec<_> = entries.values().map(|entry| entry.proxy).collect();
    assert_eq!(proxies, [this, this, None]);
}
