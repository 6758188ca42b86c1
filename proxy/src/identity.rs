//! Who is calling.

pub mod server_key;
