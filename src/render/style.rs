//! Colours of the raster and of heat maps, in one place for light and dark. Views hold no colour literals.

use eframe::egui::{self, Color32};

/// Okabe & Ito's colours in the order in which areas get them, those with most contrast first.
const AREAS_LIGHT: [(u8, u8, u8); 8] =
    [(0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233), (240, 228, 66), (60, 66, 76)];
/// The same, with blue and vermilion lifted and the last one light.
const AREAS_DARK: [(u8, u8, u8); 8] =
    [(38, 142, 214), (230, 112, 28), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233), (240, 228, 66), (205, 211, 220)];

/// Areas after this many have no colour of their own.
const MOST_OWN: usize = 64;

/// Colours that the user gave to areas of the open recording, by their place in `Recording::areas`; all others have the usual ones.
/// They lie in the window's context, so that every view that colours by area sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AreaColors([Option<Color32>; MOST_OWN]);

impl Default for AreaColors {
    fn default() -> Self {
        Self::NONE
    }
}

impl AreaColors {
    const NONE: Self = Self([None; MOST_OWN]);

    /// From red, green and blue of every area; `None` leaves the usual colour.
    pub fn new(colors: impl IntoIterator<Item = Option<[u8; 3]>>) -> Self {
        let mut own = Self::NONE;
        for (place, color) in own.0.iter_mut().zip(colors) {
            *place = color.map(|[r, g, b]| rgb(r, g, b));
        }
        own
    }

    /// Those in effect.
    pub fn of(ctx: &egui::Context) -> Self {
        ctx.data(|data| data.get_temp(egui::Id::NULL)).unwrap_or_default()
    }

    /// Use these from now on.
    pub fn set(self, ctx: &egui::Context) {
        ctx.data_mut(|data| data.insert_temp(egui::Id::NULL, self));
    }
}

/// Colours of one theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RasterStyle {
    /// True for the dark theme.
    pub dark: bool,
    /// Colours of areas chosen by the user.
    pub own: AreaColors,
    /// Background of the pane behind spikes.
    pub paper: Color32,
    /// Text.
    pub text: Color32,
    /// Axis numbers and notes.
    pub weak: Color32,
    /// Axis lines and borders between areas.
    pub line: Color32,
    /// Grid lines.
    pub grid: Color32,
    /// Behind selected rows.
    pub selected: Color32,
    /// The time cursor and the zoom box.
    pub accent: Color32,
    /// Over stretches that were not observed.
    pub shade: Color32,
    /// Event marks.
    pub event: Color32,
    /// Values that are missing in a heat map.
    pub missing: Color32,
}

const fn rgb(r: u8, g: u8, b: u8) -> Color32 {
    Color32::from_rgb(r, g, b)
}

const LIGHT: RasterStyle = RasterStyle {
    dark: false,
    own: AreaColors::NONE,
    paper: rgb(255, 255, 255),
    text: rgb(28, 34, 44),
    weak: rgb(90, 99, 113),
    line: rgb(196, 202, 212),
    grid: rgb(232, 235, 240),
    selected: rgb(219, 234, 248),
    accent: rgb(10, 98, 178),
    shade: rgb(226, 229, 235),
    event: rgb(110, 119, 133),
    missing: rgb(226, 229, 235),
};

const DARK: RasterStyle = RasterStyle {
    dark: true,
    own: AreaColors::NONE,
    paper: rgb(25, 28, 34),
    text: rgb(228, 232, 239),
    weak: rgb(157, 167, 182),
    line: rgb(70, 77, 90),
    grid: rgb(41, 46, 55),
    selected: rgb(33, 55, 78),
    accent: rgb(102, 178, 240),
    shade: rgb(44, 49, 58),
    event: rgb(146, 156, 171),
    missing: rgb(44, 49, 58),
};

impl RasterStyle {
    /// The style for the theme `ui` is drawn in.
    pub fn of(ui: &egui::Ui) -> Self {
        Self { paper: ui.visuals().panel_fill, own: AreaColors::of(ui.ctx()), ..Self::new(ui.visuals().dark_mode) }
    }

    /// Light or dark.
    pub fn new(dark: bool) -> Self {
        if dark { DARK } else { LIGHT }
    }

    /// Colour of area `index` (its place in `Recording::areas`): the user's, else one of eight that repeat; names tell them apart.
    pub fn area(&self, index: usize) -> Color32 {
        self.own.0.get(index).copied().flatten().unwrap_or_else(|| self.category(index))
    }

    /// Colour of category `index` of a legend; also the usual colour of area `index`.
    pub fn category(&self, index: usize) -> Color32 {
        let areas = if self.dark { &AREAS_DARK } else { &AREAS_LIGHT };
        let (r, g, b) = areas[index % areas.len()];
        rgb(r, g, b)
    }

    /// Counts, rates and shares: viridis, `fraction` from 0 to 1.
    pub fn sequential(&self, fraction: f64) -> Color32 {
        from(colorous::VIRIDIS.eval_continuous(if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 }))
    }

    /// Signed values: blue below zero, red above, the theme's own neutral at zero; `value` from -1 to 1.
    pub fn diverging(&self, value: f64) -> Color32 {
        let value = if value.is_finite() { value.clamp(-1.0, 1.0) } else { 0.0 };
        if self.dark {
            let end = from(colorous::RED_BLUE.eval_continuous(if value > 0.0 { 0.2 } else { 0.8 }));
            self.grid.lerp_to_gamma(end, value.abs() as f32)
        } else {
            // colorous runs from red (0) over white (0.5) to blue (1).
            from(colorous::RED_BLUE.eval_continuous(0.5 - 0.42 * value))
        }
    }
}

fn from(color: colorous::Color) -> Color32 {
    rgb(color.r, color.g, color.b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_accept_any_number_and_themes_differ() {
        for style in [LIGHT, DARK] {
            assert_eq!(style.sequential(f64::NAN), style.sequential(0.0));
            assert_eq!(style.sequential(7.0), style.sequential(1.0));
            assert_eq!(style.diverging(f64::NAN), style.diverging(0.0));
            assert!(style.diverging(1.0).r() > style.diverging(1.0).b());
            assert!(style.diverging(-1.0).b() > style.diverging(-1.0).r());
            assert_eq!(style.area(8), style.area(0));
        }
        assert_ne!(LIGHT.paper, DARK.paper);
    }
}
