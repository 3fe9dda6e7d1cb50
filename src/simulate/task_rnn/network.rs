//! A small recurrent network h ← tanh(W h + V u + b) with a linear readout, trained by backpropagation through time and Adam. A few
//! units and a hundred steps: plain loops are enough, and no framework is needed.

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, Slice, linalg::general_mat_mul};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::tasks::Task;
use crate::analysis::adam::Adam;

/// Sequences per step of learning.
const BATCH: usize = 32;
/// Steps of a sequence: trials follow each other, the last one is cut.
const SEQUENCE: usize = 100;

/// The network, and what Adam remembers of it.
pub(super) struct Network {
    /// W `[units, units]`, row receiving, column sending.
    recurrent: Adam,
    /// V `[units, inputs]`.
    input: Adam,
    /// b `[1, units]`.
    bias: Adam,
    /// Readout `[answers, units]`.
    readout: Adam,
    /// Its bias `[1, answers]`.
    readout_bias: Adam,
}

/// Sequences that run side by side; row `step · count + sequence`.
struct Batch {
    count: usize,
    /// `[steps · count, inputs]`
    inputs: Array2<f64>,
    /// Wanted answer of every row.
    wanted: Vec<usize>,
}

/// Gradients in the order of the fields of [`Network`].
struct Gradients([Array2<f64>; 5]);

impl Network {
    /// Weights uniform within ± 1 / √units, as PyTorch begins.
    pub(super) fn new(task: Task, random: &mut ChaCha8Rng) -> Self {
        let (units, inputs, answers) = (task.published().0, task.inputs().len(), task.answers());
        let bound = 1.0 / (units as f64).sqrt();
        let mut draw = |rows, columns| Adam::new(Array2::from_shape_fn((rows, columns), |_| random.random_range(-bound..bound)));
        Self {
            recurrent: draw(units, units),
            input: draw(units, inputs),
            bias: draw(1, units),
            readout: draw(answers, units),
            readout_bias: draw(1, answers),
        }
    }

    /// W `[receiving, sending]`.
    pub(super) fn recurrent(&self) -> &Array2<f64> {
        &self.recurrent.values
    }

    /// Learn for one step from freshly drawn trials; returns the cross-entropy before the step, nats per bin.
    pub(super) fn learn(&mut self, task: Task, rate: f64, random: &mut ChaCha8Rng) -> f64 {
        let (loss, Gradients([recurrent, input, bias, readout, readout_bias])) = self.gradients(&Batch::draw(task, random));
        self.recurrent.step(&recurrent, rate);
        self.input.step(&input, rate);
        self.bias.step(&bias, rate);
        self.readout.step(&readout, rate);
        self.readout_bias.step(&readout_bias, rate);
        loss
    }

    /// Hidden states `[steps, units]` of one sequence of inputs `[steps, inputs]`, and the answer in every step.
    pub(super) fn run(&self, inputs: ArrayView2<'_, f64>) -> (Array2<f64>, Vec<usize>) {
        let states = self.states(inputs, 1);
        let scores = states.dot(&self.readout.values.t()) + &self.readout_bias.values;
        let largest = |row: ndarray::ArrayView1<'_, f64>| row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(k, _)| k);
        let answers = scores.outer_iter().map(largest).collect();
        (states, answers)
    }

    /// Hidden states `[steps · count, units]` from rest.
    fn states(&self, inputs: ArrayView2<'_, f64>, count: usize) -> Array2<f64> {
        let mut states = inputs.dot(&self.input.values.t()) + &self.bias.values;
        let recurrent = self.recurrent.values.t();
        let mut before: Option<Array2<f64>> = None;
        for step in 0..states.nrows() / count.max(1) {
            let mut now = rows_mut(&mut states, step, count);
            if let Some(before) = &before {
                general_mat_mul(1.0, before, &recurrent, 1.0, &mut now);
            }
            now.mapv_inplace(f64::tanh);
            before = Some(now.to_owned());
        }
        states
    }

