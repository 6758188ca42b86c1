//! Servers of PostgreSQL on free ports, for tests. They run as an ordinary user, because PostgreSQL refuses to run as root.

use std::{
    fs,
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::stack::PATIENCE;

/// The user of the database.
const USER: &str = "duet";

/// One server, with a folder of its own. Dropping it ends the server.
pub struct Server {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl Server {
    /// Starts a server with the database `shop`. No standby has a copy of it.
    pub fn start() -> Result<Self> {
        let folder = folder()?;
        let data = folder.path().join("data");
        let made = as_a_user(program("initdb")?)
            .args(["--no-sync", "--auth=trust", "--username", USER, "-D"])
            .arg(&data)
            .output()?;
        ensure!(made.status.success(), "{}", text(&made.stderr));
        let mut settings = fs::File::options()
            .append(true)
            .open(data.join("postgresql.conf"))?;
        settings.write_all(
            b"listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 200\n\
              wal_retrieve_retry_interval = '500ms'\nlog_min_messages = fatal\n",
        )?;
        let mut server = Self::at(folder)?;
        server.run()?;
        server.create_database("shop")?;
        Ok(server)
    }

    /// Starts a standby. From then on, every commit of this server waits until a standby has it.
    pub fn standby(&self) -> Result<Self> {
        let folder = folder()?;
        let made = as_a_user(program("pg_basebackup")?)
            .args([
                "--no-sync",
                "--checkpoint=fast",
                "-R",
                "-h",
                "127.0.0.1",
                "-U",
                USER,
                "-p",
            ])
            .arg(self.port.to_string())
            .arg("-D")
            .arg(folder.path().join("data"))
            .output()?;
        ensure!(made.status.success(), "{}", text(&made.stderr));
        let mut standby = Self::at(folder)?;
        standby.run()?;
        self.sql(
            "postgres",
            "alter system set synchronous_standby_names = '*'",
        )?;
        self.sql("postgres", "select pg_reload_conf()")?;
        until("the standby is synchronous", || {
            let state = self.sql("postgres", "select sync_state from pg_stat_replication")?;
            Ok(state.trim() == "sync")
        })?;
        Ok(standby)
    }

    fn at(folder: TempDir) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        Ok(Self {
            port: listener.local_addr()?.port(),
            folder,
            process: None,
        })
    }

    /// Starts the server again, after [`Server::kill`].
    pub fn run(&mut self) -> Result<()> {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))?;
        let mut command = as_a_user(program("postgres")?);
        command
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .args(["-p", &self.port.to_string()])
            .stdout(Stdio::null())
            .stderr(log);
        self.process = Some(spawn(command)?);
        until("the server answers", || {
            Ok(self.sql("postgres", "select 1").is_ok())
        })
    }

    /// Creates an empty database.
    pub fn create_database(&self, name: &str) -> Result<()> {
        let create = format!("create database {name}");
        self.sql("postgres", &create).map(drop)
    }

    /// Runs a statement, and returns its rows as text.
    pub fn sql(&self, database: &str, statement: &str) -> Result<String> {
        let done = Command::new(program("psql")?)
            .args([
                "-h",
                "127.0.0.1",
                "-U",
                USER,
                "-qtAX",
                "-v",
                "ON_ERROR_STOP=1",
            ])
            .args([
                "-p",
                &self.port.to_string(),
                "-d",
                database,
                "-c",
                statement,
            ])
            .output()?;
        ensure!(done.status.success(), "{}", text(&done.stderr));
        Ok(text(&done.stdout))
    }

    /// Returns the port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the setting for a database of this server, without a standby.
    pub fn setting(&self, database: &str) -> String {
        let port = self.port;
        format!("postgres://{USER}@127.0.0.1:{port}/{database}?replication=none")
    }

    /// Returns the setting for a database of this server and its standby.
    pub fn setting_with(&self, standby: &Self, database: &str) -> String {
        let [one, other] = [self.port, standby.port];
        format!("postgres://{USER}@127.0.0.1:{one},127.0.0.1:{other}/{database}")
    }

    /// Ends all processes of the server at once, with SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else {
            return Ok(());
        };
        let id = process.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let children = children.unwrap_or_default();
        let ids = children.split_whitespace().map(str::to_owned);
        let ids: Vec<_> = std::iter::once(id.to_string()).chain(ids).collect();
        Command::new("kill")
            .arg("-9")
            .args(ids)
            .stderr(Stdio::null())
            .status()?;
        process.wait()?;
        Ok(())
    }

    /// Makes a standby the primary.
    pub fn promote(&self) -> Result<()> {
        self.sql("postgres", "select pg_promote()").map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that has ended needs no more.
        let _ = self.kill();
    }
}

/// Returns a folder that the user of the server owns.
fn folder() -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    if is_root()? {
        let owned = Command::new("chown")
            .arg(user())
            .arg(folder.path())
            .status()?;
        ensure!(owned.success(), "the folder cannot be given away");
    }
    Ok(folder)
}

/// Starts a server from a thread that lives as long as this process. The system ends the server when that thread ends.
fn spawn(mut command: Command) -> Result<Child> {
    let (sent, spawned) = mpsc::channel();
    thread::Builder::new().spawn(move || {
        let _ = sent.send(command.spawn());
        loop {
            thread::park();
        }
    })?;
    Ok(spawned.recv()??)
}

/// Returns a command that runs as an ordinary user, and that ends with the thread that starts it.
fn as_a_user(program: PathBuf) -> Command {
    let mut command = Command::new("setpriv");
    command.current_dir("/").args(["--pdeathsig", "QUIT"]);
    if is_root().unwrap_or(false) {
        let user = user();
        command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
    }
    command.arg(program);
    command
}

fn user() -> &'static str {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    if users.contains("\npostgres:") {
        "postgres"
    } else {
        "nobody"
    }
}

fn is_root() -> Result<bool> {
    let id = Command::new("id").arg("-u").output()?;
    Ok(text(&id.stdout).trim() == "0")
}

/// Returns the path of a program of PostgreSQL. Debian keeps those of a server out of the way.
fn program(name: &str) -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<_> = versions
        .flatten()
        .map(|version| version.path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    let system = Path::new("/usr/bin").join(name);
    found
        .pop()
        .or_else(|| system.exists().then_some(system))
        .with_context(|| format!("{name} is missing; install postgresql-15"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn until(what: &str, condition: impl Fn() -> Result<bool>) -> Result<()> {
    let since = Instant::now();
    while !condition()? {
        ensure!(since.elapsed() < PATIENCE, "timed out waiting until {what}");
        thread::park_timeout(Duration::from_millis(20));
    }
    Ok(())
}
