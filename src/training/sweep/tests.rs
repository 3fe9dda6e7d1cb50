#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::runs::catalogue::Status;
use crate::training::PRESETS;

fn preset(key: &str) -> Recipe {
    let mut recipe = Recipe::default();
    PRESETS.iter().find(|p| p.key == key).unwrap().choose(&mut recipe, None);
    recipe
}

fn plan(key: &str, seed: u64) -> Plan {
    Plan::new(&preset(key), 20, seed, &crate::simulate::by_name("demo", &[]).unwrap()).unwrap()
}

#[test]
fn samples_are_valid_differ_and_come_again() {
    for key in ["stndt", "ndt"] {
        let plan = plan(key, 7);
        plan.check().unwrap();
        let drawn: Vec<Recipe> = (0..50).map(|at| plan.recipe(at).unwrap()).collect();
        drawn.iter().for_each(|recipe| recipe.check().unwrap());
        assert_eq!(drawn[3], plan.recipe(3).unwrap());
        assert_ne!(drawn[3], drawn[4]);
        assert_ne!(drawn[3], Plan { seed: 8, ..plan.clone() }.recipe(3).unwrap());
        assert!(drawn.iter().all(|r| r.data == plan.base.data), "what is compared must be the same data");
        assert!(differences(&drawn[0], &plan.base).iter().any(|d| d.starts_with("model.rate=")));
        let contrast = drawn.iter().any(|r| r.get("model.contrast_weight").unwrap() != plan.base.get("model.contrast_weight").unwrap());
        assert_eq!(contrast, key == "stndt");
    }
    assert!(matches!(published(&preset("glm-transformer")), Err(SweepError::NoRanges("GLM-Transformer"))));
}

/// Runs that were made with these numbers are on people's disks: what a seed draws must not change.
#[test]
fn a_seed_draws_what_it_drew() {
    let drawn = plan("stndt", 1).recipe(2).unwrap();
    let values = ["model.rate", "model.context_forward", "model.weight_decay", "seed"].map(|path| drawn.get(path).unwrap().to_string());
    assert_eq!(values, ["0.00445", "52", "1.128e-6", "704912"]);
}

#[test]
fn ranges_are_changed_switched_off_and_refused() {
    let mut plan = plan("stndt", 0);
    for change in ["rate=1e-3..2e-3", "model.dropout=off", "model.mask_ratio=0.3"] {
        change.parse::<RangeChange>().unwrap().apply(&mut plan.ranges).unwrap();
    }
    plan.check().unwrap();
    for at in 0..30 {
        let recipe = plan.recipe(at).unwrap();
        let value = |path: &str| recipe.get(path).unwrap().as_f64().unwrap();
        assert!((1e-3..=2e-3).contains(&value("model.rate")));
        assert_eq!((value("model.dropout"), value("model.mask_ratio")), (0.1, 0.3));
    }
    for wrong in ["rate", "rate=a..b", "rate=1..", "rate=nan", "rate="] {
        assert!(wrong.parse::<RangeChange>().is_err(), "{wrong}");
    }
    assert!("model.layers=1..3".parse::<RangeChange>().unwrap().apply(&mut plan.ranges).unwrap_err().to_string().contains("model.rate"));
    for (change, why) in [
        ("rate=2..1", "lower end"),
        ("rate=0..7", "between 0 and 1"),
        ("weight_decay=0..1e-3", "above 0"),
        ("context_forward=1.5..3", "whole numbers"),
    ] {
        let mut plan = plan.clone();
        change.parse::<RangeChange>().unwrap().apply(&mut plan.ranges).unwrap();
        let told = plan.check().unwrap_err().to_string();
        assert!(told.contains(why), "{change}: {told}");
    }
}

#[test]
fn a_plan_is_kept_grows_and_is_never_replaced_by_another() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("sweep");
    assert!(read_plan(&folder).unwrap().is_none() && !is_sweep(&folder));
    let plan = plan("stndt", 3);
    assert_eq!(write_plan(&folder, &plan).unwrap(), plan);
    assert_eq!(read_plan(&folder).unwrap().unwrap(), plan);
    let more = Plan { members: 30, ..plan.clone() };
    assert_eq!(write_plan(&folder, &more).unwrap().members, 30);
    assert_eq!(write_plan(&folder, &plan).unwrap().members, 30, "fewer members take none away");
    let other = write_plan(&folder, &Plan { seed: 4, ..plan.clone() }).unwrap_err();
    assert!(other.to_string().contains("another sweep"), "{other}");
    let found = find(&[home.path().to_owned(), folder.clone()], &plan.fingerprint);
    assert_eq!((found.len(), found[0].members.len(), found[0].complete()), (1, 30, 0));
    assert!(find(&[home.path().to_owned()], "other").is_empty());
    std::fs::write(folder.join(PLAN), "layout = 1\nnonsense = 2\n").unwrap();
    assert!(read_plan(&folder).unwrap_err().to_string().contains("no plan of a sweep"));
    assert!(find(&[home.path().to_owned()], &plan.fingerprint).is_empty());
}

