//! The admin part through real HTTP: signing in with the simulated Discord, sessions, roles, the API, and those who attack it.

mod access;
mod attacks;
mod audit;
mod browser;
mod discord_oauth;
mod guilds;
mod injection;
mod jobs;
mod links;
mod live;
mod matches;
mod operator;
mod orders;
mod page;
mod settings;
mod sign_in;
mod timeline;
mod tokens;
mod watcher;
