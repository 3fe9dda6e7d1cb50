//! Training progress on standard error: a bar per stage, redrawn in place on a terminal and line by line elsewhere.

use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::training::{Finished, LossLog, Phase, Progress, StartOptions, TrainingHandle};

/// Width of a bar, characters.
const WIDTH: usize = 16;
/// A line that is redrawn must not wrap, and terminals have at least this many columns.
const COLUMNS: usize = 79;

/// Rings when the training thread has something new.
pub(super) struct Bell {
    rung: Receiver<()>,
    ring: Sender<()>,
}

impl Bell {
    pub(super) fn new() -> Self {
        let (ring, rung) = bounded(1);
        Self { rung, ring }
    }

    /// `options` with this bell as what wakes the watcher.
    pub(super) fn options(&self, options: StartOptions) -> StartOptions {
        let ring = self.ring.clone();
        StartOptions {
            wake: Some(std::sync::Arc::new(move || {
                // A bell that rings already needs no second pull.
                let _ = ring.try_send(());
            })),
            ..options
        }
    }
}

/// Watch a run to its end.
///
/// # Errors
/// When the run failed, with its message for the user.
pub(super) fn follow(handle: TrainingHandle, bell: &Bell, quiet: bool) -> anyhow::Result<std::sync::Arc<Finished>> {
    let mut bars = StageBars::new(stderr().is_terminal());
    let mut told = 0;
    let mut show = |handle: &TrainingHandle| {
        // What was dealt with is told in any case.
        let messages = handle.messages();
        for message in messages.iter().skip(told) {
            let _ = bars.line(&format!("note: {message}"), &mut stderr());
        }
        told = told.max(messages.len());
        if !quiet {
            // A closed standard error is no reason to stop a training run.
            let _ = bars.update(&handle.progress(), &handle.losses(), &mut stderr());
        }
    };
    while !handle.is_over() {
        show(&handle);
        let _ = bell.rung.recv_timeout(Duration::from_millis(200));
    }
    show(&handle);
    match &handle.wait().phase {
        Phase::Finished(finished) => Ok(std::sync::Arc::clone(finished)),
        Phase::Failed(message) => Err(anyhow::anyhow!("{message}")),
        Phase::Discarded => Err(anyhow::anyhow!("the run was discarded; nothing was written")),
        other => Err(anyhow::anyhow!("the training thread ended while it was {other:?}; please report this")),
    }
}

/// One bar per stage.
pub(super) struct StageBars {
    terminal: bool,
    stages: Vec<Shown>,
    doing: String,
    line_open: bool,
}

/// What was last shown of a stage.
#[derive(Default)]
struct Shown {
    first_step: u64,
    first_second: f32,
    quarter: Option<usize>,
    done: bool,
}

impl StageBars {
    pub(super) fn new(terminal: bool) -> Self {
        Self { terminal, stages: Vec::new(), doing: String::new(), line_open: false }
    }

    /// Show what has changed.
    pub(super) fn update(&mut self, progress: &Progress, losses: &LossLog, out: &mut impl Write) -> std::io::Result<()> {
        let over = matches!(progress.phase, Phase::Finished(_) | Phase::Discarded | Phase::Failed(_));
        for (index, stage) in progress.stages.iter().enumerate() {
            if index > progress.stage || (matches!(progress.phase, Phase::Preparing) && !stage.done) {
                break;
            }
            if self.stages.len() == index {
                self.stages.push(Shown { first_step: progress.step, first_second: progress.elapsed_s, ..Shown::default() });
            }
            let Some(shown) = self.stages.get_mut(index) else { break };
            if shown.done {
                continue;
            }
            let (steps, seconds) = (progress.step.saturating_sub(shown.first_step), progress.elapsed_s - shown.first_second);
            // A stage that was left behind is done, whatever its flag says.
            if stage.done || index < progress.stage || (over && matches!(progress.phase, Phase::Finished(_))) {
                shown.done = true;
                let text = format!("{} {}: {steps} steps, {seconds:.1} s{}", bar(1.0), stage.name, validation(losses));
                self.line(&text, out)?;
                continue;
            }
            let quarter = (4.0 * stage.fraction.clamp(0.0, 1.0)) as usize;
            let new_quarter = shown.quarter != Some(quarter);
            shown.quarter = Some(quarter);
            if over || !(self.terminal || new_quarter) {
                continue;
            }
            let speed = if progress.steps_per_s > 0.0 { format!(", {:.1} steps/s", progress.steps_per_s) } else { String::new() };
            let eta = progress.eta_s.map(|s| format!(", {} left", duration(s))).unwrap_or_default();
            let text = format!("{} {}: {steps} steps{speed}{eta}", bar(stage.fraction), stage.name);
            if self.terminal {
                self.line_open = true;
                let short: String = text.chars().take(COLUMNS).collect();
                write!(out, "\r{short}\x1b[K")?;
                out.flush()?;
            } else {
                writeln!(out, "{text}")?;
            }
        }
        // What happens outside of the stages: preparing, scoring edges, writing.
        let between = matches!(progress.phase, Phase::Preparing | Phase::Finishing);
        if between && progress.doing != self.doing && !progress.doing.is_empty() {
            let text =
                if progress.device.is_empty() { progress.doing.clone() } else { format!("{} ({})", progress.doing, progress.device) };
            self.line(&text, out)?;
        }
        self.doing.clone_from(&progress.doing);
        if over && self.line_open {
            self.line_open = false;
            writeln!(out)?;
        }
        Ok(())
    }

