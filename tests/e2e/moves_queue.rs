//! `duet-proxy move` moves all data from a folder into a database, and back. Wherever a move is interrupted, either the
//! folder or the database can be used, and no data is lost.

use std::{fs, path::Path, process::Output};

use anyhow::{Context, Result, ensure};
use duet_sandbox::Fault;
use duet_tests::{Answer, Server, Stack, stack::binary};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::Command,
    sync::oneshot,
};

use crate::{
    doctor::doctor,
    events::{arrived, event, ids, post_views},
    pays::{PRICE, Shop},
};

const PAID: &str = "PHO7K3M9Q2X";
const HELD: &str = "PHO8L4N0R3Y";

/// Fills a store with every kind of data: pending events of two classes, a held event, a paid order, a dead letter and
/// ended events.
async fn filled(shop: &Shop) -> Result<(Vec<String>, u64)> {
    let stack = &shop.stack;
    shop.register(PAID).await?;
    shop.pay(PAID, PRICE).await?;
    stack.conversions(1).await?;
    let refusal = stack.sandbox.inject(Fault::RefuseEvent {
        event_id: "bad".to_owned(),
        name_index: false,
    });
    let bad = json!({ "event": "Lead", "event_id": "bad-1", "user": { "external_id": "u" } });
    stack.accepted(&bad).await?;
    stack
        .until("the event is refused", async |stack| {
            Ok(stack
                .command(&["dead-letters", "list"])
                .await?
                .contains("bad-1"))
        })
        .await?;
    stack.sandbox.remove_fault(refusal);
    let held = json!({ "event": "Subscribe", "user": { "external_id": "u" },
        "properties": { "order_id": HELD, "value": PRICE, "currency": "VND" } });
    let answer = Answer::to(stack.track(&held)?).await?;
    ensure!(answer.body["status"] == "held", "{answer:?}");
    let outage = stack.sandbox.inject(Fault::BadGateway {});
    let (views, leads) = (ids("view", 150), ids("lead", 150));
    post_views(stack, &views).await?;
    let lead =
        |id: &String| json!({ "event": "Lead", "event_id": id, "user": { "external_id": "u" } });
    for leads in leads.chunks(100) {
        let events: Vec<_> = leads.iter().map(lead).collect();
        stack.accepted(&json!({ "events": events })).await?;
    }
    Ok(([views, leads].concat(), outage))
}

/// Returns what the commands show an operator about the stored data.
async fn shown(stack: &Stack) -> Result<Vec<String>> {
    let mut shown = Vec::new();
    for words in [
        &["orders", "show", PAID][..],
        &["orders", "show", HELD],
        &["payments", "list", "--all"],
        &["dead-letters", "list"],
        &["dead-letters", "show", "bad-1"],
        &["why", "bad-1"],
        &["why", PAID],
        &["why", HELD],
    ] {
        shown.push(
            stack
                .command(words)
                .await
                .with_context(|| words.join(" "))?,
        );
    }
    Ok(shown)
}

/// Runs `duet-proxy move` and returns its output.
async fn moved(direction: &str, folder: &Path, queue: &str) -> Result<Output> {
    let mut command = Command::new(binary("duet-proxy")?);
    command.args(["move", direction]).env_clear();
    command
        .env("DUET_DATA_DIR", folder)
        .env("DUET_QUEUE", queue);
    Ok(command.kill_on_drop(true).output().await?)
}

