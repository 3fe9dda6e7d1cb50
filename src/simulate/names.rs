//! Simulators by name, with settings as text: what the command line and the welcome page call.

use super::glm::area_names;
use super::settings::{Setting, apply, bad_value, listed, number, whole};
use super::{
    CellTypeSimulation, ChaoticRnnSimulation, EifSimulation, GlmEdge, GlmSimulation, LorenzSimulation, RingSimulation, SimulateError,
    SpikingRingSimulation, StdpSimulation, TaskRnnSimulation, ToySimulation, cell_types, chaotic_rnn, eif, lorenz, ring, stdp, task_rnn,
    toy,
};
use crate::recording::Recording;

/// Trials of the demo recording. Sized so that training on it takes less than a minute on two cores.
const DEMO_TRIALS: usize = 450;
/// Units per area of the demo recording.
const DEMO_UNITS: usize = 20;
/// Coupled units per area of the demo recording.
const DEMO_COUPLED: usize = 8;
/// Coupled units per edge when not given (fewer in small areas).
const COUPLED: usize = 10;

const EDGES_EXPECTED: &str =
    "source>target pairs of area numbers (from 0) or names (A, B, …) joined by commas, for example 0>1 or A>B,B>C; none for no coupling";

/// A simulator as listed for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Name for [`by_name`].
    pub name: &'static str,
    /// One line.
    pub description: &'static str,
    /// Settings with what they accept.
    pub settings: Vec<(&'static str, &'static str)>,
}

/// A request in the making: settings that depend on others are resolved when all have been read.
struct Request {
    simulation: GlmSimulation,
    edges: Option<String>,
    units_per_edge: Option<usize>,
}

const SETTINGS: [Setting<Request>; 10] = [
    Setting {
        key: "trials",
        expected: "a whole number of trials, for example 1000",
        read: |r, v| whole(v).map(|n| r.simulation.trials = n),
    },
    Setting { key: "seed", expected: "a whole number", read: |r, v| v.parse().ok().map(|n| r.simulation.seed = n) },
    Setting {
        key: "areas",
        expected: "units per area joined by x, for example 50x50 or 30x20x40",
        read: |r, v| {
            r.simulation.areas = v.split('x').map(|n| whole(n.trim())).collect::<Option<Vec<usize>>>()?;
            r.simulation.area_names = area_names(r.simulation.areas.len());
            Some(())
        },
    },
    Setting {
        key: "edges",
        expected: EDGES_EXPECTED,
        read: |r, v| {
            r.edges = Some(v.to_owned());
            Some(())
        },
    },
    Setting {
        key: "units_per_edge",
        expected: "a whole number of units, at least 1",
        read: |r, v| {
            r.units_per_edge = Some(whole(v)?);
            Some(())
        },
    },
    Setting {
        key: "rho",
        expected: "the share of slow background common to the areas, a number from 0 to 1",
        read: |r, v| number(v).map(|x| r.simulation.shared_background = x),
    },
    Setting { key: "baseline_hz", expected: "a rate in Hz, for example 25", read: |r, v| number(v).map(|x| r.simulation.baseline_hz = x) },
    Setting {
        key: "coupling",
        expected: "a factor on the published coupling filter, for example 1 or 0.5 (negative inhibits)",
        read: |r, v| number(v).map(|x| r.simulation.coupling.iter_mut().for_each(|c| *c *= x)),
    },
    Setting {
        key: "bins",
        expected: "a whole number of 2-ms bins per trial, for example 250",
        read: |r, v| whole(v).map(|n| r.simulation.bins = n),
    },
    Setting {
        key: "factors",
        expected: "a whole number of slow factors per area, for example 2",
        read: |r, v| whole(v).map(|n| r.simulation.factors = n),
    },
];

