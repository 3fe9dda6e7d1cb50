//! Recurrent networks trained on tasks of the laboratory: their hidden activity, with the recurrent weights that made it as truth
//! (Lu et al., ICLR 2025, §3.3). The networks are trained here, from the seed.

mod network;
mod tasks;

pub use tasks::Task;

use ndarray::{Array2, Axis, Slice};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use self::network::Network;
use self::tasks::STEP_S;
use super::SimulateError;
use super::continuous::Continuous;
use super::settings::{Setting, whole, within};
use crate::recording::{Column, Covariate, IntervalTable, NamedColumn, Recording, Truth, UnitEdge};

/// Settings; the default is as published.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRnnSimulation {
    /// What the network is trained on; decides its size.
    pub task: Task,
    /// Recorded trials, all new to the network.
    pub trials: usize,
    /// Steps of learning; `None` as published for the task.
    pub iterations: Option<usize>,
    /// Random seed of the network and of the trials.
    pub seed: u64,
}

impl Default for TaskRnnSimulation {
    fn default() -> Self {
        Self { task: Task::PerceptualDecision, trials: 1000, iterations: None, seed: 0 }
    }
}

pub(super) const SETTINGS: [Setting<TaskRnnSimulation>; 4] = [
    Setting { key: "seed", expected: "a whole number", read: |s, v| v.parse().ok().map(|n| s.seed = n) },
    Setting { key: "trials", expected: "a whole number of trials, for example 1000", read: |s, v| whole(v).map(|n| s.trials = n) },
    Setting {
        key: "task",
        expected: "perceptual_decision, go_no_go or delayed_comparison",
        read: |s, v| Task::named(v).map(|task| s.task = task),
    },
    Setting {
        key: "iterations",
        expected: "a whole number of steps of learning, for example 5000",
        read: |s, v| whole(v).map(|n| s.iterations = Some(n)),
    },
];

