//! STNDT as `trungle93/STNDT` names it (`src/model.py`, class `STNDT`, with linear embedders and one linear decoder, as published).

use super::{Arrays, ImportError, Imported, Source, first_rows, transposed};

const MODEL: &str = "STNDT";

/// From the official names (a state dict, alone or inside of a checkpoint) to ours.
///
/// # Errors
/// [`ImportError`] names what is missing, what has another shape, or what our network does not have.
pub fn stndt(arrays: Arrays) -> Result<Imported, ImportError> {
    let mut source = Source::below(MODEL, &["embedder.0.weight"], arrays)?;
    // Only the network: a checkpoint holds the optimiser beside it.
    source.linear("embedder.0", "embed_time")?;
    source.linear("spatial_embedder.0", "embed_space")?;
    source.norm("transformer_encoder.norm", "ln_out")?;
    source.linear("src_decoder.0", "readout")?;
    let layer_of = |name: &String| name.strip_prefix("transformer_encoder.layers.")?.split('.').next()?.parse::<usize>().ok();
    let layers = source.arrays.keys().filter_map(layer_of).max().map_or(1, |last| last + 1);
    for layer in 0..layers {
        let (theirs, ours) = (format!("transformer_encoder.layers.{layer}"), format!("layers.{layer}"));
        source.norm(&format!("{theirs}.norm1"), &format!("{ours}.ln_attn"))?;
        source.matrix(&format!("{theirs}.self_attn.in_proj_weight"), &format!("{ours}.qkv.weight"))?;
        let bias = source.take(&format!("{theirs}.self_attn.in_proj_bias"))?;
        source.keep(format!("{ours}.qkv.bias"), bias);
        source.linear(&format!("{theirs}.self_attn.out_proj"), &format!("{ours}.proj"))?;
        source.norm(&format!("{theirs}.norm2"), &format!("{ours}.ln_ff"))?;
        source.linear(&format!("{theirs}.linear1"), &format!("{ours}.ff_in"))?;
        source.linear(&format!("{theirs}.linear2"), &format!("{ours}.ff_out"))?;
        source.norm(&format!("{theirs}.spatial_norm1"), &format!("{ours}.space.ln_space"))?;
        queries_and_keys(&mut source, &theirs, &ours)?;
        source.norm(&format!("{theirs}.ts_norm1"), &format!("{ours}.space.ln_mix"))?;
        source.norm(&format!("{theirs}.ts_norm2"), &format!("{ours}.space.ln_mixff"))?;
        source.linear(&format!("{theirs}.ts_linear1"), &format!("{ours}.space.mix_in"))?;
        source.linear(&format!("{theirs}.ts_linear2"), &format!("{ours}.space.mix_out"))?;
    }
    source.leave_out("its result is thrown away by the published network", |name| name.contains(".spatial_self_attn.out_proj."));
    source.leave_out("sines and cosines, made anew", |name| name.ends_with("pos_encoder.pe"));
    source.finish("only the published form (linear embedders, fixed positions, no projector) can be taken over")
}

/// The values of the attention over units are never used: only the first two thirds of its projection are taken.
fn queries_and_keys(source: &mut Source, theirs: &str, ours: &str) -> Result<(), ImportError> {
    let (weight, bias) = (format!("{theirs}.spatial_self_attn.in_proj_weight"), format!("{theirs}.spatial_self_attn.in_proj_bias"));
    let (w, b) = (source.take(&weight)?, source.take(&bias)?);
    let rows = 2 * w.shape.get(1).copied().unwrap_or(0);
    source.keep(format!("{ours}.space.space_qk.weight"), transposed(&weight, &first_rows(&weight, &w, rows)?)?);
    source.keep(format!("{ours}.space.space_qk.bias"), first_rows(&bias, &b, rows)?);
    Ok(())
}
