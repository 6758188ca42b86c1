//! Tests TLS to the database with certificates that the test makes. The name of the server is one that no DNS server knows.

use anyhow::{Result, ensure};
use duet_tests::{Server, Stack};

use crate::events::event;

const NAME: &str = "db.example";

/// Returns the setting for a database server that is addressed by a name.
fn setting(server: &Server, name: &str, more: &str) -> String {
    let port = server.port();
    format!("postgres://duet@{name}:{port}/shop?hostaddr=127.0.0.1&replication=none{more}")
}

#[tokio::test]
async fn a_connection_to_another_machine_is_encrypted_and_its_certificate_is_checked() -> Result<()>
{
    let server = Server::start()?;
    let stack = Stack::prepare(&[]).await?;
    let refused = async |setting: &str, why: &str| {
        let (started, said) = stack.another(&[("DUET_QUEUE", setting)]).await?;
        ensure!(!started && said.contains(why), "{setting}: {said}");
        Ok(())
    };
    // At this time the server does not support encryption yet.
    refused(&setting(&server, NAME, ""), "TLS").await?;

    let roots = server.encrypt(NAME)?.display().to_string();
    let with_roots = format!("&sslrootcert={roots}");
    refused(
        &setting(&server, "other.example", &with_roots),
        "not valid for name",
    )
    .await?;
    refused(&setting(&server, NAME, ""), "UnknownIssuer").await?;
    let stranger = Server::start()?;
    let others = format!("&sslrootcert={}", stranger.encrypt(NAME)?.display());
    refused(&setting(&server, NAME, &others), "invalid peer certificate").await?;
    refused(&setting(&server, NAME, "&sslmode=disable"), "no encryption").await?;

    let stack = Stack::start(&[("DUET_QUEUE", &setting(&server, NAME, &with_roots))]).await?;
    stack.accepted(&event("a")).await?;
    stack.conversions(1).await?;
    let encrypted = server.sql(
        "shop",
        "select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'duet-proxy'",
    )?;
    assert_eq!(encrypted.trim(), "t");
    Ok(())
}
