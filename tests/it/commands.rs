//! The commands of the real binary: what they print, how they exit, and that those which only look change nothing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    bodies::{Match, game},
    bot::{Bot, SECRET},
    database::{Database, eventually},
    service::{Folder, Place, Ran, run},
};
use muster::sandbox::process::Program;
use secrecy::ExposeSecret;

const ID: &str = "1-ca11ab1e-0000-4000-8000-000000000001";

fn a_match() -> Match {
    game(ID, "READY", &["nova", "rex"], &["ada", "bo"])
}

fn bare(args: &[&str]) -> Program {
    Program::own("muster").expect("muster is built").args(args).bare_env()
}

fn ok(ran: &Ran) -> &str {
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    &ran.stdout
}

fn fails(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code, Some(code), "{ran:#?}");
    println!("{}", ran.stderr);
    for word in words {
        assert!(ran.stderr.contains(word), "it does not say {word:?}:\n{}", ran.stderr);
    }
    assert!(
        !ran.stderr.contains("RUST_BACKTRACE"),
        "that is no message for people:\n{}",
        ran.stderr
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_with_nothing_set_names_every_missing_setting_and_exits_with_2() {
    let required = [
        "DATABASE_URL",
        "FACEIT_API_KEY",
        "FACEIT_WEBHOOK_SECRET",
        "DISCORD_TOKEN",
    ];
    fails(&run(bare(&["serve"])).await, 2, &required);
    fails(&run(bare(&["plan", ID])).await, 2, &["DATABASE_URL", "FACEIT_API_KEY"]);
    fails(&run(bare(&["migrate"])).await, 2, &["DATABASE_URL"]);
    fails(&run(bare(&["links", "list"])).await, 2, &["DATABASE_URL"]);
    fails(&run(bare(&["jobs", "list"])).await, 2, &["DATABASE_URL"]);
    let bad = bare(&["serve"])
        .env("DATABASE_URL", "mysql://root:hunter2@localhost/x")
        .env("FACEIT_API_KEY", "a key with blanks")
        .env("FACEIT_WEBHOOK_SECRET", SECRET)
        .env("DISCORD_TOKEN", "hunter3\nhunter4")
        .env("DISCORD_GUILD_ID", "my server")
        .env("PORT", "eighty")
        .env("TEARDOWN_GRACE_SECONDS", "-1")
        .env("WORKERS", "0")
        .env("LOG_FORMAT", "xml");
    let ran = run(bad).await;
    fails(
        &ran,
        2,
        &[
            "DATABASE_URL",
            "DISCORD_TOKEN",
            "DISCORD_GUILD_ID",
            "PORT",
            "TEARDOWN_GRACE_SECONDS",
            "WORKERS",
            "LOG_FORMAT",
        ],
    );
    assert!(!ran.stderr.contains("hunter"), "a secret shows:\n{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_are_applied_once_and_asked_for_where_they_are_missing() {
    let database = Database::empty().await;
    let url = database.url().expose_secret().to_owned();
    let muster = |args: &[&str]| run(bare(args).env("DATABASE_URL", url.clone()));
    for args in [&["links", "list"][..], &["links", "export"], &["jobs", "list"]] {
        fails(&muster(args).await, 1, &["muster migrate"]);
    }
    assert!(ok(&muster(&["migrate"]).await).starts_with("applied 0001 deliveries, 0002 jobs"));
    assert_eq!(ok(&muster(&["migrate"]).await), "the database is up to date\n");
    assert_eq!(ok(&muster(&["links", "list"]).await), "0 links\n");
    assert_eq!(ok(&muster(&["jobs", "list"]).await), "0 jobs, 0 dead\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_out_of_reach_is_said_so_without_its_password() {
    let muster = |url: &'static str, args: &[&str]| run(bare(args).env("DATABASE_URL", url));
    // Port 1 of this machine: nobody listens there.
    for args in [
        &["migrate"][..],
        &["jobs", "list"],
        &["links", "list"],
        &["links", "export"],
    ] {
        let ran = muster("postgres://muster:hunter2@127.0.0.1:1/muster", args).await;
        fails(&ran, 1, &["DATABASE_URL", "connection refused"]);
        assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
        assert_eq!(ran.stderr.trim_end().lines().count(), 1, "one line: {}", ran.stderr);
    }
    let ran = muster("postgres://muster:hunter2@no-such-host.invalid/muster", &["migrate"]).await;
    fails(&ran, 1, &["DATABASE_URL"]);
    let database = Database::empty().await;
    let mut missing = url::Url::parse(database.url().expose_secret()).expect("an address");
    missing.set_path("no_such_database");
    let ran = run(bare(&["migrate"]).env("DATABASE_URL", missing.as_str())).await;
    fails(&ran, 1, &["no_such_database", "does not exist"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_are_imported_all_or_none_and_come_out_as_they_went_in() {
    let place = Place::new(&[]).await;
    let folder = Folder::new();
    let table =
        "faceit_id,discord_id,nickname\np-nova,2001,Nova\np-rex,2002,\"Rex, the \"\"Dog\"\"\"\np-ada,2003,Ada ✨\n";
    let good = folder.write("good.csv", table);
    assert_eq!(
        ok(&place.run(&["links", "import", &good]).await),
        "added 3, changed 0, unchanged 0\n"
    );
    assert_eq!(
        ok(&place.run(&["links", "import", &good]).await),
        "added 0, changed 0, unchanged 3\n"
    );
    assert_eq!(place.count("select count(*) from player_links").await, 3);

    let exported = ok(&place.run(&["links", "export"]).await).to_owned();
    let back = folder.write("back.csv", &exported);
    assert_eq!(
        ok(&place.run(&["links", "import", &back]).await),
        "added 0, changed 0, unchanged 3\n"
    );
    let mut lines: Vec<&str> = exported.lines().collect();
    let mut wanted: Vec<&str> = table.lines().collect();
    lines.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(lines, wanted);
    let list = ok(&place.run(&["links", "list"]).await).to_owned();
    assert!(
        list.contains("Nova: FACEIT p-nova = Discord 2001") && list.ends_with("3 links\n"),
        "{list}"
    );

    let before = place.dump().await;
    let bad = folder.write(
        "bad.csv",
        "faceit_id,discord_id,nickname\np-bo,2004,Bo\np-cleo,zero,Cleo\np-bo,2006,Bo\n,2007,Dan\np-eve,2008\np-finn,2004,Finn\np-gus,99999999999999999999,Gus\n",
    );
    fails(
        &place.run(&["links", "import", &bad]).await,
        1,
        &[
            "nothing was imported",
            "line 3",
            "line 4",
            "line 5",
            "line 6",
            "line 7",
            "line 8",
        ],
    );
    let clash = folder.write(
        "clash.csv",
        "faceit_id,discord_id,nickname\np-bo,2004,Bo\np-cleo,2001,Cleo\n",
    );
    fails(
        &place.run(&["links", "import", &clash]).await,
        1,
        &["nothing was imported", "line 3", "p-nova"],
    );
    let headless = folder.write("headless.csv", "p-bo,2004,Bo\n");
    fails(
        &place.run(&["links", "import", &headless]).await,
        1,
        &["line 1", "faceit_id,discord_id,nickname"],
    );
    let latin = folder.write("latin.csv", b"faceit_id,discord_id,nickname\np-bo,2004,B\xf6\n");
    fails(&place.run(&["links", "import", &latin]).await, 1, &["line 2", "UTF-8"]);
    fails(
        &place.run(&["links", "import", "/no/such/file.csv"]).await,
        1,
        &["/no/such/file.csv", "No such file"],
    );
    fails(
        &place.run(&["links", "import", &folder.0.display().to_string()]).await,
        1,
        &["folder"],
    );
    // Two that change places have to go by way of a third account.
    let swapped = folder.write(
        "swapped.csv",
        "faceit_id,discord_id,nickname\np-nova,2002,Nova\np-rex,2001,Rex\n",
    );
    fails(
        &place.run(&["links", "import", &swapped]).await,
        1,
        &["line 2", "line 3", "already linked"],
    );
    assert_eq!(place.dump().await, before, "nothing was imported");

    let changed = folder.write("changed.csv", "faceit_id,discord_id,nickname\np-nova,2009,Nova\n");
    assert_eq!(
        ok(&place.run(&["links", "import", &changed]).await),
        "added 0, changed 1, unchanged 0\n"
    );
}

/// FACEIT and Discord were asked, and told nothing.
fn only_looked(place: &Place) {
    let told: Vec<_> = place
        .simulator
        .journal()
        .into_iter()
        .filter(|entry| entry.method != "GET")
        .collect();
    assert!(told.is_empty(), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_says_what_would_be_done_and_why_nothing_is_and_changes_nothing() {
    let place = Place::new(&["nova", "rex", "ada"]).await;
    let before = place.dump().await;
    let unknown = ok(&place.run(&["plan", ID]).await).to_owned();
    println!("--- unknown to FACEIT\n{unknown}");
    assert!(unknown.contains("neither FACEIT nor Muster knows it"), "{unknown}");
    place.faceit_says(&a_match());
    let fresh = ok(&place.run(&["plan", ID]).await).to_owned();
    println!("--- about to begin\n{fresh}");
    for words in [
        "READY",
        "Nova = member 2001",
        "Bo = not linked",
        "create voice channel 'match-ca11ab1e-faction1'",
        "move member 2001",
    ] {
        assert!(fresh.contains(words), "no {words:?} in\n{fresh}");
    }
    place.faceit_says(&a_match().status("SCHEDULED"));
    let scheduled = ok(&place.run(&["plan", ID]).await).to_owned();
    println!("--- scheduled\n{scheduled}");
    assert!(scheduled.contains("waiting"), "{scheduled}");
    assert_eq!(place.dump().await, before);
    only_looked(&place);

    place.faceit_says(&a_match());
    let serving = place.serve().await;
    assert_eq!(
        serving.deliver(&a_match().webhook("match_status_ready", 2)).await,
        Some(200)
    );
    place.rest().await;
    let (before, picture) = (place.dump().await, place.picture());
    place.simulator.clear_journal();
    let standing = ok(&place.run(&["plan", ID]).await).to_owned();
    println!("--- standing\n{standing}");
    assert!(standing.contains("nothing to do"), "{standing}");
    place.faceit_says(&a_match().status("FINISHED"));
    let over = ok(&place.run(&["plan", ID]).await).to_owned();
    println!("--- over, not cleaned up yet\n{over}");
    assert!(over.contains("delete the channel of faction1"), "{over}");
    assert_eq!((place.dump().await, place.picture()), (before, picture));
    only_looked(&place);

    assert_eq!(
        serving.deliver(&a_match().webhook("match_status_finished", 3)).await,
        Some(200)
    );
    place.rest().await;
    let finished = ok(&place.run(&["plan", ID]).await).to_owned();
    println!("--- finished\n{finished}");
    assert!(
        finished.contains("FINISHED") && finished.contains("over and cleaned up"),
        "{finished}"
    );

    let down = json!({"path": "/data/v4/*", "status": 401, "times": 1000});
    place
        .simulator
        .fault(serde_json::from_value(down).expect("a fault"))
        .expect("a fault");
    let refused = ok(&place.run(&["plan", ID]).await).to_owned();
    println!("--- the key is refused\n{refused}");
    assert!(refused.contains("FACEIT_API_KEY"), "{refused}");
    fails(&place.run(&["plan", "not a match"]).await, 1, &["can't be a match id"]);
}

fn deliveries() -> Vec<Value> {
    vec![
        a_match().webhook("match_object_created", 1),
        a_match().webhook("match_status_configuring", 2),
        a_match().webhook("match_status_ready", 3),
        json!({"event": "hub_created", "event_id": "hub", "payload": {"id": "hub-1"}}),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_sends_files_arrays_and_folders_and_counts_what_became_of_them() {
    let place = Place::new(&["nova", "rex", "ada", "bo"]).await;
    let serving = place.serve().await;
    place.faceit_says(&a_match());
    let folder = Folder::new();
    let [created, configuring, ready, hub] = &deliveries()[..] else {
        panic!("four")
    };
    let array = folder.write("array.json", json!([created, configuring]).to_string());
    let single = folder.write("single.json", ready.to_string());
    let inner = Folder::new();
    inner.write("b.json", a_match().webhook("match_status_ready", 5).to_string());
    inner.write("a.json", a_match().webhook("match_status_ready", 4).to_string());
    inner.write("notes.txt", "no delivery");
    let dir = inner.0.display().to_string();

    let to = serving.url.clone();
    let ran = place.run(&["replay", &array, &single, "--to", &to]).await;
    assert_eq!(ok(&ran), "sent 3: accepted 3, duplicate 0, ignored 0, refused 0\n");
    let ran = place.run(&["replay", &array, &single, &dir, "--to", &to]).await;
    assert_eq!(ok(&ran), "sent 5: accepted 2, duplicate 3, ignored 0, refused 0\n");
    place.rest().await;
    let picture = place.picture();
    place.simulator.clear_journal();
    let ran = place
        .run(&[
            "replay",
            &array,
            &single,
            &dir,
            "--to",
            &format!("{to}/webhooks/faceit"),
        ])
        .await;
    assert_eq!(ok(&ran), "sent 5: accepted 0, duplicate 5, ignored 0, refused 0\n");
    place.rest().await;
    assert_eq!(place.picture(), picture);
    assert_eq!(
        place.simulator.journal(),
        vec![],
        "a replay of what is known costs no call"
    );
    // A folder is taken in name order.
    let order = place.count("select count(*) from deliveries a join deliveries b on a.payload_version < b.payload_version and a.id > b.id").await;
    assert_eq!(order, 0);

    let hub = folder.write("hub.json", hub.to_string());
    assert_eq!(
        ok(&place.run(&["replay", &hub, "--to", &to]).await),
        "sent 1: accepted 0, duplicate 0, ignored 1, refused 0\n"
    );
    let bad = folder.write(
        "bad.json",
        json!([{"event": 7}, a_match().webhook("match_status_ready", 9)]).to_string(),
    );
    let ran = place.run(&["replay", &bad, "--to", &to]).await;
    fails(&ran, 1, &["bad.json[0]", "400", "the event is not text"]);
    assert_eq!(ran.stdout, "sent 2: accepted 1, duplicate 0, ignored 0, refused 1\n");
    let garbage = folder.write("garbage.json", "{\"event\":");
    fails(
        &place.run(&["replay", &garbage, "--to", &to]).await,
        1,
        &["garbage.json", "400"],
    );
    fails(
        &place.run(&["replay", "/no/such/file.json", "--to", &to]).await,
        1,
        &["/no/such/file.json"],
    );
    fails(
        &place.run(&["replay", &single, "--to", "http://127.0.0.1:1"]).await,
        1,
        &["can't be reached", "is the service running", "refused"],
    );
    fails(&place.run(&["replay", &single]).await, 2, &["--to", "--dry-run"]);
    let mut stranger = Program::own("muster").expect("muster is built").bare_env();
    stranger = stranger
        .args(["replay", &single, "--to", &to])
        .env("FACEIT_WEBHOOK_SECRET", "some-other-secret");
    fails(&run(stranger).await, 1, &["401", "FACEIT_WEBHOOK_SECRET"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_prints_plans_and_changes_nothing_anywhere() {
    let place = Place::new(&["nova", "rex", "ada", "bo"]).await;
    place.faceit_says(&a_match());
    let folder = Folder::new();
    let mut bodies = deliveries();
    let all = folder.write("all.json", json!(bodies).to_string());
    let before = (place.dump().await, place.picture());
    let ran = place.run(&["replay", "--dry-run", &all]).await;
    println!("{}", ok(&ran));
    for words in [
        "all.json[2]: match_status_ready",
        "create voice channel 'match-ca11ab1e-faction2'",
        "all.json[3]: hub_created",
    ] {
        assert!(ran.stdout.contains(words), "no {words:?} in\n{}", ran.stdout);
    }
    bodies.push(json!({"event": "match_status_ready", "payload": {}}));
    let bad = folder.write("bad.json", json!(bodies).to_string());
    let ran = place.run(&["replay", "--dry-run", &bad]).await;
    assert_eq!(ran.code, Some(1), "one would be refused");
    assert!(
        ran.stdout
            .contains("bad.json[4]: would be refused: there is no payload.id"),
        "{}",
        ran.stdout
    );
    assert_eq!((place.dump().await, place.picture()), before);
    only_looked(&place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_job_is_listed_with_its_error_and_runs_again_when_asked() {
    let bot = Bot::start(&["nova", "ada"]).await;
    let url = bot.database.url().expose_secret().to_owned();
    let muster = |args: &[&str]| run(bare(args).env("DATABASE_URL", url.clone()));
    let game = game(ID, "READY", &["nova"], &["ada"]);
    // A 2xx that is JSON, but nothing that Discord has ever said.
    let nonsense = json!({"method": "POST", "path": "/channels", "status": 200, "body": {"ok": true}, "times": 1000});
    bot.simulator
        .fault(serde_json::from_value(nonsense).expect("a fault"))
        .expect("a fault");
    bot.play(&game, "match_status_ready", 2).await;
    let trying = ok(&muster(&["jobs", "list"]).await).to_owned();
    println!("{trying}");
    assert!(trying.contains("after 1 attempt: "), "{trying}");
    let mut advanced = 0;
    while bot.jobs().await.iter().all(|job| job.dead_at.is_none()) {
        advanced += 1;
        assert!(advanced < 30, "it does not die: {:#?}", bot.jobs().await);
        bot.advance(Duration::from_secs(61)).await;
    }
    let dead = ok(&muster(&["jobs", "list"]).await).to_owned();
    println!("{dead}");
    assert!(
        dead.starts_with(&format!("match:{ID}  dead since ")) && dead.ends_with("1 job, 1 dead\n"),
        "{dead}"
    );
    assert!(
        dead.contains("POST /guilds/{guild}/channels"),
        "the error says what went wrong: {dead}"
    );
    let when = dead
        .split("dead since ")
        .nth(1)
        .and_then(|rest| rest.split(" after ").next())
        .unwrap_or_default();
    assert!(
        when.ends_with(" UTC") && when.len() == "2026-11-21 17:04:05 UTC".len(),
        "no time for people: {when:?}"
    );

    fails(
        &muster(&["jobs", "retry", "match:1-nobody"]).await,
        1,
        &["there is no job 'match:1-nobody'", "muster jobs list"],
    );
    bot.simulator.clear_faults();
    let key = format!("match:{ID}");
    assert_eq!(
        ok(&muster(&["jobs", "retry", &key]).await),
        format!("{key} runs again\n")
    );
    eventually("the match stands", || async { bot.channels().len() == 2 }).await;
    bot.settle().await;
    let well = ok(&muster(&["jobs", "list"]).await).to_owned();
    println!("{well}");
    assert!(well.ends_with("1 job, 0 dead\n"), "{well}");
    // Asked once more it is looked at once more.
    assert_eq!(
        ok(&muster(&["jobs", "retry", &key]).await),
        format!("{key} runs again\n")
    );
    bot.settle().await;
    bot.play(&game.status("FINISHED"), "match_status_finished", 3).await;
    bot.advance(Duration::from_secs(61)).await;
    assert!(bot.channels().is_empty());
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_set_up_paused_and_given_its_competitions_at_the_command_line() {
    let database = Database::migrated().await;
    let url = database.url().expose_secret().to_owned();
    let muster = |args: &[&str]| run(bare(args).env("DATABASE_URL", url.clone()));
    fails(&muster(&["guilds", "show"]).await, 1, &["--guild", "DISCORD_GUILD_ID"]);
    let shown = ok(&muster(&["guilds", "show", "--guild", "7"]).await).to_owned();
    assert!(
        shown.contains("grace_seconds=60\n") && shown.contains("nothing is stored"),
        "{shown}"
    );
    ok(&muster(&["guilds", "set", "--guild", "7", "lobby=11", "return_to=lobby"]).await);
    fails(
        &muster(&["guilds", "set", "--guild", "7", "user_limit=5", "return_to=home"]).await,
        1,
        &["return_to", "before or lobby or stay"],
    );
    let shown = ok(&muster(&["guilds", "show", "--guild", "7"]).await).to_owned();
    assert!(
        shown.contains("lobby=11\n") && shown.contains("user_limit=0\n"),
        "all or nothing: {shown}"
    );
    ok(&muster(&["guilds", "claim", "hub", "hub-1", "--guild", "7"]).await);
    fails(
        &muster(&["guilds", "claim", "hub", "hub-1", "--guild", "8"]).await,
        1,
        &["server 7", "muster guilds release hub-1 --guild 7"],
    );
    ok(&muster(&["guilds", "pause", "--guild", "7"]).await);
    assert_eq!(
        ok(&muster(&["guilds", "list"]).await),
        "7  paused\n  hub hub-1\nsettings are stored for 1 server\n"
    );
    ok(&muster(&["guilds", "resume", "--guild", "7"]).await);
    ok(&muster(&["guilds", "release", "hub-1", "--guild", "7"]).await);
    assert_eq!(
        ok(&muster(&["guilds", "list"]).await),
        "7\nsettings are stored for 1 server\n"
    );
}
