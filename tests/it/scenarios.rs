//! The stories of `fixtures/scenarios`, each played by the whole bot. `UPDATE_SCENARIOS=1` writes what came out into the files.
#![expect(
    clippy::disallowed_methods,
    reason = "asks the environment whether the stories shall be written anew"
)]

use std::{env, fs};

use crate::support::scenario;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/scenarios");

async fn play(name: &str) {
    let path = format!("{FOLDER}/{name}.txt");
    let story = fs::read_to_string(&path).expect("the story is there");
    let told = scenario::play(&story).await;
    if env::var_os("UPDATE_SCENARIOS").is_some() {
        fs::write(&path, &told).expect("the story can be written");
    } else {
        similar(&story, &told);
    }
}

fn similar(story: &str, told: &str) {
    let differs = story
        .lines()
        .zip(told.lines())
        .position(|(expected, came)| expected != came);
    if let Some(at) = differs {
        let (expected, came) = (story.lines().nth(at), told.lines().nth(at));
        panic!(
            "line {}: expected {expected:?}, came {came:?}\n\nthe whole story as it came out:\n{told}",
            at + 1
        );
    }
    assert_eq!(story.lines().count(), told.lines().count(), "as it came out:\n{told}");
}

macro_rules! stories {
    ($($name:ident),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            play(stringify!($name)).await;
        })*

        /// A file that nobody plays proves nothing.
        #[test]
        fn every_story_is_played() {
            let mut files: Vec<String> = fs::read_dir(FOLDER)
                .expect("the folder is there")
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.strip_suffix(".txt").map(str::to_owned))
                .collect();
            files.sort();
            let mut played = vec![$(stringify!($name).to_owned()),*];
            played.sort();
            assert_eq!(files, played);
        }
    };
}

stories! {
    a_hub_match_from_configuring_to_the_end,
    a_cancelled_match_is_run_again_with_another_roster,
    a_lost_webhook_is_made_up_for_within_a_minute,
    a_match_ends_while_faceit_is_down,
    a_championship_match_waits_for_its_day,
    a_deploy_in_mid_match_changes_nothing,
    nobody_is_dragged_around,
    a_substitute_comes_in,
    a_missing_permission_is_lifted,
    faceit_forgets_a_match,
    people_come_late_and_go_home,
}
