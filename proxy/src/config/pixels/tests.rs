use std::{
    collections::HashMap,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use tempfile::TempDir;

use crate::{
    change_log::Compared,
    config::{Config, Origins, Pixels, Problem, TikTok},
};

const A: &str = "CAAAAAAAAAAAAAAAAAAA";
const B: &str = "CBBBBBBBBBBBBBBBBBBB";

/// A folder with a pixels file, two token files, and the files that a test adds.
struct Folder(TempDir);

impl Folder {
    fn new(pixels: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("pixels.toml", pixels, 0o644);
        folder.write("a.token", "token-a\n", 0o600);
        folder.write("b.token", "\u{feff} token-b \n", 0o640);
        folder
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn read(&self, more: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
        let file = self.path("pixels.toml");
        let mut map = HashMap::from([("DUET_PIXELS_FILE", file.as_str())]);
        map.extend(more.iter().copied());
        Config::read(|name| map.get(name).map(|value| (*value).to_owned()))
    }

    fn problems(&self, more: &[(&str, &str)]) -> Vec<String> {
        let problems = self.read(more).unwrap_err();
        let place = format!("{}: ", self.path("pixels.toml"));
        let text = |problem: Problem| problem.to_string().replace(&place, "");
        problems.into_iter().map(text).collect()
    }
}

fn two() -> String {
    format!(
        r#"
        [[pixels]]
        pixel_id = "{A}"
        access_token_file = "a.token"
        origins = ["https://a.example", "https://Both.example:443/"]

        [[pixels]]
        pixel_id = "{B}"
        access_token_file = "b.token"
        origins = ["https://both.example"]
        test_event_code = "TEST1"
        "#
    )
}

fn listed(pixels: &Pixels) -> Vec<(&str, &str, Option<&str>)> {
    pixels
        .iter()
        .map(|pixel| {
            let code = pixel.test.as_ref().map(|test| test.code.as_str());
            (pixel.id.as_str(), pixel.access_token.expose(), code)
        })
        .collect()
}

#[test]
fn a_file_of_pixels_is_enough() {
    let folder = Folder::new(&two());
    let config = folder.read(&[]).unwrap();
    let pixels = &config.tiktok.pixels;
    assert_eq!(
        listed(pixels),
        [(A, "token-a", None), (B, "token-b", Some("TEST1"))]
    );
    let origins: Vec<_> = pixels
        .origins()
        .map(crate::config::Origin::as_str)
        .collect();
    assert_eq!(
        origins,
        [
            "https://a.example",
            "https://both.example",
            "https://both.example"
        ]
    );
    assert!(!format!("{config:?}").contains("token-"));
}

#[test]
fn the_pixel_of_the_variables_is_the_first() {
    let folder = Folder::new(&two());
    let other = "C4A1B2C3D4E5F6G7H8I9";
    let config = folder.read(&[("TIKTOK_PIXEL_ID", other), ("TIKTOK_ACCESS_TOKEN", "own")]);
    let pixels = config.unwrap().tiktok.pixels;
    assert_eq!(listed(&pixels)[0], (other, "own", None));
    assert_eq!(pixels.iter().count(), 3);
    assert!(matches!(pixels.first().origins, Origins::Allowed));

    // If the pixels file also lists the pixel that the variables name, the token in the file is used.
    for token in [&[][..], &[("TIKTOK_ACCESS_TOKEN", "old")]] {
        let given = [&[("TIKTOK_PIXEL_ID", B)], token].concat();
        let pixels = folder.read(&given).unwrap().tiktok.pixels;
        assert_eq!(
            listed(&pixels),
            [(B, "token-b", Some("TEST1")), (A, "token-a", None)]
        );
    }
    assert_eq!(
        folder.problems(&[("TIKTOK_PIXEL_ID", other)]),
        ["TIKTOK_ACCESS_TOKEN: is required but not set"]
    );
}

#[test]
fn the_test_event_code_of_the_variables_is_for_pixels_without_their_own() {
    let config = Folder::new(&two()).read(&[("TIKTOK_TEST_EVENT_CODE", "TEST9")]);
    let pixels = config.unwrap().tiktok.pixels;
    assert_eq!(
        listed(&pixels),
        [(A, "token-a", Some("TEST9")), (B, "token-b", Some("TEST1"))]
    );
}

#[test]
fn every_problem_of_the_file_names_file_pixel_and_key_at_once() {
    let folder = Folder::new(&format!(
        r#"
        shop = "x"
        [[pixels]]
        pixel_id = "{A}"
        access_token = "canary"
        access_token_file = "gone.token"
        origins = "https://a.example"
        [[pixels]]
        pixel_id = "{A}"
        access_token_file = "open.token"
        origins = ["https://a.example/path", 5]
        test_event_code = "TEST 1"
        [[pixels]]
        pixel_id = "7211234567890123456"
        access_token_file = "empty.token"
        [[pixels]]
        access_token_file = "quoted.token"
        test_event_code = 7
        "#
    ));
    folder.write("open.token", "token", 0o644);
    folder.write("empty.token", " \n", 0o600);
    folder.write("quoted.token", "\"token\"", 0o600);
    let said = folder.problems(&[]);
    let expected = [
        "TOP must have [[pixels]] tables and nothing else, got shop".to_owned(),
        format!("pixel {A}: access_token is not a key of a pixel; the keys are pixel_id, access_token_file, origins, test_event_code"),
        format!("pixel {A}: access_token_file must name a file that the proxy can read; "),
        format!("pixel {A}: origins must be an array of strings, such as [\"https://shop.example\"], got string"),
        format!("pixel {A}: pixel_id must differ in each table, but an earlier table has the same pixel_id"),
        format!("pixel {A}: access_token_file must name a file that other users cannot read; run chmod o-r "),
        format!("pixel {A}: origins must be a list of scheme://host without paths, such as https://shop.example, got 22 characters"),
        format!("pixel {A}: origins must be an array of strings, got integer"),
        format!("pixel {A}: test_event_code must be 1 to 64 printable ASCII characters without spaces, as Events Manager shows it"),
        "pixel 3: pixel_id must be the pixel code, such as C4A1B2C3D4E5F6G7H8I9, but this is the number of the pixel".to_owned(),
        "pixel 3: access_token_file must name a file that contains the token, got an empty file: ".to_owned(),
        "pixel 4: pixel_id is required but not set".to_owned(),
        "pixel 4: access_token_file must name a file that contains only the token: printable ASCII without spaces and quotes: ".to_owned(),
        "pixel 4: test_event_code must be a string, got integer".to_owned(),
    ];
    let file = folder.path("pixels.toml");
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        let expected = expected.replace("TOP", &file);
        assert!(
            said.starts_with(&format!("DUET_PIXELS_FILE: {expected}")),
            "{said}"
        );
    }
    assert!(!said.concat().contains("canary"));
}

#[test]
fn a_file_that_is_no_list_of_pixels_is_a_problem() {
    for (text, said) in [
        ("", "must list at least one pixel"),
        ("pixels = 5", "must list at least one pixel"),
        ("pixels = [5]", "pixel 1 must be a table"),
        ("\n[[pixels]\n", "must be TOML; line 2: "),
    ] {
        let problems = Folder::new(text).problems(&[]);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(said), "{}", problems[0]);
    }
    let folder = Folder::new("");
    fs::remove_file(folder.path("pixels.toml")).unwrap();
    let problems = folder.problems(&[("TIKTOK_PIXEL_ID", A)]);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("cannot be read"));
}

