//! The demo as a stranger starts it, but without a terminal: the real binary, with everything that it brings up.
#![expect(
    clippy::disallowed_methods,
    reason = "waits for other processes by the wall clock, and finds where they keep their files"
)]

use std::{
    env,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    path::PathBuf,
    sync::mpsc,
    time::{Duration, Instant},
};

use muster::sandbox::process::{Process, Program};
use serde_json::Value;

/// The demo takes less than a minute; a crowded machine gets more.
const LONG: Duration = Duration::from_secs(240);

fn demo() -> Program {
    // Empty counts as unset: a private server, whatever the test run was given.
    Program::own("demo").unwrap().env("DATABASE_URL", "")
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + LONG;
    let (_never_sends, tick) = mpsc::channel::<()>();
    while !holds() {
        assert!(Instant::now() < until, "still not after {LONG:?}: {what}");
        let _ = tick.recv_timeout(Duration::from_millis(50));
    }
}

/// Runs until the story begins, and tells the ports of the database, the simulator and the service.
fn begun() -> (Process, Vec<u16>) {
    let mut demo = demo().start().unwrap();
    let mut ports = Vec::new();
    for what in ["  database ", "  simulator ", "  service "] {
        let line = demo.line_where(LONG, |line| line.starts_with(what));
        let line = line.unwrap_or_else(|| panic!("no {what}: {}", demo.stderr()));
        let port = line.rsplit([' ', ':']).next().unwrap();
        ports.push(port.parse().unwrap());
    }
    let step = demo.line_where(LONG, |line| line.starts_with("== Step 2"));
    assert!(step.is_some(), "the story never began: {}", demo.stderr());
    assert!(ports.iter().all(|port| listens(*port)), "{ports:?}");
    (demo, ports)
}

fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn scratch_of(demo: &Process) -> PathBuf {
    env::temp_dir().join(format!("muster-demo-{}", demo.id()))
}

#[test]
fn the_whole_story_ends_with_nothing_left_over() {
    let mut demo = demo().arg("--json").start().unwrap();
    let mut lines = Vec::new();
    while let Some(line) = demo.next_line(LONG) {
        lines.push(line);
    }
    let status = demo.wait(LONG).unwrap().unwrap();
    assert!(status.success(), "{status}\n{}\n{}", lines.join("\n"), demo.stderr());
    assert!(!lines.concat().contains('\x1b'), "a pipe gets no terminal commands");

    let figures: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    let figure = |name: &str| figures[name].as_u64().unwrap_or_else(|| panic!("{name} in {figures}"));
    assert_eq!(
        (figure("orphans"), figure("dead_jobs"), figure("rate_limited")),
        (0, 0, 0)
    );
    assert_eq!(figure("channels_created"), figure("channels_deleted"));
    assert!(figure("channels_created") > 0 && figure("moves") > 0 && figure("matches") > 0);
    assert!(figure("deliveries") > figure("matches") && figure("discord_requests") > figure("moves"));
    for shown in ["late_joiners_moved", "linked_in_mid_match", "returned"] {
        assert!(figure(shown) > 0, "{shown} in {figures}");
    }
    assert!(figures["event_to_moved_ms"]["p50"].as_u64().unwrap() > 0);
}

#[test]
fn the_doctor_finds_nothing_failed_in_the_demo() {
    let (_demo, ports) = begun();
    let mut service = TcpStream::connect((Ipv4Addr::LOCALHOST, ports[2])).unwrap();
    let request = "GET /readyz?verbose HTTP/1.1\r\nhost: demo\r\nconnection: close\r\n\r\n";
    service.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    service.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(r#""verdict":"ok""#), "{answer}");
    assert!(!answer.contains(r#""verdict":"failed""#), "{answer}");
}

#[test]
fn an_interrupted_demo_says_so_and_leaves_nothing_running() {
    let (mut demo, ports) = begun();
    demo.signal(rustix::process::Signal::INT).unwrap();
    let status = demo.wait(LONG).unwrap().unwrap();
    assert_eq!(status.code(), Some(130), "{}", demo.stderr());
    assert!(demo.line_where(LONG, |line| line.starts_with("Interrupted")).is_some());
    assert!(!ports.iter().any(|port| listens(*port)), "{ports:?}");
    assert!(!scratch_of(&demo).exists());
}

#[test]
fn a_killed_demo_takes_everything_with_it() {
    let (mut demo, ports) = begun();
    demo.kill_9().unwrap();
    eventually("nothing of it listens any more", || {
        !ports.iter().any(|port| listens(*port))
    });
    assert!(!scratch_of(&demo).exists());
}
