//! A client that keeps its connections open, for load that wrk cannot make.

use anyhow::Result;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode, body::Bytes, header::AUTHORIZATION};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};

/// Keeps connections to one or more servers open. Clones of a client share these connections.
#[derive(Clone)]
pub(crate) struct Client(legacy::Client<HttpConnector, Full<Bytes>>);

impl Client {
    pub(crate) fn new() -> Self {
        Self(legacy::Client::builder(TokioExecutor::new()).build_http())
    }

    /// Posts a body and reads the whole answer.
    pub(crate) async fn post(
        &self,
        url: &str,
        body: impl Into<Bytes>,
    ) -> Result<(StatusCode, Bytes)> {
        self.post_as(url, None, body).await
    }

    /// Posts like [`Client::post`]. If `key` is given, sends it as the key of the shop's server.
    pub(crate) async fn post_as(
        &self,
        url: &str,
        key: Option<&str>,
        body: impl Into<Bytes>,
    ) -> Result<(StatusCode, Bytes)> {
        let mut request = Request::post(url);
        if let Some(key) = key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        let request = request.body(Full::new(body.into()))?;
        let answer = self.0.request(request).await?;
        let status = answer.status();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }
}
