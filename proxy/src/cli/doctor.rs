//! `duet-proxy doctor`: is everything in place? One line each, with what to do where it is not.

use std::{iter, path::Path, sync::Arc};

use anyhow::Result;
use clap::{Arg, Command};
use duet_events::{EventId, EventName, Page, Properties, User, event::Event};
use duet_proxy::{
    clock,
    config::{Config, Origin, Problem, clerk::KeySource, settings::SETTINGS},
    control,
    identity::clerk::Clerk,
    queue,
    tiktok::{Client, Reply, body},
};

use super::{Failure, serve::on_this_thread};

/// A clock that is off by more than this puts events outside TikTok's windows.
const CLOCK_SLACK_MS: i64 = 60_000;
/// The code of the test event where none is configured. It is not counted, whatever the code.
const TEST_CODE: &str = "TEST00000";

/// The command and the flag it has beside the settings.
pub(super) fn command() -> Command {
    Command::new("doctor")
        .about("Checks settings, store, clock, token and pixel; sends TikTok one test event")
        .args(SETTINGS.iter().map(super::argument))
        .arg(
            Arg::new("test-event-code")
                .long("test-event-code")
                .value_name("CODE")
                .help("The code from Events Manager > Test Events, to see the event arrive there"),
        )
}

/// Prints its findings and fails where one of them is a problem.
pub(super) fn run(
    test_event_code: Option<&str>,
    config: Result<Config, Vec<Problem>>,
) -> Result<(), Failure> {
    let config = match config {
        Ok(config) => config,
        Err(problems) => {
            for problem in &problems {
                say("settings", &Err(problem.to_string()));
            }
            return Err(Failure::Said(vec![
                "the settings have to be mended first".to_owned(),
            ]));
        }
    };
    let healthy = on_this_thread(async {
        let (token, clock) = ask_tiktok(&config, test_event_code).await?;
        let findings = [
            (
                "settings",
                Ok(format!(
                    "pixel {}, events to {}",
                    config.tiktok.pixel_id.as_str(),
                    config.tiktok.api_base
                )),
            ),
            ("store", store(&config.data_dir).await),
            ("token and pixel", token),
            ("clock", clock),
            ("test traffic", test_traffic(&config)),
            ("clerk", clerk(&config).await?),
            ("customers' addresses", Ok(addresses(&config))),
        ];
        for (what, finding) in &findings {
            say(what, finding);
        }
        Ok(findings.iter().all(|(_, finding)| finding.is_ok()))
    })?;
    if healthy {
        Ok(())
    } else {
        Err(Failure::Said(vec!["not everything is in place".to_owned()]))
    }
}

/// What was found, or what is wrong and what to do about it.
type Finding = Result<String, String>;

async fn store(folder: &Path) -> Finding {
    let name = folder.display();
    if std::os::unix::net::UnixStream::connect(control::socket(folder)).is_ok() {
        return Ok(format!("{name} is in use by a running proxy"));
    }
    match queue::open(folder, 0, std::sync::Arc::default()) {
        Ok((intake, _, letters)) => {
            let dead = letters
                .newest(1000)
                .map_err(|error| error.to_string())?
                .len();
            intake.close().await;
            Ok(format!(
                "{name} is writable; {} events wait, {dead} dead letters",
                intake.depth()
            ))
        }
        Err(error) => Err(format!(
            "{name}: {error}; DUET_DATA_DIR names a folder that the proxy's user can write to"
        )),
    }
}

