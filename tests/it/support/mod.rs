//! What tests share: databases of their own, match bodies, the whole bot, the real service, and stories. Not every test uses all of it.
#![allow(dead_code, reason = "each test takes what it needs")]

pub mod asker;
pub mod bodies;
pub mod bot;
pub mod browser;
pub mod chromium;
pub mod database;
pub mod scenario;
pub mod service;
