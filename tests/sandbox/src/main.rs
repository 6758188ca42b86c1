//! `duet-sandbox`: the sandbox as a program.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use duet_sandbox::{Auth, BankOptions, Options, Pixel, Sandbox, serve};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// A fake TikTok (the Events API, the Pixel script and its collector), and a fake bank that sends payment notifications as
/// the payment providers do.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Address to listen on; port 0 selects a free port.
    #[arg(long, default_value = "127.0.0.1:8788")]
    listen: SocketAddr,
    /// Code of a known pixel; can be repeated [default: CDUETSANDBOX00000001].
    #[arg(long = "pixel", value_name = "CODE")]
    pixels: Vec<String>,
    /// Access token: one for all pixels, or one for each pixel in the same order [default: sandbox-token].
    #[arg(long = "token", value_name = "TOKEN")]
    tokens: Vec<String>,
    /// Accept events that have violations; the violations are still recorded.
    #[arg(long)]
    lenient: bool,
    /// Compare event names letter by letter, so an old and a new name of the same event are two events.
    #[arg(long)]
    literal_names: bool,
    /// The webhook that gets the bank's payment notifications.
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// The secret of that webhook [default: sandbox-secret].
    #[arg(long, value_name = "SECRET")]
    webhook_secret: Option<String>,
    /// How the bank proves its calls of that webhook.
    #[arg(long, value_enum, default_value = "apikey")]
    webhook_auth: WebhookAuth,
}

#[derive(Clone, Copy, ValueEnum)]
enum WebhookAuth {
    None,
    #[value(name = "apikey")]
    ApiKey,
    Hmac,
}

impl From<WebhookAuth> for Auth {
    fn from(auth: WebhookAuth) -> Self {
        match auth {
            WebhookAuth::None => Self::None,
            WebhookAuth::ApiKey => Self::ApiKey,
            WebhookAuth::Hmac => Self::Hmac,
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{pixels} pixels but {tokens} tokens: give one token for all, or one for each")]
    Uneven { pixels: usize, tokens: usize },
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("duet-sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the user who started the program needs the address"
)]
async fn run(arguments: Arguments) -> Result<(), Error> {
    let usual = BankOptions::default();
    let options = Options {
        bank: BankOptions {
            webhook_url: arguments.webhook_url,
            secret: arguments.webhook_secret.unwrap_or(usual.secret),
            auth: arguments.webhook_auth.into(),
            ..BankOptions::default()
        },
        pixels: pixels(arguments.pixels, &arguments.tokens)?,
        strict: !arguments.lenient,
        literal_names: arguments.literal_names,
        ..Options::default()
    };
    let listener = TcpListener::bind(arguments.listen)
        .await
        .map_err(|error| Error::Listen(arguments.listen, error))?;
    println!("duet-sandbox listens on http://{}", listener.local_addr()?);
    for pixel in &options.pixels {
        println!("  pixel {}", pixel.code);
    }
    println!("  bank  http://{}/bank", listener.local_addr()?);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    serve(listener, Sandbox::new(options), stop).await?;
    Ok(())
}

fn pixels(codes: Vec<String>, tokens: &[String]) -> Result<Vec<Pixel>, Error> {
    let usual = Pixel::default();
    let codes = if codes.is_empty() {
        vec![usual.code]
    } else {
        codes
    };
    let tokens = match tokens {
        [] => vec![usual.access_token; codes.len()],
        [one] => vec![one.clone(); codes.len()],
        many if many.len() == codes.len() => many.to_vec(),
        many => {
            return Err(Error::Uneven {
                pixels: codes.len(),
                tokens: many.len(),
            });
        }
    };
    let pairs = codes.into_iter().zip(tokens);
    Ok(pairs
        .map(|(code, access_token)| Pixel { code, access_token })
        .collect())
}
