//! Tests the known traps of PostgreSQL: deadlocks, plans that were made for empty tables, numbers that are drawn before a
//! commit, settings of the role, and tables of another version.

use anyhow::{Result, ensure};
use duet_tests::{Answer, Server, Stack};

use super::{posted, told_once, two};
use crate::{
    doctor::doctor,
    events::{event, ids, post_views},
    pays::{PRICE, Shop},
};

/// Makes the first insertion into a table run a statement.
fn on_first_insert(server: &Server, table: &str, statement: &str) -> Result<()> {
    server.sql(
        "shop",
        &format!(
            "drop trigger if exists trap on {table}; drop sequence if exists trap; create sequence trap;
             create or replace function trap() returns trigger language plpgsql as $$
               begin if nextval('trap') = 1 then {statement}; end if; return null; end $$;
             create trigger trap after insert on {table} for each statement execute function trap()"
        ),
    )?;
    Ok(())
}

#[tokio::test]
async fn a_deadlock_before_the_decision_is_repeated_and_one_after_it_stores_nothing() -> Result<()>
{
    let server = Server::start()?;
    let stack = Stack::start(&[("DUET_QUEUE", &server.setting("shop"))]).await?;
    for (number, code) in ["40P01", "40001"].into_iter().enumerate() {
        let fails = format!("raise exception 'trap' using errcode = '{code}'");
        // The keys of a bundle are written before the bundle is decided, so a failure here is tried again.
        on_first_insert(&server, "duet.seen", &fails)?;
        let accepted = posted(&stack, &event(&format!("before{number}"))).await?;
        assert_eq!(accepted["status"], "accepted", "{accepted}");
        let tries = server.sql("shop", "select last_value > 1 from trap")?;
        assert_eq!(tries.trim(), "t", "{code}");
        // The events of a bundle are written after the decision, so a failure here rejects the call.
        on_first_insert(&server, "duet.waiting", &fails)?;
        server.sql("shop", "drop trigger trap on duet.seen")?;
        let after = event(&format!("after{number}"));
        let failed = Answer::to(stack.track(&after)?).await?;
        ensure!(
            failed.status == 503 && failed.headers.contains_key("retry-after"),
            "{failed:?}"
        );
        let accepted = posted(&stack, &after).await?;
        assert_eq!(accepted["status"], "accepted", "{accepted}");
        server.sql("shop", "drop trigger trap on duet.waiting")?;
    }
    stack.conversions(4).await?;
    Ok(())
}

#[tokio::test]
async fn tables_that_were_empty_when_they_were_first_read_are_read_by_their_indices() -> Result<()>
{
    const READ: &str =
        "select coalesce(sum(seq_tup_read), 0), sum(idx_scan) from pg_stat_user_tables
      where schemaname = 'duet' and relname in ('seen', 'records', 'waiting', 'dead', 'ends')";
    let server = Server::start()?;
    let mut shop = Shop::open(&[("DUET_QUEUE", &server.setting("shop"))]).await?;
    let work = async |shop: &Shop, round: usize| {
        let order = ["PHO7K3M9Q2X", "PHO8L4N0R3Y"][round];
        post_views(&shop.stack, &ids(&format!("round{round}-"), 20)).await?;
        shop.register(order).await?;
        shop.pay(order, PRICE).await?;
        shop.stack.conversions(21 * (round + 1)).await?;
        Ok::<_, anyhow::Error>(())
    };
    work(&shop, 0).await?;
    server.sql(
        "shop",
        "insert into duet.seen select gen_random_uuid(), 4000000000 from generate_series(1, 100000);
         insert into duet.records select convert_to('c' || md5(i::text), 'UTF8'), '[]' from generate_series(1, 100000) i;
         insert into duet.waiting (lane, id, body) select '\\x00', i, '\\x00' from generate_series(1, 100000) i",
    )?;
    work(&shop, 1).await?;
    ensure!(shop.stack.stop().await?);
    // The server adds the reads of a connection to its counts when the connection ends, or earlier. So wait until all
    // connections have ended.
    shop.stack
        .until("no connection is left", async |_| {
            let left =
                "select count(*) from pg_stat_activity where application_name = 'duet-proxy'";
            Ok(server.sql("shop", left)?.trim() == "0")
        })
        .await?;
    let counted = server.sql("shop", READ)?;
    let (one_after_another, by_index) = counted.trim().split_once('|').unwrap_or_default();
    let (one_after_another, by_index): (i64, i64) = (one_after_another.parse()?, by_index.parse()?);
    ensure!(one_after_another < 50_000 && by_index > 100, "{counted}");
    Ok(())
}

