//! `duet-proxy doctor`: checks the whole set-up. Prints one line for each check, with what to do if the check fails.

use std::{iter, sync::Arc};

use anyhow::Result;
use clap::{Arg, Command};
use duet_events::{EventId, EventName, Page, Properties, User, event::Event};
use duet_proxy::{
    clock,
    config::{Config, Origin, Pixel, Pixels, Problem, clerk::KeySource, settings::SETTINGS},
    identity::clerk::Clerk,
    tiktok::{Client, Reply, body},
};

use super::{Failure, serve::on_this_thread};

mod store;

/// If the machine's clock differs from TikTok's time by more than this, events can be outside TikTok's time windows.
const CLOCK_SLACK_MS: i64 = 60_000;
/// The test event code that is used if none is configured. TikTok counts no event that has a test event code, whatever the
/// code is, so this code need not exist.
const TEST_CODE: &str = "TEST00000";

/// Returns the command. Its arguments are all settings and one more flag.
pub(super) fn command() -> Command {
    Command::new("doctor")
        .about("Checks settings, store, clock, token and pixel; sends TikTok one test event")
        .args(SETTINGS.iter().map(super::argument))
        .arg(
            Arg::new("test-event-code")
                .long("test-event-code")
                .value_name("CODE")
                .help("The test event code from Events Manager > Test Events, where TikTok then shows the event"),
        )
}

/// Prints the findings. Fails if one of the findings is a problem.
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
                "correct the settings, then run doctor again for the other checks".to_owned(),
            ]));
        }
    };
    let healthy = on_this_thread(async {
        let mut findings = vec![
            ("settings".to_owned(), Ok(settings(&config))),
            ("variables".to_owned(), variables(&config)),
            ("store".to_owned(), store::check(&config).await),
        ];
        let pixels = &config.tiktok.pixels;
        let mut clock = None;
        for pixel in pixels.iter() {
            let (token, ahead) = ask_tiktok(&config, pixel, test_event_code).await?;
            findings.push((of_pixel("token and pixel", pixel, pixels), token));
            // Every answer from TikTok states the time, so one answer with a good time is enough for the check of the clock.
            clock = clock.filter(Finding::is_ok).or(Some(ahead));
        }
        findings.extend(clock.map(|clock| ("clock".to_owned(), clock)));
        for pixel in pixels.iter() {
            findings.push((of_pixel("test traffic", pixel, pixels), test_traffic(pixel)));
        }
        findings.push(("clerk".to_owned(), clerk(&config).await?));
        findings.push(("customers' addresses".to_owned(), Ok(addresses(&config))));
        for (what, finding) in &findings {
            say(what, finding);
        }
        Ok(findings.iter().all(|(_, finding)| finding.is_ok()))
    })?;
    if healthy {
        Ok(())
    } else {
        Err(Failure::Said(vec!["some checks have failed".to_owned()]))
    }
}

/// The result of a check: the good state in words, or an error that contains the problem and what to do about it.
type Finding = Result<String, String>;

/// Returns the title of a line. The title includes the pixel's code if there are several pixels.
fn of_pixel(what: &str, pixel: &Pixel, pixels: &Pixels) -> String {
    match pixels.iter().count() {
        1 => what.to_owned(),
        _ => format!("{what} {}", pixel.id.as_str()),
    }
}

fn settings(config: &Config) -> String {
    let ids: Vec<_> = config
        .tiktok
        .pixels
        .iter()
        .map(|pixel| pixel.id.as_str())
        .collect();
    let (word, ids) = (
        if ids.len() == 1 { "pixel" } else { "pixels" },
        ids.join(" "),
    );
    format!("{word} {ids}, events to {}", config.tiktok.api_base)
}

/// Checks for variables that look like settings but have no effect.
fn variables(config: &Config) -> Finding {
    let unknown = config.unknown.iter().map(|problem| problem.message.clone());
    let without_effect = config.without_effect.iter();
    let idle = without_effect
        .map(|name| format!("{name} is set, but has no effect in this version yet; remove it"));
    let found: Vec<_> = unknown.chain(idle).collect();
    if found.is_empty() {
        Ok("every variable that looks like a setting is a setting".to_owned())
    } else {
        Err(found.join(". "))
    }
}

