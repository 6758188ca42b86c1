use std::{
    collections::{BTreeSet, HashMap},
    fs,
};

use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
    let map: HashMap<_, _> = pairs.iter().copied().collect();
    Config::read(|name| map.get(name).map(|value| (*value).to_owned()))
}

const MINIMAL: [(&str, &str); 2] = [
    ("TIKTOK_PIXEL_ID", "C4A1B2C3D4E5F6G7H8I9"),
    ("TIKTOK_ACCESS_TOKEN", "canary-token"),
];

pub(super) fn with(more: &[(&'static str, &'static str)]) -> Result<Config, Vec<Problem>> {
    read(&[&MINIMAL, more].concat())
}

#[test]
fn two_settings_are_enough() {
    let config = with(&[]).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8787");
    assert_eq!(config.server.track_path, "/api/analytics/tiktok/track");
    assert_eq!(config.tiktok.api_base, "https://business-api.tiktok.com");
    assert_eq!(config.delivery.batch_events, 1000);
    assert!(config.country.is_none() && config.server.server_key.is_none());
}

#[test]
fn the_replaced_systems_name_for_the_pixel_works() {
    let config = read(&[
        ("NEXT_PUBLIC_TIKTOK_PIXEL_ID", "C4A1B2C3D4E5F6G7H8I9"),
        MINIMAL[1],
    ]);
    assert_eq!(
        config.unwrap().tiktok.pixels.first().id.as_str(),
        "C4A1B2C3D4E5F6G7H8I9"
    );
}

#[test]
fn every_problem_is_reported_at_once() {
    let problems = read(&[
        ("TIKTOK_PIXEL_ID", "';alert(1)//"),
        ("DUET_LISTEN", "8787"),
        ("DUET_TRACK_PATH", "collect"),
        ("DUET_ALLOWED_ORIGINS", "https://shop.example, *"),
        ("DUET_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("DUET_RATE_LIMIT", "many"),
        ("DUET_SERVER_KEY", "short"),
        ("DUET_COUNTRY", "Vietnam"),
        ("DUET_MONEY_EVENTS", "sometimes"),
        ("DUET_QUEUE", "kafka"),
        ("DUET_BATCH_EVENTS", "1001"),
        ("TIKTOK_API_BASE", "tiktok"),
        ("DUET_LOG", "duet_proxy=loud"),
        ("DUET_LOG_FORMAT", "xml"),
        ("TIKTOK_TEST_EVENT_UNTIL", "2026-12-31T18:00:00+07:00"),
    ])
    .unwrap_err();
    let named: Vec<_> = problems.iter().map(|problem| problem.setting).collect();
    let expected = [
        "TIKTOK_PIXEL_ID",
        "TIKTOK_ACCESS_TOKEN",
        "TIKTOK_API_BASE",
        "TIKTOK_TEST_EVENT_UNTIL",
        "DUET_BATCH_EVENTS",
        "DUET_LISTEN",
        "DUET_TRACK_PATH",
        "DUET_ALLOWED_ORIGINS",
        "DUET_TRUSTED_PROXIES",
        "DUET_RATE_LIMIT",
        "DUET_SERVER_KEY",
        "DUET_COUNTRY",
        "DUET_QUEUE",
        "DUET_MONEY_EVENTS",
        "DUET_LOG",
        "DUET_LOG_FORMAT",
    ];
    assert_eq!(named, expected);
}

#[test]
fn a_secret_comes_from_a_file_and_never_shows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    fs::write(&path, "canary-token\n").unwrap();
    let path = path.to_str().unwrap();
    let config = read(&[MINIMAL[0], ("TIKTOK_ACCESS_TOKEN_FILE", path)]).unwrap();
    let token = &config.tiktok.pixels.first().access_token;
    assert_eq!(token.expose(), "canary-token");
    assert!(!format!("{config:?}").contains("canary"));

    let both = read(&[MINIMAL[0], MINIMAL[1], ("TIKTOK_ACCESS_TOKEN_FILE", path)]).unwrap_err();
    assert_eq!(both.len(), 1);
    assert!(!both[0].message.contains("canary"));
    let gone = read(&[MINIMAL[0], ("TIKTOK_ACCESS_TOKEN_FILE", "/nowhere")]).unwrap_err();
    assert_eq!((gone.len(), gone[0].setting), (1, "TIKTOK_ACCESS_TOKEN"));
}

#[test]
fn a_value_has_no_quotes_and_blanks_around_it_do_not_count() {
    for quoted in [
        "\"VN\"",
        "'VN'",
        "`VN`",
        "“VN”",
        "„VN“",
        "‘VN’",
        "«VN»",
        "\"\"",
        " \"VN\"\n",
    ] {
        let problems = with(&[("DUET_COUNTRY", quoted)]).unwrap_err();
        assert_eq!(problems.len(), 1, "{quoted}");
        assert!(problems[0].message.contains("quotes"), "{problems:?}");
    }
    let config = with(&[
        ("DUET_COUNTRY", "VN\r"),
        ("DUET_LISTEN", "\t127.0.0.1:1\n"),
        ("DUET_SERVER_KEY", " an-'odd'-key-of-\"16\" \n"),
        ("DUET_DATA_DIR", " /srv/a b "),
    ]);
    let config = config.unwrap();
    assert!(config.country.is_some());
    assert_eq!(config.server.listen.port(), 1);
    assert_eq!(config.data_dir, PathBuf::from("/srv/a b"));
    let key = config.server.server_key.unwrap();
    assert!(key.matches("an-'odd'-key-of-\"16\""));
    let unreadable = with(&[("DUET_DATA_DIR", "/srv/\u{fffd}")]).unwrap_err();
    assert_eq!(unreadable[0].setting, "DUET_DATA_DIR");
}