    /// Mean cross-entropy over all bins and its gradients.
    fn gradients(&self, batch: &Batch) -> (f64, Gradients) {
        let (count, states) = (batch.count, self.states(batch.inputs.view(), batch.count));
        let mut scores = states.dot(&self.readout.values.t()) + &self.readout_bias.values;
        let rows = scores.nrows() as f64;
        let mut loss = 0.0;
        for (mut row, &wanted) in scores.outer_iter_mut().zip(&batch.wanted) {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            row.mapv_inplace(|s| (s - largest).exp());
            let sum = row.sum();
            row /= sum;
            loss -= row[wanted].ln() / rows;
            row[wanted] -= 1.0;
        }
        scores /= rows;
        let mut drive = scores.dot(&self.readout.values);
        let mut carried: Option<Array2<f64>> = None;
        for step in (0..drive.nrows() / count).rev() {
            let mut now = rows_mut(&mut drive, step, count);
            if let Some(carried) = &carried {
                now += carried;
            }
            let own = states.slice_axis(Axis(0), Slice::from(step * count..(step + 1) * count));
            now.zip_mut_with(&own, |d, h| *d *= 1.0 - h * h);
            carried = Some(now.dot(&self.recurrent.values));
        }
        let later = drive.slice_axis(Axis(0), Slice::from(count..));
        let earlier = states.slice_axis(Axis(0), Slice::from(..states.nrows() - count));
        let sum = |values: &Array2<f64>| values.sum_axis(Axis(0)).insert_axis(Axis(0));
        let gradients = [later.t().dot(&earlier), drive.t().dot(&batch.inputs), sum(&drive), scores.t().dot(&states), sum(&scores)];
        (loss, Gradients(gradients))
    }
}

fn rows_mut(values: &mut Array2<f64>, step: usize, count: usize) -> ArrayViewMut2<'_, f64> {
    values.slice_axis_mut(Axis(0), Slice::from(step * count..(step + 1) * count))
}

impl Batch {
    fn draw(task: Task, random: &mut ChaCha8Rng) -> Self {
        let mut inputs = Array2::zeros((SEQUENCE * BATCH, task.inputs().len()));
        let mut wanted = vec![0; SEQUENCE * BATCH];
        for sequence in 0..BATCH {
            let mut step = 0;
            while step < SEQUENCE {
                let trial = task.trial(random);
                for (row, answer) in trial.inputs.outer_iter().zip(&trial.wanted).take(SEQUENCE - step) {
                    inputs.row_mut(step * BATCH + sequence).assign(&row);
                    wanted[step * BATCH + sequence] = *answer;
                    step += 1;
                }
            }
        }
        Self { count: BATCH, inputs, wanted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn gradients_are_those_of_the_loss() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut network = Network::new(Task::DelayedComparison, &mut random);
        let whole = Batch::draw(Task::DelayedComparison, &mut random);
        // Twelve steps of all sequences are enough.
        let rows = 12 * BATCH;
        let batch = Batch {
            count: BATCH,
            inputs: whole.inputs.slice_axis(Axis(0), Slice::from(..rows)).to_owned(),
            wanted: (0..rows).map(|row| row % 3).collect(),
        };
        let (_, Gradients(gradients)) = network.gradients(&batch);
        let shift = 1e-5;
        for (part, at) in [(0, [3, 7]), (0, [11, 0]), (1, [5, 1]), (2, [0, 4]), (3, [2, 6]), (4, [0, 1])] {
            let mut loss = |by: f64| {
                let parameters =
                    [&mut network.recurrent, &mut network.input, &mut network.bias, &mut network.readout, &mut network.readout_bias];
                for (k, parameter) in parameters.into_iter().enumerate() {
                    parameter.values[if k == part { at } else { [0, 0] }] += if k == part { by } else { 0.0 };
                }
                network.gradients(&batch).0
            };
            let up = loss(shift);
            let down = loss(-2.0 * shift);
            loss(shift);
            let expected = (up - down) / (2.0 * shift);
            let found = gradients[part][at];
            assert!((found - expected).abs() < 1e-9, "part {part}: {found} instead of {expected}");
        }
    }

    #[test]
    fn one_sequence_runs_as_in_a_batch() {
        let mut random = ChaCha8Rng::seed_from_u64(8);
        let network = Network::new(Task::GoNoGo, &mut random);
        let batch = Batch::draw(Task::GoNoGo, &mut random);
        let states = network.states(batch.inputs.view(), BATCH);
        let rows: Vec<usize> = (0..SEQUENCE).map(|step| step * BATCH + 5).collect();
        let (alone, answers) = network.run(batch.inputs.select(Axis(0), &rows).view());
        assert!((&alone - &states.select(Axis(0), &rows)).iter().all(|d| d.abs() < 1e-12));
        assert_eq!(answers.len(), SEQUENCE);
    }
}
