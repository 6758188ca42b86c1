//! The platforms that have a binary, and their names in each kind of package.

use anyhow::{Context as _, Result};

/// A platform.
pub(super) struct Platform {
    /// The name in file names, and in npm: Node's `process.platform` and `process.arch`.
    pub(super) name: &'static str,
    /// The compiler's target.
    pub(super) target: &'static str,
    /// Node's `process.platform`.
    pub(super) os: &'static str,
    /// Node's `process.arch`.
    pub(super) cpu: &'static str,
    /// The architecture in Debian packages and in images.
    pub(super) architecture: &'static str,
}

impl Platform {
    pub(super) fn is_linux(&self) -> bool {
        self.os == "linux"
    }
}

/// All platforms. A release for macOS is built on macOS, see `.github/workflows/release.yml`.
pub(super) const PLATFORMS: [Platform; 4] = [
    Platform {
        name: "linux-x64",
        target: "x86_64-unknown-linux-musl",
        os: "linux",
        cpu: "x64",
        architecture: "amd64",
    },
    Platform {
        name: "linux-arm64",
        target: "aarch64-unknown-linux-musl",
        os: "linux",
        cpu: "arm64",
        architecture: "arm64",
    },
    Platform {
        name: "darwin-arm64",
        target: "aarch64-apple-darwin",
        os: "darwin",
        cpu: "arm64",
        architecture: "arm64",
    },
    Platform {
        name: "darwin-x64",
        target: "x86_64-apple-darwin",
        os: "darwin",
        cpu: "x64",
        architecture: "amd64",
    },
];

/// Returns the platforms with these names, or those of Linux if there are no names.
pub(super) fn chosen<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'static Platform> {
    let names: Vec<_> = names.collect();
    let is_chosen = |platform: &&Platform| {
        if names.is_empty() {
            platform.is_linux()
        } else {
            names.iter().any(|name| *name == platform.name)
        }
    };
    PLATFORMS.iter().filter(is_chosen).collect()
}

/// Returns the platform on which this program runs.
pub(super) fn of_this_machine() -> Result<Vec<&'static Platform>> {
    let is_meant = |platform: &&Platform| {
        platform.is_linux() == cfg!(target_os = "linux")
            && platform.target.starts_with(std::env::consts::ARCH)
    };
    let found = PLATFORMS.iter().find(is_meant);
    Ok(vec![found.context(
        "this platform must be one of the platforms of a release",
    )?])
}
