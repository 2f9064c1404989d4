//! The scenarios of `bindings/contract/scenarios`, played with the Rust client. Every language plays the same ones.

mod chaos;
mod options;
mod player;
mod words;

use player::Player;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// A dozen at once: they wait far more than they work.
const AT_ONCE: usize = 12;
/// 40 s for one scenario; the longest takes a few on an idle machine.
const LIMIT: Duration = Duration::from_secs(40);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_scenario_goes_as_it_is_written() {
    let (scenarios, slots) = (directory("bindings/contract/scenarios"), Arc::new(Semaphore::new(AT_ONCE)));
    let results_at = directory("target/scenarios");
    std::fs::create_dir_all(&results_at).unwrap();
    // What an earlier run left is no result of this one; there may be none.
    let _ = std::fs::remove_file(results_at.join("rust.json"));
    let mut playing = JoinSet::new();
    for file in std::fs::read_dir(&scenarios).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "json") {
            let slots = Arc::clone(&slots);
            playing.spawn(async move {
                let _slot = slots.acquire().await.unwrap();
                (file.file_stem().unwrap().to_str().unwrap().to_owned(), play(&file).await)
            });
        }
    }
    let mut results = Map::new();
    while let Some(played) = playing.join_next().await {
        let (name, result) = played.expect("a scenario fails by its result");
        let told = result.err().unwrap_or_else(|| "passed".to_owned());
        results.insert(name, Value::String(told));
    }
    let told = json!({ "language": "rust", "results": &results });
    std::fs::write(results_at.join("rust.json"), format!("{told:#}\n")).unwrap();
    let failed: Vec<_> = results.iter().filter(|(_, result)| *result != "passed").collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(results.len() >= 25, "only {} scenarios were found", results.len());
}

/// Plays one scenario; what went another way is the error.
async fn play(file: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let scenario: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let steps = scenario["steps"].as_array().ok_or("there are no steps")?;
    let mut player = Player::new(scenario["options"].clone()).await?;
    for (index, step) in steps.iter().enumerate() {
        let step = step.as_str().ok_or("a step is a text")?;
        tokio::time::timeout(LIMIT, player.step(step))
            .await
            .unwrap_or_else(|_elapsed| Err(format!("not within {LIMIT:?}")))
            .map_err(|reason| format!("step {}, {step:?}: {reason}", index + 1))?;
    }
    Ok(())
}

/// A directory of the repository.
fn directory(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}
