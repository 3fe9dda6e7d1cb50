//! Minimising a smooth function of many numbers: limited-memory BFGS with a backtracking line search (Nocedal & Wright 2006,
//! algorithms 7.4 and 3.1).

use std::collections::VecDeque;

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stop {
    /// Most iterations.
    pub iterations: usize,
    /// An iteration that lowers the value by less than this ends the search, when the one before did too.
    pub least_gain: f64,
}

/// Where the search ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Minimum {
    /// Place.
    pub place: Vec<f64>,
    /// Value there.
    pub value: f64,
    /// Iterations done.
    pub iterations: usize,
    /// The value no longer fell.
    pub converged: bool,
}

/// Pairs of steps and changes of gradient that are remembered.
const MEMORY: usize = 8;
/// Share of the expected decrease that a step must reach (Armijo).
const ENOUGH: f64 = 1e-4;
/// Halvings of a step before the search gives up.
const HALVINGS: usize = 30;

struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    rho: f64,
}

/// Minimise `function`, which gives value and gradient, from `start`. Never ends at a higher value than it started with.
pub fn minimise(start: Vec<f64>, stop: Stop, mut function: impl FnMut(&[f64]) -> (f64, Vec<f64>)) -> Minimum {
    let (mut value, mut gradient) = function(&start);
    let mut best = Minimum { place: start, value, iterations: 0, converged: false };
    let mut memory: VecDeque<Pair> = VecDeque::new();
    let mut small = 0;
    while best.iterations < stop.iterations && value.is_finite() {
        let mut direction = direction(&gradient, &memory);
        let mut slope = dot(&direction, &gradient);
        if slope >= 0.0 {
            memory.clear();
            direction = gradient.iter().map(|g| -g).collect();
            slope = -dot(&gradient, &gradient);
        }
        if slope == 0.0 {
            best.converged = true;
            break;
        }
        // Without memory nothing is known of the scale: begin with a step of length one at most.
        let mut length = if memory.is_empty() { 1.0_f64.min(1.0 / dot(&direction, &direction).sqrt()) } else { 1.0 };
        let mut found = None;
        for _ in 0..HALVINGS {
            let place: Vec<f64> = best.place.iter().zip(&direction).map(|(x, d)| x + length * d).collect();
            let (next, slopes) = function(&place);
            if next.is_finite() && next <= value + ENOUGH * length * slope {
                found = Some((place, next, slopes));
                break;
            }
            length *= 0.5;
        }
        let Some((place, next, slopes)) = found else {
            // Once more along the gradient itself before giving up.
            if memory.is_empty() {
                best.converged = true;
                break;
            }
            memory.clear();
            continue;
        };
        let step: Vec<f64> = place.iter().zip(&best.place).map(|(a, b)| a - b).collect();
        let change: Vec<f64> = slopes.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        let curvature = dot(&step, &change);
        if curvature > 1e-10 * dot(&change, &change).sqrt() * dot(&step, &step).sqrt() {
            if memory.len() == MEMORY {
                memory.pop_front();
            }
            memory.push_back(Pair { step, change, rho: 1.0 / curvature });
        }
        small = if value - next < stop.least_gain { small + 1 } else { 0 };
        (value, gradient) = (next, slopes);
        best = Minimum { place, value, iterations: best.iterations + 1, converged: small >= 2 };
        if best.converged {
            break;
        }
    }
    best
}

/// Two-loop recursion.
fn direction(gradient: &[f64], memory: &VecDeque<Pair>) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut shares = Vec::with_capacity(memory.len());
    for pair in memory.iter().rev() {
        let share = pair.rho * dot(&pair.step, &q);
        q.iter_mut().zip(&pair.change).for_each(|(q, y)| *q -= share * y);
        shares.push(share);
    }
    if let Some(last) = memory.back() {
        let scale = 1.0 / (last.rho * dot(&last.change, &last.change));
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for (pair, share) in memory.iter().zip(shares.into_iter().rev()) {
        let other = pair.rho * dot(&pair.change, &q);
        q.iter_mut().zip(&pair.step).for_each(|(q, s)| *q += (share - other) * s);
    }
    q
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOP: Stop = Stop { iterations: 200, least_gain: 1e-14 };

    #[test]
    fn the_banana_is_walked_to_its_end() {
        let rosenbrock = |x: &[f64]| {
            let (a, b) = (x[0], x[1]);
            ((1.0 - a).powi(2) + 100.0 * (b - a * a).powi(2), vec![-2.0 * (1.0 - a) - 400.0 * a * (b - a * a), 200.0 * (b - a * a)])
        };
        let found = minimise(vec![-1.2, 1.0], STOP, rosenbrock);
        assert!(found.place.iter().all(|x| (x - 1.0).abs() < 1e-4) && found.converged, "{found:?}");
    }

    #[test]
    fn a_stiff_quadratic_takes_few_iterations_and_a_cut_search_never_goes_up() {
        let bowl = |x: &[f64]| {
            let scale = |k: usize| 10f64.powi(k as i32 % 5);
            let value = x.iter().enumerate().map(|(k, x)| 0.5 * scale(k) * (x - k as f64).powi(2)).sum();
            (value, x.iter().enumerate().map(|(k, x)| scale(k) * (x - k as f64)).collect())
        };
        let found = minimise(vec![0.0; 20], STOP, bowl);
        assert!(found.value < 1e-8 && found.iterations < 80, "{} after {}", found.value, found.iterations);
        let mut last = f64::INFINITY;
        for iterations in 0..12 {
            let cut = minimise(vec![0.0; 20], Stop { iterations, least_gain: 0.0 }, bowl);
            assert!(cut.value <= last);
            last = cut.value;
        }
    }

    #[test]
    fn bad_places_are_stepped_back_from() {
        let log = |x: &[f64]| if x[0] <= 0.0 { (f64::NAN, vec![0.0]) } else { (x[0] - x[0].ln(), vec![1.0 - 1.0 / x[0]]) };
        let found = minimise(vec![1e-3], STOP, log);
        assert!((found.place[0] - 1.0).abs() < 1e-4, "{found:?}");
        assert!(!minimise(vec![-1.0], STOP, log).converged);
    }
}
