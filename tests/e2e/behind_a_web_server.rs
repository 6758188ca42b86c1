//! Tests the web servers' configurations in `deploy/` with real web servers in front of the real proxy. These web servers
//! must be installed. Run the tests with `cargo test -p duet-tests --test e2e behind_a_web_server -- --ignored`.

use std::{
    fs,
    net::{IpAddr, SocketAddr, UdpSocket},
    path::Path,
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use duet_tests::{Answer, Stack, stack::free_address};
use reqwest::Client;
use tokio::process::{Child, Command};

use crate::events::event;

const TRACK: &str = "/api/analytics/tiktok/track";

fn deployed(name: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy")
        .join(name);
    Ok(fs::read_to_string(path)?)
}

async fn free_port() -> Result<u16> {
    Ok(free_address().await?.port())
}

fn started(program: &str, args: &[&str], environment: &[(&str, String)]) -> Result<Child> {
    Command::new(program)
        .args(args)
        .envs(environment.iter().cloned())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{program} is not installed"))
}

async fn nginx(folder: &Path, proxy: SocketAddr) -> Result<(Child, u16)> {
    let port = free_port().await?;
    let snippet = deployed("nginx.conf")?.replace("127.0.0.1:8787", &proxy.to_string());
    ensure!(
        snippet.contains(&proxy.to_string()),
        "the configuration must contain the proxy's address"
    );
    fs::write(folder.join("duet.conf"), snippet)?;
    let at = folder.display();
    let config = format!(
        "daemon off; pid {at}/pid; error_log {at}/error.log; events {{}}
         http {{ access_log off; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;
                 fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;
                 server {{ listen 127.0.0.1:{port}; include {at}/duet.conf; }} }}"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, config)?;
    let file = file.to_str().context("the path must be UTF-8")?;
    let checked = Command::new("nginx")
        .args(["-t", "-q", "-c", file])
        .output()
        .await?;
    ensure!(checked.status.success(), "{checked:?}");
    Ok((started("nginx", &["-c", file], &[])?, port))
}

async fn caddy(folder: &Path, proxy: SocketAddr) -> Result<(Child, u16)> {
    let port = free_port().await?;
    let file = folder.join("Caddyfile");
    fs::write(
        &file,
        format!("{{\n\tadmin off\n}}\n{}", deployed("Caddyfile")?),
    )?;
    let environment = [
        ("SHOP_HOST", format!("http://127.0.0.1:{port}")),
        ("UPSTREAM", proxy.to_string()),
        ("XDG_DATA_HOME", folder.display().to_string()),
        ("XDG_CONFIG_HOME", folder.display().to_string()),
    ];
    let file = file.to_str().context("the path must be UTF-8")?;
    let args = ["run", "--adapter", "caddyfile", "--config", file];
    Ok((started("caddy", &args, &environment)?, port))
}

/// Sends requests of two customers with forged headers. Also sends requests that the shop's page makes in the browsers of
/// these customers.
async fn visit(stack: &Stack, port: u16) -> Result<()> {
    let shop = format!("http://127.0.0.1:{port}");
    let customer = Client::builder().local_address(outward()?).build()?;
    let other: IpAddr = "127.9.8.7".parse()?;
    let other = Client::builder().local_address(other).build()?;
    stack
        .until("the web server answers", async |_| {
            Ok(customer.get(&shop).send().await.is_ok())
        })
        .await?;
    let sent_by = |client: &Client, id: &str, forged: &str| {
        let request = client
            .post(format!("{shop}{TRACK}"))
            .header("origin", &shop);
        let request = request.header("x-forwarded-for", forged.to_owned());
        let request = request.header("x-real-ip", "198.51.100.9");
        let request = request.header("x-forwarded-host", "evil.example");
        request.body(event(id).to_string())
    };
    // The rate limit counts each customer separately: the proxy uses the real addresses and ignores the forged addresses.
    for (client, id, forged, status) in [
        (&customer, "a", "198.51.100.1", 202),
        (&customer, "b", "198.51.100.2", 429),
        (&other, "c", "198.51.100.3", 202),
    ] {
        let answer = Answer::to(sent_by(client, id, forged)).await?;
        assert_eq!(answer.status.as_u16(), status, "{id}: {answer:?}");
    }
    let evil = customer.post(format!("{shop}{TRACK}"));
    let evil = evil.header("x-forwarded-host", "evil.example");
    let answer = Answer::to(evil.header("origin", "http://evil.example")).await?;
    assert_eq!(answer.status.as_u16(), 403);

    let greeting = customer.get(format!("http://{}{TRACK}", stack.address()));
    let direct = Answer::to(greeting).await?.body["your_ip"].take();
    let through = Answer::to(customer.get(format!("{shop}{TRACK}"))).await?;
    assert_eq!(through.body["your_ip"], direct);
    stack.conversions(2).await?;
    let requests = stack.requests().into_iter();
    let mut events = requests
        .filter_map(|request| request.body)
        .flat_map(|body| {
            let events = body["data"].as_array().cloned();
            events.unwrap_or_default()
        });
    let sent = events.find(|sent| sent["event_id"] == "a");
    let sent = sent.context("the proxy must send the event to TikTok")?;
    assert_eq!(
        sent["user"]["ip"], direct,
        "an address of a private network must not be sent to TikTok"
    );

    for inside in ["/metrics", "/readyz", "/healthz", "/console", "/api/orders"] {
        let answer = Answer::to(customer.get(format!("{shop}{inside}"))).await?;
        assert_eq!(answer.status.as_u16(), 404, "{inside}");
        let reached = answer.body.get("code").is_some();
        assert!(
            !reached,
            "the web server must not pass {inside} on to the proxy"
        );
    }
    Ok(())
}

/// Returns the address of this machine in its network. Sends no data.
fn outward() -> Result<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect("203.0.113.1:9")?;
    Ok(socket.local_addr()?.ip())
}

const SETTINGS: [(&str, &str); 2] = [
    ("DUET_TRUSTED_PROXIES", "127.0.0.1"),
    ("DUET_RATE_LIMIT", "1/1h"),
];

#[tokio::test]
#[ignore = "needs nginx"]
async fn nginx_hands_on_the_customers_address_and_shows_nothing_else() -> Result<()> {
    let stack = Stack::start(&SETTINGS).await?;
    let folder = tempfile::tempdir()?;
    let (_nginx, port) = nginx(folder.path(), stack.address()).await?;
    visit(&stack, port).await
}

#[tokio::test]
#[ignore = "needs caddy"]
async fn caddy_hands_on_the_customers_address_and_shows_nothing_else() -> Result<()> {
    let stack = Stack::start(&SETTINGS).await?;
    let folder = tempfile::tempdir()?;
    let (_caddy, port) = caddy(folder.path(), stack.address()).await?;
    visit(&stack, port).await
}