async fn ask_tiktok(
    config: &Config,
    pixel: &Pixel,
    test_event_code: Option<&str>,
) -> Result<(Finding, Finding)> {
    let configured = pixel.test.as_ref().map(|test| test.code.as_str());
    let code = test_event_code.or(configured).unwrap_or(TEST_CODE);
    let client = Client::new(&config.tiktok.api_base)?;
    let event = test_event(pixel.id.as_str(), code)?;
    let (reply, tiktoks_time) = client.track(&pixel.access_token, event).await;
    let token = match reply {
        Reply::Taken(_) | Reply::TakenInPart { .. } => Ok(format!(
            "TikTok accepted a test event (code {code}), which TikTok does not count"
        )),
        Reply::Barred(verdict) => Err(format!(
            "TikTok refuses the token: {verdict}; make a new token in Events Manager > pixel > Settings, and check that the token belongs to this pixel"
        )),
        Reply::Refused { verdict, .. } | Reply::Unclear(verdict) => {
            Err(format!("TikTok refuses the test event: {verdict}"))
        }
        Reply::Throttled(verdict) | Reply::Later(verdict) => Err(format!(
            "TikTok is busy: {verdict}; try again in some minutes"
        )),
        Reply::Unreachable(trouble) => Err(format!(
            "{trouble}; check that this machine can reach {}",
            config.tiktok.api_base
        )),
    };
    let clock = match tiktoks_time {
        None => Err(
            "no answer of TikTok stated the time, so this machine's clock was not checked"
                .to_owned(),
        ),
        Some(theirs) => {
            let ahead_ms = clock::now_ms() - theirs;
            let said = format!(
                "this machine's clock differs from TikTok's time by {} s",
                ahead_ms / 1000
            );
            if ahead_ms.abs() > CLOCK_SLACK_MS {
                Err(format!(
                    "{said}; set this machine's clock to the right time, with NTP for example"
                ))
            } else {
                Ok(said)
            }
        }
    };
    Ok((token, clock))
}

/// Returns the body of a request with one test event, which TikTok does not count.
fn test_event(pixel_id: &str, code: &str) -> Result<Vec<u8>> {
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
    Ok(body(pixel_id, Some(code), iter::once(event.as_slice())))
}

fn test_traffic(pixel: &Pixel) -> Finding {
    match &pixel.test {
        None => Ok("off: TikTok counts all events".to_owned()),
        Some(test) if test.code_at(clock::now_ms()).is_none() => {
            Ok("ended: TikTok counts all events".to_owned())
        }
        Some(test) => Err(format!(
            "ALL traffic is test traffic (code {}); for real traffic, remove TIKTOK_TEST_EVENT_CODE, or test_event_code in DUET_PIXELS_FILE",
            test.code
        )),
    }
}

async fn clerk(config: &Config) -> Result<Finding> {
    let Some(settings) = &config.clerk else {
        return Ok(Ok(
            "off: neither CLERK_PUBLISHABLE_KEY nor CLERK_ISSUER is set".to_owned(),
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
        (KeySource::Url(_), Ok(keys)) => format!("public keys loaded: {keys}"),
        (KeySource::Url(url), Err(error)) => {
            return Ok(Err(format!(
                "the public keys of {issuer} cannot be loaded: {error}; check that this machine can reach {url}, or set CLERK_JWT_KEY"
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
        "open {path} on your shop: your_ip in the answer must be your own address; if not, set DUET_TRUSTED_PROXIES to your web server's address"
    )
}

#[allow(
    clippy::print_stdout,
    reason = "printing the findings is the purpose of the command"
)]
fn say(what: &str, finding: &Finding) {
    match finding {
        Ok(said) => println!("ok       {what}: {said}"),
        Err(said) => println!("problem  {what}: {said}"),
    }
}
