//! The reference worker in Rust, written from `harness/contract/CONTRACT.md`.

mod activities;
mod call;
mod engine;
mod failure;
mod http;
mod members;
mod payload;
mod pdp;
mod program;
mod saga;
mod seeded;
mod service;
mod settings;
mod strict_json;
mod worker;

use std::process::ExitCode;

/// What `sysexits` calls a service that is not available, and a usage that is wrong.
const UNAVAILABLE: u8 = 69;
const USAGE: u8 = 64;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = match seeded::choose().and_then(|()| settings::Settings::read()) {
        Ok(settings) => settings,
        Err(problem) => return end(USAGE, &problem),
    };
    match worker::run(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => end(UNAVAILABLE, &problem.to_string()),
    }
}

fn end(code: u8, problem: &str) -> ExitCode {
    eprintln!("worker: {problem}");
    ExitCode::from(code)
}