async fn ask_tiktok(config: &Config, test_event_code: Option<&str>) -> Result<(Finding, Finding)> {
    let configured = config.tiktok.test.as_ref().map(|test| test.code.as_str());
    let code = test_event_code.or(configured).unwrap_or(TEST_CODE);
    let client = Client::new(&config.tiktok.api_base, &config.tiktok.access_token)?;
    let (reply, tiktoks_time) = client.track(test_event(config, code)?).await;
    let token = match reply {
        Reply::Taken(_) | Reply::TakenInPart { .. } => Ok(format!(
            "TikTok took a test event (code {code}); it is not counted"
        )),
        Reply::Barred(verdict) => Err(format!(
            "TikTok refuses: {verdict}; make a new token in Events Manager > pixel > Settings, and check that the pixel is the token's"
        )),
        Reply::Refused { verdict, .. } | Reply::Unclear(verdict) => {
            Err(format!("TikTok refuses the test event: {verdict}"))
        }
        Reply::Throttled(verdict) | Reply::Later(verdict) => Err(format!(
            "TikTok is busy: {verdict}; try again in some minutes"
        )),
        Reply::Unreachable(trouble) => Err(format!(
            "{trouble}; can this machine reach {}?",
            config.tiktok.api_base
        )),
    };
    let clock = match tiktoks_time {
        None => Err("TikTok did not say what time it is".to_owned()),
        Some(theirs) => {
            let ahead_ms = clock::now_ms() - theirs;
            let said = format!("{} s from TikTok's", ahead_ms / 1000);
            if ahead_ms.abs() > CLOCK_SLACK_MS {
                Err(format!("{said}; set the clock, with NTP for example"))
            } else {
                Ok(said)
            }
        }
    };
    Ok((token, clock))
}

/// The body of a request with one event that is not counted.
fn test_event(config: &Config, code: &str) -> Result<Vec<u8>> {
    let now_ms = clock::now_ms();
    let valid = |broken: duet_events::Invalid| anyhow::anyhow!("{}", broken.message);
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|_| anyhow::anyhow!("the system has no random numbers"))?;
    let event = Event {
        name: EventName::parse("DuetDoctor").map_err(valid)?,
        id: EventId::from_random(random),
        time: now_ms / 1000,
        user: User {
            external_id: vec![duet_events::hash::external_id("duet-doctor").map_err(valid)?],
            ..User::default()
        },
        page: Page::default(),
        properties: Properties::default(),
        limited_data_use: false,
    };
    let event = serde_json::to_vec(&event)?;
    let pixel_id = config.tiktok.pixel_id.as_str();
    Ok(body(pixel_id, Some(code), iter::once(event.as_slice())))
}

fn test_traffic(config: &Config) -> Finding {
    match &config.tiktok.test {
        None => Ok("off: everything is counted".to_owned()),
        Some(test) if test.code_at(clock::now_ms()).is_none() => {
            Ok("over: everything is counted".to_owned())
        }
        Some(test) => Err(format!(
            "ALL traffic is test traffic (code {}); remove TIKTOK_TEST_EVENT_CODE for real traffic",
            test.code
        )),
    }
}

async fn clerk(config: &Config) -> Result<Finding> {
    let Some(settings) = &config.clerk else {
        return Ok(Ok(
            "off: there is no CLERK_PUBLISHABLE_KEY or CLERK_ISSUER".to_owned()
        ));
    };
    let issuer = &settings.rules.issuer;
    let parties = settings.rules.authorized_parties.iter();
    let parties: Vec<_> = parties.map(Origin::as_str).collect();
    let keys = match (
        &settings.keys,
        Clerk::new(settings, Arc::default())?.load().await,
    ) {
        (KeySource::Fixed(_), _) => "the key of CLERK_JWT_KEY".to_owned(),
        (KeySource::Url(_), Ok(keys)) => format!("{keys} of its keys loaded"),
        (KeySource::Url(url), Err(error)) => {
            return Ok(Err(format!(
                "the keys of {issuer}: {error}; can this machine reach {url}? If not, set CLERK_JWT_KEY"
            )));
        }
    };
    Ok(Ok(format!(
        "{issuer}, {keys}; sessions from {}",
        parties.join(", ")
    )))
}

fn addresses(config: &Config) -> String {
    let path = &config.server.track_path;
    format!(
        "open {path} on your shop: your_ip there has to be yours; if not, set DUET_TRUSTED_PROXIES to your web server"
    )
}

#[allow(clippy::print_stdout, reason = "this is what the command is asked for")]
fn say(what: &str, finding: &Finding) {
    match finding {
        Ok(said) => println!("ok       {what}: {said}"),
        Err(said) => println!("problem  {what}: {said}"),
    }
}
