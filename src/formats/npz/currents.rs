//! True currents of a simulated network, as arrays.

use std::io::{Seek, Write};

use super::npy_write::{self, Out};
use super::{Arrays, FormatError, ZipWriter, cube, vector};
use crate::recording::TrueCurrents;

impl Arrays {
    pub(super) fn currents(&mut self) -> Result<TrueCurrents, FormatError> {
        let scalars = self.floats("truth/currents/scalars")?;
        let &[bin_s, trial_spacing_s, pad] = scalars.as_slice() else {
            return Err(self.damaged("truth/currents/scalars", "it should hold three numbers"));
        };
        let numbers = self.integers("truth/currents/pairs")?.into_iter().map(|area| usize::try_from(area).ok());
        let areas = numbers.collect::<Option<Vec<_>>>().ok_or_else(|| self.damaged("truth/currents/pairs", "an area is negative"))?;
        let pairs: Vec<(usize, usize)> = areas.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        let problem = "its shape is not the one of true currents";
        let synaptic = self.cube("truth/currents/synaptic", problem)?;
        let external = self.cube("truth/currents/external", problem)?;
        let background = self.cube("truth/currents/background", problem)?;
        let (trials, entries, bins) = synaptic.dim();
        let fits = entries == pairs.len()
            && external.dim() == background.dim()
            && (external.dim().0, external.dim().2) == (trials, bins)
            && pairs.iter().all(|&(s, t)| s.max(t) < external.dim().1);
        if !(fits && pad >= 0.0 && pad <= bins as f64 && bin_s > 0.0 && trial_spacing_s > 0.0) {
            return Err(self.damaged("truth/currents/synaptic", problem));
        }
        Ok(TrueCurrents { bin_s, pad_bins: pad as usize, trial_spacing_s, pairs, synaptic, external, background })
    }
}

pub(super) fn write<W: Write + Seek>(zip: &mut ZipWriter<W>, currents: &TrueCurrents) -> std::io::Result<()> {
    vector(zip, "truth/currents/scalars", &[currents.bin_s, currents.trial_spacing_s, currents.pad_bins as f64])?;
    let areas: Vec<i64> = currents.pairs.iter().flat_map(|&(source, target)| [source as i64, target as i64]).collect();
    npy_write::write(zip, "truth/currents/pairs", &[currents.pairs.len(), 2], &Out::I64(&areas))?;
    cube(zip, "truth/currents/synaptic", &currents.synaptic)?;
    cube(zip, "truth/currents/external", &currents.external)?;
    cube(zip, "truth/currents/background", &currents.background)
}
