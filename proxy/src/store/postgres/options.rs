//! The address of a database, as `DUET_QUEUE` states it.

use std::{net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use tokio_postgres::config::{Config, Host, SslMode, TargetSessionAttrs};

/// How long one host may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// How long sent data may stay unanswered by the other machine.
const UNANSWERED: Duration = Duration::from_secs(5);

/// The address of a database, how to connect to it, and where the database keeps a second copy of its data.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address as it was stated, without the part after the question mark.
    pub(super) address: String,
    pub(super) config: Config,
    pub(super) tls: Tls,
    pub(super) replication: Replication,
}

/// How a connection is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    /// Without encryption.
    Off,
    /// TLS, with the root certificates of the system.
    System,
    /// TLS, with the root certificates in this file.
    File(PathBuf),
}

/// Where the second copy of a commit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replication {
    /// On a synchronous standby, whose answer the commit waits for.
    Standby,
    /// In a storage service that replicates the data without PostgreSQL's knowledge.
    Storage,
    /// There is no second copy.
    None,
}

impl Options {
    /// Sets the password of the connections.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.config.password(password);
        self
    }

    /// Returns whether data leaves this machine without encryption.
    pub fn is_open_to_the_network(&self) -> bool {
        self.tls == Tls::Off && !is_local(&self.config)
    }

    /// Returns whether the data of a commit is on one disk only.
    pub fn is_without_a_second_copy(&self) -> bool {
        self.replication == Replication::None
    }
}

impl FromStr for Options {
    type Err = &'static str;

    /// Reads `postgres://user@host1,host2/database?…`. The errors repeat no part of the text, because the text may
    /// contain a password.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let mut replication = Replication::Standby;
        let mut roots = None;
        let mut mode = None;
        let mut others = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("replication", "storage") => replication = Replication::Storage,
                ("replication", "none") => replication = Replication::None,
                ("replication", _) => return Err("replication= must be storage or none"),
                ("sslrootcert", path) => {
                    let path = percent_encoding::percent_decode_str(path).decode_utf8();
                    roots = Some(PathBuf::from(&*path.map_err(|_| NOT_AN_ADDRESS)?));
                }
                ("sslmode", "disable") => mode = Some(false),
                ("sslmode", "require" | "verify-full") => mode = Some(true),
                ("sslmode", _) => return Err("sslmode= must be disable or verify-full"),
                _ => others.push(pair),
            }
        }
        let mut config: Config = [address, "?", &others.join("&")]
            .concat()
            .trim_end_matches('?')
            .parse()
            .map_err(|_| NOT_AN_ADDRESS)?;
        if config.get_password().is_some() {
            return Err(
                "must not contain a password: set DUET_QUEUE_PASSWORD or DUET_QUEUE_PASSWORD_FILE",
            );
        }
        if config.get_hosts().is_empty()
            || config.get_user().is_none()
            || config.get_dbname().is_none()
        {
            return Err(NOT_AN_ADDRESS);
        }
        let is_encrypted = mode.unwrap_or(roots.is_some() || !is_local(&config));
        let tls = match (is_encrypted, roots) {
            (false, None) => Tls::Off,
            (false, Some(_)) => {
                return Err("sslrootcert= must not be set together with sslmode=disable");
            }
            (true, None) => Tls::System,
            (true, Some(roots)) => Tls::File(roots),
        };
        config.ssl_mode(if is_encrypted {
            SslMode::Require
        } else {
            SslMode::Disable
        });
        // A standby accepts connections too, but accepts no writes.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.application_name("duet-proxy");
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNANSWERED);
        }
        Ok(Self {
            address: address.to_owned(),
            config,
            tls,
            replication,
        })
    }
}

const NOT_AN_ADDRESS: &str = "must be disk, or postgres://user@host/database";

/// Returns whether all hosts are this machine.
fn is_local(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            let address = name.parse::<IpAddr>();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Options, &'static str> {
        text.parse()
    }

    #[test]
    fn tls_is_required_off_the_machine_and_not_on_it() {
        for (address, tls) in [
            ("postgres://duet@127.0.0.1,[::1]/shop", Tls::Off),
            ("postgres://duet@localhost:5433/shop", Tls::Off),
            ("postgres://duet@%2Frun%2Fpostgresql/shop", Tls::Off),
            ("postgres://duet@10.0.0.1,127.0.0.1/shop", Tls::System),
            ("postgres://duet@db.example/shop", Tls::System),
            (
                "postgres://duet@db.example/shop?sslmode=require",
                Tls::System,
            ),
            ("postgres://duet@db.example/shop?sslmode=disable", Tls::Off),
            (
                "postgres://duet@db.example/shop?sslrootcert=%2Fetc%2Froots.pem",
                Tls::File(PathBuf::from("/etc/roots.pem")),
            ),
        ] {
            assert_eq!(read(address).unwrap().tls, tls, "{address}");
        }
        assert!(
            read("postgres://duet@db.example/shop?sslmode=disable")
                .unwrap()
                .is_open_to_the_network()
        );
    }

    #[test]
    fn what_is_refused_is_named_without_the_address() {
        for (address, word) in [
            (
                "postgres://duet:hidden@db.example/shop",
                "DUET_QUEUE_PASSWORD",
            ),
            (
                "postgres://duet@db.example/shop?password=hidden",
                "DUET_QUEUE_PASSWORD",
            ),
            ("postgres://duet@db.example/shop?sslmode=prefer", "sslmode"),
            (
                "postgres://duet@db.example/shop?replication=maybe",
                "replication",
            ),
            ("postgres://duet@db.example/shop?unknown=1", "postgres://"),
            ("postgres://db.example/shop", "postgres://"),
            ("postgres://duet@/shop", "postgres://"),
            ("postgres://duet@db.example", "postgres://"),
            ("mysql://duet@db.example/shop", "postgres://"),
        ] {
            let rule = read(address).map(drop).unwrap_err();
            assert!(rule.contains(word), "{address}: {rule}");
            assert!(!rule.contains("hidden"), "{rule}");
        }
    }

    #[test]
    fn several_hosts_and_the_place_of_the_second_copy_are_read() {
        let options =
            read("postgres://duet@a.example,b.example:5433/shop?replication=storage").unwrap();
        assert_eq!(options.config.get_hosts().len(), 2);
        assert_eq!(options.replication, Replication::Storage);
        assert!(!options.is_without_a_second_copy());
        let options =
            read("postgres://duet@a.example/shop?replication=none&connect_timeout=7").unwrap();
        assert!(options.is_without_a_second_copy());
        assert_eq!(
            options.config.get_connect_timeout(),
            Some(&Duration::from_secs(7))
        );
    }
}
