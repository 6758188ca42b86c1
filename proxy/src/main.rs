//! Duet's proxy: admits events, keeps them on disk and delivers them to TikTok's Events API.

fn main() {}
