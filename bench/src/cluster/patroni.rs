//! Failovers that no caller starts: Patroni itself promotes the synchronous standby, and stores its decisions in etcd.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::park_timeout,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use duet_tests::postgres::{as_a_user, folder_in, program};
use serde_json::json;
use tempfile::TempDir;

use super::{
    kills::{spread, wait},
    report::Report,
    scene::Scene,
};
use crate::{http, server::free_address};

/// How long etcd, a failover, or the return of a node may take.
const PATIENCE: Duration = Duration::from_mins(3);
const CALM: Duration = Duration::from_secs(2);

/// Kills the agent and the server of the primary's node.
pub(super) fn measure(binary: &Path, rounds: u32, report: &mut Report) -> Result<()> {
    let mut patroni = match Patroni::start() {
        Ok(patroni) => patroni,
        Err(error) => {
            report.note("failovers by Patroni", format!("not measured: {error:#}"));
            return Ok(());
        }
    };
    let ports: Vec<_> = patroni.nodes.iter().map(|node| node.port).collect();
    let mut scene = Scene::open(binary, &ports)?;
    scene.load();
    let mut without = Vec::new();
    for _ in 0..rounds {
        wait(CALM);
        scene.book.begin_pause();
        let killed = patroni.kill_leader()?;
        patroni.until("another node leads", |patroni| {
            patroni.leader().is_some_and(|leader| leader != killed)
        })?;
        scene.wait_until_all_accept()?;
        without.push(scene.book.take_pause().as_secs_f64());
        patroni.return_node(killed)?;
    }
    let what = format!("{rounds} failovers by Patroni (ttl 20 s, loop 5 s)");
    report.note(format!("{what}: time without a success"), spread(&without));
    scene.close(&what, report)
}

/// One etcd, and three nodes. Dropping the value ends etcd and the nodes.
struct Patroni {
    nodes: Vec<Node>,
    etcd: Child,
    folder: TempDir,
}

struct Node {
    port: u16,
    /// The address of the node's agent of Patroni.
    agent: SocketAddr,
    process: Option<Child>,
    data: PathBuf,
    config: PathBuf,
}