/// Every simulator with its settings.
pub fn list() -> Vec<Listing> {
    let settings = listed(&SETTINGS);
    let glm = "Poisson units in two or more areas with slow dynamics of their own, coupled from area to area (Xin & Kass 2025, Fig. 2)";
    let demo = "The built-in demo: glm with two areas of 20 units and one strong coupling A → B";
    let mut all =
        [("glm", glm), ("demo", demo)].map(|(name, description)| Listing { name, description, settings: settings.clone() }).to_vec();
    let eif = "Spiking network of two areas, V1 → LM, with input that varies in time and a slow background they may share (Xin & Kass 2025, Fig. 3 and 4)";
    let eif4 = "The same with four areas, A → B → C and A → D";
    let eif6 = "The same with six visual areas coupled along their hierarchy, V1 → LM, RL; LM → AL, PM; AL, PM → AM: to teach with";
    all.extend([("eif", eif), ("eif4", eif4), ("eif6", eif6)].map(|(name, description)| Listing {
        name,
        description,
        settings: listed(&eif::SETTINGS),
    }));
    let lorenz = "Poisson units whose log-rates follow the Lorenz system, repeated from several starts (the benchmark of LFADS and NDT)";
    let chaotic = "Poisson units of a chaotic recurrent network, repeated from several starts (Ye & Pandarinath 2021)";
    all.push(Listing { name: "lorenz", description: lorenz, settings: listed(&lorenz::SETTINGS) });
    all.push(Listing { name: "chaotic_rnn", description: chaotic, settings: listed(&chaotic_rnn::SETTINGS) });
    all.extend(with_weights());
    all
}

/// Simulators whose connections between single units are known (Lu et al., ICLR 2025).
fn with_weights() -> Vec<Listing> {
    let toy = "Continuous activity of five nodes with exactly known weights, linear or tanh, fixed or changing (NetFormer, §3.1)";
    let stdp = "100 Poisson trains onto one spiking neuron whose synapses change with every spike (NetFormer, §3.2)";
    let task_rnn = "Hidden activity of a small recurrent network trained on a task, with its weights (NetFormer, §3.3)";
    let cell_types = "Continuous activity of 200 units of four cell types, connected by measured rules (NetFormer, §4.3)";
    let ring = "Continuous ring in which neighbours are correlated without strong connections (Das & Fiete 2020)";
    let spiking = "The same ring with spikes, at a chosen strength of recurrence (Das & Fiete 2020)";
    vec![
        Listing { name: "toy", description: toy, settings: listed(&toy::SETTINGS) },
        Listing { name: "stdp", description: stdp, settings: listed(&stdp::SETTINGS) },
        Listing { name: "task_rnn", description: task_rnn, settings: listed(&task_rnn::SETTINGS) },
        Listing { name: "cell_types", description: cell_types, settings: listed(&cell_types::SETTINGS) },
        Listing { name: "ring", description: ring, settings: listed(&ring::SETTINGS) },
        Listing { name: "spiking_ring", description: spiking, settings: listed(&ring::SPIKING_SETTINGS) },
    ]
}

/// Simulate by name with settings as text, for example `by_name("glm", &[("trials", "1000"), ("edges", "A>B")])`.
///
/// # Errors
/// [`SimulateError`] names the simulator or the setting that cannot be used and what it accepts.
pub fn by_name(name: &str, settings: &[(&str, &str)]) -> Result<Recording, SimulateError> {
    let base = match name {
        "glm" => GlmSimulation::default(),
        "demo" => demo_simulation(),
        "eif" => return changed(name, EifSimulation::default(), settings)?.simulate(),
        "eif4" => return changed(name, EifSimulation::four_areas(), settings)?.simulate(),
        "eif6" => return changed(name, EifSimulation::visual_hierarchy(), settings)?.simulate(),
        "lorenz" => return made::<LorenzSimulation>(name, &lorenz::SETTINGS, settings)?.simulate(),
        "chaotic_rnn" => return made::<ChaoticRnnSimulation>(name, &chaotic_rnn::SETTINGS, settings)?.simulate(),
        "toy" => return made::<ToySimulation>(name, &toy::SETTINGS, settings)?.simulate(),
        "stdp" => return made::<StdpSimulation>(name, &stdp::SETTINGS, settings)?.simulate(),
        "task_rnn" => return made::<TaskRnnSimulation>(name, &task_rnn::SETTINGS, settings)?.simulate(),
        "cell_types" => return made::<CellTypeSimulation>(name, &cell_types::SETTINGS, settings)?.simulate(),
        "ring" => return made::<RingSimulation>(name, &ring::SETTINGS, settings)?.simulate(),
        "spiking_ring" => return made::<SpikingRingSimulation>(name, &ring::SPIKING_SETTINGS, settings)?.simulate(),
        _ => {
            let have: Vec<&str> = list().iter().map(|l| l.name).collect();
            return Err(SimulateError::NoSimulator { name: name.to_owned(), have: have.join(", ") });
        }
    };
    resolve(base, settings)?.simulate()
}

