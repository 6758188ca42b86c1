//! What may be asked of the page while a call runs. Everything else is an [effect](crate::effect).

use alloc::string::String;

/// The page's answers. In a browser they are `host.js`; a test hands in its own.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// What is stored under a key; empty where there is nothing.
    pub read: fn(&str) -> String,
    /// The value of a cookie this page may read; empty where there is none.
    pub cookie: fn(&str) -> String,
    /// Lower case beyond ASCII. The Unicode tables would double the module.
    pub lowercase: fn(&str) -> String,
}

/// What `core.js` gives the module.
#[cfg(target_arch = "wasm32")]
pub(crate) mod page {
    use alloc::string::String;

    use wasm_bindgen::prelude::wasm_bindgen;

    #[wasm_bindgen]
    extern "C" {
        pub(super) fn read(key: &str) -> String;
        pub(super) fn cookie(name: &str) -> String;
        pub(super) fn lowercase(text: &str) -> String;
        #[wasm_bindgen(js_name = handOver)]
        pub(crate) fn hand_over(effects: &str);
    }
}

#[cfg(target_arch = "wasm32")]
impl Host {
    /// The page this module runs in.
    pub const PAGE: Self = Self {
        read: page::read,
        cookie: page::cookie,
        lowercase: page::lowercase,
    };
}
