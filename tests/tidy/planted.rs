//! A breach of each rule, planted, is found where it is, and the lawful neighbour of each is left alone.

use super::{File, check};

/// What is found in one file, as `line: what`.
fn found(path: &str, code: &str) -> Vec<String> {
    let text = if code.starts_with("//!") {
        code.to_owned()
    } else {
        format!("//! Something.\n{code}")
    };
    check(
        &[File {
            path: path.into(),
            text,
        }],
        &[],
    )
    .iter()
    .map(|breach| format!("{}: {}", breach.line, breach.what))
    .collect()
}

#[track_caller]
fn breach(path: &str, code: &str, line: usize, what: &str) {
    let found = found(path, code);
    let [only] = found.as_slice() else {
        panic!("{code}\nwas to have one breach, and has {found:#?}")
    };
    assert!(
        only.starts_with(&format!("{line}: ")) && only.contains(what),
        "{code}\nline {line}, {what}? {only}"
    );
}

#[track_caller]
fn lawful(path: &str, code: &str) {
    assert_eq!(found(path, code), Vec::<String>::new(), "{code}");
}

#[test]
fn an_import_from_a_higher_floor_is_found_however_it_is_written() {
    for code in [
        "use crate::queue::Worker;",
        "use crate::{domain::Match, queue::Worker};",
        "use crate::{\n    domain::{self, Match}, queue};",
        "use {crate::queue::Worker, std::fmt};",
        "pub(crate) use crate::queue as q;",
        "use super::super::queue::Worker;",
        "use super::{super::queue};",
        "fn f() { crate::queue::book() }",
        "fn f(x: &crate::queue::Worker) {}",
        "fn f() { <u8 as crate::queue::X>::y() }",
        "mod inner { use super::super::super::queue::Worker; }",
    ] {
        let line = if code.contains('\n') { 3 } else { 2 };
        breach(
            "src/store/jobs.rs",
            code,
            line,
            "store (floor 1) imports queue (floor 2)",
        );
    }
}

#[test]
fn a_sideways_import_is_found() {
    breach(
        "src/web/webhook.rs",
        "use crate::sync::book;",
        2,
        "web (floor 2) imports sync (floor 2)",
    );
    breach(
        "src/clock.rs",
        "use crate::metrics;",
        2,
        "clock (floor 0) imports metrics (floor 0)",
    );
}

#[test]
fn lower_floors_the_own_room_and_the_top_are_lawful() {
    lawful(
        "src/sync/perform.rs",
        "use crate::{domain::Plan, store::jobs, sync::sweep};\nuse super::sweep;",
    );
    lawful(
        "src/sync/mod.rs",
        "pub mod perform;\npub use perform::perform;\nuse self::perform as p;",
    );
    lawful("src/app.rs", "use crate::{config::Config, telemetry, web};");
    lawful(
        "src/store/jobs.rs",
        "mod inner { use super::super::matches::Row; }\nfn f() { super::pool() }",
    );
    lawful("src/bin/demo.rs", "use muster::{sandbox::postgres, simulator};");
    lawful("src/main.rs", "fn main() { muster::cli::run() }");
}

#[test]
fn comments_and_strings_are_no_code() {
    lawful(
        "src/domain/plan.rs",
        r##"// use crate::queue;
        /* crate::queue::x /* and */ .unwrap() */
        /// Like `HashMap`. [`crate::store`]
        const A: &str = "crate::queue::x .unwrap() \" tokio::spawn";
        const B: &str = r#"crate::web " HashMap"#;
        fn f<'a>(c: &'a char) -> bool { *c == '"' || *c == '\'' || *c == 'x' }
        const C: &[u8] = b"crate::queue";"##,
    );
}

#[test]
fn the_outside_stands_apart_in_both_directions() {
    breach(
        "src/simulator/faults.rs",
        "use crate::domain::Match;",
        2,
        "simulator imports domain",
    );
    breach(
        "src/sandbox/process.rs",
        "use crate::simulator::World;",
        2,
        "sandbox imports simulator",
    );
    breach(
        "src/app.rs",
        "use crate::simulator::World;",
        2,
        "for tests, benches and src/bin only",
    );
    breach(
        "src/store/jobs.rs",
        "fn f() { crate::sandbox::postgres::x() }",
        2,
        "for tests, benches and src/bin only",
    );
    lawful(
        "src/store/jobs.rs",
        "#[cfg(test)]\nmod tests { use crate::sandbox::postgres; }",
    );
}

#[test]
fn the_crate_is_not_imported_whole_nor_by_name() {
    breach("src/web/mod.rs", "use crate::*;", 2, "name the room");
    breach("src/web/mod.rs", "use crate as all;", 2, "name the room");
    breach("src/web/mod.rs", "use super::*;", 2, "name the room");
    breach("src/web/mod.rs", "use muster::domain::Match;", 2, "write `crate::`");
}

#[test]
fn a_room_without_a_floor_is_found() {
    breach("src/attic/mod.rs", "", 1, "room attic has no floor");
    breach(
        "src/web/mod.rs",
        "use crate::attic::Box;",
        2,
        "attic, which has no floor",
    );
}