/// A simulation with its default settings, changed as given.
fn made<T: Default>(name: &str, table: &[Setting<T>], given: &[(&str, &str)]) -> Result<T, SimulateError> {
    let mut simulation = T::default();
    apply(name, table, &mut simulation, given)?;
    Ok(simulation)
}

fn changed(name: &str, mut simulation: EifSimulation, given: &[(&str, &str)]) -> Result<EifSimulation, SimulateError> {
    apply(name, &eif::SETTINGS, &mut simulation, given)?;
    Ok(simulation)
}

/// The demo recording: two areas, one strong coupling A → B. Always the same.
///
/// # Errors
/// None for the built-in settings; the type is that of [`by_name`].
pub fn demo() -> Result<Recording, SimulateError> {
    demo_simulation().simulate()
}

fn demo_simulation() -> GlmSimulation {
    GlmSimulation {
        name: "demo".to_owned(),
        areas: vec![DEMO_UNITS; 2],
        trials: DEMO_TRIALS,
        edges: vec![GlmEdge { source: 0, target: 1, units: DEMO_COUPLED }],
        ..GlmSimulation::default()
    }
}

fn resolve(base: GlmSimulation, settings: &[(&str, &str)]) -> Result<GlmSimulation, SimulateError> {
    let name = base.name.clone();
    let mut request = Request { units_per_edge: None, edges: None, simulation: base };
    apply(&name, &SETTINGS, &mut request, settings)?;
    let Request { mut simulation, edges, units_per_edge } = request;
    let areas_changed = settings.iter().any(|(key, _)| *key == "areas");
    let coupled = |simulation: &GlmSimulation, source: usize, target: usize| {
        let size = |area: usize| simulation.areas.get(area).copied().unwrap_or(0);
        units_per_edge.unwrap_or(COUPLED.min(size(source)).min(size(target)))
    };
    if let Some(text) = edges {
        let pairs = read_edges(&text, &simulation.area_names).ok_or_else(|| bad_value("edges", &text, EDGES_EXPECTED))?;
        simulation.edges =
            pairs.into_iter().map(|(source, target)| GlmEdge { source, target, units: coupled(&simulation, source, target) }).collect();
    } else if areas_changed {
        // The default edge A → B, as far as the areas allow.
        let pairs: &[(usize, usize)] = if simulation.areas.len() >= 2 { &[(0, 1)] } else { &[] };
        simulation.edges =
            pairs.iter().map(|&(source, target)| GlmEdge { source, target, units: coupled(&simulation, source, target) }).collect();
    } else if let Some(units) = units_per_edge {
        simulation.edges.iter_mut().for_each(|e| e.units = units);
    }
    Ok(simulation)
}

