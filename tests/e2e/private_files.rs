//! Only the proxy's user can read the proxy's files, whatever the umask is. Commands that root runs do not change the owner
//! of these files.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::Result;
use duet_tests::{Stack, stack::binary};
use tokio::process::Command;

use crate::{
    doctor::doctor,
    events::event,
    pays::{PRICE, Shop},
};

/// Returns the modes of a folder and of all files and folders in it.
fn modes(path: &Path) -> Result<Vec<(PathBuf, u32, bool)>> {
    let about = fs::symlink_metadata(path)?;
    let mut modes = vec![(path.to_owned(), about.mode() & 0o7777, about.is_dir())];
    if about.is_dir() {
        for entry in fs::read_dir(path)? {
            modes.extend(self::modes(&entry?.path())?);
        }
    }
    Ok(modes)
}

fn assert_private(folder: &Path) -> Result<()> {
    for (path, mode, is_folder) in modes(folder)? {
        let wanted = if is_folder { 0o700 } else { 0o600 };
        assert_eq!(mode, wanted, "{} {mode:o}", path.display());
    }
    Ok(())
}

#[tokio::test]
async fn folder_files_and_socket_are_private() -> Result<()> {
    let shop = Shop::open(&[]).await?;
    shop.register("PHO7K3M9Q2X").await?;
    shop.pay("PHO7K3M9Q2X", PRICE).await?;
    let stack = &shop.stack;
    stack.conversions(1).await?;
    stack
        .until("the socket exists", async |stack| {
            Ok(stack.data_dir().join("control.sock").exists())
        })
        .await?;
    let socket = fs::metadata(stack.data_dir().join("control.sock"))?;
    assert!(socket.file_type().is_socket());
    assert_private(&stack.data_dir())
}

#[tokio::test]
async fn a_folder_that_was_open_is_closed_when_it_is_ours() -> Result<()> {
    let mut stack = Stack::start(&[]).await?;
    stack.accepted(&event("a")).await?;
    stack.conversions(1).await?;
    stack.stop().await?;
    for (path, _, is_folder) in modes(&stack.data_dir())? {
        let mode = if is_folder { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    stack.run_proxy().await?;
    stack.accepted(&event("b")).await?;
    stack.conversions(2).await?;
    assert_private(&stack.data_dir())
}

#[tokio::test]
async fn a_folder_behind_a_link_is_closed_too() -> Result<()> {
    let mut stack = Stack::prepare(&[]).await?;
    let folder = stack.data_dir().with_file_name("behind-a-link");
    fs::create_dir(&folder)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
    std::os::unix::fs::symlink(&folder, stack.data_dir())?;
    stack.run_proxy().await?;
    stack.accepted(&event("a")).await?;
    stack.conversions(1).await?;
    assert_private(&folder)
}

const USER: u32 = 65_532;

fn is_root() -> Result<bool> {
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}

/// Starts the proxy as an ordinary user, to whom the test gives access. The data directory must exist.
async fn run_as_user(stack: &mut Stack) -> Result<()> {
    let folder = stack.data_dir();
    let above = folder.ancestors().nth(1).unwrap();
    fs::set_permissions(above, fs::Permissions::from_mode(0o711))?;
    // Copy the binary, because the proxy's user may not have access to the build folder.
    let proxy = above.join("duet-proxy");
    fs::copy(binary("duet-proxy")?, &proxy)?;
    fs::set_permissions(&proxy, fs::Permissions::from_mode(0o755))?;
    let user = USER.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]);
    command.arg(&proxy);
    stack.run(command).await
}

/// Tests a volume as Kubernetes mounts it: the volume belongs to root, and the proxy has access through its group.
#[tokio::test]
async fn a_volume_of_the_proxys_group_is_used_and_warned_of() -> Result<()> {
    let mut stack = Stack::prepare(&[]).await?;
    if !is_root()? {
        println!("only root can give a folder to a group");
        return Ok(());
    }
    let folder = stack.data_dir();
    fs::create_dir(&folder)?;
    std::os::unix::fs::chown(&folder, Some(0), Some(USER))?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o2775))?;
    run_as_user(&mut stack).await?;
    stack.accepted(&event("a")).await?;
    stack.conversions(1).await?;
    assert!(
        stack.log().contains("others can read the data directory"),
        "{}",
        stack.log()
    );
    assert_eq!(fs::metadata(&folder)?.mode() & 0o7777, 0o2775);
    for file in ["0.jnl", "keyspaces", "version"] {
        let mode = fs::metadata(folder.join(file))?.mode() & 0o077;
        assert_eq!(mode, 0, "{file} {mode:o}");
    }
    Ok(())
}

/// Root runs commands on the data directory of a stopped service. No process can become the service's user, as with a unit
/// with `DynamicUser`, and only root can enter the folder above the data directory.
#[tokio::test]
async fn commands_of_root_leave_the_folder_to_its_owner() -> Result<()> {
    let mut stack = Stack::prepare(&[]).await?;
    if !is_root()? {
        println!("only root can give a folder to another user");
        return Ok(());
    }
    let folder = stack.data_dir();
    fs::create_dir(&folder)?;
    std::os::unix::fs::chown(&folder, Some(USER), Some(USER))?;
    run_as_user(&mut stack).await?;
    stack.accepted(&event("a")).await?;
    stack.conversions(1).await?;
    assert!(stack.stop().await?);

    let above = folder.ancestors().nth(1).unwrap();
    fs::set_permissions(above, fs::Permissions::from_mode(0o700))?;
    let commands: [&[&str]; 5] = [
        &["dead-letters", "list"],
        &["dead-letters", "replay", "--all"],
        &["payments", "list"],
        &["why", "a"],
        &["serve"],
    ];
    for words in commands {
        if words == ["serve"] {
            stack.run_proxy().await?;
            stack.accepted(&event("b")).await?;
            assert!(stack.stop().await?);
        } else {
            stack.command(words).await?;
        }
        assert_owner(&folder, words)?;
    }
    for words in [["orders", "show", "x"], ["orders", "withdraw", "x"]] {
        let error = stack.command(&words).await.unwrap_err();
        assert!(error.to_string().contains("there is no order x"), "{error}");
        assert_owner(&folder, &words)?;
    }
    let (healthy, said) = doctor(&stack, &[]).await?;
    assert!(healthy, "{said}");
    assert_owner(&folder, &["doctor"])?;

    run_as_user(&mut stack).await?;
    assert_eq!(
        stack.accepted(&event("b")).await?.body["status"],
        "duplicate"
    );
    Ok(())
}

fn assert_owner(folder: &Path, words: &[&str]) -> Result<()> {
    for (path, ..) in modes(folder)? {
        let owner = fs::symlink_metadata(&path)?.uid();
        assert_eq!(owner, USER, "{words:?} {}", path.display());
    }
    Ok(())
}
