//! The commands. Every setting is a variable and a flag; a flag wins.

use std::ffi::OsString;

use clap::{Arg, ArgMatches, Command, builder::NonEmptyStringValueParser};
use duet_proxy::{
    config::{
        Config, Problem,
        settings::{SETTINGS, Setting},
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

/// Runs the command that `args` ask for. `environment` gives a variable's value.
///
/// # Errors
/// [`Failure`], to be printed by the caller.
pub(crate) fn run(
    args: impl IntoIterator<Item = OsString>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<(), Failure> {
    let matches = command()
        .try_get_matches_from(args)
        .map_err(Failure::Usage)?;
    let Some((name, matches)) = matches.subcommand() else {
        return Ok(());
    };
    let lookup = |name: &str| flag(matches, name).or_else(|| environment(name));
    let log = |name| {
        lookup(name)
            .or_else(|| duet_proxy::config::settings::default_of(name).map(str::to_owned))
            .unwrap_or_default()
    };
    let mut filter = log("DUET_LOG");
    // While a site is developed, each warning of an event is read; in service they are counted.
    if name != "dev" && !filter.contains(WARNINGS) {
        filter = format!("{filter},{WARNINGS}=off");
    }
    telemetry::init(&filter, &log("DUET_LOG_FORMAT")).map_err(|line| Failure::Said(vec![line]))?;
    match name {
        "serve" => Ok(serve::run(&Config::read(lookup)?)?),
        #[cfg(feature = "dev")]
        "dev" => dev::run(matches, lookup),
        "doctor" => doctor::run(flag(matches, "test-event-code").as_deref(), lookup),
        "openapi" => Ok(openapi::run(lookup)?),
        "healthcheck" => Ok(healthcheck::run(lookup)?),
        "dead-letters" => Ok(dead_letters::run(matches, lookup)?),
        "orders" => Ok(orders::run(matches, lookup)?),
        "payments" => Ok(payments::run(matches, lookup)?),
        _ => Ok(()),
    }
}

fn command() -> Command {
    let serve = Command::new("serve")
        .about("Takes events and delivers them to TikTok")
        .args(SETTINGS.iter().flat_map(arguments));
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
    let command = command.subcommand(dev::command().args(SETTINGS.iter().flat_map(arguments)));
    command
}

/// The flag of a setting, and for a secret the flag that names its file.
fn arguments(setting: &'static Setting) -> Vec<Arg> {
    let default = setting
        .default
        .map(|default| format!(" [default: {default}]"))
        .unwrap_or_default();
    let argument = |name: String, help: String| {
        Arg::new(name.clone())
            .long(Setting::flag_of(&name))
            .value_name("VALUE")
            .value_parser(NonEmptyStringValueParser::new())
            .help(help)
    };
    let mut arguments = vec![argument(
        setting.name.to_owned(),
        format!("{}{default} [variable: {}]", setting.help, setting.name),
    )];
    if setting.secret {
        let name = format!("{}_FILE", setting.name);
        arguments.push(argument(
            name.clone(),
            format!("The file that holds it. [variable: {name}]"),
        ));
    }
    arguments
}

/// Asks by name, of which the command line may know more or less than the settings do.
fn flag(matches: &ArgMatches, name: &str) -> Option<String> {
    matches.try_get_one::<String>(name).ok().flatten().cloned()
}
