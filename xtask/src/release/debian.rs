//! The Debian package: the binary, the unit, its settings, man pages and completions. `deploy/debian/` has the scripts that
//! Debian runs, and the text of the control file.

use std::{fs, path::Path};

use anyhow::{Result, ensure};

use super::{
    Contents,
    archive::{copy_tree, zipped},
    fresh, install,
};
use crate::run::{command, output, root, run};

/// Pairs of a line in `deploy/duet-proxy.service` and the line that the package's unit has instead. Reasons: an operator's
/// commands need a user that exists, and a package must not use `/usr/local`. If there is no token, systemd must not start the
/// service, but must report no failure.
const UNIT: [(&str, &str); 4] = [
    (
        "ExecStart=/usr/local/bin/duet-proxy serve",
        "ExecStart=/usr/bin/duet-proxy serve",
    ),
    ("DynamicUser=yes", "User=duet\nGroup=duet"),
    (
        "After=network-online.target",
        "ConditionPathExists=/etc/duet/token\nAfter=network-online.target",
    ),
    (
        "# Runs duet-proxy under systemd. Put the binary into /usr/local/bin, the settings into /etc/duet/env (see\n# .env.example) and the token into /etc/duet/token (mode 0600, owner root). Then run:\n#   systemctl enable --now duet-proxy\n",
        "# Settings: /etc/duet/env. The token: /etc/duet/token (mode 0600, root).\n",
    ),
];
/// The unit gives the token to the service, so the settings of the package must not set the token a second time.
const SETTINGS: [(&str, &str); 1] = [(
    "\nTIKTOK_ACCESS_TOKEN=\n",
    "\n# The service reads the token from the file /etc/duet/token, so this line stays a comment.\n#TIKTOK_ACCESS_TOKEN=\n",
)];
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Packs `duet-proxy_<version>_<architecture>.deb`.
pub(super) fn pack(contents: &Contents<'_>) -> Result<()> {
    let Contents {
        facts, platform, ..
    } = contents;
    let tree = fresh(&contents.stage.join("debian"))?;
    let documents = tree.join("usr/share/doc/duet-proxy");
    install(&contents.binary(), &tree.join("usr/bin/duet-proxy"), 0o755)?;
    let settings = tree.join("etc/duet/env");
    // Other users must not read this file, because an operator may write secrets into it.
    install(&root().join(".env.example"), &settings, 0o640)?;
    fs::write(
        &settings,
        changed(&fs::read_to_string(&settings)?, &SETTINGS)?,
    )?;
    for file in ["deploy/nginx.conf", "deploy/Caddyfile"] {
        let name = file.trim_start_matches("deploy/");
        install(
            &root().join(file),
            &documents.join("examples").join(name),
            0o644,
        )?;
    }
    install(
        &contents.texts.join("THIRD-PARTY-LICENSES.txt"),
        &documents.join("THIRD-PARTY-LICENSES.txt"),
        0o644,
    )?;
    install(
        &root().join("deploy/debian/copyright"),
        &documents.join("copyright"),
        0o644,
    )?;
    install(
        &root().join("CHANGELOG.md"),
        &documents.join("CHANGELOG.md"),
        0o644,
    )?;
    put_changelog(contents, &documents)?;
    install(
        &root().join("deploy/debian/overrides"),
        &tree.join("usr/share/lintian/overrides/duet-proxy"),
        0o644,
    )?;
    put_manual(contents, &tree)?;
    let unit = tree.join("usr/lib/systemd/system/duet-proxy.service");
    install(&root().join("deploy/duet-proxy.service"), &unit, 0o644)?;
    fs::write(&unit, changed(&fs::read_to_string(&unit)?, &UNIT)?)?;
    for script in SCRIPTS {
        install(
            &root().join("deploy/debian").join(script),
            &tree.join("DEBIAN").join(script),
            0o755,
        )?;
    }
    fs::write(tree.join("DEBIAN/conffiles"), "/etc/duet/env\n")?;
    let control = fs::read_to_string(root().join("deploy/debian/control"))?
        .replace("VERSION", facts.version)
        .replace("ARCHITECTURE", platform.architecture)
        .replace("REPOSITORY", &facts.repository);
    fs::write(tree.join("DEBIAN/control"), control)?;
    let deb = contents.into.join(format!(
        "duet-proxy_{}_{}.deb",
        facts.version, platform.architecture
    ));
    build(&tree, &deb, facts.time)
}

/// Writes the change log in Debian's form.
fn put_changelog(contents: &Contents<'_>, documents: &Path) -> Result<()> {
    let facts = contents.facts;
    let time = format!("@{}", facts.time);
    let time = output(command("date", ["-u", "-R", "-d", &time], &root()))?;
    let text = fs::read_to_string(root().join("deploy/debian/changelog"))?
        .replace("VERSION", facts.version)
        .replace("TIME", &time);
    let file = documents.join("changelog");
    fs::write(&file, text)?;
    zipped(&file)
}

/// Writes the man pages, compressed as Debian requires, and the completions.
fn put_manual(contents: &Contents<'_>, tree: &Path) -> Result<()> {
    let pages = tree.join("usr/share/man/man1");
    copy_tree(&contents.texts.join("man"), &pages)?;
    for page in fs::read_dir(&pages)? {
        zipped(&page?.path())?;
    }
    let completions = contents.texts.join("completions");
    for (file, place) in [
        ("duet-proxy.bash", "bash-completion/completions/duet-proxy"),
        ("_duet-proxy", "zsh/vendor-completions/_duet-proxy"),
        (
            "duet-proxy.fish",
            "fish/vendor_completions.d/duet-proxy.fish",
        ),
    ] {
        install(
            &completions.join(file),
            &tree.join("usr/share").join(place),
            0o644,
        )?;
    }
    Ok(())
}

/// Returns a file of the repository with the changes that it has in the package.
fn changed(file: &str, changes: &[(&str, &str)]) -> Result<String> {
    let mut text = file.to_owned();
    for (from, to) in changes {
        ensure!(
            text.contains(from),
            "the file must contain {from}, got\n{file}"
        );
        text = text.replace(from, to);
    }
    Ok(text)
}

/// Builds the package. `dpkg-deb` sorts the files, and gives files that are newer than the commit the commit's time.
/// Compression with `xz` would save 0.8 MB, but the bytes that `xz` writes depend on the number of threads.
fn build(tree: &Path, deb: &Path, time: u64) -> Result<()> {
    let words = ["--root-owner-group", "-Zgzip", "--build"];
    let mut command = command("dpkg-deb", words, &root());
    command
        .arg(tree)
        .arg(deb)
        .env("SOURCE_DATE_EPOCH", time.to_string());
    run(command)
}

#[cfg(test)]
mod tests {
    use super::{SETTINGS, UNIT, changed};

    #[test]
    fn the_packages_unit_runs_the_packages_binary_as_its_own_user() {
        let unit = changed(include_str!("../../../deploy/duet-proxy.service"), &UNIT).unwrap();
        for line in [
            "ExecStart=/usr/bin/duet-proxy serve",
            "User=duet",
            "ConditionPathExists=/etc/duet/token",
        ] {
            assert!(unit.lines().any(|found| found == line), "{line}");
        }
        changed(include_str!("../../../.env.example"), &SETTINGS).unwrap();
        assert!(!unit.contains("DynamicUser") && !unit.contains("/usr/local"));
    }
}
