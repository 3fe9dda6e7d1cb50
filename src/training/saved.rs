//! A state as it is kept: arrays by name and small values as JSON. What is read back is bit for bit what was put in: reals go
//! into arrays or as their bits, never through decimals.

use burn::tensor::TensorData;
use serde_json::{Map, Value, json};

use crate::models::adam::OptimiserState;
use crate::models::params::Values;
use crate::models::{DeviceFailed, TrainerState};

/// Arrays of f32 and small values, by name. Names of parts are put before a `/`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Saved {
    pub(super) arrays: Values,
    pub(super) values: Map<String, Value>,
}

/// Why a state cannot be taken back.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum RestoreError {
    #[error(transparent)]
    Device(#[from] DeviceFailed),
    #[error("the checkpoint does not fit this run: {0}")]
    Unfit(String),
}

impl Saved {
    pub(super) fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.values.insert(name.to_owned(), value.into());
    }

    /// A real, by its bits.
    pub(super) fn put_real(&mut self, name: &str, value: f64) {
        self.put(name, format!("{:016x}", value.to_bits()));
    }

    pub(super) fn put_list(&mut self, name: &str, values: Vec<f32>) {
        let shape = [values.len()];
        self.arrays.insert(name.to_owned(), TensorData::new(values, shape));
    }

    /// Whole numbers.
    pub(super) fn put_counts(&mut self, name: &str, values: impl IntoIterator<Item = u64>) {
        self.put(name, values.into_iter().collect::<Vec<u64>>());
    }

    /// Another state under a name.
    pub(super) fn put_part(&mut self, name: &str, part: Self) {
        self.put_arrays(name, part.arrays);
        self.values.insert(name.to_owned(), Value::Object(part.values));
    }

    pub(super) fn put_arrays(&mut self, name: &str, arrays: Values) {
        self.arrays.extend(arrays.into_iter().map(|(own, data)| (format!("{name}/{own}"), data)));
    }

    pub(super) fn put_trainer(&mut self, state: TrainerState) {
        self.put_arrays("weights", state.weights);
        self.put_arrays("optimiser", state.optimiser.moments);
        self.put("optimiser_step", state.optimiser.step);
        self.put("steps", state.steps);
        self.put_real("rate_factor", state.rate_factor);
        self.put("schedule", state.schedule.iter().map(|v| json!(format!("{:016x}", v.to_bits()))).collect::<Vec<_>>());
    }

    pub(super) fn value(&self, name: &str) -> Result<&Value, RestoreError> {
        self.values.get(name).ok_or_else(|| unfit(name))
    }

    pub(super) fn count(&self, name: &str) -> Result<u64, RestoreError> {
        self.value(name)?.as_u64().ok_or_else(|| unfit(name))
    }

    pub(super) fn index(&self, name: &str) -> Result<usize, RestoreError> {
        usize::try_from(self.count(name)?).map_err(|_| unfit(name))
    }

    pub(super) fn counts(&self, name: &str) -> Result<Vec<u64>, RestoreError> {
        let list = self.value(name)?.as_array().ok_or_else(|| unfit(name))?;
        list.iter().map(|v| v.as_u64().ok_or_else(|| unfit(name))).collect()
    }

    pub(super) fn real(&self, name: &str) -> Result<f64, RestoreError> {
        real_of(self.value(name)?).ok_or_else(|| unfit(name))
    }

    pub(super) fn list(&self, name: &str) -> Result<Vec<f32>, RestoreError> {
        self.arrays.get(name).and_then(|data| data.try_to_vec::<f32>().ok()).ok_or_else(|| unfit(name))
    }

    /// A list with `width` entries for each of so many rows.
    pub(super) fn rows(&self, name: &str, rows: usize, width: usize) -> Result<Vec<Vec<f32>>, RestoreError> {
        let list = self.list(name)?;
        if list.len() != rows * width {
            return Err(unfit(name));
        }
        Ok(list.chunks(width.max(1)).map(<[f32]>::to_vec).collect())
    }

    pub(super) fn arrays_of(&self, name: &str) -> Values {
        let prefix = format!("{name}/");
        let own = self.arrays.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix));
        own.map(|(key, data)| (key[prefix.len()..].to_owned(), data.clone())).collect()
    }

    pub(super) fn part(&self, name: &str) -> Result<Self, RestoreError> {
        let values = self.value(name)?.as_object().ok_or_else(|| unfit(name))?.clone();
        Ok(Self { arrays: self.arrays_of(name), values })
    }

    pub(super) fn trainer(&self) -> Result<TrainerState, RestoreError> {
        let schedule = self.value("schedule")?.as_array().ok_or_else(|| unfit("schedule"))?;
        Ok(TrainerState {
            weights: self.arrays_of("weights"),
            optimiser: OptimiserState {
                step: i32::try_from(self.count("optimiser_step")?).map_err(|_| unfit("optimiser_step"))?,
                moments: self.arrays_of("optimiser"),
            },
            steps: self.count("steps")?,
            rate_factor: self.real("rate_factor")?,
            schedule: schedule.iter().map(|v| real_of(v).ok_or_else(|| unfit("schedule"))).collect::<Result<_, _>>()?,
        })
    }
}

fn real_of(value: &Value) -> Option<f64> {
    u64::from_str_radix(value.as_str()?, 16).ok().map(f64::from_bits)
}

fn unfit(name: &str) -> RestoreError {
    RestoreError::Unfit(format!("'{name}' is missing or of another kind"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn everything_comes_back_bit_for_bit_through_json() {
        let mut inner = Saved::default();
        inner.put_real("odd", f64::from_bits(0x7ff8_0000_0000_0001));
        inner.put_list("list", vec![0.1, -0.0, f32::NEG_INFINITY]);
        inner.put_counts("score_steps", [1, u64::MAX]);
        let state = TrainerState {
            weights: Values::from([("a.weight".to_owned(), TensorData::new(vec![1.0f32, 2.0], [2, 1]))]),
            optimiser: OptimiserState { step: 7, moments: Values::from([("first.a".to_owned(), TensorData::new(vec![0.3f32], [1]))]) },
            steps: 9,
            rate_factor: 0.5,
            schedule: vec![0.1, f64::INFINITY],
        };
        inner.put_trainer(state.clone());
        let mut outer = Saved::default();
        outer.put("stage", 2);
        outer.put_part("learner", inner);
        let text = serde_json::to_string(&outer.values).unwrap();
        let back = Saved { values: serde_json::from_str(&text).unwrap(), arrays: outer.arrays.clone() };
        let learner = back.part("learner").unwrap();
        assert_eq!(learner.real("odd").unwrap().to_bits(), 0x7ff8_0000_0000_0001);
        assert_eq!(learner.counts("score_steps").unwrap(), [1, u64::MAX]);
        assert_eq!(learner.rows("list", 1, 3).unwrap(), [[0.1, -0.0, f32::NEG_INFINITY]]);
        assert_eq!(learner.trainer().unwrap(), state);
        assert_eq!(back.index("stage").unwrap(), 2);
        for missing in ["x", "score_steps"] {
            assert!(back.count(missing).unwrap_err().to_string().contains(missing));
        }
        assert!(learner.rows("list", 2, 3).is_err() && learner.part("steps").is_err());
    }
}