#[test]
fn what_lies_in_the_place_of_a_member_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let plan = Plan { members: 3, ..plan("ndt", 3) };
    std::fs::create_dir(member_folder(home.path(), 0)).unwrap();
    std::fs::create_dir(member_folder(home.path(), 1)).unwrap();
    std::fs::write(member_folder(home.path(), 1).join("notes.txt"), "mine").unwrap();
    let found = members(home.path(), &plan).unwrap();
    assert_eq!(found.iter().map(Member::to_do).collect::<Vec<_>>(), [ToDo::Train, ToDo::Leave, ToDo::Train]);
    assert!(found[1].status == Some(Status::Foreign) && found[1].problem.is_some());
    assert!(ranked(&found).is_empty());
}

#[test]
fn members_are_ranked_by_their_validation_score() {
    let plan = plan("ndt", 3);
    let mut found = members(std::path::Path::new("/nowhere"), &plan).unwrap();
    for (member, score) in found.iter_mut().zip([Some(0.1), None, Some(0.3), Some(-2.0)]) {
        member.validation = score;
    }
    assert_eq!(ranked(&found).iter().map(|m| m.index).collect::<Vec<_>>(), [2, 0, 3]);
}

/// Members that are scored by a formula stand in for runs.
fn best_of(search: Search, seed: u64, members: usize) -> f64 {
    let plan = Plan { search, members, ..plan("stndt", seed) };
    let score = |recipe: &Recipe| {
        let value = |path: &str| recipe.get(path).unwrap().as_f64().unwrap();
        let off = |path: &str, best: f64, width: f64| ((value(path) - best) / width).powi(2);
        -off("model.rate", 3e-3, 3e-3)
            - off("model.dropout", 0.3, 0.1)
            - off("model.context_forward", 30.0, 25.0)
            - off("model.mask_ratio", 0.35, 0.1)
    };
    let mut known: Vec<(Recipe, f64)> = Vec::new();
    for index in 0..members {
        let scored: Vec<(&Recipe, f64)> = known.iter().map(|(recipe, score)| (recipe, *score)).collect();
        let recipe = plan.drawn(index, &scored).unwrap();
        recipe.check().unwrap();
        assert!(plan.fits(&recipe, index));
        known.push((recipe.clone(), score(&recipe)));
    }
    let other = Recipe { data: crate::training::DataRecipe { min_rate_hz: 3.0, ..known[0].0.data.clone() }, ..known[12].0.clone() };
    assert!(!plan.fits(&other, 12), "something that is not drawn differs");
    known.into_iter().map(|(_, score)| score).fold(f64::NEG_INFINITY, f64::max)
}

#[test]
fn a_search_that_learns_finds_better_recipes_with_as_many_members() {
    let mean = |search| (0..6).map(|seed| best_of(search, seed, 40)).sum::<f64>() / 6.0;
    let (random, learning) = (mean(Search::Random), mean(Search::Tpe));
    assert!(learning > 0.6 * random, "the best of a learning search scores {learning:.2}, of a random one {random:.2} (0 is perfect)");
}

#[test]
fn the_first_members_of_a_search_that_learns_are_those_of_a_random_one() {
    let (random, learning) = (plan("ndt", 5), Plan { search: Search::Tpe, ..plan("ndt", 5) });
    assert_eq!(learning.drawn(3, &[]).unwrap(), random.recipe(3).unwrap());
    let seen: Vec<(Recipe, f64)> = (0..12).map(|at| (random.recipe(at).unwrap(), at as f64)).collect();
    let seen: Vec<(&Recipe, f64)> = seen.iter().map(|(recipe, score)| (recipe, *score)).collect();
    let drawn = learning.drawn(15, &seen).unwrap();
    assert_eq!(drawn, learning.drawn(15, &seen).unwrap(), "what is known decides");
    assert_ne!(drawn, random.recipe(15).unwrap());
    assert!(!learning.draws_as(&random));
}