    /// A line that stays.
    fn line(&mut self, text: &str, out: &mut impl Write) -> std::io::Result<()> {
        let begin = if self.line_open { "\r" } else { "" };
        let end = if self.terminal { "\x1b[K" } else { "" };
        self.line_open = false;
        writeln!(out, "{begin}{text}{end}")
    }
}

fn bar(fraction: f32) -> String {
    let full = ((fraction.clamp(0.0, 1.0) * WIDTH as f32) as usize).min(WIDTH);
    format!("[{}{}] {:3.0} %", "#".repeat(full), "-".repeat(WIDTH - full), 100.0 * fraction.clamp(0.0, 1.0))
}

fn validation(losses: &LossLog) -> String {
    let last = losses.points.iter().rev().find(|p| p.validation);
    last.map(|p| format!(", validation loss {:.5}", p.data())).unwrap_or_default()
}

fn duration(seconds: f32) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::training::StageProgress;

    fn progress(phase: Phase, stage: usize, fractions: [f32; 2], step: u64) -> Progress {
        let stages = fractions.iter().enumerate().map(|(i, &fraction)| StageProgress {
            name: format!("{} · stage", i + 1),
            fraction,
            done: fraction >= 1.0,
        });
        Progress {
            phase,
            doing: String::new(),
            device: "CPU".into(),
            stages: stages.collect(),
            stage,
            step,
            epoch: 0,
            steps_per_s: 10.0,
            eta_s: Some(100.0),
            elapsed_s: step as f32 / 10.0,
        }
    }

    fn show(terminal: bool, states: &[Progress]) -> String {
        let (mut bars, mut out) = (StageBars::new(terminal), Vec::new());
        states.iter().for_each(|p| bars.update(p, &LossLog::default(), &mut out).unwrap());
        String::from_utf8(out).unwrap()
    }

    fn finished() -> Phase {
        Phase::Finished(std::sync::Arc::new(Finished { run: None, summary: serde_json::Value::Null }))
    }

    #[test]
    fn without_a_terminal_every_stage_gets_lines_and_ends_at_100_percent() {
        let states = [
            progress(Phase::Running, 0, [0.1, 0.0], 10),
            progress(Phase::Running, 0, [0.15, 0.0], 15),
            progress(Phase::Running, 0, [0.6, 0.0], 60),
            progress(Phase::Running, 1, [1.0, 0.3], 120),
            progress(finished(), 1, [1.0, 1.0], 200),
        ];
        let text = show(false, &states);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(lines[0].contains("10 %") && lines[0].contains(", 2 min left"), "{text}");
        assert!(lines[1].contains("60 %") && lines[1].contains("50 steps"), "{text}");
        assert!(lines[2].contains("100 %") && lines[2].contains("1 · stage: 110 steps, 11.0 s"), "{text}");
        assert!(lines[4].contains("100 %") && lines[4].contains("2 · stage: 80 steps"), "{text}");
        assert!(!text.contains('\x1b') && !text.contains('\r'));
    }

    #[test]
    fn a_terminal_has_one_line_per_stage() {
        let states = [
            progress(Phase::Running, 0, [0.1, 0.0], 10),
            progress(Phase::Running, 0, [0.11, 0.0], 11),
            progress(Phase::Running, 1, [0.2, 0.3], 120),
            progress(finished(), 1, [1.0, 0.9], 200),
        ];
        let text = show(true, &states);
        assert_eq!(text.lines().count(), 2, "{text:?}");
        assert_eq!(text.matches("100 %").count(), 2, "{text:?}");
    }

    #[test]
    fn preparation_is_told_once_and_a_failure_closes_the_line() {
        let mut preparing = progress(Phase::Preparing, 0, [0.0, 0.0], 0);
        preparing.doing = "binning".into();
        let states = [
            preparing.clone(),
            preparing,
            progress(Phase::Running, 0, [0.5, 0.0], 5),
            progress(Phase::Failed("x".into()), 0, [0.5, 0.0], 5),
        ];
        let text = show(true, &states);
        assert_eq!(text.matches("binning (CPU)").count(), 1);
        assert!(text.ends_with('\n') && !text.contains("100 %"), "{text:?}");
    }
}
