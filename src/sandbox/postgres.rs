//! A private, throw-away PostgreSQL on a free loopback port. It ends with its owner, also after a kill -9, and leaves
//! nothing behind. It never looks at, or touches, a server that is already there.

use std::{
    env, fs,
    hash::{BuildHasher, Hasher, RandomState},
    io::{self, BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use super::install;

/// The watchdog's own limits are 60 s a step; an answer later than this means that it is stuck.
const ANSWER_WITHIN: Duration = Duration::from_secs(150);

/// Below the range from which systems hand out ports for outgoing connections and for port 0, so that nobody is given
/// ours between picking and binding, or while the server is interrupted.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

const PORT_TRIES: usize = 20;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    NotInstalled(String),
    #[error("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as")]
    NoUser,
    #[error("no directory for a private PostgreSQL: tried {0}")]
    NoDirectory(String),
    #[error("no free loopback port for a private PostgreSQL after {PORT_TRIES} tries")]
    NoPort,
    #[error("the private PostgreSQL did not {step}; the end of its log:\n{log}")]
    Refused { step: &'static str, log: String },
    #[error("the private PostgreSQL's watchdog ended or hangs at: {0}")]
    Watchdog(&'static str),
    #[error("the private PostgreSQL's watchdog could not be started: {0}")]
    Io(#[from] io::Error),
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Commits survive a power cut, as in production (fsync on). Off, the disk is never waited for: for tests. Either way
    /// a commit survives [`PrivatePostgres::interrupt`].
    pub durable: bool,
}

/// A running private server; dropping it stops the server and waits until its directory is gone.
#[derive(Debug)]
pub struct PrivatePostgres {
    url: String,
    port: u16,
    home: PathBuf,
    watchdog: Mutex<Watchdog>,
}

impl PrivatePostgres {
    /// Sets up and starts a server of our own; takes about a second, and blocks that long.
    pub fn start(options: Options) -> Result<Self, Error> {
        let (mut watchdog, home) = Watchdog::start(options)?;
        watchdog.order("init", "initialise its directory", &home)?;
        let port = start_on_a_free_port(&mut watchdog, &home)?;
        let url = format!("postgres://muster@127.0.0.1:{port}/postgres");
        Ok(Self {
            url,
            port,
            home,
            watchdog: Mutex::new(watchdog),
        })
    }

    /// Where the server's superuser, `muster`, connects without a password.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory that holds the server's data and log, and is gone afterwards.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Stops the server at once, as a crash would; what was committed stays.
    pub fn interrupt(&self) -> Result<(), Error> {
        self.order("stop", "stop")
    }

    /// Starts the interrupted server again, on the same port, with the same data.
    pub fn resume(&self) -> Result<(), Error> {
        self.order(&format!("start {}", self.port), "start again")
    }

    fn order(&self, order: &str, step: &'static str) -> Result<(), Error> {
        self.watchdog
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .order(order, step, &self.home)
    }
}

/// Either a server that somebody named in the environment, or a private one.
#[derive(Debug)]
pub enum Database {
    Given(String),
    Private(PrivatePostgres),
}

impl Database {
    pub fn url(&self) -> &str {
        match self {
            Self::Given(url) => url,
            Self::Private(postgres) => postgres.url(),
        }
    }

    /// The private server, where there is one to stop and start.
    pub fn private(&self) -> Option<&PrivatePostgres> {
        match self {
            Self::Given(_) => None,
            Self::Private(postgres) => Some(postgres),
        }
    }
}

/// The server named by the environment variable `var` (`DATABASE_URL`, `TEST_DATABASE_URL`), else a private one.
pub fn database_url_or_private(var: &str, options: Options) -> Result<Database, Error> {
    match env::var(var) {
        Ok(url) if !url.is_empty() => Ok(Database::Given(url)),
        _ => PrivatePostgres::start(options).map(Database::Private),
    }
}

/// The shell that owns the server (`watchdog.sh` says why it is one), and the pipe whose end is its order to clean up.
#[derive(Debug)]
struct Watchdog {
    shell: Child,
    orders: Option<ChildStdin>,
    answers: mpsc::Receiver<String>,
}

impl Watchdog {
    fn start(options: Options) -> Result<(Self, PathBuf), Error> {
        let bin = install::bin_dir()?;
        let bases = [env::temp_dir(), "/tmp".into(), "/var/tmp".into()];
        let mut command = Command::new("/bin/sh");
        command
            .arg("-c")
            .arg(include_str!("watchdog.sh"))
            .arg("muster-postgres-watchdog");
        command.arg(&bin).arg(format!(
            "muster-postgres-{}-{:08x}",
            std::process::id(),
            random() as u32
        ));
        command
            .arg(settings(options))
            .arg(if options.durable { "" } else { "--no-sync" });
        command.args(&bases);
        // Its own group, so that a Ctrl-C or a kill of ours leaves it; "/", because root's directory may be closed to it.
        command.process_group(0).current_dir("/").env("LC_ALL", "C");
        if let Some((user, group)) = install::unprivileged()? {
            command.uid(user).gid(group);
        }
        for var in ["PGDATA", "PGPORT", "PGHOST", "PGUSER", "PGOPTIONS", "PGCTLTIMEOUT"] {
            command.env_remove(var);
        }
        let mut shell = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let orders = shell.stdin.take();
        let answers = lines_of(shell.stdout.take());
        let watchdog = Self { shell, orders, answers };
        let first = watchdog.answer("making its directory")?;
        match first.strip_prefix("home ") {
            Some(home) => Ok((watchdog, home.into())),
            None => Err(Error::NoDirectory(
                bases.map(|base| base.display().to_string()).join(", "),
            )),
        }
    }

    fn order(&mut self, order: &str, step: &'static str, home: &Path) -> Result<(), Error> {
        let pipe = self.orders.as_mut().ok_or(Error::Watchdog(step))?;
        writeln!(pipe, "{order}").map_err(|_| Error::Watchdog(step))?;
        match self.answer(step)?.as_str() {
            "done" => Ok(()),
            _ => Err(Error::Refused {
                step,
                log: tail(&home.join("log")),
            }),
        }
    }

    fn answer(&self, step: &'static str) -> Result<String, Error> {
        self.answers
            .recv_timeout(ANSWER_WITHIN)
            .map_err(|_| Error::Watchdog(step))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.orders.take());
        // Nothing to do about a failure here: the watchdog is gone then, and the server follows when its directory does.
        let _ = self.shell.wait();
    }
}

fn start_on_a_free_port(watchdog: &mut Watchdog, home: &Path) -> Result<u16, Error> {
    for _ in 0..PORT_TRIES {
        let span = u64::from(PORTS.end - PORTS.start);
        let port = PORTS.start + (random() % span) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
            continue;
        }
        match watchdog.order(&format!("start {port}"), "start", home) {
            Ok(()) => return Ok(port),
            // Somebody took it between our look and the server's.
            Err(Error::Refused { log, .. }) if log.contains("could not bind") => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::NoPort)
}

fn settings(options: Options) -> String {
    let mut settings = String::from(
        "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 200\nshared_buffers = '32MB'\n\
         timezone = 'UTC'\nlog_timezone = 'UTC'\nlogging_collector = off\n",
    );
    if !options.durable {
        // synchronous_commit stays on: without fsync it costs one write, and without it an interrupt loses commits.
        settings.push_str("fsync = off\nfull_page_writes = off\n");
    }
    settings
}

fn lines_of(output: Option<ChildStdout>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    if let Some(output) = output {
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
    }
    receiver
}

fn tail(log: &Path) -> String {
    let text = fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// The standard library's hash keys are random per process and differ from call to call: enough for names and ports.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
