//! Three servers of PostgreSQL: a primary and two standbys. A commit waits until one of the standbys has stored it.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use duet_tests::Server;

const ANY: &str = "alter system set synchronous_standby_names = 'ANY 1 (*)'";
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) struct Nodes {
    primary: Server,
    standbys: Vec<Server>,
    /// The ports of all servers, in the order in which the proxies try them.
    ports: Vec<u16>,
}

impl Nodes {
    pub(super) fn start() -> Result<Self> {
        Self::of(Server::start()?)
    }

    /// Starts the primary in a folder of `parent`.
    pub(super) fn start_in(parent: &Path) -> Result<Self> {
        Self::of(Server::start_in(parent)?)
    }

    fn of(primary: Server) -> Result<Self> {
        let standbys = vec![primary.standby()?, primary.standby()?];
        let ports = standbys.iter().map(Server::port);
        let nodes = Self {
            ports: std::iter::once(primary.port()).chain(ports).collect(),
            primary,
            standbys,
        };
        nodes.settle()?;
        Ok(nodes)
    }

    pub(super) fn ports(&self) -> &[u16] {
        &self.ports
    }

    pub(super) fn primary(&self) -> &Server {
        &self.primary
    }

    pub(super) fn standbys(&self) -> &[Server] {
        &self.standbys
    }

    /// Sets the rule for standbys on all servers, because each server can become the primary. Then waits until both
    /// standbys stream.
    fn settle(&self) -> Result<()> {
        for server in std::iter::once(&self.primary).chain(&self.standbys) {
            server.sql("postgres", ANY)?;
            server.sql("postgres", "select pg_reload_conf()")?;
        }
        self.wait_for_standbys()
    }

    /// Waits until both standbys stream.
    pub(super) fn wait_for_standbys(&self) -> Result<()> {
        let begun = Instant::now();
        let streaming = "select count(*) from pg_stat_replication where state = 'streaming'";
        while self.primary.sql("postgres", streaming)?.trim() != "2" {
            ensure!(
                begun.elapsed() < PATIENCE,
                "two standbys must stream, but they did not in time"
            );
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Kills the primary and promotes the standby that has received more. The other standby follows the new primary.
    /// Returns the time at which the promotion began.
    pub(super) fn fail_over(&mut self) -> Result<Instant> {
        self.primary.kill()?;
        let mut best: Option<(u64, usize)> = None;
        for (index, standby) in self.standbys.iter().enumerate() {
            let received = "select pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0')::bigint";
            let received = standby.sql("postgres", received)?.trim().parse()?;
            best = best.max(Some((received, index)));
        }
        let (_, index) = best.context("no standby is left")?;
        let promoted = self.standbys.remove(index);
        for other in &self.standbys {
            other.follow(promoted.port())?;
        }
        let began = Instant::now();
        promoted.promote()?;
        self.standbys
            .push(std::mem::replace(&mut self.primary, promoted));
        Ok(began)
    }

    /// Replaces the killed server with a new copy of the primary, at the killed server's port.
    pub(super) fn replace(&mut self) -> Result<()> {
        let killed = self
            .standbys
            .pop()
            .context("a server must have been killed before")?;
        let port = killed.port();
        drop(killed);
        self.standbys.push(self.primary.standby_at(port)?);
        self.settle()
    }

    /// Starts the primary again if its process has ended.
    pub(super) fn revive(&mut self) -> Result<()> {
        if !self.primary.is_running()? {
            self.primary.kill()?;
            self.primary.run()?;
        }
        self.wait_for_standbys()
    }

    /// Kills all servers at once, and starts them again.
    pub(super) fn kill_all(&mut self) -> Result<()> {
        let mut servers: Vec<_> = self
            .standbys
            .iter_mut()
            .chain([&mut self.primary])
            .collect();
        for server in &mut servers {
            server.kill()?;
        }
        for server in servers {
            server.run()?;
        }
        self.wait_for_standbys()
    }
}
