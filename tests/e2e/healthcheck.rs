//! Tests `duet-proxy healthcheck`. A container without a shell uses this command as its health check.

use anyhow::Result;
use duet_tests::{Stack, stack::binary};
use tokio::{io::AsyncWriteExt, net::TcpListener, process::Command};

async fn healthy(listen: &str) -> Result<(bool, String)> {
    let output = Command::new(binary("duet-proxy")?)
        .arg("healthcheck")
        .env_clear()
        .env("DUET_LISTEN", listen)
        .output()
        .await?;
    let said = String::from_utf8(output.stderr)?;
    Ok((output.status.success(), said))
}

#[tokio::test]
async fn a_proxy_that_answers_is_healthy_and_one_that_is_gone_is_not() -> Result<()> {
    let mut stack = Stack::start(&[]).await?;
    let port = stack.address().port();
    for listen in [stack.address().to_string(), format!("0.0.0.0:{port}")] {
        assert_eq!(healthy(&listen).await?, (true, String::new()), "{listen}");
    }
    assert!(stack.stop().await?);
    let (healthy, said) = healthy(&stack.address().to_string()).await?;
    assert!(!healthy && said.contains("a proxy must listen"), "{said}");
    Ok(())
}

#[tokio::test]
async fn somebody_else_on_the_port_is_not_a_healthy_proxy() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    for answer in ["HTTP/1.1 503 Service Unavailable\r\n\r\n", ""] {
        let other = async {
            let (mut stream, _) = listener.accept().await?;
            stream.write_all(answer.as_bytes()).await?;
            Ok::<_, anyhow::Error>(())
        };
        let (asked, answered) = tokio::join!(healthy(&address), other);
        answered?;
        assert!(!asked?.0, "{answer}");
    }
    assert!(!healthy("nowhere").await?.0);
    Ok(())
}
