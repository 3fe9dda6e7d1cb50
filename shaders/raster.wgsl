// The spike raster. Two pictures share one uniform block:
//   ticks    one instanced quad per spike, spikes come as a vertex buffer of (tick, unit)
//   density  one full quad; every pixel looks its spike count up in a texture of exact counts
// All positions are physical pixels from the top left corner of the plot.

struct View {
    size: vec2<f32>,        // plot, px
    first_row: f32,         // row at the top edge
    row_height: f32,        // px
    gap: f32,               // empty px at the bottom of a row
    tick_width: f32,        // px
    linear_target: u32,     // 1 when the target converts to sRGB itself
    offset: f32,            // px of `base_tick`
    px_per_tick: f32,
    base_tick: u32,
    columns: u32,           // of the count texture
    slots: u32,
    first_slot_row: u32,    // row behind slot 0
    merged: u32,            // 1: a slot is one pixel high and may hold several rows
    by_count: u32,          // 1: colour by count, 0: colour of the row, faded by count
    max_count: f32,
};

@group(0) @binding(0) var<uniform> view: View;
// ticks: (row, colour) per unit; density: colour per slot, then 256 entries of the colour map
@group(0) @binding(1) var<storage, read> looks: array<u32>;

const HIDDEN: u32 = 0xffffffffu;

fn to_target(color: vec4<f32>) -> vec4<f32> {
    var rgb = color.rgb;
    if (view.linear_target == 1u) {
        rgb = select(pow((rgb + 0.055) / 1.055, vec3<f32>(2.4)), rgb / 12.92, rgb <= vec3<f32>(0.04045));
    }
    return vec4<f32>(rgb * color.a, color.a);
}

fn row_top(row: f32) -> f32 {
    return floor((row - view.first_row) * view.row_height + 0.5);
}

fn clip(px: vec2<f32>) -> vec4<f32> {
    return vec4<f32>(px.x / view.size.x * 2.0 - 1.0, 1.0 - px.y / view.size.y * 2.0, 0.0, 1.0);
}

struct Tick {
    @builtin(position) position: vec4<f32>,
    @location(0) @interpolate(flat) color: vec4<f32>,
};

@vertex
fn tick_vertex(@builtin(vertex_index) corner: u32, @location(0) spike: vec2<u32>) -> Tick {
    var out: Tick;
    let row = looks[2u * spike.y];
    if (row == HIDDEN) {
        out.position = vec4<f32>(2.0, 2.0, 2.0, 1.0);
        return out;
    }
    // Integer subtraction first: what is left is small enough for f32.
    let x = floor(view.offset + f32(spike.x - view.base_tick) * view.px_per_tick);
    let left = x - floor((view.tick_width - 1.0) * 0.5);
    let top = row_top(f32(row));
    let bottom = max(row_top(f32(row + 1u)) - view.gap, top + 1.0);
    out.position = clip(vec2<f32>(select(left, left + view.tick_width, (corner & 1u) == 1u), select(top, bottom, corner >= 2u)));
    out.color = to_target(unpack4x8unorm(looks[2u * spike.y + 1u]));
    return out;
}

@fragment
fn tick_fragment(tick: Tick) -> @location(0) vec4<f32> {
    return tick.color;
}

@group(1) @binding(0) var counts: texture_2d<u32>;

struct Corner {
    @builtin(position) position: vec4<f32>,
    @location(0) px: vec2<f32>,
};

@vertex
fn density_vertex(@builtin(vertex_index) corner: u32) -> Corner {
    var out: Corner;
    out.px = vec2<f32>(select(0.0, view.size.x, (corner & 1u) == 1u), select(0.0, view.size.y, corner >= 2u));
    out.position = clip(out.px);
    return out;
}

@fragment
fn density_fragment(corner: Corner) -> @location(0) vec4<f32> {
    let pixel = floor(corner.px);
    let column = min(u32(pixel.x), view.columns - 1u);
    var slot = u32(pixel.y);
    if (view.merged == 0u) {
        let row = floor(view.first_row + (pixel.y + 0.5) / view.row_height);
        // The gap keeps neighbouring rows apart, but never swallows a row.
        if (pixel.y >= row_top(row + 1.0) - view.gap && pixel.y > row_top(row)) {
            discard;
        }
        slot = u32(row) - view.first_slot_row;
    }
    if (slot >= view.slots) {
        discard;
    }
    let count = textureLoad(counts, vec2<u32>(slot, column), 0).x;
    if (count == 0u) {
        discard;
    }
    // Square root: equal steps in colour are equal steps in Poisson noise.
    let share = sqrt(min(f32(count) / view.max_count, 1.0));
    if (view.by_count == 1u) {
        return to_target(unpack4x8unorm(looks[view.slots + u32(share * 255.0 + 0.5)]));
    }
    var color = unpack4x8unorm(looks[slot]);
    color.a = color.a * (0.35 + 0.65 * share);
    return to_target(color);
}
