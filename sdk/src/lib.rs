//! Duet's browser SDK: one call, the TikTok Pixel and the proxy, one event_id.
