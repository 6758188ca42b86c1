//! A stand-in for both ends of TikTok, over real HTTP.
