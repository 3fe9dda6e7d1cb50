// The spike raster. Two pictures share one uniform block:
//   ticks    one instanced quad per spike, spikes come as a vertex buffer of (tick, unit)
//   density  one full quad; every pixel looks the share of its cell up in a texture
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
    base_tick: i32,
    columns: u32,           // of the cells
    slots: u32,
    first_slot_row: u32,    // row behind slot 0
    merged: u32,            // 1: a slot is one pixel high and may hold several rows
    by_count: u32,          // 1: colour by count, 0: colour of the row, faded by count
    faint: f32,             // opacity of the smallest share
    column_offset: f32,     // px of the left edge of column 0
    px_per_column: f32,
    by_column: u32,         // 1: a line of the texture is a column, 0: it is a slot
    soft: u32,              // 1: rows are so low that their edges are drawn as fractions of a pixel
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

// Top of a row: on a whole pixel, unless rows are so low that one pixel more or less would show.
fn row_top(row: f32) -> f32 {
    let top = (row - view.first_row) * view.row_height;
    return select(floor(top + 0.5), top, view.soft == 1u);
}

// Top and bottom of what is drawn of a row. The gap keeps neighbouring rows apart, but never swallows a row.
fn row_body(row: f32) -> vec2<f32> {
    let top = row_top(row);
    return vec2<f32>(top, max(row_top(row + 1.0) - view.gap, top + 1.0));
}

// How much of the pixel line at `y` a row covers, 0 to 1.
fn coverage(body: vec2<f32>, y: f32) -> f32 {
    return clamp(min(y + 1.0, body.y) - max(y, body.x), 0.0, 1.0);
}

fn clip(px: vec2<f32>) -> vec4<f32> {
    return vec4<f32>(px.x / view.size.x * 2.0 - 1.0, 1.0 - px.y / view.size.y * 2.0, 0.0, 1.0);
}

struct Tick {
    @builtin(position) position: vec4<f32>,
    @location(0) @interpolate(flat) color: vec4<f32>,
    @location(1) @interpolate(flat) body: vec2<f32>,
    @location(2) y: f32,
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
    let x = floor(view.offset + f32(i32(spike.x) - view.base_tick) * view.px_per_tick);
    let left = x - floor((view.tick_width - 1.0) * 0.5);
    out.body = row_body(f32(row));
    out.y = select(floor(out.body.x), ceil(out.body.y), corner >= 2u);
    out.position = clip(vec2<f32>(select(left, left + view.tick_width, (corner & 1u) == 1u), out.y));
    out.color = unpack4x8unorm(looks[2u * spike.y + 1u]);
    return out;
}

@fragment
fn tick_fragment(tick: Tick) -> @location(0) vec4<f32> {
    var color = tick.color;
    if (view.soft == 1u) {
        color.a = color.a * coverage(tick.body, floor(tick.y));
    }
    return to_target(color);
}

@group(1) @binding(0) var cells: texture_2d<u32>;

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
    let column = min(u32(max((pixel.x + 0.5 - view.column_offset) / view.px_per_column, 0.0)), view.columns - 1u);
    var slot = u32(pixel.y);
    var covered = 1.0;
    if (view.merged == 0u) {
        var row = floor(view.first_row + (pixel.y + 0.5) / view.row_height);
        if (view.gap > 0.0) {
            covered = coverage(row_body(row), pixel.y);
            if (view.soft == 1u) {
                // The line may hold the beginning of the row below instead.
                let below = coverage(row_body(row + 1.0), pixel.y);
                if (below > covered) {
                    row = row + 1.0;
                    covered = below;
                }
            }
        }
        slot = u32(max(row, 0.0)) - view.first_slot_row;
    }
    if (slot >= view.slots || covered <= 0.0) {
        discard;
    }
    let share = textureLoad(cells, select(vec2<u32>(column, slot), vec2<u32>(slot, column), view.by_column == 1u), 0).x;
    if (share == 0u) {
        discard;
    }
    var color: vec4<f32>;
    if (view.by_count == 1u) {
        color = unpack4x8unorm(looks[view.slots + share]);
    } else {
        color = unpack4x8unorm(looks[slot]);
        color.a = color.a * (view.faint + (1.0 - view.faint) * f32(share) / 255.0);
    }
    color.a = color.a * covered;
    return to_target(color);
}
