//! The admin part through real HTTP: signing in with the simulated Discord, sessions, roles, the API, and those who attack it.

mod discord_oauth;