#[test]
fn a_secret_in_a_file_is_read_as_editors_write_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    for (written, is_read) in [
        ("a-server-key-of-some-length", true),
        ("a-server-key-of-some-length\r\n", true),
        ("\u{feff}a-server-key-of-some-length\n", true),
        ("\"a-server-key-of-some-length\"\n", false),
        ("\n", false),
    ] {
        fs::write(&path, written).unwrap();
        let file = path.to_str().unwrap().to_owned();
        let pairs = [MINIMAL[0], MINIMAL[1], ("DUET_SERVER_KEY_FILE", &file)];
        let key = read(&pairs).map(|config| config.server.server_key.unwrap());
        let matches = key.is_ok_and(|key| key.matches("a-server-key-of-some-length"));
        assert_eq!(matches, is_read, "{written:?}");
    }
}

#[test]
fn the_number_of_a_pixel_is_not_its_code() {
    let number = read(&[("TIKTOK_PIXEL_ID", "7211234567890123456"), MINIMAL[1]]).unwrap_err();
    assert_eq!((number.len(), number[0].setting), (1, "TIKTOK_PIXEL_ID"));
    assert!(number[0].message.contains("number of the pixel"));
}

#[test]
fn a_start_names_variables_that_are_nearly_settings_beside_every_other_problem() {
    let lookup = |name: &str| {
        let pair = MINIMAL.iter().find(|(known, _)| *known == name);
        pair.map(|(_, value)| (*value).to_owned())
    };
    assert!(Config::start(lookup, ["DUET_LISTEN", "PATH"]).is_ok());
    let alone = Config::start(lookup, ["DUET_LISTENS"]).unwrap_err();
    assert_eq!(alone.len(), 1);
    let both = Config::start(|_| None, ["DUET_LISTENS"]).unwrap_err();
    let named: Vec<_> = both.iter().map(|problem| problem.setting).collect();
    let expected = ["TIKTOK_PIXEL_ID", "TIKTOK_ACCESS_TOKEN", "DUET_LISTEN"];
    assert_eq!(named, expected);
}

#[test]
fn a_database_has_its_password_beside_it_and_never_shows_it() {
    let database = ("DUET_QUEUE", "postgres://duet@db.example/shop");
    let password = ("DUET_QUEUE_PASSWORD", "canary-password");
    assert!(with(&[]).unwrap().database.is_none());
    let config = with(&[database, password]).unwrap();
    assert!(config.database.is_some());
    assert!(!format!("{config:?}").contains("canary"));
    let written = ("DUET_QUEUE", "postgres://duet:canary@db.example/shop");
    for (wrong, setting) in [
        (vec![password], "DUET_QUEUE_PASSWORD"),
        (vec![written], "DUET_QUEUE"),
    ] {
        let problems = with(&wrong).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].setting, setting);
        assert!(!problems[0].message.contains("canary"), "{problems:?}");
    }
}

#[test]
fn what_is_set_and_has_no_effect_is_known() {
    let planned = ["OTEL_EXPORTER_OTLP_ENDPOINT"];
    let config = with(&[(planned[0], "x"), ("CLERK_ISSUER", " ")]).unwrap();
    assert_eq!(config.without_effect, planned);
    let pairs = planned.map(|name| (name, "x"));
    let lookup = |name: &str| {
        let mut pairs = pairs.iter().chain(&MINIMAL);
        let pair = pairs.find(|(known, _)| *known == name)?;
        Some(pair.1.to_owned())
    };
    let config = Config::start(lookup, planned).unwrap();
    let said: BTreeSet<_> = config.without_effect.into_iter().collect();
    assert_eq!(said, BTreeSet::from(planned));
    assert_eq!(config.unknown, []);
}

#[test]
fn a_variable_that_resembles_a_setting_is_named_whether_the_start_succeeds_or_not() {
    let lookup = |name: &str| {
        let pair = MINIMAL.iter().find(|(known, _)| *known == name);
        pair.map(|(_, value)| (*value).to_owned())
    };
    let config = Config::start(lookup, ["DUET_TRUSTED_PROXY", "PATH"]).unwrap();
    let named: Vec<_> = config
        .unknown
        .iter()
        .map(|problem| problem.setting)
        .collect();
    assert_eq!(named, ["DUET_TRUSTED_PROXIES"]);
    let problems = Config::start(
        |name| lookup(name).filter(|_| name == "TIKTOK_PIXEL_ID"),
        ["TIKTOK_TOKEN"],
    );
    let named: Vec<_> = problems
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(named.len(), 2);
    assert!(
        named[0].contains("TIKTOK_ACCESS_TOKEN: is required"),
        "{named:?}"
    );
    assert!(named[1].contains("TIKTOK_TOKEN is set"), "{named:?}");
}

