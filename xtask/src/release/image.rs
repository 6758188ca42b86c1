//! The image for containers, as one file. `docker load`, `podman load` and all tools for the OCI layout can read this file. The
//! image has the same contents as the image of `deploy/Dockerfile`: the binary, the list of certificate authorities, and an
//! empty `/data`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Contents, archive, fresh, install};
use crate::run::{command, output, root};

const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";
/// The user of the image, who owns `/data`.
const USER: u32 = 65532;

/// Packs `duet-proxy-<version>-image-<architecture>.tar`.
pub(super) fn pack(contents: &Contents<'_>) -> Result<()> {
    let folder = fresh(&contents.stage.join("image"))?;
    let (layout, files, data) = (
        folder.join("layout"),
        folder.join("files"),
        folder.join("data"),
    );
    install(&contents.binary(), &files.join("duet-proxy"), 0o755)?;
    install(&authorities(), &files.join(AUTHORITIES), 0o644)
        .context("an image needs the package ca-certificates of Debian")?;
    fs::create_dir_all(data.join("data"))?;
    let blobs = Blobs {
        layout: &layout,
        time: contents.facts.time,
    };
    let layers = [
        blobs.layer(&files, &["duet-proxy", "etc"], 0)?,
        blobs.layer(&data, &["data"], USER)?,
    ];
    let config = blobs.json(&config(contents, &layers)?)?;
    let manifest = blobs.json(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config.described("application/vnd.oci.image.config.v1+json"),
        "layers": layers.each_ref().map(|layer| layer.blob.described("application/vnd.oci.image.layer.v1.tar+gzip")),
    }))?;
    let tag = format!("duet-proxy:{}", contents.facts.version);
    let described = json!({
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": manifest.id(),
        "size": manifest.bytes,
        "annotations": {
            "io.containerd.image.name": format!("docker.io/library/{tag}"),
            "org.opencontainers.image.ref.name": contents.facts.version,
        },
        "platform": { "os": "linux", "architecture": contents.platform.architecture },
    });
    let index = json!({ "schemaVersion": 2, "manifests": [described] });
    fs::write(layout.join("index.json"), index.to_string())?;
    fs::write(
        layout.join("oci-layout"),
        json!({ "imageLayoutVersion": "1.0.0" }).to_string(),
    )?;
    // Older versions of Docker read only this list.
    let list = json!([{
        "Config": config.path(), "RepoTags": [tag], "Layers": layers.each_ref().map(|layer| layer.blob.path()),
    }]);
    fs::write(layout.join("manifest.json"), list.to_string())?;
    let name = format!(
        "duet-proxy-{}-image-{}.tar",
        contents.facts.version, contents.platform.architecture
    );
    let tar = folder.join(&name);
    let members = ["blobs", "index.json", "manifest.json", "oci-layout"];
    archive::tarred(&layout, &members, &tar, contents.facts.time, 0)?;
    fs::rename(tar, contents.into.join(name))?;
    Ok(())
}

/// Returns the path of this machine's list of certificate authorities, which is copied into the image.
pub(super) fn authorities() -> PathBuf {
    Path::new("/").join(AUTHORITIES)
}

/// Returns the image's configuration, which says how a container runs, as the end of `deploy/Dockerfile` does.
fn config(contents: &Contents<'_>, layers: &[Layer]) -> Result<Value> {
    let facts = contents.facts;
    let words = [
        "-u",
        "-d",
        &format!("@{}", facts.time),
        "+%Y-%m-%dT%H:%M:%SZ",
    ]
    .map(str::to_owned);
    let created = output(command("date", words, &root()))?;
    let second = 1_000_000_000_u64;
    Ok(json!({
        "created": created,
        "architecture": contents.platform.architecture,
        "os": "linux",
        "config": {
            "User": format!("{USER}:{USER}"),
            "Env": ["DUET_LISTEN=0.0.0.0:8787", "DUET_DATA_DIR=/data", "DUET_LOG_FORMAT=json"],
            "Volumes": { "/data": {} },
            "ExposedPorts": { "8787/tcp": {} },
            "Entrypoint": ["/duet-proxy"],
            "Cmd": ["serve"],
            "WorkingDir": "/",
            "Healthcheck": {
                "Test": ["CMD", "/duet-proxy", "healthcheck"],
                "Interval": 10 * second,
                "Timeout": 5 * second,
                "StartPeriod": 10 * second,
                "Retries": 3,
            },
            "Labels": {
                "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
                "org.opencontainers.image.revision": facts.commit,
                "org.opencontainers.image.source": facts.repository,
                "org.opencontainers.image.version": facts.version,
            },
        },
        "rootfs": { "type": "layers", "diff_ids": layers.iter().map(|layer| &layer.unpacked).collect::<Vec<_>>() },
    }))
}

/// The folder of an image's parts. The name of a part is its SHA-256.
struct Blobs<'a> {
    layout: &'a Path,
    time: u64,
}

struct Blob {
    digest: String,
    bytes: u64,
}

/// A compressed layer.
struct Layer {
    blob: Blob,
    /// The digest of the layer before its compression.
    unpacked: String,
}

impl Blobs<'_> {
    /// Packs the members of a folder, owned by `owner`.
    fn layer(&self, folder: &Path, members: &[&str], owner: u32) -> Result<Layer> {
        let tar = folder.with_extension("tar");
        archive::tarred(folder, members, &tar, self.time, owner)?;
        let unpacked = format!("sha256:{}", digest(&tar)?);
        archive::zipped(&tar)?;
        let blob = self.add(&tar.with_extension("tar.gz"))?;
        Ok(Layer { blob, unpacked })
    }

    fn json(&self, value: &Value) -> Result<Blob> {
        let file = self.layout.with_extension("json");
        fs::write(&file, value.to_string())?;
        self.add(&file)
    }

    fn add(&self, file: &Path) -> Result<Blob> {
        let digest = digest(file)?;
        let bytes = fs::metadata(file)?.len();
        let blobs = self.layout.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        fs::rename(file, blobs.join(&digest))?;
        Ok(Blob { digest, bytes })
    }
}

fn digest(file: &Path) -> Result<String> {
    let printed = output(command("sha256sum", [file], &root()))?;
    let digest = printed.split(' ').next();
    Ok(digest.context("sha256sum must print a digest")?.to_owned())
}

impl Blob {
    fn id(&self) -> String {
        format!("sha256:{}", self.digest)
    }

    fn path(&self) -> String {
        format!("blobs/sha256/{}", self.digest)
    }

    fn described(&self, media_type: &str) -> Value {
        json!({ "mediaType": media_type, "digest": self.id(), "size": self.bytes })
    }
}
