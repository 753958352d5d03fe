//! The house rules, read off the sources: floors, purity, file sizes, unused fixtures. Judges no style: rustfmt and clippy do.

use std::{fmt, fs, path::Path};

use code::{Kind, Token, declares_a_tests_file, is, paths, tests_module, tokens};

#[path = "tidy/code.rs"]
mod code;
#[path = "tidy/planted.rs"]
mod planted;

/// Rooms by floor: a file imports from lower floors and from its own room only. The top floor is wiring, and wires itself.
const FLOORS: [&[&str]; 4] = [
    &["domain", "clock", "metrics"],
    &["faceit", "discord", "store", "seal"],
    &["queue", "sync", "web", "gateway", "commands", "doctor"],
    &["app", "cli", "config", "telemetry", "main", "lib"],
];
const TOP: usize = FLOORS.len() - 1;
/// Imports nothing of ours, and the service imports nothing of it.
const OUTSIDE: [&str; 2] = ["simulator", "sandbox"];
/// A trait of our own needs two real implementations in production; none has them yet.
const TRAITS: [&str; 0] = [];
const LONGEST: usize = 400;
const IMPURE_CRATES: [&str; 7] = ["sqlx", "reqwest", "tokio", "tokio_util", "rand", "axum", "futures"];
const IMPURE_STD: [&str; 6] = ["env", "fs", "io", "net", "process", "thread"];

struct File {
    path: String,
    text: String,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Breach {
    file: String,
    line: usize,
    what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

#[test]
fn the_house_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut files, mut fixtures) = (Vec::new(), Vec::new());
    for top in ["src", "tests", "benches", "fixtures"] {
        walk(root, &root.join(top), &mut |path| {
            if top == "fixtures" {
                fixtures.push(path);
            } else if path.ends_with(".rs") {
                let text = fs::read_to_string(root.join(&path)).expect("a source file is readable UTF-8");
                files.push(File { path, text });
            }
        });
    }
    assert!(files.len() > 10, "read the wrong directory: {}", root.display());
    let breaches = check(&files, &fixtures);
    let list: Vec<String> = breaches.iter().map(Breach::to_string).collect();
    assert!(
        list.is_empty(),
        "{} breaches of the house rules:\n{}",
        list.len(),
        list.join("\n")
    );
}

#[test]
fn every_setting_is_in_the_example_environment() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = fs::read_to_string(root.join("deploy/.env.example")).expect("the example is readable");
    let mut missing = Vec::new();
    walk(root, &root.join("src/config"), &mut |path| {
        let tokens = tokens(&fs::read_to_string(root.join(path)).expect("a source file is readable UTF-8"));
        for i in 2..tokens.len() {
            // clap's `env = "NAME"`
            if let (Kind::Text(name), true) = (&tokens[i].kind, is(&tokens, i - 2, "env") && is(&tokens, i - 1, "=")) {
                let listed = |line: &str| line.trim_start_matches('#').starts_with(&format!("{name}="));
                missing.extend((!example.lines().any(listed)).then(|| name.clone()));
            }
        }
    });
    assert_eq!(
        missing,
        Vec::<String>::new(),
        "settings that deploy/.env.example does not list"
    );
}

/// Whoever comes new finds his way by it.
#[test]
fn the_readme_names_every_command_in_a_heading_and_every_room() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("the README is readable");
    let mut missing = Vec::new();
    let cli = tokens(&fs::read_to_string(root.join("src/cli/mod.rs")).expect("the commands are readable"));
    let from = (0..cli.len()).find(|i| is(&cli, *i, "enum") && is(&cli, *i + 1, "Command"));
    let (mut i, mut depth) = (from.expect("the commands are in an enum") + 2, 0);
    loop {
        match &cli[i].kind {
            Kind::Mark("{" | "(" | "[") => depth += 1,
            Kind::Mark("}" | ")" | "]") => depth -= 1,
            Kind::Word(name) if depth == 1 => {
                let command = format!("`muster {}", name.to_lowercase());
                let explained = |line: &str| line.starts_with("### ") && line.contains(&command);
                missing.extend((!readme.lines().any(explained)).then_some(command));
            }
            _ => {}
        }
        i += 1;
        if depth == 0 {
            break;
        }
    }
    for room in fs::read_dir(root.join("src")).expect("the sources are there") {
        let room = room.expect("the folder is readable");
        let name = format!("`src/{}", room.file_name().to_string_lossy());
        let is_room = room.file_type().is_ok_and(|kind| kind.is_dir());
        missing.extend((is_room && !readme.contains(&name)).then_some(name));
    }
    assert_eq!(missing, Vec::<String>::new(), "what README.md does not name");
}

