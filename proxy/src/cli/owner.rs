//! Lets root use a data directory of another user: the process becomes that user, before it has threads. If the process stayed
//! root, it would leave files in the folder that the proxy of that user could not open.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

use anyhow::{Context, Result};
use rustix::{
    process::geteuid,
    thread::{
        CapabilitiesSecureBits, Gid, Uid, set_capabilities_secure_bits, set_thread_groups,
        set_thread_res_gid, set_thread_res_uid,
    },
};

/// Makes root act as the owner of `folder`, and does nothing for other users. Does nothing if the folder does not exist.
pub(super) fn act_as_owner(folder: &Path) -> Result<()> {
    let Ok(about) = fs::metadata(folder) else {
        return Ok(());
    };
    let (user, group) = (about.uid(), about.gid());
    if !geteuid().is_root() || user == 0 {
        return Ok(());
    }
    change(Uid::from_raw(user), Gid::from_raw(group)).with_context(|| {
        format!(
            "DUET_DATA_DIR: {} belongs to the user with the id {user}, and root cannot act as that user here; run the command as that user",
            folder.display()
        )
    })
}

/// Changes the user of this thread, and of all threads that this thread starts later. The thread keeps root's capabilities,
/// because the owner of the folder may have no right to read the token's file. If the folder belongs to a systemd unit with
/// `DynamicUser`, the owner may also have no right to enter the folder above it.
fn change(user: Uid, group: Gid) -> io::Result<()> {
    set_capabilities_secure_bits(CapabilitiesSecureBits::NO_SETUID_FIXUP)?;
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    Ok(set_thread_res_uid(user, user, user)?)
}