impl TaskRnnSimulation {
    /// Train the network, then record it. Every trial starts from rest; its inputs are covariates that begin with `input`, one
    /// value per bin, in the bin whose state they lead to.
    ///
    /// # Errors
    /// [`SimulateError`] when a setting is out of range.
    pub fn simulate(&self) -> Result<Recording, SimulateError> {
        let (units, rate, published) = self.task.published();
        let iterations = self.iterations.unwrap_or(published);
        within("the number of trials", self.trials as f64, 1.0, 1e5)?;
        within("the number of steps of learning", iterations as f64, 0.0, 1e6)?;
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut network = Network::new(self.task, &mut random);
        for _ in 0..iterations {
            network.learn(self.task, rate, &mut random);
        }
        // Trials do not depend on how long the network was trained.
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(1);
        let steps = self.task.steps();
        let mut values = Array2::zeros((self.trials * steps, units));
        let mut inputs = vec![Vec::with_capacity(self.trials * steps); self.task.inputs().len()];
        let (mut stimuli, mut answers, mut correct) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..self.trials {
            let trial = self.task.trial(&mut random);
            let (states, given) = network.run(trial.inputs.view());
            values.slice_axis_mut(Axis(0), Slice::from(number * steps..(number + 1) * steps)).assign(&states);
            inputs.iter_mut().zip(trial.inputs.columns()).for_each(|(all, own)| all.extend(own));
            stimuli.push(trial.stimulus);
            answers.push(given.last().copied().unwrap_or(0) as i64);
            correct.push(given.last() == trial.wanted.last());
        }
        let share = correct.iter().filter(|c| **c).count() as f64 / self.trials as f64;
        let start = |trial: usize| (trial * steps) as f64 * STEP_S;
        let column = |name: &str, description: &str, values: Column| NamedColumn {
            name: name.to_owned(),
            description: description.to_owned(),
            values,
        };
        let trials = IntervalTable {
            name: "trials".to_owned(),
            start: (0..self.trials).map(start).collect(),
            stop: (1..=self.trials).map(start).collect(),
            columns: vec![
                column("stimulus", self.task.stimulus(), Column::Float(stimuli)),
                column("answer", "Answer of the network at the end of the trial; 0 is none", Column::Int(answers)),
                column("correct", "Whether the answer is the wanted one", Column::Bool(correct)),
            ],
        };
        let covariate = |(name, values): (&&str, Vec<f64>)| Covariate {
            name: format!("input {name}"),
            unit: String::new(),
            times: (0..values.len()).map(|bin| bin as f64 * STEP_S).collect(),
            values,
        };
        let mut recording = Continuous {
            name: "task_rnn",
            parameters: format!(
                "{} units trained for {iterations} steps on {}, {} trials, {:.1} % correct",
                units,
                self.task.name(),
                self.trials,
                100.0 * share
            ),
            seed: self.seed,
            bin_s: STEP_S,
            values,
            unit_columns: Vec::new(),
            tables: vec![trials],
            covariates: self.task.inputs().iter().zip(inputs).map(covariate).collect(),
            truth: Truth { unit_edges: Some(UnitEdge::of_weights(network.recurrent())), ..Truth::default() },
        }
        .recording()?;
        // Trials begin from rest: what happens in one does not lead to the next.
        recording.observed = (0..self.trials).map(|trial| (start(trial), start(trial + 1))).collect();
        Ok(recording)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::analysis::connectivity::{UnitActivity, autoregression, r_squared};

    fn correct(recording: &Recording) -> f64 {
        let column = &recording.table("trials").unwrap().column("correct").unwrap().values;
        (0..column.len()).map(|row| column.number(row)).sum::<f64>() / column.len() as f64
    }

    #[test]
    fn a_network_learns_its_task() {
        let simulation = TaskRnnSimulation { task: Task::GoNoGo, trials: 60, iterations: Some(300), seed: 3 };
        let recording = simulation.simulate().unwrap();
        assert_eq!(recording.activity.as_ref().unwrap().values.dim(), (60 * 15, 8));
        assert_eq!(correct(&recording), 1.0, "{:?}", recording.source);
        let untrained = TaskRnnSimulation { iterations: Some(0), ..simulation.clone() }.simulate().unwrap();
        assert!(correct(&untrained) < 1.0);
        assert!(recording.covariates[2].values == untrained.covariates[2].values, "the same trials");
        assert_eq!(simulation.simulate().unwrap().fingerprint, recording.fingerprint);
        assert_ne!(TaskRnnSimulation { seed: 4, ..simulation }.simulate().unwrap().fingerprint, recording.fingerprint);
    }

    /// The states follow from the attached inputs and weights: that is what makes the weights the truth.
    #[test]
    fn states_follow_from_the_truth() {
        let recording = TaskRnnSimulation { trials: 30, iterations: Some(20), ..TaskRnnSimulation::default() }.simulate().unwrap();
        let activity = UnitActivity::of(&recording, 1.0).unwrap();
        assert_eq!((activity.runs.len(), activity.runs[29].clone()), (30, 638..660));
        let weights = recording.truth.as_ref().unwrap().unit_weights(4).unwrap();
        // Undone of tanh, the state is linear in the state before it and in the inputs: least squares finds the weights exactly.
        let samples = activity.samples();
        let (before, now) = samples.pairs(1);
        let inputs = activity.inputs.clone().unwrap();
        assert_eq!(inputs.column(1).to_vec(), recording.covariates[1].values);
        let arriving = crate::analysis::connectivity::Samples::new(inputs.view(), activity.runs.clone());
        let features = ndarray::concatenate(Axis(1), &[before.view(), arriving.pairs(1).1.view()]).unwrap();
        let drive = now.mapv(|h| ((1.0 + h) / (1.0 - h)).ln() / 2.0);
        let fit = crate::analysis::connectivity::least_squares(features.view(), drive.view(), true);
        for ((post, pre), weight) in weights.indexed_iter() {
            assert!((fit.weights[[post, pre]] - weight).abs() < 1e-6, "{pre} to {post}: {} instead of {weight}", fit.weights[[post, pre]]);
        }
        let linear = autoregression(&samples, Some(inputs.view()), true);
        assert!(r_squared(linear.predict(features.view()).view(), now.view()) > 0.8);
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        assert!(TaskRnnSimulation { trials: 0, ..TaskRnnSimulation::default() }.simulate().is_err());
        assert!(TaskRnnSimulation { iterations: Some(10_000_000), ..TaskRnnSimulation::default() }.simulate().is_err());
    }
}
