//! The settings of the console.

use std::net::{IpAddr, SocketAddr};

use super::{reader::Reader, settings};
use crate::secret::ConsoleToken;

/// The console's own address, and who can open it.
#[derive(Clone, Debug)]
pub struct Console {
    /// `DUET_CONSOLE_LISTEN`.
    pub listen: SocketAddr,
    /// `DUET_CONSOLE_HOST`: host names of the console in addition to the loopback names, in lower case.
    pub hosts: Vec<String>,
    /// Who can open the console.
    pub access: Access,
}

/// Who can open the console.
#[derive(Clone, Debug)]
pub enum Access {
    /// `DUET_CONSOLE_TOKEN`: a caller that has this token.
    Token(ConsoleToken),
    /// Every program on this machine. `duet-proxy dev` uses this.
    ThisMachine,
}

impl Console {
    /// Returns the console of `duet-proxy dev`, which needs no token.
    pub fn for_this_machine(listen: SocketAddr) -> Self {
        Self {
            listen,
            hosts: Vec::new(),
            access: Access::ThisMachine,
        }
    }

    /// Returns whether the console answers requests for this host. `host` can have a port.
    pub fn answers(&self, host: &str) -> bool {
        let name = without_port(host);
        is_loopback(host)
            || self
                .hosts
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// Returns whether `host` is a name of this machine's loopback interface. `host` can have a port.
pub fn is_loopback(host: &str) -> bool {
    let name = without_port(host);
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let address = bare.unwrap_or(name).parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

pub(super) fn read(reader: &mut Reader<'_>, events: Option<SocketAddr>) -> Option<Console> {
    let token = reader.secret(
        "DUET_CONSOLE_TOKEN",
        ConsoleToken::new,
        "must have at least 16 characters",
    );
    let listen = reader.parsed("DUET_CONSOLE_LISTEN", listen);
    let hosts = reader.list("DUET_CONSOLE_HOST", host);
    let (token, listen) = (token?, listen?);
    if events == Some(listen) && listen.port() != 0 {
        reader.problem(
            "DUET_CONSOLE_LISTEN",
            "must differ from DUET_LISTEN; otherwise every script on the shop's pages could read the console",
        );
    }
    Some(Console {
        listen,
        hosts,
        access: Access::Token(token),
    })
}

/// Reads `DUET_CONSOLE_LISTEN`, or its default.
///
/// # Errors
/// A message for the operator.
pub fn listen(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "must be an address and a port, such as 127.0.0.1:8789")
}

/// Returns the default of `DUET_CONSOLE_LISTEN`.
pub fn default_listen() -> Option<SocketAddr> {
    listen(settings::default_of("DUET_CONSOLE_LISTEN")?).ok()
}

fn host(text: &str) -> Result<String, &'static str> {
    let is_name = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    let is_plain = is_name || text.parse::<IpAddr>().is_ok();
    is_plain
        .then(|| text.to_ascii_lowercase())
        .ok_or("must be host names without scheme and port, such as console.shop.example")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::config::{Config, Problem};

    fn with(pairs: &[(&str, &str)]) -> Result<Option<Console>, Vec<Problem>> {
        let required = [
            ("TIKTOK_PIXEL_ID", "C4A1B2C3D4E5F6G7H8I9"),
            ("TIKTOK_ACCESS_TOKEN", "canary-token"),
        ];
        let map: HashMap<_, _> = required.iter().chain(pairs).copied().collect();
        let config = Config::read(|name| map.get(name).map(|value| (*value).to_owned()));
        config.map(|config| config.console)
    }

    const TOKEN: (&str, &str) = ("DUET_CONSOLE_TOKEN", "canary-token-of-the-console");

    #[test]
    fn a_token_opens_the_console_on_loopback() {
        assert!(with(&[]).unwrap().is_none());
        assert!(
            with(&[("DUET_CONSOLE_LISTEN", "127.0.0.1:9000")])
                .unwrap()
                .is_none()
        );
        let console = with(&[TOKEN]).unwrap().unwrap();
        assert_eq!(console.listen.to_string(), "127.0.0.1:8789");
        assert!(console.hosts.is_empty());
    }

    #[test]
    fn the_console_answers_for_its_own_hosts_only() {
        let host = ("DUET_CONSOLE_HOST", "Console.Shop.Example, 192.0.2.7");
        let console = with(&[TOKEN, host]).unwrap().unwrap();
        for host in [
            "localhost",
            "LOCALHOST:8789",
            "127.0.0.1:8789",
            "127.9.9.9",
            "[::1]:8789",
            "[::1]",
            "console.shop.example",
            "CONSOLE.shop.example:443",
            "192.0.2.7:8789",
        ] {
            assert!(console.answers(host), "{host}");
        }
        for host in [
            "",
            "shop.example",
            "console.shop.example.evil.example",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "192.0.2.8",
            "0.0.0.0:8789",
            "localhost:8789@evil.example",
        ] {
            assert!(!console.answers(host), "{host}");
        }
    }

    #[test]
    fn unusable_settings_are_named() {
        for (pairs, setting) in [
            (
                &[("DUET_CONSOLE_TOKEN", "too-short")][..],
                "DUET_CONSOLE_TOKEN",
            ),
            (
                &[TOKEN, ("DUET_CONSOLE_LISTEN", "8789")],
                "DUET_CONSOLE_LISTEN",
            ),
            (
                &[TOKEN, ("DUET_CONSOLE_LISTEN", "127.0.0.1:8787")],
                "DUET_CONSOLE_LISTEN",
            ),
            (
                &[TOKEN, ("DUET_CONSOLE_HOST", "https://console.shop.example")],
                "DUET_CONSOLE_HOST",
            ),
        ] {
            let problems = with(pairs).unwrap_err();
            let named: Vec<_> = problems.iter().map(|problem| problem.setting).collect();
            assert_eq!(named, [setting], "{pairs:?}");
            assert!(!format!("{problems:?}").contains("too-short"));
        }
    }
}
