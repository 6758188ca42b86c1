//! Servers of PostgreSQL on free ports. The servers run as an ordinary user, because PostgreSQL refuses to run as root.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::stack::PATIENCE;

/// The user of the database.
const USER: &str = "duet";

/// One server with a separate folder. Dropping the value ends the server.
pub struct Server {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl Server {
    /// Starts a server with an empty database `shop` and without a standby.
    pub fn start() -> Result<Self> {
        Self::start_in(&env::temp_dir())
    }

    /// Starts a server as [`Server::start`] does, in a folder of `parent`.
    pub fn start_in(parent: &Path) -> Result<Self> {
        let folder = folder_in(parent)?;
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
        let mut server = Self::at(folder, free_port()?);
        server.run()?;
        server.create_database("shop")?;
        Ok(server)
    }

    /// Starts a standby. From now on, every commit of this server waits until a standby has stored the commit.
    pub fn standby(&self) -> Result<Self> {
        self.standby_at(free_port()?)
    }

    /// Starts a standby as [`Server::standby`] does, at the free port `port`.
    pub fn standby_at(&self, port: u16) -> Result<Self> {
        let folder = folder_in(&env::temp_dir())?;
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
        let mut standby = Self::at(folder, port);
        standby.run()?;
        self.sql(
            "postgres",
            "alter system set synchronous_standby_names = '*'",
        )?;
        self.sql("postgres", "select pg_reload_conf()")?;
        until("the standby is synchronous", || {
            let states = self.sql("postgres", "select sync_state from pg_stat_replication")?;
            Ok(states.lines().any(|state| state == "sync"))
        })?;
        Ok(standby)
    }

    /// Gives the server a certificate for `name`, and makes it refuse connections that are not encrypted. Returns the path
    /// of the root certificate.
    pub fn encrypt(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.path();
        fs::write(folder.join("names"), format!("subjectAltName=DNS:{name}"))?;
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        for words in [
            format!("req -x509 {key} -days 2 -subj /CN=root -keyout root.key -out root.pem"),
            format!("req {key} -subj /CN=server -keyout server.key -out request.pem"),
            "x509 -req -in request.pem -CA root.pem -CAkey root.key -CAcreateserial -days 2 -extfile names -out server.pem"
                .to_owned(),
        ] {
            let mut openssl = as_a_user("openssl".into());
            let made = openssl.current_dir(folder).args(words.split(' ')).output()?;
            ensure!(made.status.success(), "{}", text(&made.stderr));
        }
        fs::write(
            folder.join("data/pg_hba.conf"),
            "hostssl all all 127.0.0.1/32 trust\n",
        )?;
        for (setting, file) in [("cert", "server.pem"), ("key", "server.key")] {
            let file = folder.join(file).display().to_string();
            let set = format!("alter system set ssl_{setting}_file = '{file}'");
            self.sql("postgres", &set)?;
        }
        self.sql("postgres", "alter system set ssl = on")?;
        self.sql("postgres", "select pg_reload_conf()")?;
        until("connections are encrypted", || {
            let mine = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
            Ok(self
                .sql("postgres", mine)
                .is_ok_and(|ssl| ssl.trim() == "t"))
        })?;
        Ok(folder.join("root.pem"))
    }

    fn at(folder: TempDir, port: u16) -> Self {
        Self {
            port,
            folder,
            process: None,
        }
    }

    /// Starts the server again after [`Server::kill`].
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

    /// Restores a dump of the schema `duet` of the database `from` into a new database `to`.
    pub fn restore(&self, from: &str, to: &str) -> Result<()> {
        let dump = self
            .client("pg_dump", from)?
            .arg("--schema=duet")
            .output()?;
        ensure!(dump.status.success(), "{}", text(&dump.stderr));
        self.create_database(to)?;
        let mut restore = self
            .client("psql", to)?
            .args(["-q", "-v", "ON_ERROR_STOP=1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let input = restore.stdin.take();
        input
            .context("the input of psql must be piped")?
            .write_all(&dump.stdout)?;
        ensure!(
            restore.wait()?.success(),
            "psql must restore the dump without an error"
        );
        Ok(())
    }

    /// Returns a command that starts the client program `name` for this server.
    fn client(&self, name: &str, database: &str) -> Result<Command> {
        let mut client = Command::new(program(name)?);
        let port = self.port.to_string();
        client.args(["-h", "127.0.0.1", "-U", USER, "-p", &port, "-d", database]);
        Ok(client)
    }

    /// Runs a statement, and returns its rows as text.
    pub fn sql(&self, database: &str, statement: &str) -> Result<String> {
        let done = self
            .client("psql", database)?
            .args(["-qtAX", "-v", "ON_ERROR_STOP=1", "-c", statement])
            .output()?;
        ensure!(done.status.success(), "{}", text(&done.stderr));
        Ok(text(&done.stdout))
    }

    /// Runs a statement, and keeps its connection open until the returned value is dropped.
    pub fn hold(&self, database: &str, statement: &str) -> Result<Held> {
        let mut psql = Command::new(program("psql")?)
            .args(["-h", "127.0.0.1", "-U", USER, "-qtAX", "-d", database])
            .args(["-p", &self.port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut input = psql
            .stdin
            .take()
            .context("the input of psql must be piped")?;
        writeln!(input, "{statement};\n\\echo done")?;
        let output = psql
            .stdout
            .take()
            .context("the output of psql must be piped")?;
        for line in BufReader::new(output).lines() {
            if line? == "done" {
                return Ok(Held(psql, Some(input)));
            }
        }
        bail!("psql must run {statement}, but it ended first")
    }

    /// Returns the server's port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the id of the server's main process.
    pub fn process(&self) -> Result<u32> {
        let process = self.process.as_ref().context("the server must run")?;
        Ok(process.id())
    }

    /// Returns whether the server's main process runs.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(match &mut self.process {
            Some(process) => process.try_wait()?.is_none(),
            None => false,
        })
    }

    /// Returns the proxy's setting for a database of this server, without a standby.
    pub fn setting(&self, database: &str) -> String {
        let port = self.port;
        format!("postgres://{USER}@127.0.0.1:{port}/{database}?replication=none")
    }

    /// Returns the proxy's setting for a database of this server and its standby.
    pub fn setting_with(&self, standby: &Self, database: &str) -> String {
        let [one, other] = [self.port, standby.port];
        format!("postgres://{USER}@127.0.0.1:{one},127.0.0.1:{other}/{database}")
    }

    /// Ends all processes of the server at once, with SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        if self.process.is_some() {
            self.signal("KILL")?;
        }
        if let Some(mut process) = self.process.take() {
            process.wait()?;
        }
        Ok(())
    }

