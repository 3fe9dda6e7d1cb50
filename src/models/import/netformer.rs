//! NetFormer as its authors name it: the package model (`embedding_table`, `attentionlayer`, `layer_norm`), and the models of the
//! toy, task-RNN, STDP and ring experiments (`E`, `layer_norm1`).

use super::{Arrays, ImportError, Imported, Source};

const MODEL: &str = "NetFormer";

/// From the official names (a state dict, alone or inside of a checkpoint) to ours. Layer norms are taken where the file has them;
/// the published models have them also where they do not use them.
///
/// # Errors
/// [`ImportError`] names what is missing or what our network does not have.
pub fn netformer(arrays: Arrays) -> Result<Imported, ImportError> {
    let package = arrays.keys().any(|name| name.ends_with("embedding_table.weight"));
    let mut source = Source::below(MODEL, if package { &["embedding_table.weight"] } else { &["E"] }, arrays)?;
    let (identity, attention, first) = match package {
        true => ("embedding_table.weight", "attentionlayer.", "layer_norm"),
        false => ("E", "", "layer_norm1"),
    };
    let table = source.take(identity)?;
    source.keep("identity", table);
    source.matrix(&format!("{attention}query_linear.weight"), "query.weight")?;
    source.matrix(&format!("{attention}key_linear.weight"), "key.weight")?;
    for (theirs, ours) in [(first, "ln_in"), ("layer_norm2", "ln_out")] {
        if source.arrays.contains_key(&format!("{theirs}.weight")) {
            source.norm(theirs, ours)?;
        }
    }
    source.leave_out("the prior on attention between cell types does not change predictions", |name| name.starts_with("cell_type"));
    source.finish("only the published form (no output layer) can be taken over")
}
