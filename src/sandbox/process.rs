//! Our own programs as child processes: started beside the running one, listened to, killed in every way, and never
//! outliving us. Knows nothing of what they do.

use std::{
    env,
    ffi::OsString,
    io::{self, BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// A shell that turns into the program, after it has left a guard behind: the guard sits on the other end of our pipe and
/// kills the program when the pipe ends without a word, which is when we died. The kernel's own way (the parent death
/// signal) fires when the *thread* that started the child ends, which in a runtime's thread pool is any time.
const GUARDED: &str = r#"
    exec 3<&0
    (trap '' HUP INT QUIT TERM; exec >/dev/null 2>&1; read -r word <&3 || kill -9 $$) &
    exec "$@" </dev/null 3<&-
"#;

/// What becomes of the program's standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stderr {
    /// Kept, for [`Process::stderr`]
    Collect,
    /// Kept, and shown on ours as it comes
    Forward,
}

/// Where one of our own binaries is: beside this one, or, as test and bench executables are in `deps/`, one up.
pub fn own_binary(name: &str) -> io::Result<PathBuf> {
    let ours = env::current_exe()?;
    let mut dir = ours.parent().map(PathBuf::from).unwrap_or_default();
    if dir.ends_with("deps") || dir.ends_with("examples") {
        dir.pop();
    }
    let path = dir.join(format!("{name}{}", env::consts::EXE_SUFFIX));
    if path.is_file() {
        return Ok(path);
    }
    let release = if dir.ends_with("release") { " --release" } else { "" };
    let what = format!("{} is not built: cargo build --bins{release}", path.display());
    Err(io::Error::new(io::ErrorKind::NotFound, what))
}

/// How to start one of our programs.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    bare: bool,
    stderr: Stderr,
}

impl Program {
    /// One of our own binaries by name: `muster`, `simulator`.
    pub fn own(name: &str) -> io::Result<Self> {
        own_binary(name).map(Self::at)
    }

    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            args: Vec::new(),
            env: Vec::new(),
            bare: false,
            stderr: Stderr::Collect,
        }
    }

    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    /// Only the variables given here, and PATH: no setting of the person at the terminal leaks in.
    pub fn bare_env(mut self) -> Self {
        self.bare = true;
        self
    }

    pub fn stderr(mut self, stderr: Stderr) -> Self {
        self.stderr = stderr;
        self
    }

    pub fn start(self) -> io::Result<Process> {
        let mut command = Command::new("/bin/sh");
        command
            .arg("-c")
            .arg(GUARDED)
            .arg("guarded")
            .arg(&self.path)
            .args(&self.args);
        if self.bare {
            command.env_clear().envs(env::var_os("PATH").map(|path| ("PATH", path)));
        }
        command.envs(self.env);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (line_sender, lines) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || each_line(stdout, |line| drop(line_sender.send(line))));
        }
        let collected = Arc::new(Mutex::new(String::new()));
        let reader = child.stderr.take().map(|stderr| {
            let collected = Arc::clone(&collected);
            thread::spawn(move || {
                each_line(stderr, |line| {
                    if self.stderr == Stderr::Forward {
                        eprintln!("{line}");
                    }
                    let mut text = collected.lock().unwrap_or_else(PoisonError::into_inner);
                    text.push_str(&line);
                    text.push('\n');
                });
            })
        });
        let pid = Pid::from_child(&child);
        let (ended_sender, ended) = mpsc::channel();
        // Looks without reaping (NOWAIT): the process keeps its number until we have disarmed the guard.
        thread::spawn(move || {
            while let Err(rustix::io::Errno::INTR) =
                waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
            {}
            let _ = ended_sender.send(());
        });
        let guard = child.stdin.take();
        Ok(Process {
            child,
            pid,
            guard,
            lines,
            collected,
            stderr_reader: reader,
            ended,
            status: None,
        })
    }
}

/// A running program of ours; killed when dropped, and, by its guard, when we are.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pid: Pid,
    guard: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
    collected: Arc<Mutex<String>>,
    stderr_reader: Option<thread::JoinHandle<()>>,
    ended: mpsc::Receiver<()>,
    status: Option<ExitStatus>,
}

impl Process {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line of standard output; `None` when there is none in time, or will be none.
    pub fn next_line(&mut self, within: Duration) -> Option<String> {
        self.lines.recv_timeout(within).ok()
    }

    /// The next line of standard output that is wanted; the others are dropped.
    pub fn line_where(&mut self, within: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let until = Instant::now() + within;
        while let Some(line) = self.next_line(until.saturating_duration_since(Instant::now())) {
            if wanted(&line) {
                return Some(line);
            }
        }
        None
    }

    /// What came on standard error so far; all of it once the program has ended.
    pub fn stderr(&self) -> String {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) -> io::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Any other signal: STOP and CONT make a process that hangs.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        if self.status.is_some() {
            return Ok(());
        }
        kill_process(self.pid, signal).map_err(Into::into)
    }

    /// Ends it as a power cut would, and waits until it is gone.
    pub fn kill_9(&mut self) -> io::Result<()> {
        self.signal(Signal::KILL)?;
        if self.status.is_none() {
            // Nobody resists this signal.
            let _ = self.ended.recv();
            self.reap()?;
        }
        Ok(())
    }

    /// Its exit status; `None` when it still runs after this time.
    pub fn wait(&mut self, within: Duration) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() && self.ended.recv_timeout(within).is_ok() {
            self.reap()?;
        }
        Ok(self.status)
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.wait(Duration::ZERO), Ok(None))
    }

    /// First the word to the guard, then the reaping: the other way round the guard might kill a stranger, who has been
    /// given the number in between.
    fn reap(&mut self) -> io::Result<()> {
        if let Some(mut guard) = self.guard.take() {
            // The guard may be gone already, when the whole group was killed.
            let _ = guard.write_all(b"over\n");
        }
        self.status = Some(self.child.wait()?);
        if let Some(reader) = self.stderr_reader.take() {
            let _ = reader.join();
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill_9();
    }
}

fn each_line(output: impl Read, mut take: impl FnMut(String)) {
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line), Ok(count) if count > 0) {
        take(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned());
        line.clear();
    }
}
