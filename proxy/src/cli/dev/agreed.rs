//! The settings that the proxy and the sandbox share for one run: their addresses, and secrets that are new in every run and
//! that no other program knows.

use std::{fs, net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result, anyhow};
use duet_proxy::{config::Config, payments::sepay};
use duet_sandbox::{Auth, BankOptions, Pixel, Provider, Webhook};

/// The providers besides SePay whose notifications the sandbox's bank sends.
const OTHERS: [Provider; 4] = [
    Provider::Polar,
    Provider::Stripe,
    Provider::Payos,
    Provider::Vnpay,
];

/// The shared settings of one run. The sandbox replaces TikTok and the payment providers, even if their settings are set. The
/// sandbox replaces Clerk if `CLERK_ISSUER` is not set.
pub(super) struct Agreed {
    pub(super) pixel: Pixel,
    pub(super) sandbox_url: String,
    /// The address on which the proxy listens and serves its pages.
    pub(super) proxy: SocketAddr,
    /// The folder of the store, if `DUET_DATA_DIR` is not set.
    pub(super) folder: PathBuf,
    /// The server key, with which the site registers orders as the shop's own server.
    pub(super) server_key: String,
    webhook_secret: String,
    form_key: String,
    /// The secret of every provider except SePay.
    providers_secret: String,
}

impl Agreed {
    pub(super) fn new(
        lookup: impl Fn(&str) -> Option<String>,
        sandbox_url: String,
        proxy: SocketAddr,
        folder: PathBuf,
    ) -> Result<Self> {
        Ok(Self {
            pixel: Pixel::default(),
            sandbox_url,
            proxy,
            folder,
            server_key: server_key(lookup)?,
            webhook_secret: random_secret()?,
            form_key: random_secret()?,
            providers_secret: format!("whsec_{}", random_secret()?),
        })
    }

    /// Returns the proxy's settings. The settings of TikTok, the credentials of the payment providers, the server key and
    /// `DUET_LISTEN` always have the shared values. Apart from the ignored settings that are listed below, every other setting
    /// has the value that `lookup` returns, or else its shared value, if there is one.
    pub(super) fn config<'a>(
        &self,
        lookup: impl Fn(&str) -> Option<String>,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Config> {
        let or = |name: &str, usual: String| lookup(name).or(Some(usual));
        let agreed = |name: &str| match name {
            "TIKTOK_PIXEL_ID" => Some(self.pixel.code.clone()),
            "TIKTOK_ACCESS_TOKEN" => Some(self.pixel.access_token.clone()),
            "TIKTOK_API_BASE" => Some(self.sandbox_url.clone()),
            "SEPAY_WEBHOOK_SECRET" => Some(self.webhook_secret.clone()),
            "SEPAY_SECRET_KEY" => Some(self.form_key.clone()),
            "POLAR_WEBHOOK_SECRET"
            | "STRIPE_WEBHOOK_SECRET"
            | "PAYOS_CHECKSUM_KEY"
            | "VNPAY_HASH_SECRET" => Some(self.providers_secret.clone()),
            "VNPAY_TMN_CODE" => Some(BankOptions::default().terminal),
            "DUET_SERVER_KEY" => Some(self.server_key.clone()),
            // These settings are ignored: the values above replace secrets, the sandbox has only one pixel, and the console
            // needs no token.
            "DUET_PIXELS_FILE"
            | "NEXT_PUBLIC_TIKTOK_PIXEL_ID"
            | "TIKTOK_ACCESS_TOKEN_FILE"
            | "SEPAY_WEBHOOK_SECRET_FILE"
            | "SEPAY_SECRET_KEY_FILE"
            | "POLAR_WEBHOOK_SECRET_FILE"
            | "STRIPE_WEBHOOK_SECRET_FILE"
            | "PAYOS_CHECKSUM_KEY_FILE"
            | "VNPAY_HASH_SECRET_FILE"
            | "DUET_SERVER_KEY_FILE"
            | "DUET_CONSOLE_TOKEN"
            | "DUET_CONSOLE_TOKEN_FILE"
            | "DUET_CONSOLE_HOST" => None,
            "DUET_LISTEN" => Some(self.proxy.to_string()),
            "DUET_DATA_DIR" => or(name, self.folder.to_str()?.to_owned()),
            "SEPAY_ACCOUNTS" => or(name, BankOptions::default().account),
            "CLERK_ISSUER" => or(name, self.sandbox_url.clone()),
            "CLERK_AUTHORIZED_PARTIES" => or(name, self.parties(&lookup)),
            _ => lookup(name),
        };
        Config::start(agreed, names).map_err(|problems| {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            anyhow!("{}", problems.join("; "))
        })
    }