/// Whoever still writes when the reader has gone is killed by SIGPIPE, or not, as chance has it; with `pipefail` the script ends on it.
#[test]
fn no_script_pipes_into_a_reader_that_stops_early() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut scripts, mut breaches) = (0, Vec::new());
    for top in [".ci", "deploy", "src", "tests"] {
        walk(root, &root.join(top), &mut |path| {
            let Ok(text) = fs::read_to_string(root.join(&path)) else {
                return;
            };
            if text.starts_with("#!") && text.lines().next().is_some_and(|line| line.ends_with("sh")) {
                scripts += 1;
                breaches.extend(early_readers(&text).map(|line| format!("{path}:{line}")));
            }
        });
    }
    assert!(scripts > 4, "read the wrong directory: {}", root.display());
    assert_eq!(
        breaches,
        Vec::<String>::new(),
        "pipe into `sed -n 1p`, say, which reads to the end"
    );
}

/// The lines of a script that pipe into `head`, or into a `grep` or `sed` that leaves at the first find.
fn early_readers(script: &str) -> impl Iterator<Item = usize> {
    script.lines().enumerate().filter_map(|(at, line)| {
        let early = line.split('|').skip(1).any(|command| {
            let words: Vec<&str> = command.split_whitespace().collect();
            match words.first() {
                Some(&"head") => true,
                Some(&"grep") => words[1..]
                    .iter()
                    .take_while(|word| word.starts_with('-'))
                    .any(|word| word.contains(['q', 'm'])),
                Some(&"sed") => words[1..]
                    .iter()
                    .any(|word| word.trim_matches(['\'', '"']).ends_with('q')),
                _ => false,
            }
        });
        early.then_some(at + 1)
    })
}

#[test]
fn a_reader_that_stops_early_is_told_from_one_that_does_not() {
    let script =
        "make --version | head -n 1\nx | sed -n 1p\nx | sed 1q\nx | grep -q y && z\nx | grep -E q || y\nhead file\n";
    assert_eq!(early_readers(script).collect::<Vec<_>>(), [1, 3, 4]);
}

/// They all land in one list of the API's description, where the last one of a name would silently stand for all.
#[test]
fn no_two_shapes_of_the_api_have_the_same_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut seen, mut twice) = (std::collections::BTreeSet::new(), Vec::new());
    walk(root, &root.join("src/web"), &mut |path| {
        let text = fs::read_to_string(root.join(path)).expect("a source file is readable UTF-8");
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, _) in lines.iter().enumerate().filter(|(_, line)| line.contains("ToSchema)]")) {
            let named = lines[at..].iter().find_map(|line| {
                let line = line.strip_prefix("pub ").unwrap_or(line);
                let name = line.strip_prefix("struct ").or_else(|| line.strip_prefix("enum "))?;
                Some(name.split(|c: char| !c.is_alphanumeric()).next()?.to_owned())
            });
            twice.extend(named.filter(|name| !seen.insert(name.clone())));
        }
    });
    assert!(seen.len() > 50, "read the wrong places: {seen:?}");
    assert_eq!(twice, Vec::<String>::new());
}

#[test]
fn the_runbook_names_only_metrics_and_log_lines_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).expect("a readable file");
    let (runbook, mut sources) = (read("deploy/RUNBOOK.md"), String::new());
    walk(root, &root.join("src"), &mut |path| sources.push_str(&read(&path)));
    let metrics = read("src/metrics.rs");
    let mut unknown = Vec::new();
    for text in [&runbook, &read("README.md")] {
        for (at, _) in text.match_indices("muster_") {
            let name: String = text[at..]
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect();
            // A histogram's parts have the histogram's name and more.
            let known = [name.as_str(), name.trim_end_matches("_bucket")].map(|name| format!("\"{name}\""));
            unknown.extend((!known.iter().any(|name| metrics.contains(name))).then_some(name));
        }
    }
    let lines = runbook.split("## Log lines").nth(1).expect("a chapter on log lines");
    let lines = lines.split("\n## ").next().unwrap_or_default();
    for row in lines.lines().filter(|line| line.starts_with("| `")) {
        let cell = row.trim_start_matches("| ").split(" | ").next().unwrap_or_default();
        // Between backticks: every second piece.
        for line in cell.split('`').skip(1).step_by(2) {
            unknown.extend((!sources.contains(line)).then(|| line.to_owned()));
        }
    }
    assert_eq!(
        unknown,
        Vec::<String>::new(),
        "named in the documents, but not in the sources"
    );
}

fn walk(root: &Path, dir: &Path, take: &mut dyn FnMut(String)) {
    let mut entries: Vec<_> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            walk(root, &path, take);
        } else {
            let relative = path.strip_prefix(root).expect("found below the root");
            take(relative.to_string_lossy().replace('\\', "/"));
        }
    }
}

