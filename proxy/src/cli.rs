//! The commands. Every setting is a variable and a flag; a flag wins.

use std::{collections::BTreeMap, ffi::OsString};

use clap::{Arg, ArgMatches, Command, builder::NonEmptyStringValueParser};
use duet_proxy::{
    config::{
        Config, Problem,
        settings::{SETTINGS, Setting, default_of},
    },
    telemetry::{self, WARNINGS},
};

mod access;
mod dead_letters;
#[cfg(feature = "dev")]
mod dev;
mod doctor;
mod healthcheck;
mod openapi;
mod orders;
mod payments;
mod serve;

/// Why a command did not do what it was asked.
pub(crate) enum Failure {
    /// The words on the command line are off.
    Usage(clap::Error),
    /// Anything else, one line each.
    Said(Vec<String>),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Said(vec![format!("{error:#}")])
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Said(problems.iter().map(ToString::to_string).collect())
    }
}

/// Runs the command that `args` ask for, with the variables of `environment`.
///
/// # Errors
/// [`Failure`], to be printed by the caller.
pub(crate) fn run(
    args: impl IntoIterator<Item = OsString>,
    environment: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let matches = command()
        .try_get_matches_from(args)
        .map_err(Failure::Usage)?;
    let Some((name, matches)) = matches.subcommand() else {
        return Ok(());
    };
    // An empty variable is an absent one, and every command reads one value alike.
    let lookup = |name: &str| {
        let text = flag(matches, name).or_else(|| environment.get(name).cloned())?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let names = || environment.keys().map(String::as_str);
    match name {
        "serve" => {
            let config = Config::start(lookup, names())?;
            log(name, lookup)?;
            Ok(serve::run(&config)?)
        }
        "doctor" => {
            let config = Config::start(lookup, names());
            if config.is_ok() {
                log(name, lookup)?;
            }
            doctor::run(flag(matches, "test-event-code").as_deref(), config)
        }
        #[cfg(feature = "dev")]
        "dev" => {
            log(name, lookup)?;
            dev::run(matches, lookup, names())
        }
        _ => {
            log(name, lookup)?;
            Ok(match name {
                "openapi" => openapi::run(lookup),
                "healthcheck" => healthcheck::run(lookup),
                "dead-letters" => dead_letters::run(matches, lookup),
                "orders" => orders::run(matches, lookup),
                "payments" => payments::run(matches, lookup),
                _ => Ok(()),
            }?)
        }
    }
}

/// Starts logging as the settings say, for the command `name`.
fn log(name: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<(), Failure> {
    let given = |name| {
        let usual = || default_of(name).map(str::to_owned);
        lookup(name).or_else(usual).unwrap_or_default()
    };
    let problem =
        |setting| move |message: &str| Failure::Said(vec![format!("{setting}: {message}")]);
    let mut filter = given("DUET_LOG");
    // While a site is developed, each warning of an event is read; in service they are counted.
    if name != "dev" && !filter.contains(WARNINGS) {
        filter = format!("{filter},{WARNINGS}=off");
    }
    let filter = telemetry::filter(&filter).map_err(problem("DUET_LOG"))?;
    let format = given("DUET_LOG_FORMAT");
    let format = telemetry::Format::read(&format).map_err(problem("DUET_LOG_FORMAT"))?;
    telemetry::init(filter, format);
    Ok(())
}

fn command() -> Command {
    let serve = Command::new("serve")
        .about("Takes events and delivers them to TikTok")
        .args(SETTINGS.iter().map(argument));
    let command = Command::new("duet-proxy")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Takes events from pages and servers, keeps them on disk, delivers them to TikTok's Events API")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(serve)
        .subcommand(doctor::command())
        .subcommand(dead_letters::command())
        .subcommand(orders::command())
        .subcommand(payments::command())
        .subcommand(healthcheck::command())
        .subcommand(openapi::command());
    #[cfg(feature = "dev")]
    let command = command.subcommand(dev::command().args(SETTINGS.iter().map(argument)));
    command
}

/// The flag of a setting. That of a secret names its file: the words of a command line are for every user of the
/// machine to read.
fn argument(setting: &'static Setting) -> Arg {
    let default = setting
        .default
        .map(|default| format!(" [default: {default}]"))
        .unwrap_or_default();
    let (name, help) = if setting.secret {
        let name = format!("{}_FILE", setting.name);
        let help = format!(
            "The file that holds it: {} [variable: {name}, or the secret itself in {}]",
            setting.help, setting.name
        );
        (name, help)
    } else {
        let name = setting.name.to_owned();
        let help = format!("{}{default} [variable: {name}]", setting.help);
        (name, help)
    };
    Arg::new(name.clone())
        .long(Setting::flag_of(&name))
        .value_name(if setting.secret { "FILE" } else { "VALUE" })
        .value_parser(NonEmptyStringValueParser::new())
        .help(help)
}

/// Asks by name, of which the command line may know more or less than the settings do.
fn flag(matches: &ArgMatches, name: &str) -> Option<String> {
    matches.try_get_one::<String>(name).ok().flatten().cloned()
}
