//! End-to-end tests of Duet over real HTTP.
