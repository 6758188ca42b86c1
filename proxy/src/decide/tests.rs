//! Rules, decided over books in memory.
