//! Tests an upgrade and the return to the older version, with the binaries of both versions and one folder. `cargo xtask
//! release upgrade` builds the older binary and runs these tests.

use anyhow::{Context, Result};
use duet_sandbox::Fault;
use duet_tests::Stack;
use tokio::process::Command;

use crate::events::{arrived, event};

/// Returns a command that runs the older version's binary.
fn older() -> Result<Command> {
    let path = std::env::var_os("DUET_OLDER_PROXY");
    Ok(Command::new(path.context(
        "the variable DUET_OLDER_PROXY must contain the path of the older version's binary",
    )?))
}

#[tokio::test]
#[ignore = "needs the binary of an older version"]
async fn an_upgrade_and_the_way_back_lose_nothing_and_count_nothing_twice() -> Result<()> {
    let mut stack = Stack::prepare(&[]).await?;
    let outage = stack.sandbox.inject(Fault::Reset {});
    stack.run(older()?).await?;
    stack.accepted(&event("by-the-older")).await?;
    assert!(stack.stop().await?);

    stack.run_proxy().await?;
    let again = stack.accepted(&event("by-the-older")).await?;
    assert_eq!(again.body["status"], "duplicate");
    stack.accepted(&event("by-the-newer")).await?;
    assert!(stack.stop().await?);

    let mut expected = vec!["by-the-older", "by-the-newer"];
    if goes_back(&stack).await? {
        stack.run(older()?).await?;
        let again = stack.accepted(&event("by-the-newer")).await?;
        assert_eq!(again.body["status"], "duplicate");
        stack.accepted(&event("after-the-way-back")).await?;
        expected.push("after-the-way-back");
        assert!(stack.stop().await?);
        println!("the older version can use the folder again");
    } else {
        println!(
            "the older version cannot read the folder any more: it prints the reason, and changes nothing"
        );
    }
    stack.sandbox.remove_fault(outage);
    stack.run_proxy().await?;
    let conversions = stack.conversions(expected.len()).await?;
    assert_eq!(arrived(&conversions), expected.into_iter().collect());
    Ok(())
}

/// Returns whether the older version can use the folder that the newer version has written. If not, the older version must
/// print both formats and must not start.
async fn goes_back(stack: &Stack) -> Result<bool> {
    let settings = stack.settings().iter();
    let output = older()?
        .args(["dead-letters", "list"])
        .env_clear()
        .envs(settings.map(|(name, value)| (name.as_str(), value.as_str())))
        .output()
        .await?;
    let said = String::from_utf8(output.stderr)?;
    if output.status.success() {
        return Ok(true);
    }
    assert!(said.contains("the data directory has format "), "{said}");
    Ok(false)
}