fn check(files: &[File], fixtures: &[String]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let mut mentions = String::new();
    for file in files {
        let tokens = tokens(&file.text);
        for token in &tokens {
            if let Kind::Text(text) = &token.kind {
                mentions.push_str(text);
                mentions.push('\0');
            }
        }
        let mut report = |line: usize, what: String| {
            breaches.push(Breach {
                file: file.path.clone(),
                line,
                what,
            })
        };
        if file.path.starts_with("src/") {
            check_source(file, &tokens, &mut report);
        } else if file.path.starts_with("tests/") {
            for i in 0..tokens.len().saturating_sub(1) {
                if is(&tokens, i, "sleep") && is(&tokens, i + 1, "(") {
                    report(
                        tokens[i].line,
                        "a test sleeps: wait for the condition itself, in bounded steps".into(),
                    );
                }
            }
        }
    }
    for path in fixtures
        .iter()
        .filter(|path| !path.ends_with("README.md") && !is_mentioned(path, &mentions))
    {
        let what = "no source or test names this fixture: use it or delete it".into();
        breaches.push(Breach {
            file: path.clone(),
            line: 1,
            what,
        });
    }
    breaches.sort();
    breaches
}

/// By file name, by its quoted stem, or by a directory that is read as a whole.
fn is_mentioned(path: &str, mentions: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.split('.').next().unwrap_or(name);
    let whole = |text: &str| {
        mentions
            .split('\0')
            .any(|mention| mention == text || mention.ends_with(&format!("/{text}")))
    };
    let mut ancestors = path
        .match_indices('/')
        .map(|(at, _)| &path[..at])
        .filter(|dir| dir.contains('/'));
    mentions.contains(name)
        || whole(stem)
        || ancestors.any(|dir| {
            mentions
                .split('\0')
                .any(|mention| mention.trim_end_matches('/').ends_with(dir))
        })
}

fn check_source(file: &File, tokens: &[Token], report: &mut dyn FnMut(usize, String)) {
    let module = module_of(&file.path);
    let room = module.first().map_or("lib", String::as_str);
    let is_bin = file.path.starts_with("src/bin/");
    let floor = FLOORS.iter().position(|rooms| rooms.contains(&room));
    if !is_bin && floor.is_none() && !OUTSIDE.contains(&room) {
        report(1, format!("room {room} has no floor: give it one in tests/tidy.rs"));
    }
    if !file.text.starts_with("//!") {
        report(
            1,
            "opens without `//!`: say in a sentence what it is for, and what is deliberately absent".into(),
        );
    }

    let is_test_file = file.path.ends_with("/tests.rs") || file.path.contains("/tests/");
    let tests = if is_test_file {
        0
    } else {
        tests_module(tokens).unwrap_or(tokens.len())
    };
    let lines = match tokens.get(tests) {
        _ if is_test_file => 0,
        Some(token) => token.line - 1,
        None => file.text.lines().count(),
    };
    if lines > LONGEST {
        report(
            LONGEST + 1,
            format!("{lines} lines before its tests, {LONGEST} at most: split it by what it is about"),
        );
    }
    check_tokens(room, floor, tokens, tests, report);

    for path in paths(tokens, &module) {
        let in_tests = path.at >= tests;
        let line = tokens[path.at].line;
        match path.resolved() {
            Some(ours) if !is_bin && room != "main" => check_import(room, floor, in_tests, &ours, line, report),
            Some(_) => {}
            None if in_tests || is_bin || !(path.in_use || path.segments.len() > 1) => {}
            None => check_foreign(room, floor, &path.segments, line, report),
        }
    }
}

fn check_import(
    room: &str,
    floor: Option<usize>,
    in_tests: bool,
    ours: &[String],
    line: usize,
    report: &mut dyn FnMut(usize, String),
) {
    let Some(target) = ours.first().map(String::as_str).filter(|target| *target != "*") else {
        return report(line, "imports the crate as a whole: name the room".into());
    };
    if target == room || (in_tests && OUTSIDE.contains(&target)) {
        return;
    }
    let Some(from) = floor else {
        return report(
            line,
            format!("{room} imports {target}: it stands outside and imports nothing of ours"),
        );
    };
    match FLOORS.iter().position(|rooms| rooms.contains(&target)) {
        Some(to) if to < from || from == TOP => {}
        Some(to) => report(
            line,
            format!(
                "{room} (floor {from}) imports {target} (floor {to}): import from lower floors only; move what both \
                 need down, or take it as a parameter"
            ),
        ),
        None if OUTSIDE.contains(&target) => {
            report(
                line,
                format!("{room} imports {target}: that is for tests, benches and src/bin only"),
            );
        }
        None => report(
            line,
            format!("{room} imports {target}, which has no floor: give it one in tests/tidy.rs"),
        ),
    }
}

