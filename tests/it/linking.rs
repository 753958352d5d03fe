//! Linking: the store's rules, FACEIT's sign-in, slash commands, and what is left of somebody who erased himself.

mod page;
mod rules;
mod sign_in;