/// Runs a move, which must succeed. Returns its output.
pub(crate) async fn succeeds(direction: &str, folder: &Path, queue: &str) -> Result<String> {
    let output = moved(direction, folder, queue).await?;
    ensure!(output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a move, which must be refused. Returns the reason that the command prints.
async fn refused(direction: &str, folder: &Path, queue: &str) -> Result<String> {
    let output = moved(direction, folder, queue).await?;
    ensure!(!output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stderr)?)
}

/// Posts the events again. The proxy must answer that each of them is a duplicate.
async fn are_repeats(stack: &Stack, names: &[(&str, &[String])]) -> Result<()> {
    for (name, ids) in names {
        for ids in ids.chunks(100) {
            let event =
                |id| json!({ "event": name, "event_id": id, "user": { "external_id": "u" } });
            let events: Vec<_> = ids.iter().map(event).collect();
            let answer = stack.accepted(&json!({ "events": events })).await?;
            let statuses = answer.body["results"]
                .as_array()
                .context("the answer must have results")?;
            let is_repeat = |status: &Value| status["status"] == "duplicate";
            ensure!(statuses.iter().all(is_repeat), "{answer:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn everything_goes_into_a_database_and_back_and_is_delivered_once() -> Result<()> {
    let server = Server::start()?;
    let queue = server.setting("shop");
    let mut shop = Shop::open(&[]).await?;
    let (waiting, outage) = filled(&shop).await?;
    let folder = shop.stack.data_dir();
    let said = refused("to-database", &folder, &queue).await?;
    ensure!(
        said.contains("another process is using the data directory"),
        "{said}"
    );
    ensure!(shop.stack.stop().await?);

    let before = shown(&shop.stack).await?;
    let said = succeeds("to-database", &folder, &queue).await?;
    ensure!(
        said.contains("300 pending events, 1 held events, 2 orders, 1 payments, 1 dead letters, 2 ended events"),
        "{said}"
    );
    let (started, said) = shop.stack.another(&[]).await?;
    ensure!(
        !started && said.contains("were moved to the database postgres://duet@127.0.0.1:"),
        "{said}"
    );
    let (healthy, said) = doctor(&shop.stack, &[]).await?;
    ensure!(
        !healthy && said.contains("were moved to the database postgres://duet@127.0.0.1:"),
        "{said}"
    );
    let said = succeeds("to-database", &folder, &queue).await?;
    ensure!(
        said.contains("an earlier `duet-proxy move` had already copied everything"),
        "{said}"
    );

    shop.stack.set("DUET_QUEUE", &queue);
    assert_eq!(shown(&shop.stack).await?, before);
    shop.stack.run_proxy().await?;
    let said = refused("to-folder", &folder.with_extension("new"), &queue).await?;
    ensure!(said.contains("is using the database"), "{said}");
    shop.stack.sandbox.remove_fault(outage);
    shop.stack.conversions(1 + waiting.len()).await?;
    let (views, leads) = waiting.split_at(150);
    are_repeats(&shop.stack, &[("ViewContent", views), ("Lead", leads)]).await?;
    shop.register(HELD).await?;
    shop.pay(HELD, PRICE).await?;
    shop.stack.conversions(2 + waiting.len()).await?;
    shop.stack
        .command(&["dead-letters", "replay", "bad-1"])
        .await?;
    let conversions = shop.stack.conversions(3 + waiting.len()).await?;
    for conversion in &conversions {
        assert_eq!(conversion.signals.len(), 1, "{conversion:?}");
    }
    let arrived = arrived(&conversions);
    assert!(waiting.iter().all(|id| arrived.contains(id.as_str())));
    ensure!(shop.stack.stop().await?);

    // A move back needs an empty folder.
    let said = refused("to-folder", &folder, &queue).await?;
    ensure!(said.contains("is not empty"), "{said}");
    fs::rename(&folder, folder.with_extension("old"))?;
    let before = [
        shop.stack.command(&["why", PAID]).await?,
        shop.stack.command(&["orders", "show", HELD]).await?,
    ];
    let said = succeeds("to-folder", &folder, &queue).await?;
    ensure!(
        said.contains("0 pending events, 0 held events, 2 orders"),
        "{said}"
    );
    let (started, said) = shop.stack.another(&[]).await?;
    ensure!(
        !started && said.contains("were moved to the folder /"),
        "{said}"
    );
    shop.stack.set("DUET_QUEUE", "disk");
    let after = [
        shop.stack.command(&["why", PAID]).await?,
        shop.stack.command(&["orders", "show", HELD]).await?,
    ];
    assert_eq!(after, before);
    shop.stack.run_proxy().await?;
    are_repeats(&shop.stack, &[("ViewContent", views), ("Lead", leads)]).await?;
    post_views(&shop.stack, &["later".to_owned()]).await?;
    shop.stack.conversions(4 + waiting.len()).await?;
    Ok(())
}

#[tokio::test]
async fn a_proxy_that_slept_through_a_move_stores_nothing_where_it_was() -> Result<()> {
    let server = Server::start()?;
    let queue = server.setting("shop");
    let stack = Stack::start(&[("DUET_QUEUE", &queue)]).await?;
    stack.accepted(&event("before")).await?;
    stack.conversions(1).await?;
    // TikTok gets the event a moment before the proxy has stored that it is delivered.
    let is_settled =
        async |stack: &Stack| Ok(stack.metrics().await?.count("duet_queue_events") == 0);
    stack.until("the event is settled", is_settled).await?;
    stack.signal("STOP").await?;
    // End the leases, as if the proxy had slept for more than a minute.
    server.sql(
        "shop",
        "update duet.slots set until = '-infinity'; update duet.leases set until = '-infinity'",
    )?;
    let folder = tempfile::tempdir()?;
    succeeds("to-folder", folder.path(), &queue).await?;
    stack.signal("CONT").await?;
    for _ in 0..2 {
        let answer = Answer::to(stack.track(&event("after"))?).await?;
        ensure!(answer.status == 503, "{answer:?}");
    }
    let stored = "select (select count(*) from duet.seen), (select count(*) from duet.waiting)";
    assert_eq!(server.sql("shop", stored)?.trim(), "1|0");
    ensure!(
        stack.log().contains("were moved to the folder"),
        "{}",
        stack.log()
    );
    Ok(())
}

/// Where a connection to the database is cut.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// Before the database gets the request with this number.
    Request(usize),
    /// After the database has executed the request with this number, and before its answer arrives.
    Answer(usize),
}

/// Passes a connection on to the server until the cut. Returns the port to connect to, and a signal that the cut was reached.
async fn relay(port: u16, cut: Cut) -> Result<(u16, oneshot::Receiver<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let own = listener.local_addr()?.port();
    let (reached, is_reached) = oneshot::channel();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await?;
        let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
        let (mut of_client, mut of_server) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        let mut requests = 0;
        let cut = loop {
            tokio::select! {
                read = client.read(&mut of_client) => {
                    let read = read?;
                    requests += 1;
                    if read == 0 || matches!(cut, Cut::Request(at) if at == requests) {
                        break read > 0;
                    }
                    server.write_all(&of_client[..read]).await?;
                }
                read = server.read(&mut of_server) => {
                    let read = read?;
                    if read == 0 || matches!(cut, Cut::Answer(at) if at == requests) {
                        break read > 0;
                    }
                    client.write_all(&of_server[..read]).await?;
                }
            }
        };
        if cut {
            let _ = reached.send(());
            // Keep the connection open, so that the client waits until it is killed.
            while client.read(&mut of_client).await? > 0 {}
        }
        Ok::<_, anyhow::Error>(())
    });
    Ok((own, is_reached))
}

/// Starts a move and kills it at the cut. Returns false if the move ended before the cut.
async fn killed(direction: &str, folder: &Path, queue: &str, port: u16, cut: Cut) -> Result<bool> {
    let (own, reached) = relay(port, cut).await?;
    let queue = queue.replace(&port.to_string(), &own.to_string());
    let mut command = Command::new(binary("duet-proxy")?);
    command.args(["move", direction]).env_clear();
    command
        .env("DUET_DATA_DIR", folder)
        .env("DUET_QUEUE", &queue);
    let mut moving = command.kill_on_drop(true).spawn()?;
    let is_cut = tokio::select! {
        reached = reached => reached.is_ok(),
        ended = moving.wait() => {
            ensure!(ended?.success(), "{cut:?}");
            false
        }
    };
    if is_cut {
        moving.kill().await?;
    }
    Ok(is_cut)
}

/// Returns all data in a database. The number of the next event is left out, because every command that opens the database
/// raises this number.
fn contents(server: &Server, database: &str) -> Result<String> {
    server.sql(
        database,
        "select format, salt, moved from duet.about;
         select lane, id, settled, md5(body) from duet.waiting order by 1, 2;
         select key, until from duet.seen order by 1;
         select key, value from duet.records order by 1;
         select id, value from duet.dead order by 1;
         select id, events, value from duet.ends order by 1;
         select start_ms, value from duet.hours order by 1;
         select digest, at_ms from duet.covered order by 1;
         select written_ms, places from duet.slots",
    )
}

/// Returns whether a command can use the store. If so, the command must find the order in it.
async fn is_usable(folder: &Path, queue: &str) -> Result<bool> {
    let mut command = Command::new(binary("duet-proxy")?);
    command.args(["orders", "show", PAID]).env_clear();
    command
        .env("DUET_DATA_DIR", folder)
        .env("DUET_QUEUE", queue);
    let output = command.output().await?;
    let said = String::from_utf8(output.stderr)?;
    let why = ["has not finished", "were moved to", "there is no order"];
    let is_refused = why.iter().any(|why| said.contains(why));
    ensure!(output.status.success() || is_refused, "{said}");
    Ok(output.status.success())
}

/// Returns a copy of a folder.
fn copied(folder: &Path) -> Result<TempDir> {
    let copy = tempfile::tempdir()?;
    let done = std::process::Command::new("cp")
        .arg("-a")
        .args([folder.join("."), copy.path().to_owned()])
        .status()?;
    ensure!(done.success(), "cp failed");
    Ok(copy)
}

#[tokio::test]
async fn a_move_that_is_killed_at_any_moment_is_repeated_and_loses_nothing() -> Result<()> {
    let server = Server::start()?;
    let mut shop = Shop::open(&[]).await?;
    filled(&shop).await?;
    ensure!(shop.stack.stop().await?);
    shop.stack.leaves_waiting(300);
    let filled = copied(&shop.stack.data_dir())?;
    let whole = server.setting("shop");
    let used = copied(filled.path())?;
    succeeds("to-database", used.path(), &whole).await?;
    let expected = contents(&server, "shop")?;

    let cuts = (1..).flat_map(|at| [Cut::Request(at), Cut::Answer(at)]);
    let mut cut_off = 0;
    for (round, cut) in cuts.enumerate() {
        let (name, folder) = (format!("round{round}"), copied(filled.path())?);
        server.create_database(&name)?;
        let queue = server.setting(&name);
        if !killed("to-database", folder.path(), &queue, server.port(), cut).await? {
            break;
        }
        cut_off += 1;
        let has_copy = "select to_regclass('duet.about') is not null";
        let has_copy = server.sql(&name, has_copy)?.trim() == "t";
        let both = is_usable(folder.path(), "disk").await?
            && has_copy
            && is_usable(folder.path(), &queue).await?;
        ensure!(!both, "{cut:?}");
        succeeds("to-database", folder.path(), &queue).await?;
        assert_eq!(contents(&server, &name)?, expected, "{cut:?}");
        ensure!(!is_usable(folder.path(), "disk").await?, "{cut:?}");
    }
    println!("a move into the database was killed at {cut_off} moments");
    ensure!(cut_off > 20, "{cut_off}");

    // A move into a folder has many more requests than a move into a database, and all of them except the last two only read.
    // To save time, leave out every second cut.
    let cuts = (1..).flat_map(|at| [Cut::Request(2 * at), Cut::Answer(2 * at + 1)]);
    let mut cut_off = 0;
    for (round, cut) in cuts.enumerate() {
        let (name, folder) = (format!("back{round}"), tempfile::tempdir()?);
        server.sql("postgres", &format!("create database {name} template shop"))?;
        let queue = server.setting(&name);
        if !killed("to-folder", folder.path(), &queue, server.port(), cut).await? {
            break;
        }
        cut_off += 1;
        let has_copy = folder.path().join("version").exists();
        let both = is_usable(folder.path(), &queue).await?
            && has_copy
            && is_usable(folder.path(), "disk").await?;
        ensure!(!both, "{cut:?}");
        succeeds("to-folder", folder.path(), &queue).await?;
        ensure!(!is_usable(folder.path(), &queue).await?, "{cut:?}");
        // To check that the folder has all data, move the folder into another database and compare both databases.
        let again = format!("again{round}");
        server.create_database(&again)?;
        succeeds("to-database", folder.path(), &server.setting(&again)).await?;
        assert_eq!(contents(&server, &again)?, expected, "{cut:?}");
    }
    println!("a move into a folder was killed at {cut_off} moments");
    ensure!(cut_off > 20, "{cut_off}");
    Ok(())
}
