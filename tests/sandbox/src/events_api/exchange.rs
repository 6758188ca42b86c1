//! One request in the log, from its arrival until the sandbox answers or the sender disconnects.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::StatusCode;
use serde_json::Value;

use super::PATH;
use crate::Sandbox;
use crate::reply::Reply;
use crate::requests::{Answered, LoggedRequest, Token};

pub(super) struct Exchange<'a> {
    sandbox: &'a Sandbox,
    number: u64,
    over: AtomicBool,
}

impl<'a> Exchange<'a> {
    pub(super) fn begin(
        sandbox: &'a Sandbox,
        now_ms: u64,
        token: Option<&str>,
        body: Option<&[u8]>,
        fault: Option<&'static str>,
    ) -> Self {
        let mut request = logged(sandbox, now_ms, token, body);
        request.fault = fault;
        let number = {
            let mut state = sandbox.state();
            state.totals.requests += 1;
            state.requests.begin(request, body.map_or(0, <[u8]>::len))
        };
        sandbox.changed();
        Self {
            sandbox,
            number,
            over: AtomicBool::new(false),
        }
    }

    /// Returns the number of the request.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn answered(&self, status: StatusCode, reply: Option<(&Reply, String)>) {
        let mut answered = Answered {
            status: Some(status.as_u16()),
            ..Answered::default()
        };
        if let Some((reply, request_id)) = reply {
            answered.code = Some(reply.code);
            answered.message = Some(reply.message.clone());
            answered.request_id = Some(request_id);
        }
        self.over.store(true, Ordering::SeqCst);
        self.sandbox.state().requests.finish(self.number, answered);
        self.sandbox.changed();
    }

    /// Records that the sandbox reset the connection on purpose.
    pub(super) fn cut(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.sandbox.changed();
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if !self.over.load(Ordering::SeqCst) {
            self.sandbox.state().requests.abandon(self.number);
            self.sandbox.changed();
        }
    }
}

fn logged(
    sandbox: &Sandbox,
    now_ms: u64,
    token: Option<&str>,
    body: Option<&[u8]>,
) -> LoggedRequest {
    let pixels = &sandbox.options().pixels;
    let known = |token: &str| pixels.iter().any(|pixel| pixel.access_token == token);
    let body = body.map(|bytes| {
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        for pixel in pixels {
            text = text.replace(&pixel.access_token, "[token]");
        }
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    });
    LoggedRequest {
        number: 0,
        received_at_ms: now_ms,
        path: PATH.to_owned(),
        token: match token {
            None => Token::Missing,
            Some(token) if known(token) => Token::Right,
            Some(_) => Token::Wrong,
        },
        body,
        fault: None,
        abandoned: false,
        status: None,
        code: None,
        message: None,
        request_id: None,
    }
}
