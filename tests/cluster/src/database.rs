//! The primary and its standby, and the actions of a database manager when a server ends.

use anyhow::{Context as _, Result};
use duet_tests::Server;
use tokio::{sync::watch, task::spawn_blocking, time::sleep};

use crate::LOOK_EVERY;

/// Two servers with the same data.
pub(crate) struct Database {
    primary: Server,
    /// `None` while a new standby is made.
    standby: Option<Server>,
    /// The port for the next standby: the port of the server that is not the primary.
    port: u16,
}

impl Database {
    pub(crate) fn start() -> Result<Self> {
        let primary = Server::start()?;
        let standby = primary.standby()?;
        Ok(Self {
            primary,
            port: standby.port(),
            standby: Some(standby),
        })
    }

    /// Returns the proxies' setting for the database. The setting names both servers, because either server can be the primary.
    pub(crate) fn setting(&self) -> Result<String> {
        let standby = self.standby.as_ref().context("the standby must run")?;
        Ok(self.primary.setting_with(standby, "shop"))
    }

    /// Returns a line about each server, with the command that kills it.
    pub(crate) fn lines(&self) -> Result<Vec<String>> {
        let named = [
            ("primary", Some(&self.primary)),
            ("standby", self.standby.as_ref()),
        ];
        let lines = named.into_iter().filter_map(|(name, server)| {
            let server = server?;
            let line = |id| format!("{name}    port {}   kill -9 {id}", server.port());
            Some(server.process().map(line))
        });
        lines.collect()
    }

    /// Checks the servers again and again, and replaces or restarts a server that has ended. Returns when the sender of
    /// `stopped` is dropped.
    pub(crate) async fn keep(self, mut stopped: watch::Receiver<()>) -> Result<Self> {
        let mut database = self;
        loop {
            tokio::select! {
                _ = stopped.changed() => return Ok(database),
                () = sleep(LOOK_EVERY) => {}
            }
            database = spawn_blocking(|| database.repaired()).await??;
        }
    }

    fn repaired(mut self) -> Result<Self> {
        if let Some(standby) = &mut self.standby
            && !standby.is_running()?
        {
            println!("the standby has ended; every commit waits until a new standby runs");
            self.standby = None;
        }
        if !self.primary.is_running()? {
            self.primary.kill()?;
            if let Some(standby) = self.standby.take() {
                println!("the primary has ended; its standby becomes the primary");
                standby.promote()?;
                self.port = self.primary.port();
                self.primary = standby;
            } else {
                println!("the primary has ended, and no standby runs; the primary starts again");
                self.primary.run()?;
            }
        }
        if self.standby.is_none() {
            self.add_standby()?;
        }
        Ok(self)
    }

    /// Adds a new standby, a copy of the primary, at the port of the server that has ended.
    fn add_standby(&mut self) -> Result<()> {
        match self.primary.standby_at(self.port) {
            Ok(standby) => self.standby = Some(standby),
            // The primary ended while the copy was made. The next check starts the primary again.
            Err(_) if !self.primary.is_running()? => return Ok(()),
            Err(error) => return Err(error),
        }
        for line in self.lines()? {
            println!("{line}");
        }
        Ok(())
    }
}