#[test]
fn a_secret_has_no_quote_at_one_end() {
    for (token, end) in [
        ("\"canary-token", Some("beginning")),
        ("canary-token\"", Some("end")),
        ("'canary-token", Some("beginning")),
        ("canary-token'\n", Some("end")),
        ("“canary-token", Some("beginning")),
        ("canary-token»", Some("end")),
        ("canary-'token'", None),
        ("canary\"token", None),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, token).unwrap();
        let file = ("TIKTOK_ACCESS_TOKEN_FILE", path.to_str().unwrap());
        for given in [("TIKTOK_ACCESS_TOKEN", token), file] {
            let read = read(&[MINIMAL[0], given]);
            let Some(end) = end else {
                assert!(read.is_ok(), "{token}");
                continue;
            };
            let problems = read.unwrap_err();
            assert_eq!(problems.len(), 1, "{problems:?}");
            let message = &problems[0].message;
            assert!(
                message.contains("quote") && message.contains(end),
                "{message}"
            );
            assert!(!message.contains("canary"));
        }
    }
}

#[test]
fn a_problem_says_what_must_hold_and_what_came() {
    for (setting, value, said) in [
        (
            "DUET_BATCH_EVENTS",
            "1001",
            "must be a number from 1 to 1000, got 1001",
        ),
        (
            "DUET_LISTEN",
            "8787",
            "must be an address and a port, such as 127.0.0.1:8787, got 8787",
        ),
        (
            "DUET_MONEY_EVENTS",
            "sometimes",
            "must be verified or open, got sometimes",
        ),
        ("CLERK_ALLOW_MISSING_AZP", "", ""),
        (
            "CLERK_ALLOW_MISSING_AZP",
            "yes",
            "must be true or false, got yes",
        ),
        (
            "CLERK_CLOCK_SKEW_S",
            "61",
            "must be a number of seconds from 0 to 60, got 61",
        ),
        // The message must not repeat the value, because the value may be a secret that belongs to another setting.
        (
            "DUET_COUNTRY",
            "hunter2-hunter2",
            "must be an ISO 3166 code of two letters, such as VN, got 15 characters",
        ),
    ] {
        let problems = with(&[(setting, value)]).err().unwrap_or_default();
        let messages: Vec<_> = problems.iter().map(|problem| &problem.message).collect();
        let expected = [said.to_owned()];
        assert_eq!(
            messages,
            expected
                .iter()
                .filter(|said| !said.is_empty())
                .collect::<Vec<_>>()
        );
    }
}

#[test]
fn test_mode_ends_by_itself() {
    let config = with(&[
        ("TIKTOK_TEST_EVENT_CODE", "TEST123"),
        ("TIKTOK_TEST_EVENT_UNTIL", "1970-01-01T00:00:10Z"),
    ]);
    let test = config.unwrap().tiktok.pixels.first().test.clone().unwrap();
    assert_eq!(test.code_at(9_999), Some("TEST123"));
    assert_eq!(test.code_at(10_000), None);
}

#[test]
fn the_example_file_lists_every_setting_as_it_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../.env.example");
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        settings::env_example(),
        ".env.example must be the text of settings::env_example()"
    );
}

#[test]
fn the_fingerprints_name_every_value_that_differs_and_contain_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let key_file = file.display().to_string();
    let given = |key: &str, more: &[(&'static str, &str)]| {
        fs::write(&file, key).unwrap();
        let key_file = [("DUET_SERVER_KEY_FILE", key_file.as_str())];
        read(&[&MINIMAL[..], &key_file, more].concat())
            .unwrap()
            .fingerprints
    };
    let key = "canary-key-0123456789";
    let before = given(key, &[("DUET_RATE_LIMIT", "7/1m")]);
    let differ = |now: &Fingerprints| now.since(Some(&before)).1;
    // White space around a value does not belong to the value.
    let same = given(&format!("{key}\n"), &[("DUET_RATE_LIMIT", " 7/1m")]);
    assert_eq!(differ(&same), [""; 0]);
    for (key, more, expected) in [
        (
            "canary-key-9876543210",
            &[("DUET_RATE_LIMIT", "7/1m")][..],
            &["DUET_SERVER_KEY"][..],
        ),
        (
            key,
            &[("DUET_RATE_LIMIT", "8/1m"), ("DUET_COUNTRY", "VN")],
            &["DUET_COUNTRY", "DUET_RATE_LIMIT"],
        ),
        (key, &[("DUET_RATE_LIMIT", "")], &["DUET_RATE_LIMIT"]),
    ] {
        assert_eq!(differ(&given(key, more)), expected);
    }
    let stored = serde_json::to_string(&before).unwrap();
    assert!(stored.contains("DUET_SERVER_KEY"), "{stored}");
    for value in ["canary", "7/1m", key_file.as_str()] {
        assert!(!stored.contains(value), "{stored}");
    }
}
