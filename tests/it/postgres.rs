//! The private PostgreSQL and the child processes, with real processes and real kills.
#![expect(
    clippy::disallowed_methods,
    reason = "waits for other processes by the wall clock, and finds where they keep their files"
)]

use std::{
    env, fs,
    net::{Ipv4Addr, TcpStream},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::PathBuf,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use muster::sandbox::{
    postgres::{Options, PrivatePostgres},
    process::{Process, Program},
};
use sqlx::{Connection, PgConnection};

const LONG: Duration = Duration::from_secs(60);

/// Says the address, then lives as long as its parent does.
const SAY_AND_STAY: &str = r#"echo "$TEST_DATABASE_URL"; while kill -0 $PPID 2>/dev/null; do sleep 0.1; done"#;

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + LONG;
    let (_never_sends, tick) = mpsc::channel::<()>();
    while !holds() {
        assert!(Instant::now() < until, "still not after {LONG:?}: {what}");
        let _ = tick.recv_timeout(Duration::from_millis(10));
    }
}

fn with_postgres() -> Program {
    // Empty counts as unset: the test run itself may have been given a server.
    Program::own("with-postgres").unwrap().env("TEST_DATABASE_URL", "")
}

fn staying() -> (Process, String) {
    let mut process = with_postgres().args(["--", "sh", "-c", SAY_AND_STAY]).start().unwrap();
    let url = process
        .next_line(LONG)
        .unwrap_or_else(|| panic!("no address; it said: {}", process.stderr()));
    (process, url)
}

fn homes_of(pid: u32) -> Vec<PathBuf> {
    let mine = format!("muster-postgres-{pid}-");
    [env::temp_dir(), "/tmp".into(), "/var/tmp".into()]
        .iter()
        .filter_map(|base| fs::read_dir(base).ok())
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&mine))
        .map(|entry| entry.path())
        .collect()
}

fn port_of(url: &str) -> u16 {
    url.strip_prefix("postgres://muster@127.0.0.1:")
        .unwrap()
        .strip_suffix("/postgres")
        .unwrap()
        .parse()
        .unwrap()
}

fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[test]
fn a_killed_owner_leaves_no_server_and_no_directory() {
    let (mut owner, url) = staying();
    assert!(listens(port_of(&url)));
    assert!(!homes_of(owner.id()).is_empty());
    owner.kill_9().unwrap();
    eventually("the directory is gone", || homes_of(owner.id()).is_empty());
    assert!(!listens(port_of(&url)));
}

#[test]
fn an_owner_killed_during_set_up_leaves_no_directory() {
    let mut owner = with_postgres().args(["--", "true"]).start().unwrap();
    eventually("set-up has begun", || {
        homes_of(owner.id()).iter().any(|home| home.join("data").exists())
    });
    owner.kill_9().unwrap();
    eventually("the directory is gone", || homes_of(owner.id()).is_empty());
}

#[test]
fn a_normal_end_passes_the_exit_code_on_and_leaves_nothing() {
    let mut owner = with_postgres().args(["--", "sh", "-c", "exit 7"]).start().unwrap();
    assert_eq!(owner.wait(LONG).unwrap().unwrap().code(), Some(7));
    assert_eq!(homes_of(owner.id()), Vec::<PathBuf>::new());
}

#[test]
fn a_termination_reaches_the_command_and_leaves_nothing() {
    let (mut owner, url) = staying();
    owner.terminate().unwrap();
    assert_eq!(owner.wait(LONG).unwrap().unwrap().code(), Some(128 + 15));
    assert_eq!(homes_of(owner.id()), Vec::<PathBuf>::new());
    assert!(!listens(port_of(&url)));
}

#[test]
fn a_server_that_is_given_is_used() {
    let mut owner = with_postgres()
        .env("TEST_DATABASE_URL", "postgres://given")
        .args(["--", "sh", "-c", "echo $TEST_DATABASE_URL"])
        .start()
        .unwrap();
    assert_eq!(owner.next_line(LONG).unwrap(), "postgres://given");
}

#[test]
fn a_missing_postgres_is_answered_with_what_to_install() {
    let mut owner = with_postgres()
        .env("MUSTER_POSTGRES_BIN", "/nowhere")
        .args(["--", "true"])
        .start()
        .unwrap();
    assert_eq!(owner.wait(LONG).unwrap().unwrap().code(), Some(1));
    assert!(owner.stderr().contains("Install them with"), "{}", owner.stderr());
}