fn check_foreign(
    room: &str,
    floor: Option<usize>,
    segments: &[String],
    line: usize,
    report: &mut dyn FnMut(usize, String),
) {
    let [krate, rest @ ..] = segments else { return };
    let second = rest.first().map_or("", String::as_str);
    let krate = krate.as_str();
    if krate == "muster" && room != "main" {
        report(line, "names our own crate from within: write `crate::`".into());
    }
    if floor == Some(0) {
        if IMPURE_CRATES.contains(&krate) || krate.starts_with("twilight") {
            report(
                line,
                format!("{room} uses {krate}: floor 0 is pure; do it in an adapter and pass the result in"),
            );
        }
        if krate == "std" && IMPURE_STD.contains(&second) {
            report(
                line,
                format!("{room} uses std::{second}: floor 0 does no I/O; take what it gives as a parameter"),
            );
        }
        return;
    }
    let pool_only = room == "app" && !second.starts_with("query");
    if krate == "sqlx" && room != "store" && !pool_only {
        report(
            line,
            format!("{room} uses sqlx: all SQL is in store/, one function per query; call that"),
        );
    }
    if krate == "reqwest" && !["faceit", "discord", "simulator", "cli"].contains(&room) {
        report(
            line,
            format!("{room} uses reqwest: foreign HTTP is for the adapters (faceit, discord); call them"),
        );
    }
}

fn check_tokens(
    room: &str,
    floor: Option<usize>,
    tokens: &[Token],
    tests: usize,
    report: &mut dyn FnMut(usize, String),
) {
    for i in 0..tests {
        let line = tokens[i].line;
        let word = match &tokens[i].kind {
            Kind::Word(word) => word.as_str(),
            Kind::Text(sql) if room == "store" && is_database_time(sql) => {
                report(
                    line,
                    "SQL asks the database for the time: take it as a parameter, from the Clock".into(),
                );
                continue;
            }
            _ => continue,
        };
        let next = |ahead: usize, text: &str| is(tokens, i + ahead, text);
        let call = next(1, "(") && i > 0 && is(tokens, i - 1, ".");
        match word {
            "unwrap" if call => {
                report(
                    line,
                    ".unwrap() outside tests: handle it, or `expect` with a real why".into(),
                );
            }
            "trait" if matches!(tokens.get(i + 1), Some(Token { kind: Kind::Word(name), .. }) if !TRAITS.contains(&name.as_str())) =>
            {
                report(
                    line,
                    "a trait of our own: it needs two real implementations in production; use a type".into(),
                );
            }
            "cfg" | "cfg_attr" if next(1, "(") || next(1, "!") => {
                let end = (i..tokens.len())
                    .find(|&at| is(tokens, at, ")"))
                    .unwrap_or(tokens.len());
                if (i..end).any(|at| is(tokens, at, "test")) && !declares_a_tests_file(tokens, i) {
                    report(
                        line,
                        "cfg(test) in production code: only a `#[cfg(test)] mod tests` at the end, or in a file, may have it".into(),
                    );
                }
            }
            "async" | "await" if floor == Some(0) => {
                report(
                    line,
                    format!("{word} in {room}: floor 0 is pure; wait in a shell and pass the result in"),
                );
            }
            "SystemTime" | "now_utc" | "now_local" if floor == Some(0) && room != "clock" => {
                report(
                    line,
                    format!("{word} in {room}: only clock reads the time; take it as a parameter"),
                );
            }
            "Instant" if floor == Some(0) && room != "clock" && next(1, "::") && next(2, "now") => {
                report(
                    line,
                    format!("Instant::now in {room}: only clock reads the time; take it as a parameter"),
                );
            }
            "HashMap" | "HashSet" if floor == Some(0) => {
                report(
                    line,
                    format!("{word} in {room}: its order is random; use BTreeMap or BTreeSet"),
                );
            }
            _ => {}
        }
    }
}

fn is_database_time(sql: &str) -> bool {
    let sql = sql.to_lowercase();
    ["now()", "current_timestamp", "clock_timestamp()"]
        .iter()
        .any(|time| sql.contains(time))
}

/// `src/a/b.rs` is module `a::b`; `src/a/mod.rs` is `a`; `src/lib.rs` is the root.
fn module_of(path: &str) -> Vec<String> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    path.split('/')
        .filter(|part| !["mod", "lib"].contains(part))
        .map(String::from)
        .collect()
}
