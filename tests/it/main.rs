//! The integration tests, one binary: adapters, store, queue, and the whole bot against the simulator.

mod admin;
mod commands;
mod config;
mod crash;
mod demo;
mod discord;
mod doctor;
mod faceit;
mod faceit_bodies;
mod intake;
mod linking;
mod migrations;
mod openapi;
mod outage;
mod postgres;
mod queue;
mod samples;
mod scenarios;
mod simulator;
mod simulator_gateway;
mod store;
mod storm;
mod support;
mod sweep;
mod voice;
mod webhook;