#[test]
fn a_failed_set_up_shows_the_end_of_the_log() {
    let bin = env::temp_dir().join(format!("muster-broken-bin-{}", std::process::id()));
    fs::create_dir(&bin).unwrap();
    fs::set_permissions(&bin, fs::Permissions::from_mode(0o755)).unwrap();
    for program in ["initdb", "pg_ctl", "postgres"] {
        fs::write(bin.join(program), "#!/bin/sh\necho 'the disk is on fire'\nexit 1\n").unwrap();
        fs::set_permissions(bin.join(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut owner = with_postgres()
        .env("MUSTER_POSTGRES_BIN", bin.as_os_str())
        .args(["--", "true"])
        .start()
        .unwrap();
    let status = owner.wait(LONG).unwrap().unwrap();
    fs::remove_dir_all(&bin).unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(owner.stderr().contains("the disk is on fire"), "{}", owner.stderr());
    assert_eq!(homes_of(owner.id()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn what_was_committed_survives_an_interruption() {
    let postgres = PrivatePostgres::start(Options::default()).unwrap();
    let mut connection = PgConnection::connect(postgres.url()).await.unwrap();
    sqlx::query("create table kept (n int)")
        .execute(&mut connection)
        .await
        .unwrap();
    for n in 0..100 {
        sqlx::query("insert into kept values ($1)")
            .bind(n)
            .execute(&mut connection)
            .await
            .unwrap();
    }

    postgres.interrupt().unwrap();
    assert!(!listens(postgres.port()));
    assert!(sqlx::query("select 1").execute(&mut connection).await.is_err());

    postgres.resume().unwrap();
    let mut connection = PgConnection::connect(postgres.url()).await.unwrap();
    let count: i64 = sqlx::query_scalar("select count(*) from kept")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(count, 100);

    let home = postgres.home().to_owned();
    drop(postgres);
    assert!(!home.exists());
}

#[tokio::test]
async fn only_a_durable_server_waits_for_the_disk() {
    for durable in [false, true] {
        let postgres = PrivatePostgres::start(Options { durable }).unwrap();
        let mut connection = PgConnection::connect(postgres.url()).await.unwrap();
        let fsync: String = sqlx::query_scalar("show fsync")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(fsync, if durable { "on" } else { "off" });
    }
}

#[test]
fn the_server_is_unprivileged_and_listens_on_one_loopback_address_only() {
    let postgres = PrivatePostgres::start(Options::default()).unwrap();
    let written_by_the_server = fs::metadata(postgres.home().join("data/postmaster.pid")).unwrap();
    assert_ne!(written_by_the_server.uid(), 0);
    assert!(listens(postgres.port()));
    // Any server on 0.0.0.0 answers here.
    assert!(TcpStream::connect((Ipv4Addr::new(127, 0, 0, 2), postgres.port())).is_err());
    let left = fs::read_dir(postgres.home()).unwrap().flatten();
    assert!(
        left.map(|entry| entry.file_name())
            .all(|name| name == "data" || name == "log"),
        "a socket lies about"
    );
}

#[test]
fn several_start_at_once_each_on_its_own_port() {
    let servers: Vec<_> = thread::scope(|scope| {
        let starting: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| PrivatePostgres::start(Options::default()).unwrap()))
            .collect();
        starting.into_iter().map(|server| server.join().unwrap()).collect()
    });
    assert!(servers.iter().all(|server| listens(server.port())));
    let mut ports: Vec<_> = servers.iter().map(PrivatePostgres::port).collect();
    ports.sort();
    ports.dedup();
    assert_eq!(ports.len(), 3);
}

#[test]
fn a_program_of_ours_does_not_outlive_its_owner() {
    let mut owner = Program::at(env::current_exe().unwrap())
        .args([
            "--exact",
            "postgres::as_the_owner_of_a_program",
            "--ignored",
            "--nocapture",
        ])
        .env("TEST_DATABASE_URL", "")
        .start()
        .unwrap();
    let owned = owner.line_where(LONG, |line| line.starts_with("owned "));
    let owned = owned.unwrap_or_else(|| panic!("no program started: {}", owner.stderr()));
    let pid = owned.strip_prefix("owned ").unwrap().parse().unwrap();
    assert!(!homes_of(pid).is_empty());
    owner.kill_9().unwrap();
    // The owned program holds a private server: with its end, the server's directory goes.
    eventually("the owned program ended", || homes_of(pid).is_empty());
}

#[test]
#[ignore = "the process that the test above kills"]
fn as_the_owner_of_a_program() {
    let (mut owned, _) = staying();
    println!("\nowned {}", owned.id());
    owned.wait(LONG).unwrap();
}

#[test]
fn a_program_is_heard_and_ends_in_each_way() {
    let shell = |script: &str| Program::at("/bin/sh").args(["-c", script]).start().unwrap();

    let mut spoken = shell("echo one; echo two; echo oops >&2; exit 3");
    assert_eq!(spoken.line_where(LONG, |line| line == "two").unwrap(), "two");
    assert_eq!(spoken.wait(LONG).unwrap().unwrap().code(), Some(3));
    assert_eq!(spoken.stderr(), "oops\n");

    let mut polite = shell("trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done");
    assert_eq!(polite.next_line(LONG).unwrap(), "ready");
    assert!(polite.is_running());
    polite.terminate().unwrap();
    assert_eq!(polite.wait(LONG).unwrap().unwrap().code(), Some(5));

    let mut stubborn = shell("trap '' TERM; echo ready; while :; do sleep 0.05; done");
    assert_eq!(stubborn.next_line(LONG).unwrap(), "ready");
    stubborn.terminate().unwrap();
    stubborn.kill_9().unwrap();
    assert!(!stubborn.is_running());
}

#[test]
fn a_bare_environment_has_only_what_was_given() {
    let env = Program::at("/usr/bin/env").bare_env().env("GIVEN", "yes");
    let mut process = env.start().unwrap();
    let mut names = Vec::new();
    while let Some(line) = process.next_line(LONG) {
        names.push(line.split('=').next().unwrap_or_default().to_owned());
    }
    names.retain(|name| !["PATH", "PWD", "SHLVL", "_", "OLDPWD"].contains(&name.as_str()));
    assert_eq!(names, ["GIVEN"]);
}