impl Patroni {
    fn start() -> Result<Self> {
        let folder = folder_in(&std::env::temp_dir())?;
        let [client, peer] = [free_address()?, free_address()?].map(|at| format!("http://{at}"));
        let etcd = as_a_user(program("etcd")?)
            .arg("--data-dir")
            .arg(folder.path().join("etcd"))
            .args(["--listen-client-urls", &client])
            .args(["--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer])
            .args(["--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("default={peer}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut patroni = Self {
            nodes: Vec::new(),
            etcd,
            folder,
        };
        for number in 1..=3 {
            let mut node = Node::prepare(patroni.folder.path(), number, &client)?;
            node.run()?;
            patroni.nodes.push(node);
            // The first node creates the cluster, and the others copy it.
            patroni.until("a node leads", |patroni| patroni.leader().is_some())?;
        }
        patroni.until("two standbys stream", Self::is_whole)?;
        patroni.sql("create database shop")?;
        Ok(patroni)
    }

    /// Returns which node is the primary.
    fn leader(&self) -> Option<usize> {
        self.nodes.iter().position(|node| {
            let asked = http::request(node.agent, "GET", "/primary", "");
            asked.is_ok_and(|answer| answer.is_success())
        })
    }

    fn is_whole(&self) -> bool {
        let states = "select string_agg(state || sync_state, ' ' order by sync_state) from pg_stat_replication";
        let states = self.sql(states).unwrap_or_default();
        states.trim() == "streamingasync streamingsync"
    }

    /// Runs a statement at the primary.
    fn sql(&self, statement: &str) -> Result<String> {
        let leader = self.leader().and_then(|leader| self.nodes.get(leader));
        let port = leader.context("a node must lead")?.port.to_string();
        let done = Command::new(program("psql")?)
            .args(["-h", "127.0.0.1", "-U", "duet", "-qtAX", "-p", &port])
            .args(["-d", "postgres", "-c", statement])
            .output()?;
        let trouble = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "{trouble}");
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }

    fn kill_leader(&mut self) -> Result<usize> {
        let leader = self.leader().context("a node must lead")?;
        self.nodes
            .get_mut(leader)
            .context("the leader must be one of the nodes")?
            .kill()?;
        Ok(leader)
    }

    /// Starts a killed node, and waits until it is a standby.
    fn return_node(&mut self, at: usize) -> Result<()> {
        self.nodes
            .get_mut(at)
            .context("the killed server must be one of the nodes")?
            .run()?;
        self.until("the killed node is a standby", Self::is_whole)
    }

    fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) -> Result<()> {
        let begun = Instant::now();
        while !condition(self) {
            ensure!(begun.elapsed() < PATIENCE, "timed out waiting until {what}");
            for agent in self
                .nodes
                .iter_mut()
                .filter_map(|node| node.process.as_mut())
            {
                ensure!(agent.try_wait()?.is_none(), "an agent of Patroni ended");
            }
            park_timeout(Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Drop for Patroni {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            // `kill` fails only if the process has already ended.
            let _ = node.kill();
        }
        let _ = self.etcd.kill();
        let _ = self.etcd.wait();
    }
}

impl Node {
    fn prepare(folder: &Path, number: u32, etcd: &str) -> Result<Self> {
        let name = format!("node-{number}");
        let (server, agent) = (free_address()?, free_address()?);
        let data = folder.join(&name);
        let binaries = program("postgres")?;
        let config = json!({
            "scope": "shop",
            "name": name,
            "restapi": { "listen": agent, "connect_address": agent },
            "etcd3": { "host": etcd.trim_start_matches("http://") },
            "bootstrap": {
                "dcs": {
                    "ttl": 20, "loop_wait": 5, "retry_timeout": 5,
                    "synchronous_mode": true, "synchronous_mode_strict": true,
                    "postgresql": {
                        "use_pg_rewind": true,
                        "parameters": { "max_connections": 200, "wal_log_hints": "on", "wal_retrieve_retry_interval": "500ms" },
                    },
                },
                "initdb": [{ "auth": "trust" }],
                "pg_hba": ["host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"],
            },
            "postgresql": {
                "listen": server, "connect_address": server, "data_dir": data,
                "bin_dir": binaries.parent(), "pgpass": folder.join(format!("{name}.pgpass")),
                "authentication": { "superuser": { "username": "duet" }, "replication": { "username": "standby" } },
                "parameters": { "unix_socket_directories": "" },
            },
        });
        // JSON is valid YAML.
        let path = folder.join(format!("{name}.yml"));
        fs::write(&path, config.to_string())?;
        Ok(Self {
            port: server.port(),
            agent,
            process: None,
            data,
            config: path,
        })
    }

    fn run(&mut self) -> Result<()> {
        let process = as_a_user(program("patroni")?)
            .arg(&self.config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        self.process = Some(process);
        Ok(())
    }

    /// Kills the agent and all processes of its server at once.
    fn kill(&mut self) -> Result<()> {
        if let Some(mut agent) = self.process.take() {
            agent.kill()?;
            agent.wait()?;
        }
        let noted = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
        let server = noted.lines().next().unwrap_or_default();
        // After the server has ended, the process id in its file may belong to another process.
        let works_in = fs::read_link(format!("/proc/{server}/cwd"));
        if !works_in.is_ok_and(|folder| folder == self.data) {
            return Ok(());
        }
        let children = fs::read_to_string(format!("/proc/{server}/task/{server}/children"));
        Command::new("kill")
            .args(["-s", "KILL", server])
            .args(children.unwrap_or_default().split_whitespace())
            .stderr(Stdio::null())
            .status()?;
        Ok(())
    }
}