#[test]
fn a_token_file_may_stand_anywhere() {
    let elsewhere = Folder::new("");
    let absolute = two().replace("b.token", &elsewhere.path("b.token"));
    let folder = Folder::new(&absolute);
    fs::remove_file(folder.path("b.token")).unwrap();
    let pixels = folder.read(&[]).unwrap().tiktok.pixels;
    assert_eq!(listed(&pixels)[1].1, "token-b");
}

#[test]
fn a_reading_of_the_pixels_alone_finds_the_same_problems() {
    let folder = Folder::new(&two());
    let file = folder.path("pixels.toml");
    let lookup = |name: &str| (name == "DUET_PIXELS_FILE").then(|| file.clone());
    assert_eq!(listed(&TikTok::reload(lookup).unwrap()).len(), 2);
    folder.write("a.token", "", 0o600);
    let problems = TikTok::reload(lookup).unwrap_err();
    assert!(problems[0].message.contains("got an empty file"));
}

#[test]
fn the_fingerprints_change_with_the_file_and_with_each_token() {
    let folder = Folder::new(&two());
    let read = || folder.read(&[]).unwrap().fingerprints;
    let before = read();
    let differ = || read().since(Some(&before));
    assert_eq!(differ(), (Compared::Values, Vec::new()));
    folder.write("b.token", "another-token", 0o600);
    let file = vec!["DUET_PIXELS_FILE".to_owned()];
    assert_eq!(differ(), (Compared::Values, file));
    // The fingerprints are keyed with the first pixel's token. With another token, only the names of settings can be compared.
    folder.write("a.token", "another-token", 0o600);
    assert_eq!(differ(), (Compared::Names, Vec::new()));
}
