//! The commands of the binary. Every setting can be given as a variable or as a flag. The flag takes precedence.

use std::{collections::BTreeMap, ffi::OsString, path::Path};

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
#[cfg(feature = "manual")]
mod manual;
mod moving;
mod openapi;
mod orders;
#[cfg(target_os = "linux")]
mod owner;
mod payments;
mod serve;
mod version;
mod why;

/// The commands that do not open the data directory.
#[cfg(target_os = "linux")]
const WITHOUT_STORE: [&str; 3] = ["healthcheck", "manual", "openapi"];

/// Why a command failed.
pub(crate) enum Failure {
    /// The command line has an error.
    Usage(clap::Error),
    /// Any other error, with one line for each problem.
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

/// Runs the command in `args`, with the variables in `environment`.
///
/// # Errors
/// [`Failure`], which the caller prints.
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
    // An empty variable counts as not set. Every command removes white space around a value.
    let lookup = |name: &str| {
        let text = flag(matches, name).or_else(|| environment.get(name).cloned())?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let names = || environment.keys().map(String::as_str);
    #[cfg(target_os = "linux")]
    if !WITHOUT_STORE.contains(&name) {
        owner::act_as_owner(Path::new(&given(lookup, "DUET_DATA_DIR")))?;
    }
    match name {
        "serve" => {
            let config = Config::start(lookup, names())?;
            log(name, lookup)?;
            Ok(serve::run(&config, lookup)?)
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
        #[cfg(feature = "manual")]
        "manual" => Ok(manual::run(matches)?),
        _ => {
            log(name, lookup)?;
            Ok(match name {
                "openapi" => openapi::run(lookup),
                "healthcheck" => healthcheck::run(lookup),
                "dead-letters" => dead_letters::run(matches, lookup),
                "orders" => orders::run(matches, lookup),
                "payments" => payments::run(matches, lookup),
                "why" => why::run(matches, lookup),
                "move" => moving::run(matches, lookup),
                _ => Ok(()),
            }?)
        }
    }
}

/// Returns the value of a setting, or its default if it is not set.
fn given(lookup: impl Fn(&str) -> Option<String>, name: &str) -> String {
    let usual = || default_of(name).map(str::to_owned);
    lookup(name).or_else(usual).unwrap_or_default()
}

/// Starts logging for the command `name`, as the settings say.
fn log(name: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<(), Failure> {
    let given = |name| given(&lookup, name);
    let problem =
        |setting| move |message: &str| Failure::Said(vec![format!("{setting}: {message}")]);
    let mut filter = given("DUET_LOG");
    // `dev` logs each warning about an event, because a developer reads the log. `serve` only counts the warnings.
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
    let of_few_builds: &[fn() -> Command] = &[
        #[cfg(feature = "manual")]
        manual::command,
    ];
    public_command().subcommands(of_few_builds.iter().map(|command| command()))
}

/// Returns the command line with all commands except `manual`.
fn public_command() -> Command {
    let serve = Command::new("serve")
        .about("Accepts events and delivers them to TikTok")
        .args(SETTINGS.iter().map(argument));
    let command = Command::new("duet-proxy")
        .version(version::version())
        .about("Accepts events from pages and servers, stores them on disk, and delivers them to TikTok's Events API")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(serve)
        .subcommand(doctor::command())
        .subcommand(dead_letters::command())
        .subcommand(orders::command())
        .subcommand(payments::command())
        .subcommand(why::command())
        .subcommand(moving::command())
        .subcommand(healthcheck::command())
        .subcommand(openapi::command());
    #[cfg(feature = "dev")]
    let command = command.subcommand(dev::command().args(SETTINGS.iter().map(argument)));
    command
}

/// Returns the flag of a setting. The flag of a secret names a file, because every user of the machine can read a command line.
fn argument(setting: &'static Setting) -> Arg {
    let default = setting
        .default
        .map(|default| format!(" [default: {default}]"))
        .unwrap_or_default();
    let (name, help) = if setting.secret {
        let name = format!("{}_FILE", setting.name);
        let help = format!(
            "The file that contains this secret: {} [variable: {name}, or the secret itself in {}]",
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

/// Reads the flag of the setting with this name. Returns `None` if the flag is not given, or if this command does not have the
/// flag.
fn flag(matches: &ArgMatches, name: &str) -> Option<String> {
    matches.try_get_one::<String>(name).ok().flatten().cloned()
}
