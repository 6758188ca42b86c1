//! The HTTP server of the proxy. Each file has one concern.

pub mod body;
pub mod caller;
pub mod click_cookie;
pub mod client;
pub mod cors;
pub mod health;
pub mod orders;
pub mod origin;
pub mod payments;
pub mod rejection;
pub mod track;
pub mod wait;