#[test]
fn impurity_on_the_ground_floor_is_found() {
    let file = "src/domain/plan.rs";
    breach(file, "async fn f() {}", 2, "async in domain");
    breach(file, "fn f() { x.await }", 2, "await in domain");
    breach(file, "use std::time::SystemTime;", 2, "only clock reads the time");
    breach(
        file,
        "fn f() { std::time::Instant::now(); }",
        2,
        "only clock reads the time",
    );
    breach(
        file,
        "fn f() { time::OffsetDateTime::now_utc(); }",
        2,
        "only clock reads the time",
    );
    breach(file, "fn f() { ::rand::random() }", 2, "domain uses rand");
    breach(file, "use twilight_model::id::Id;", 2, "domain uses twilight_model");
    breach(file, "use {std::fmt, sqlx::FromRow};", 2, "domain uses sqlx");
    breach(file, "use std::{collections::BTreeMap, fs};", 2, "std::fs");
    breach(file, "use std::collections::{BTreeMap, HashMap};", 2, "use BTreeMap");
    lawful("src/clock.rs", "fn f() { time::OffsetDateTime::now_utc(); }");
    lawful(file, "use std::collections::BTreeMap;\nfn f(rand: u8) -> u8 { rand }");
    lawful(
        file,
        "#[cfg(test)]\nmod tests { use proptest::prelude::*; use std::collections::HashMap; use rand::Rng; }",
    );
}

#[test]
fn sql_and_foreign_http_out_of_place_are_found() {
    breach(
        "src/web/health.rs",
        "fn f() { sqlx::query(\"select 1\"); }",
        2,
        "all SQL is in store/",
    );
    breach(
        "src/app.rs",
        "fn f() { sqlx::query_scalar(\"select 1\"); }",
        2,
        "all SQL is in store/",
    );
    breach(
        "src/store/jobs.rs",
        "const A: &str = \"select NOW()\";",
        2,
        "asks the database for the time",
    );
    breach("src/sync/mod.rs", "use reqwest::Client;", 2, "foreign HTTP");
    lawful("src/store/jobs.rs", "use sqlx::PgPool;");
    lawful("src/app.rs", "use sqlx::postgres::PgPoolOptions;");
    lawful("src/cli.rs", "use reqwest::Client;");
}

#[test]
fn a_silent_or_long_file_is_found() {
    let silent = File {
        path: "src/web/mod.rs".into(),
        text: "/// No.\nfn f() {}\n".into(),
    };
    assert!(
        check(&[silent], &[])
            .iter()
            .any(|breach| breach.what.contains("opens without `//!`"))
    );

    let lines = |count: usize| "const X: u8 = 0;\n".repeat(count);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", lines(100));
    lawful("src/web/mod.rs", &format!("{}{tests}", lines(399)));
    breach(
        "src/web/mod.rs",
        &format!("{}{tests}", lines(400)),
        401,
        "401 lines before its tests",
    );
}

#[test]
fn test_switches_are_found() {
    breach(
        "src/web/mod.rs",
        "#[cfg(test)]\nfn f() {}",
        2,
        "cfg(test) in production code",
    );
    breach(
        "src/web/mod.rs",
        "fn f() { if cfg!(test) {} }",
        2,
        "cfg(test) in production code",
    );
    breach(
        "src/web/mod.rs",
        "#[cfg(any(test, unix))]\nfn f() {}",
        2,
        "cfg(test) in production code",
    );
    breach(
        "src/web/mod.rs",
        "#[cfg_attr(test, derive(Debug))]\nstruct A;",
        2,
        "cfg(test) in production code",
    );
    breach(
        "src/web/mod.rs",
        "#[cfg(test)]\nmod tests {}\nfn f() {}",
        2,
        "cfg(test) in production code",
    );
    lawful(
        "src/web/mod.rs",
        "#[cfg(unix)]\nfn f() {}\n#[cfg(test)]\n#[expect(dead_code)]\nmod tests {}\n",
    );
}

#[test]
fn tests_may_be_files_of_their_own() {
    lawful("src/web/mod.rs", "#[cfg(test)]\nmod tests;\nfn f() {}");
    lawful("src/web/tests.rs", "fn f() { x.unwrap(); }");
    lawful("src/web/tests/long.rs", &"const X: u8 = 0;\n".repeat(500));
    breach(
        "src/web/tests/upwards.rs",
        "use crate::app::App;",
        2,
        "web (floor 2) imports app (floor 3)",
    );
}

#[test]
fn unwraps_and_traits_of_our_own_are_found() {
    breach(
        "src/web/mod.rs",
        "fn f() { x\n    .unwrap(); }",
        3,
        ".unwrap() outside tests",
    );
    lawful(
        "src/web/mod.rs",
        "fn f() { x.unwrap_or(1); }\n#[cfg(test)]\nmod tests { fn f() { x.unwrap(); } }",
    );
    breach("src/web/mod.rs", "pub trait Sender {}", 2, "a trait of our own");
}

#[test]
fn a_sleeping_test_is_found() {
    breach(
        "tests/it/x.rs",
        "fn f() { tokio::time::sleep(d).await }",
        2,
        "a test sleeps",
    );
    lawful("tests/it/x.rs", "const SCRIPT: &str = \"sleep(1)\"; // sleep(2)");
}

#[test]
fn an_unused_fixture_is_found() {
    let unused = |code: &str, fixture: &str| {
        let file = File {
            path: "tests/it/x.rs".into(),
            text: code.into(),
        };
        !check(&[file], &[fixture.into()]).is_empty()
    };
    assert!(unused("", "fixtures/faceit/bye.json"));
    assert!(unused("// bye.json", "fixtures/faceit/bye.json"));
    assert!(unused(
        r#"read(format!("fixtures/faceit/{name}.json"))"#,
        "fixtures/faceit/bye.json"
    ));
    assert!(!unused(r#"fixture("bye")"#, "fixtures/faceit/bye.json"));
    assert!(!unused(
        r#"include_str!("../../fixtures/faceit/bye.json")"#,
        "fixtures/faceit/bye.json"
    ));
    assert!(!unused(
        r#"read_all("fixtures/scenarios")"#,
        "fixtures/scenarios/grace.txt"
    ));
    assert!(!unused("", "fixtures/README.md"));
}
