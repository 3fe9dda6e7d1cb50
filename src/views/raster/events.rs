//! Trial and event marks: which columns of which tables can be marked, and their times in order.

use crate::recording::Recording;

/// A column of event times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventColumn {
    /// Interval table.
    pub table: String,
    /// Column, see `IntervalTable::event_columns`.
    pub column: String,
}

impl EventColumn {
    /// Every column a recording offers.
    pub fn offered(recording: &Recording) -> Vec<Self> {
        let columns = |t: &crate::recording::IntervalTable| {
            t.event_columns().into_iter().map(|column| Self { table: t.name.clone(), column }).collect::<Vec<_>>()
        };
        recording.tables.iter().flat_map(columns).collect()
    }

    /// Starts of `trials`, else of the first table.
    pub fn first_choice(recording: &Recording) -> Option<Self> {
        let table = recording.table("trials").or(recording.tables.first())?;
        Some(Self { table: table.name.clone(), column: "start_time".to_owned() })
    }

    /// For a menu.
    pub fn label(&self) -> String {
        format!("{} · {}", self.table, self.column)
    }

    /// Times in seconds, ascending, each with its row; rows without a time are left out.
    pub fn times(&self, recording: &Recording) -> Vec<(f64, usize)> {
        let times = recording.table(&self.table).and_then(|t| t.event_times(&self.column)).unwrap_or_default();
        let mut times: Vec<(f64, usize)> = times.into_iter().enumerate().map(|(row, t)| (t, row)).filter(|(t, _)| t.is_finite()).collect();
        times.sort_by(|a, b| a.0.total_cmp(&b.0));
        times
    }
}

/// Events in `start <= t < stop`.
pub fn between(times: &[(f64, usize)], start: f64, stop: f64) -> &[(f64, usize)] {
    let first = times.partition_point(|e| e.0 < start);
    let last = times.partition_point(|e| e.0 < stop);
    times.get(first..last).unwrap_or_default()
}

/// The event after (`forward`) or before `time`, more than a microsecond away.
pub fn neighbour(times: &[(f64, usize)], time: f64, forward: bool) -> Option<(f64, usize)> {
    if forward {
        times.get(times.partition_point(|e| e.0 <= time + 1e-6)).copied()
    } else {
        times.get(times.partition_point(|e| e.0 < time - 1e-6).checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_step_in_order_of_time() {
        let times = [(1.0, 2), (2.0, 0), (5.0, 1)];
        assert_eq!(between(&times, 1.5, 5.0), [(2.0, 0)]);
        assert_eq!(between(&times, 5.0, 1.0), []);
        assert_eq!(neighbour(&times, 2.0, true), Some((5.0, 1)));
        assert_eq!(neighbour(&times, 2.0, false), Some((1.0, 2)));
        assert_eq!(neighbour(&times, 5.0, true), None);
        assert_eq!(neighbour(&times, 0.5, false), None);
    }
}