/// `0>1,A>B` as pairs of area numbers; `none` or empty text as no pairs.
fn read_edges(text: &str, names: &[String]) -> Option<Vec<(usize, usize)>> {
    if text.is_empty() || text == "none" {
        return Some(Vec::new());
    }
    let area = |text: &str| {
        let text = text.trim();
        names.iter().position(|n| n == text).or_else(|| text.parse().ok().filter(|&a: &usize| a < names.len()))
    };
    text.split(',').map(|pair| pair.split_once('>').and_then(|(s, t)| Some((area(s.trim_end_matches('-'))?, area(t)?)))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn glm(settings: &[(&str, &str)]) -> Result<GlmSimulation, SimulateError> {
        resolve(GlmSimulation::default(), settings)
    }

    #[test]
    fn every_setting_reaches_the_simulation() {
        let simulation = glm(&[
            ("trials", "12"),
            ("seed", "9"),
            ("areas", "5x6x7"),
            ("edges", "A>B, 1->2"),
            ("units_per_edge", "3"),
            ("rho", "0.4"),
            ("baseline_hz", "12.5"),
            ("coupling", "0.5"),
            ("bins", "100"),
            ("factors", "1"),
        ])
        .unwrap();
        let edge = |source, target| GlmEdge { source, target, units: 3 };
        assert_eq!((simulation.trials, simulation.seed, simulation.bins, simulation.factors), (12, 9, 100, 1));
        assert_eq!((simulation.areas, simulation.edges), (vec![5, 6, 7], vec![edge(0, 1), edge(1, 2)]));
        assert_eq!((simulation.shared_background, simulation.baseline_hz), (0.4, 12.5));
        assert_eq!(simulation.coupling, vec![0.5, 0.1, 0.0]);
        assert_eq!(simulation.area_names, ["A", "B", "C"]);
    }

    #[test]
    fn the_default_edge_follows_the_areas() {
        assert_eq!(glm(&[]).unwrap(), GlmSimulation::default());
        assert_eq!(glm(&[("areas", "4x30")]).unwrap().edges, [GlmEdge { source: 0, target: 1, units: 4 }]);
        assert_eq!(glm(&[("areas", "4")]).unwrap().edges, []);
        assert_eq!(glm(&[("edges", "none")]).unwrap().edges, []);
        assert_eq!(glm(&[("units_per_edge", "5")]).unwrap().edges, [GlmEdge { source: 0, target: 1, units: 5 }]);
    }

    #[test]
    fn errors_name_the_setting_and_what_it_accepts() {
        let text = |settings: &[(&str, &str)]| by_name("glm", settings).unwrap_err().to_string();
        assert!(by_name("eif2", &[]).unwrap_err().to_string().contains("there is: glm, demo, eif, eif4, eif6, lorenz, chaotic_rnn"));
        assert!(text(&[("trails", "3")]).contains("no setting 'trails'; it has: trials, seed"));
        assert!(text(&[("trials", "many")]).contains("'trials' cannot be 'many'; it accepts a whole number"));
        assert!(text(&[("trials", "0")]).contains("number of trials is 0, but it must be between 1"));
        assert!(text(&[("areas", "50x")]).contains("'areas' cannot be '50x'"));
        assert!(text(&[("edges", "0>7")]).contains("'edges' cannot be '0>7'"));
        assert!(text(&[("edges", "0>1,A>B")]).contains("0>1 twice"));
        assert!(text(&[("units_per_edge", "51")]).contains("coupled units is 51"));
        assert!(text(&[("rho", "1.5")]).contains("common background is 1.5, but it must be between 0 and 1"));
        assert!(text(&[("areas", "0x5")]).contains("units per area"));
        assert!(text(&[("baseline_hz", "nan")]).contains("'baseline_hz'"));
    }

    #[test]
    fn every_listed_simulator_simulates() {
        for listing in list() {
            let small = [("trials", "2"), ("steps", "40"), ("iterations", "3"), ("units", "12")];
            let known: Vec<_> = small.into_iter().filter(|(key, _)| listing.settings.iter().any(|(k, _)| k == key)).collect();
            let recording = by_name(listing.name, &known).unwrap();
            assert_eq!(recording.name, listing.name);
            assert!(listing.settings.iter().any(|(key, _)| *key == "seed"));
            assert!(recording.truth.is_some());
        }
    }
}
