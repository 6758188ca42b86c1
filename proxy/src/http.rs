//! HTTP on the proxy's own side: one concern a file.

pub mod body;
pub mod caller;
pub mod click_cookie;
pub mod client;
pub mod gate;
pub mod health;
pub mod orders;
pub mod origin;
pub mod rejection;
pub mod sepay;
pub mod track;
pub mod wait;
