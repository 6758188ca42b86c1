//! The files in `deploy/` can be parsed and fit the settings, paths and times of the proxy. The tests check each promise of
//! these files that their text can show.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

const SETTINGS: &str = include_str!("../../proxy/src/config/settings.rs");
/// A variable of the build, which is not a setting.
const OF_THE_BUILD: &str = "DUET_COMMIT";
/// The paths of the proxy that are public under the shop's origin.
const PUBLIC: [&str; 7] = [
    "/api/analytics/tiktok/track",
    "/api/orders/",
    "/api/payment/sepay/webhook",
    "/api/payment/polar/webhook",
    "/api/payment/stripe/webhook",
    "/api/payment/payos/webhook",
    "/api/payment/vnpay/webhook",
];
/// The paths that stay inside the network.
const PRIVATE: [&str; 4] = ["/metrics", "/readyz", "/healthz", "/console"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| path.to_owned())
}

fn yaml(path: &str) -> Result<Vec<Value>> {
    Ok(serde_saphyr::from_multiple(&text(path)?)?)
}

/// Returns every file in a folder, without its subfolders.
fn files(folder: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root().join(folder))? {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

/// Returns the names of settings in a text: capital letters after one of the prefixes.
fn settings_in(text: &str) -> BTreeSet<&str> {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    text.split(|c| !plain(c))
        .filter(|word| {
            let prefixes = ["DUET_", "TIKTOK_", "SEPAY_", "CLERK_"];
            prefixes.iter().any(|prefix| {
                let rest = word.strip_prefix(prefix);
                rest.is_some_and(|rest| !rest.is_empty())
            })
        })
        .collect()
}

#[test]
fn every_setting_that_is_named_anywhere_exists() -> Result<()> {
    let mut all = [files("deploy")?, files("docs")?].concat();
    all.push(root().join("README.md"));
    let mut named = 0;
    // This page names the settings of the former Next.js implementation.
    all.retain(|file| !file.ends_with("migrate.md"));
    for file in all {
        let text = fs::read_to_string(&file)?;
        for name in settings_in(&text) {
            let known = |name: &str| SETTINGS.contains(&format!("\"{name}\""));
            let in_file = name.strip_suffix("_FILE").is_some_and(known);
            let exists = known(name) || in_file || name == OF_THE_BUILD;
            assert!(exists, "{name} in {}", file.display());
            named += 1;
        }
    }
    assert!(named > 30, "{named}");
    Ok(())
}

#[test]
fn a_container_has_one_file_no_root_and_a_check_of_its_own() -> Result<()> {
    let file = text("deploy/Dockerfile")?;
    let (_, image) = file
        .split_once("FROM scratch\n")
        .context("the Dockerfile must have a line FROM scratch")?;
    for line in [
        "USER 65532:65532",
        "CMD [\"/duet-proxy\", \"healthcheck\"]",
        "/etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt",
        "--chown=65532:65532 /data /data",
    ] {
        assert!(image.contains(line), "{line}");
    }
    let workspace: toml::Table = toml::from_str(&text("Cargo.toml")?)?;
    let version = workspace["workspace"]["package"]["rust-version"].as_str();
    let version = version.context("the workspace must state its rust-version")?;
    assert!(file.contains(&format!("FROM rust:{version}-")), "{version}");
    let ignored = text(".dockerignore")?;
    for member in workspace["workspace"]["members"]
        .as_array()
        .context("the workspace must list its members")?
    {
        let member = member.as_str().context("a member must be a path")?;
        let folder = member
            .split('/')
            .next()
            .context("a member must begin with a folder")?;
        assert!(
            ignored.lines().any(|line| line == format!("!{folder}")),
            "{folder}"
        );
    }
    Ok(())
}

#[test]
fn compose_gives_the_proxy_nothing_it_does_not_need() -> Result<()> {
    let documents = yaml("deploy/compose.yaml")?;
    let compose = documents.first().context("the file must have a document")?;
    let proxy = &compose["services"]["proxy"];
    assert_eq!(proxy["read_only"], true);
    assert_eq!(proxy["cap_drop"], json!(["ALL"]));
    assert_eq!(proxy["volumes"], json!(["data:/data"]));
    assert_eq!(
        proxy["ports"],
        Value::Null,
        "only Caddy may be reachable from outside"
    );
    let secret = proxy["environment"]["TIKTOK_ACCESS_TOKEN_FILE"].as_str();
    let secret = secret.and_then(|path| path.strip_prefix("/run/secrets/"));
    assert!(
        !compose["secrets"][secret.context("the setting must name a file in /run/secrets/")?]
            .is_null()
    );
    let caddy = &compose["services"]["caddy"]["networks"]["inner"]["ipv4_address"];
    assert_eq!(&proxy["environment"]["DUET_TRUSTED_PROXIES"], caddy);
    Ok(())
}

#[test]
fn kubernetes_runs_one_proxy_without_rights_on_a_volume() -> Result<()> {
    let documents = yaml("deploy/kubernetes.yaml")?;
    let kinds: Vec<_> = documents.iter().map(|object| &object["kind"]).collect();
    assert_eq!(kinds, ["StatefulSet", "Service", "Ingress"]);
    let set = &documents[0]["spec"];
    assert_eq!(set["replicas"], 1);
    let pod = &set["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    let container = &pod["containers"][0];
    let context = &container["securityContext"];
    assert_eq!(context["readOnlyRootFilesystem"], true);
    assert_eq!(context["allowPrivilegeEscalation"], false);
    assert_eq!(context["capabilities"]["drop"], json!(["ALL"]));
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        assert_eq!(container[probe]["httpGet"]["path"], "/healthz", "{probe}");
    }
    let claim = &set["volumeClaimTemplates"][0]["metadata"]["name"];
    let mounts = container["volumeMounts"]
        .as_array()
        .context("the container must have volumeMounts")?;
    assert!(
        mounts
            .iter()
            .any(|mount| mount["name"] == *claim && mount["mountPath"] == "/data")
    );
    let paths = documents[2]["spec"]["rules"][0]["http"]["paths"].as_array();
    let paths = paths
        .context("the ingress must have paths")?
        .iter()
        .map(|path| &path["path"]);
    assert_eq!(paths.collect::<Vec<_>>(), PUBLIC);
    Ok(())
}

#[test]
fn compose_with_postgresql_gives_each_proxy_both_servers_and_the_network_to_nobody_else()
-> Result<()> {
    let documents = yaml("deploy/compose-postgres.yaml")?;
    let compose = documents.first().context("the file must have a document")?;
    let services = &compose["services"];
    for name in ["proxy-1", "proxy-2"] {
        let proxy = &services[name];
        assert_eq!(proxy["read_only"], true);
        assert_eq!(proxy["cap_drop"], json!(["ALL"]));
        assert_eq!(
            proxy["ports"],
            Value::Null,
            "only Caddy may be reachable from outside"
        );
        let queue = proxy["environment"]["DUET_QUEUE"]
            .as_str()
            .context("the service must set DUET_QUEUE")?;
        let hosts = queue
            .split(['@', '/'])
            .nth(3)
            .context("DUET_QUEUE must name hosts")?;
        for host in hosts.split(',') {
            assert_eq!(services[host]["image"], "postgres:17", "{host}");
            assert_eq!(services[host]["networks"], json!(["database"]));
        }
        let caddy = &services["caddy"]["networks"]["inner"]["ipv4_address"];
        assert_eq!(&proxy["environment"]["DUET_TRUSTED_PROXIES"], caddy);
        for secret in proxy["secrets"]
            .as_array()
            .context("the service must list its secrets")?
        {
            let secret = secret.as_str().context("a secret must be a name")?;
            assert!(!compose["secrets"][secret].is_null(), "{secret}");
        }
    }
    assert_eq!(compose["networks"]["database"]["internal"], true);
    assert!(services["caddy"]["networks"]["database"].is_null());
    // Without this setting the proxies do not start. The setting must not be an option of the server's command: the first
    // start has no standby yet, so the option would stop it.
    let script = text("deploy/postgres-primary.sh")?;
    assert!(script.contains("alter system set synchronous_standby_names = '*'"));
    assert_eq!(services["primary"]["command"], Value::Null);
    Ok(())
}

#[test]
fn kubernetes_with_postgresql_keeps_two_of_three_proxies_and_two_copies_of_a_commit() -> Result<()>
{
    let documents = yaml("deploy/kubernetes-postgres.yaml")?;
    let kinds: Vec<_> = documents.iter().map(|object| &object["kind"]).collect();
    let expected = [
        "Cluster",
        "Deployment",
        "PodDisruptionBudget",
        "Service",
        "Ingress",
    ];
    assert_eq!(kinds, expected);
    let database = &documents[0]["spec"];
    assert_eq!(database["instances"], 3);
    let synchronous = &database["postgresql"]["synchronous"];
    assert_eq!(synchronous["dataDurability"], "required");
    assert_eq!(synchronous["failoverQuorum"], true);
    let proxies = &documents[1]["spec"];
    assert_eq!(proxies["replicas"], 3);
    assert_eq!(documents[2]["spec"]["minAvailable"], 2);
    let labels = &proxies["template"]["metadata"]["labels"];
    for selector in [
        &proxies["selector"]["matchLabels"],
        &documents[2]["spec"]["selector"]["matchLabels"],
        &documents[3]["spec"]["selector"],
    ] {
        assert_eq!(selector, labels);
    }
    let pod = &proxies["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    let variables = container["env"]
        .as_array()
        .context("the container must have env")?;
    let value = |name: &str| {
        let variable = variables.iter().find(|variable| variable["name"] == name);
        variable.and_then(|variable| variable["value"].as_str())
    };
    let queue = value("DUET_QUEUE").context("the container must set DUET_QUEUE")?;
    let name = documents[0]["metadata"]["name"]
        .as_str()
        .context("the object must have a name")?;
    let database = database["bootstrap"]["initdb"]["database"].as_str();
    let database = database.context("initdb must name the database")?;
    assert!(
        queue.contains(&format!("@{name}-rw/{database}?sslrootcert=")),
        "{queue}"
    );
    let volumes = pod["volumes"]
        .as_array()
        .context("the pod must have volumes")?;
    for secret in ["app", "ca"] {
        let secret = format!("{name}-{secret}");
        assert!(
            volumes
                .iter()
                .any(|volume| volume["secret"]["secretName"] == secret)
        );
    }
    let mounts = container["volumeMounts"]
        .as_array()
        .context("the container must have volumeMounts")?;
    for volume in volumes {
        assert!(
            mounts.iter().any(|mount| mount["name"] == volume["name"]),
            "{volume}"
        );
    }
    let paths = documents[4]["spec"]["rules"][0]["http"]["paths"].as_array();
    let paths = paths
        .context("the ingress must have paths")?
        .iter()
        .map(|path| &path["path"]);
    assert_eq!(paths.collect::<Vec<_>>(), PUBLIC);
    Ok(())
}

#[test]
fn fly_keeps_one_machine_awake_with_a_volume() -> Result<()> {
    let fly: Value = toml::from_str(&text("deploy/fly.toml")?)?;
    assert_eq!(fly["mounts"][0]["destination"], "/data");
    let service = &fly["http_service"];
    assert_eq!(service["auto_stop_machines"], "off");
    assert_eq!(service["checks"][0]["path"], "/healthz");
    assert_eq!(service["internal_port"], 8787);
    Ok(())
}

#[test]
fn web_servers_show_the_public_routes_and_no_other() -> Result<()> {
    for file in ["deploy/nginx.conf", "deploy/Caddyfile"] {
        let text = text(file)?;
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'));
        let text: Vec<_> = lines.collect();
        let text = text.join("\n");
        for path in PUBLIC {
            assert!(text.contains(path), "{file} must contain {path}");
        }
        for path in PRIVATE {
            assert!(!text.contains(path), "{file} must not contain {path}");
        }
    }
    Ok(())
}

#[test]
fn everything_waits_longer_for_the_end_than_the_proxy_takes() -> Result<()> {
    // This is FINISH_WITHIN for the requests plus DRAIN for the delivery.
    let takes_s = 20;
    let unit = text("deploy/duet-proxy.service")?;
    let stop = unit
        .lines()
        .find_map(|line| line.strip_prefix("TimeoutStopSec="));
    let compose = yaml("deploy/compose.yaml")?;
    let fly: Value = toml::from_str(&text("deploy/fly.toml")?)?;
    let kubernetes = yaml("deploy/kubernetes.yaml")?;
    let grace = |compose: &Value, name: &str| -> Result<i64> {
        let grace = compose["services"][name]["stop_grace_period"].as_str();
        let seconds = grace.and_then(|text| text.strip_suffix('s'));
        Ok(seconds
            .context("the time must end with s, for seconds")?
            .parse()?)
    };
    let end_of = |object: &Value| {
        object["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_i64()
    };
    let patience = [
        stop.context("the unit must state the time for a stop")?
            .parse()?,
        grace(&compose[0], "proxy")?,
        grace(&yaml("deploy/compose-postgres.yaml")?[0], "proxy-1")?,
        fly["kill_timeout"]
            .as_i64()
            .context("kill_timeout must be a number")?,
        end_of(&kubernetes[0]).context("the time for a stop must be a number")?,
        end_of(&yaml("deploy/kubernetes-postgres.yaml")?[1])
            .context("the time for a stop must be a number")?,
    ];
    assert!(
        patience.iter().all(|seconds: &i64| *seconds > takes_s),
        "{patience:?}"
    );
    Ok(())
}

#[test]
fn every_test_that_the_page_on_security_names_exists() -> Result<()> {
    let page = text("docs/security.md")?;
    let mut sources = String::new();
    for folder in [
        "proxy/src",
        "events/src",
        "events/tests",
        "tests/e2e",
        "tests/browser",
    ] {
        read_all(&root().join(folder), &mut sources)?;
    }
    let mut rows = 0;
    for row in page.lines().filter(|line| line.starts_with("| ")) {
        let tests = row
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| name.matches('_').count() > 3);
        for name in tests {
            let browser = name.replace('_', " ");
            let exists = sources.contains(&format!("fn {name}(")) || sources.contains(&browser);
            assert!(exists, "{name}");
            rows += 1;
        }
    }
    assert!(rows >= 20, "{rows}");
    Ok(())
}

fn read_all(folder: &Path, into: &mut String) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let kind = path.extension().and_then(|kind| kind.to_str());
        if path.is_dir() && !path.ends_with("node_modules") {
            read_all(&path, into)?;
        } else if matches!(kind, Some("rs" | "mjs")) {
            into.push_str(&fs::read_to_string(&path)?);
        }
    }
    Ok(())
}