    /// Sends all processes of the server a signal by name.
    pub fn signal(&self, name: &str) -> Result<()> {
        let id = self.process()?;
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let children = children.unwrap_or_default();
        let ids = children.split_whitespace().map(str::to_owned);
        let ids: Vec<_> = std::iter::once(id.to_string()).chain(ids).collect();
        // A child process may have ended before the signal is sent, so the result of `kill` is ignored.
        Command::new("kill")
            .args(["-s", name])
            .args(ids)
            .stderr(Stdio::null())
            .status()?;
        Ok(())
    }

    /// Makes this standby copy the server at `port` from now on.
    pub fn follow(&self, port: u16) -> Result<()> {
        let follow =
            format!("alter system set primary_conninfo = 'host=127.0.0.1 port={port} user={USER}'");
        self.sql("postgres", &follow)?;
        self.sql("postgres", "select pg_reload_conf()").map(drop)
    }

    /// Makes this standby the primary.
    pub fn promote(&self) -> Result<()> {
        self.sql("postgres", "select pg_promote()").map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // `kill` fails only if the server has already ended.
        let _ = self.kill();
    }
}

/// A connection that stays open until it is dropped.
pub struct Held(Child, Option<ChildStdin>);

impl Drop for Held {
    fn drop(&mut self) {
        // The client program ends when its input ends.
        self.1 = None;
        let _ = self.0.wait();
    }
}

/// PgBouncer in transaction mode. Dropping the value ends PgBouncer.
pub struct Pooler {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Pooler {
    /// Starts PgBouncer for all databases of a server. PgBouncer opens only a few connections to the server.
    pub fn before(server: &Server) -> Result<Self> {
        let folder = folder_in(&env::temp_dir())?;
        let port = free_port()?;
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={} user={USER}\n[pgbouncer]\npool_mode = transaction\ndefault_pool_size = 6\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\nlogfile = {}\n",
            server.port,
            folder.path().join("log").display()
        );
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, settings)?;
        let program = Path::new("/usr/sbin/pgbouncer");
        ensure!(
            program.exists(),
            "pgbouncer is missing; install it with apt-get install pgbouncer"
        );
        let mut command = as_a_user(program.to_owned());
        command
            .arg("-q")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let pooler = Self {
            process: spawn(command)?,
            port,
            _folder: folder,
        };
        until("the pooler answers", || {
            Ok(TcpStream::connect(("127.0.0.1", port)).is_ok())
        })?;
        Ok(pooler)
    }

    /// Returns the proxy's setting for a database behind PgBouncer, without a standby.
    pub fn setting(&self, database: &str) -> String {
        let port = self.port;
        format!("postgres://{USER}@127.0.0.1:{port}/{database}?replication=none")
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // `kill` fails only if PgBouncer has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Returns a new folder that belongs to the user of the server.
pub fn folder_in(parent: &Path) -> Result<TempDir> {
    let folder = tempfile::tempdir_in(parent)?;
    if is_root()? {
        let owned = Command::new("chown")
            .arg(user())
            .arg(folder.path())
            .status()?;
        ensure!(owned.success(), "the owner of the folder cannot be changed");
    }
    Ok(folder)
}

/// Starts a server from a thread that lives as long as this process. The system ends the server when the thread ends, so
/// the server ends with this process.
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

/// Returns a command that runs as an ordinary user. The system ends the program when the thread that started it ends.
pub fn as_a_user(program: PathBuf) -> Command {
    let mut command = Command::new("setpriv");
    command.current_dir("/").args(["--pdeathsig", "QUIT"]);
    // Ctrl-C sends its signal to a whole group of processes. In a separate group, the server does not get this signal.
    command.process_group(0);
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

/// Returns the path of a program of PostgreSQL. Debian keeps the server's programs in a folder outside `PATH`.
pub fn program(name: &str) -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let debian = versions.flatten().map(|version| version.path().join("bin"));
    let mut folders: Vec<_> = debian.collect();
    folders.sort();
    folders.reverse();
    let path = env::var_os("PATH").unwrap_or_default();
    folders.extend(env::split_paths(&path));
    let mut found = folders.iter().map(|folder| folder.join(name));
    found.find(|program| program.exists()).with_context(|| {
        format!("{name} is missing; install PostgreSQL, on Debian with apt-get install postgresql")
    })
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