#[tokio::test]
async fn an_event_with_an_earlier_number_whose_commit_ends_later_is_delivered() -> Result<()> {
    let server = Server::start()?;
    let [one, other] = two(&server.setting("shop"), &[]).await?;
    posted(&one, &event("first")).await?;
    one.conversions(1).await?;
    server.sql(
        "shop",
        "create table noted (committed bigserial, lowest bigint);
         create function note() returns trigger language plpgsql as $$
           begin insert into noted (lowest) values (new.id); return new; end $$;
         create trigger note after insert on duet.waiting for each row execute function note()",
    )?;
    // Stop the first commit after it has drawn a number and before it stores its event. At this moment the commit inserts
    // the keys.
    on_first_insert(&server, "duet.seen", "perform pg_advisory_xact_lock(99)")?;
    let held = server.hold("shop", "select pg_advisory_lock(99)")?;
    let late = tokio::spawn(one.track(&event("late"))?.send());
    one.until("the late commit waits for the lock", async |_| {
        let waits = "select count(*) from pg_locks where locktype = 'advisory' and objid = 99 and not granted";
        Ok(server.sql("shop", waits)?.trim() == "1")
    })
    .await?;
    posted(&other, &event("early")).await?;
    one.conversions(2).await?;
    drop(held);
    ensure!(late.await??.status() == 202);
    one.conversions(3).await?;
    told_once(&one, &["first", "late", "early"].map(str::to_owned));
    let is_late = "select (select lowest from noted order by committed limit 1) > (select lowest from noted order by committed desc limit 1)";
    assert_eq!(server.sql("shop", is_late)?.trim(), "t");
    Ok(())
}

#[tokio::test]
async fn the_doctor_and_the_start_say_what_is_wrong_with_the_role_and_the_clock() -> Result<()> {
    let server = Server::start()?;
    let setting = server.setting("shop");
    let mut stack = Stack::prepare_with_faults(&[("DUET_QUEUE", &setting)]).await?;
    server.sql("postgres", "alter role duet set statement_timeout = '5s'")?;
    let (healthy, said) = doctor(&stack, &[]).await?;
    let advice = [
        "alter role duet set log_parameter_max_length = 0",
        "alter role duet set statement_timeout = 0",
    ];
    ensure!(
        !healthy && advice.iter().all(|advice| said.contains(advice)),
        "{said}"
    );
    stack.faults()?.set_clock(-60_000)?;
    stack.run_proxy().await?;
    let log = stack.log();
    ensure!(advice.iter().all(|advice| log.contains(advice)), "{log}");
    ensure!(log.contains("s ahead of this machine's"), "{log}");
    for advice in advice {
        server.sql("postgres", advice)?;
    }
    let (healthy, said) = doctor(&stack, &[]).await?;
    ensure!(
        healthy && said.contains("protect committed events; the tables have format 1"),
        "{said}"
    );
    // With this isolation level, a transaction would not see rows that are newer than itself, and would accept a repeat.
    server.sql(
        "postgres",
        "alter role duet set default_transaction_isolation = 'repeatable read'",
    )?;
    let (started, said) = stack.another(&[]).await?;
    ensure!(
        !started && said.contains("default_transaction_isolation"),
        "{said}"
    );
    Ok(())
}

#[tokio::test]
async fn a_newer_format_is_used_if_it_names_this_one_and_is_refused_otherwise() -> Result<()> {
    let server = Server::start()?;
    let setting = server.setting("shop");
    let [mut one, other] = two(&setting, &[]).await?;
    posted(&one, &event("before")).await?;
    // Imitate a newer version that has added a column. The newer version states that versions of format 1 can still use the
    // tables.
    server.sql(
        "shop",
        "alter table duet.records add column later text; update duet.about set format = 2",
    )?;
    posted(&other, &event("during")).await?;
    ensure!(one.stop().await?);
    one.run_proxy().await?;
    posted(&one, &event("after")).await?;
    one.conversions(3).await?;
    let (_, said) = doctor(&one, &[]).await?;
    ensure!(said.contains("format 2"), "{said}");
    server.sql("shop", "update duet.about set format = 3, oldest = 2")?;
    let (started, said) = one.another(&[]).await?;
    ensure!(
        !started
            && said.contains(
                "format 3, which needs a version of duet-proxy with format 2 or newer; this version has format 1"
            ),
        "{said}"
    );
    let (healthy, said) = doctor(&one, &[]).await?;
    ensure!(!healthy && said.contains("format 3"), "{said}");
    Ok(())
}

#[tokio::test]
async fn proxies_without_requests_keep_their_slots() -> Result<()> {
    let server = Server::start()?;
    let [one, _other] = two(&server.setting("shop"), &[]).await?;
    server.sql(
        "shop",
        "update duet.slots set until = now() + interval '1 s'",
    )?;
    one.until("both slots are renewed", async |_| {
        let renewed = "select count(*) from duet.slots where until > now() + interval '30 s'";
        Ok(server.sql("shop", renewed)?.trim() == "2")
    })
    .await
}