    /// Returns the bank's settings for the webhook.
    pub(super) fn bank(&self, config: &Config) -> BankOptions {
        let usual = BankOptions::default();
        let payments = config.payments.as_ref();
        let sepay = payments.and_then(|payments| payments.sepay.as_ref());
        let account = sepay.and_then(|sepay| sepay.accounts.first());
        BankOptions {
            webhook_url: Some(format!("http://{}/api/payment/sepay/webhook", self.proxy)),
            secret: self.webhook_secret.clone(),
            auth: match sepay.map(|sepay| sepay.auth) {
                Some(sepay::Auth::Hmac) => Auth::Hmac,
                Some(sepay::Auth::ApiKey) | None => Auth::ApiKey,
            },
            form_key: self.form_key.clone(),
            account: account.cloned().unwrap_or(usual.account),
            others: OTHERS
                .map(|provider| (provider, self.webhook(provider)))
                .into(),
            terminal: usual.terminal,
            minute_ms: usual.minute_ms,
        }
    }

    fn webhook(&self, provider: Provider) -> Webhook {
        let url = format!(
            "http://{}/api/payment/{}/webhook",
            self.proxy,
            provider.name()
        );
        let secret = self.providers_secret.clone();
        Webhook { url, secret }
    }

    /// Returns the origins of the pages whose sessions at the sandbox's Clerk are accepted: the site, and the other origins
    /// that can send events.
    fn parties(&self, lookup: impl Fn(&str) -> Option<String>) -> String {
        let Self { proxy, .. } = self;
        let others = lookup("DUET_ALLOWED_ORIGINS").unwrap_or_default();
        format!("http://{proxy},http://localhost:{},{others}", proxy.port())
    }
}

/// Returns the server key from the settings, so that the developer can also try the shop's own server. If none is set, returns
/// a new key.
fn server_key(lookup: impl Fn(&str) -> Option<String>) -> Result<String> {
    if let Some(file) = lookup("DUET_SERVER_KEY_FILE") {
        return fs::read_to_string(&file)
            .with_context(|| format!("DUET_SERVER_KEY: the file {file} cannot be read"));
    }
    lookup("DUET_SERVER_KEY").map_or_else(random_secret, Ok)
}

fn random_secret() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| anyhow!("the system has no random numbers"))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use duet_proxy::admit::MoneyEvents;

    use super::*;

    fn agreed(lookup: impl Fn(&str) -> Option<String>) -> Agreed {
        let proxy = "127.0.0.1:8787".parse().unwrap();
        Agreed::new(lookup, "http://127.0.0.1:8788".into(), proxy, "data".into()).unwrap()
    }

    #[test]
    fn without_settings_the_bank_is_believed_and_a_page_is_not() {
        let agreed = agreed(|_| None);
        let config = agreed.config(|_| None, []).unwrap();
        assert_eq!(config.money, MoneyEvents::Verified);
        let payments = config.payments.as_ref().unwrap();
        let sepay = payments.sepay.as_ref().unwrap();
        let bank = agreed.bank(&config);
        assert!(sepay.webhook_secret.matches(&bank.secret));
        assert_eq!(sepay.accounts, [bank.account]);
        for (provider, webhook) in &bank.others {
            assert!(payments.provider(provider.name()).is_some());
            assert!(
                webhook
                    .url
                    .ends_with(&format!("/api/payment/{}/webhook", provider.name()))
            );
        }
        let polar = payments.polar.as_ref().unwrap();
        assert!(polar.secrets.matches(&bank.others[&Provider::Polar].secret));
        assert_eq!(
            bank.webhook_url.unwrap(),
            "http://127.0.0.1:8787/api/payment/sepay/webhook"
        );
    }

    #[test]
    fn every_run_has_secrets_of_its_own_whatever_is_set() {
        let set = |name: &str| name.starts_with("SEPAY_S").then(|| "the-real-one".into());
        let [one, other] = [agreed(set), agreed(set)];
        assert_ne!(one.webhook_secret, other.webhook_secret);
        assert_ne!(one.webhook_secret, one.form_key);
        assert_ne!(one.server_key, other.server_key);
        let config = one.config(set, []).unwrap();
        let sepay = config.payments.unwrap().sepay.unwrap();
        assert!(sepay.webhook_secret.matches(&one.webhook_secret));
    }

    #[test]
    fn the_bank_proves_itself_as_it_is_set_and_pays_into_the_account_that_is_set() {
        let set = |name: &str| match name {
            "SEPAY_WEBHOOK_AUTH" => Some("hmac".to_owned()),
            "SEPAY_ACCOUNTS" => Some("VQRQ0001,1234".to_owned()),
            _ => None,
        };
        let agreed = agreed(set);
        let bank = agreed.bank(&agreed.config(set, []).unwrap());
        assert_eq!(bank.auth, Auth::Hmac);
        assert_eq!(bank.account, "VQRQ0001");
    }
}
