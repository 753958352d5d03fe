//! The commands in a pipe whose reader has gone away (`| head`): they end quietly, and the service goes on.

use std::{
    io::pipe,
    process::{Child, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::task::spawn_blocking;

use crate::support::{
    bodies::game,
    database::eventually,
    service::{Folder, Place, deliver},
};

const ID: &str = "1-ca11ab1e-0000-4000-8000-000000000002";

/// With nobody who reads its answers.
async fn unread(mut command: Command) -> Output {
    let (reader, writer) = pipe().expect("a pipe");
    drop(reader);
    command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
    let ended = spawn_blocking(move || command.output());
    ended.await.expect("waited").expect("it runs")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_ends_quietly_when_nobody_reads_on() {
    let mut place = Place::new(&["nova"]).await;
    place.set(
        "MUSTER_ENCRYPTION_KEYS",
        "1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    );
    let game = game(ID, "READY", &["nova"], &["rex"]);
    place.faceit_says(&game);
    let folder = Folder::new();
    let body = folder.write("body.json", game.webhook("match_status_ready", 1).to_string());
    let table = folder.write("links.csv", "faceit_id,discord_id,nickname\np-rex,2002,Rex\n");
    let commands: [&[&str]; 18] = [
        &["--help"],
        &["--version"],
        &["guilds", "set", "--help"],
        &["migrate"],
        &["plan", ID],
        &["replay", &body, "--dry-run"],
        &["doctor"],
        &["doctor", "--json"],
        &["links", "import", &table],
        &["links", "export"],
        &["links", "list"],
        &["guilds", "set", "user_limit=7"],
        &["guilds", "show"],
        &["guilds", "claim", "organizer", "organizer-1"],
        &["guilds", "list"],
        &["guilds", "pause"],
        &["keys", "rotate"],
        &["jobs", "list"],
    ];
    for args in commands {
        let ended = unread(place.command(args)).await;
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(0), "{args:?}: {said}");
        assert!(!said.contains("panicked") && !said.contains("pipe"), "{args:?}: {said}");
    }
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_goes_on_when_nobody_reads_its_address_and_its_log() {
    let mut place = Place::new(&[]).await;
    // Nobody can read which port it took.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    place.set("LISTEN_ADDR", &free.to_string());
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut command = place.command(&["serve"]);
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone().unwrap())
        .stderr(writer);
    let mut serving = Killed(command.spawn().unwrap());
    drop(command);
    let game = game(ID, "READY", &["nova"], &["rex"]);
    place.faceit_says(&game);
    let body = game.webhook("match_status_ready", 1);
    let url = format!("http://{free}");
    eventually("it takes deliveries", async || deliver(&url, &body).await == Some(200)).await;
    eventually("it works on them", async || place.match_channels().len() == 2).await;
    kill_process(Pid::from_child(&serving.0), Signal::TERM).unwrap();
    let status = spawn_blocking(move || serving.0.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0), "{status}");
}
