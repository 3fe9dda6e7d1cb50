#![allow(clippy::unwrap_used)]

use ndarray::{Array3, Ix1, Ix3};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::{contribution, loss};
use super::*;

/// Counts and reference coefficients of `tests/fixtures/poisson_glm_reference.py` (statsmodels 0.15, scipy).
struct Reference {
    counts: Array3<u8>,
    area_sizes: Vec<usize>,
    pad: usize,
    free: Vec<f64>,
    ridge: Vec<f64>,
    ridge_objective: f64,
}

fn reference() -> Reference {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/poisson_glm.npz");
    let mut npz = ndarray_npy::NpzReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut vector = |name: &str| npz.by_name::<ndarray::OwnedRepr<f64>, Ix1>(name).unwrap().to_vec();
    let (free, ridge, ridge_objective) = (vector("free"), vector("ridge"), vector("ridge_objective")[0]);
    let counts = npz.by_name::<ndarray::OwnedRepr<u8>, Ix3>("counts").unwrap();
    let mut whole = |name: &str| npz.by_name::<ndarray::OwnedRepr<i64>, Ix1>(name).unwrap().mapv(|x| x as usize).to_vec();
    let (area_sizes, pad) = (whole("area_sizes"), whole("pad")[0]);
    Reference { counts, area_sizes, pad, free, ridge, ridge_objective }
}

impl Reference {
    fn data(&self) -> TrialCounts<'_> {
        TrialCounts { counts: self.counts.view(), pad: self.pad, area_sizes: &self.area_sizes }
    }
}

fn settings() -> GlmSettings {
    GlmSettings { splines: 6, ridge: 0.0, own_area: false, tolerance: 1e-13, ..GlmSettings::default() }
}

const ALL: std::ops::Range<usize> = 0..60;

fn fitted(data: &TrialCounts<'_>, settings: &GlmSettings) -> PoissonFit {
    let fit = fit(data, 1, &ALL.collect::<Vec<_>>(), settings, 300, &|| true);
    assert!(fit.done(), "not converged");
    fit
}

#[test]
fn coefficients_are_those_of_statsmodels() {
    let reference = reference();
    let fit = fitted(&reference.data(), &settings());
    for (ours, theirs) in fit.coefficients().column(0).iter().zip(&reference.free) {
        assert!((ours - theirs).abs() < 1e-5, "{ours} instead of {theirs}");
    }
    assert_eq!(fit.coefficients().nrows(), reference.free.len());
}

#[test]
fn ridge_and_history_are_those_of_scipy() {
    let reference = reference();
    let fit = fitted(&reference.data(), &GlmSettings { ridge: 4.0, own_area: true, ..settings() });
    for (ours, theirs) in fit.coefficients().column(0).iter().zip(&reference.ridge) {
        assert!((ours - theirs).abs() < 1e-5, "{ours} instead of {theirs}");
    }
    assert!((fit.state_objective(0) - reference.ridge_objective).abs() < 1e-6);
}

/// Conditions of the optimum: a group is zero when its gradient is small, otherwise its gradient is the penalty's.
#[test]
fn the_group_lasso_is_at_its_optimum() {
    let reference = reference();
    let data = reference.data();
    let lasso = |weight: f64| fitted(&data, &GlmSettings { group_lasso: weight, own_area: true, tolerance: 1e-11, ..settings() });
    let (mut zero, mut other) = (0, 0);
    for strength in [12.0, 50.0, 200.0] {
        let fit = lasso(strength);
        // Groups of three filters.
        let weight = strength * 3.0f64.sqrt();
        for unit in 0..2 {
            let gradient = fit.state_gradient(unit);
            assert!(gradient.iter().take(6).all(|g| g.abs() < 1e-3), "{gradient}");
            for group in 0..5 {
                let of = |values: Vec<f64>| values.into_iter().skip(6 + 3 * group).take(3).collect::<Vec<_>>();
                let (w, g) = (of(fit.coefficients().column(unit).to_vec()), of(gradient.to_vec()));
                let norm = |x: &[f64]| x.iter().map(|v| v * v).sum::<f64>().sqrt();
                if norm(&w) == 0.0 {
                    zero += 1;
                    assert!(norm(&g) <= weight * (1.0 + 1e-6), "{} above {weight}", norm(&g));
                } else {
                    other += 1;
                    let length = norm(&w);
                    assert!(w.iter().zip(&g).all(|(w, g)| (g + weight * w / length).abs() < 1e-2), "{w:?} {g:?}");
                }
            }
        }
    }
    assert!(zero > 0 && other > 0, "{zero} groups are zero, {other} are not");
    let nothing = lasso(1e6);
    assert!(nothing.coefficients().rows().into_iter().skip(6).all(|row| row.iter().all(|w| *w == 0.0)));
}

#[test]
fn sums_do_not_depend_on_threads_and_loss_goes_down() {
    let reference = reference();
    let data = reference.data();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fit(&data, 0, &(0..40).collect::<Vec<_>>(), &GlmSettings { tolerance: 1e-6, ..settings() }, 6, &|| true))
    };
    assert_eq!(with(1).coefficients(), with(3).coefficients());
    let start = PoissonFit::new(&data, 0, &(0..40).collect::<Vec<_>>(), &settings());
    let trials: Vec<usize> = (40..60).collect();
    assert!(loss(&with(2), &data, 0, &trials) < loss(&start, &data, 0, &trials), "true coupling helps on other trials");
    assert!(contribution(&with(2), &data, &trials, 1) > 1.0);
    assert_eq!(contribution(&start, &data, &trials, 1), 0.0);
}

/// Gains that differ from trial to trial and no coupling: with gains the model says so, without it invents coupling.
#[test]
fn trial_gains_take_what_is_common_to_a_trial() {
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let (trials, bins, units) = (120, 60, 8);
    let mut counts = Array3::<u8>::zeros((trials, bins, units));
    for mut trial in counts.outer_iter_mut() {
        let gain: f64 = random.random_range(-1.0..1.0);
        trial.iter_mut().for_each(|y| *y = u8::from(random.random::<f64>() < 0.15 * gain.exp()));
    }
    let data = TrialCounts { counts: counts.view(), pad: 20, area_sizes: &[4, 4] };
    let (some, others): (Vec<usize>, Vec<usize>) = ((0..80).collect(), (80..120).collect());
    let base = GlmSettings { splines: 4, own_area: false, ridge: 1.0, tolerance: 1e-6, ..GlmSettings::default() };
    let plain = fit(&data, 1, &some, &base, 100, &|| true);
    let gains = fit(&data, 1, &some, &GlmSettings { trial_gain: Some(0.01), ..base }, 100, &|| true);
    assert!(plain.done() && gains.done());
    let (without, with) = (contribution(&plain, &data, &others, 0), contribution(&gains, &data, &others, 0));
    assert!(without > 50.0 && with < 0.3 * without, "{without} % without gains, {with} % with");
    assert!(loss(&gains, &data, 1, &others) < loss(&plain, &data, 1, &others));
}
