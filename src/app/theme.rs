//! Design tokens: every colour and size the window uses, once for light and once for dark. Views take colours from here and
//! hold no colour literals, so that both themes stay readable (text at 4.5 : 1 or better) and areas look the same everywhere.

use eframe::egui::{self, Color32, CornerRadius, FontFamily, FontId, Margin, Shadow, Stroke, TextStyle, Theme, Vec2};

/// The colours of one theme.
#[derive(Debug)]
pub struct Tokens {
    /// True for the dark theme.
    pub dark: bool,
    /// Behind everything: menu bar, status bar, gaps between views.
    pub chrome: Color32,
    /// Background of a view.
    pub pane: Color32,
    /// Slightly raised surface inside a view.
    pub card: Color32,
    /// Separators and frames.
    pub line: Color32,
    /// Grid lines of plots.
    pub grid: Color32,
    /// Text.
    pub text: Color32,
    /// Secondary text, axis numbers.
    pub weak: Color32,
    /// The one colour that says "act here" or "selected".
    pub accent: Color32,
    /// Text on [`Tokens::accent`].
    pub on_accent: Color32,
    /// Faint version of the accent for selected surfaces.
    pub selected: Color32,
    /// Things that went well.
    pub success: Color32,
    /// Things to check.
    pub warning: Color32,
    /// Errors.
    pub error: Color32,
    /// Curves of known truth, drawn dashed.
    pub truth: Color32,
    /// Reference lines (flat rate, PSTH, oracle).
    pub reference: Color32,
    /// Things that are shown but do not count (unsupported pairs).
    pub muted: Color32,
    areas: [Color32; 8],
}

const fn rgb(r: u8, g: u8, b: u8) -> Color32 {
    Color32::from_rgb(r, g, b)
}

/// Okabe & Ito's eight colours; those with most contrast first, so that two areas are always easy to tell apart.
const fn okabe_ito(last: Color32) -> [Color32; 8] {
    [rgb(0, 114, 178), rgb(213, 94, 0), rgb(0, 158, 115), rgb(204, 121, 167), rgb(230, 159, 0), rgb(86, 180, 233), rgb(240, 228, 66), last]
}

static LIGHT: Tokens = Tokens {
    dark: false,
    chrome: rgb(237, 239, 243),
    pane: rgb(255, 255, 255),
    card: rgb(246, 247, 250),
    line: rgb(214, 219, 227),
    grid: rgb(232, 235, 240),
    text: rgb(28, 34, 44),
    weak: rgb(90, 99, 113),
    accent: rgb(10, 98, 178),
    on_accent: rgb(255, 255, 255),
    selected: rgb(219, 234, 248),
    success: rgb(13, 120, 76),
    warning: rgb(138, 84, 0),
    error: rgb(184, 36, 36),
    truth: rgb(28, 34, 44),
    reference: rgb(110, 119, 133),
    muted: rgb(226, 229, 235),
    areas: okabe_ito(rgb(60, 66, 76)),
};

static DARK: Tokens = Tokens {
    dark: true,
    chrome: rgb(17, 19, 24),
    pane: rgb(25, 28, 34),
    card: rgb(32, 36, 44),
    line: rgb(52, 58, 69),
    grid: rgb(41, 46, 55),
    text: rgb(228, 232, 239),
    weak: rgb(157, 167, 182),
    accent: rgb(102, 178, 240),
    on_accent: rgb(11, 20, 30),
    selected: rgb(33, 55, 78),
    success: rgb(92, 200, 148),
    warning: rgb(238, 178, 84),
    error: rgb(255, 130, 122),
    truth: rgb(240, 243, 248),
    reference: rgb(146, 156, 171),
    muted: rgb(44, 49, 58),
    // Blue is lifted a little: the original has less than 3 : 1 against a dark background.
    areas: {
        let mut areas = okabe_ito(rgb(205, 211, 220));
        areas[0] = rgb(38, 142, 214);
        areas[1] = rgb(230, 112, 28);
        areas
    },
};

/// Tokens of a theme.
pub fn tokens(theme: Theme) -> &'static Tokens {
    match theme {
        Theme::Light => &LIGHT,
        Theme::Dark => &DARK,
    }
}

/// Tokens of the theme `ui` is drawn in.
pub fn of(ui: &egui::Ui) -> &'static Tokens {
    if ui.visuals().dark_mode { &DARK } else { &LIGHT }
}

impl Tokens {
    /// Colour of category `index` of a legend; colours repeat after eight, names tell them apart. Areas have theirs from
    /// [`crate::render::RasterStyle::area`], because users may choose them.
    pub fn category(&self, index: usize) -> Color32 {
        self.areas[index % self.areas.len()]
    }

    /// Counts, rates and shares: viridis, `fraction` from 0 to 1.
    pub fn sequential(&self, fraction: f64) -> Color32 {
        of_colorous(colorous::VIRIDIS.eval_continuous(if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 }))
    }

    /// Couplings: blue below zero, red above, neutral at zero; `value` from -1 to 1. The neutral end is the theme's own, so
    /// that zero recedes in both themes.
    pub fn diverging(&self, value: f64) -> Color32 {
        let value = if value.is_finite() { value.clamp(-1.0, 1.0) } else { 0.0 };
        // colorous runs from red (0) over white (0.5) to blue (1).
        if !self.dark {
            return of_colorous(colorous::RED_BLUE.eval_continuous(0.5 - 0.42 * value));
        }
        let end = of_colorous(colorous::RED_BLUE.eval_continuous(if value > 0.0 { 0.2 } else { 0.8 }));
        self.card.lerp_to_gamma(end, value.abs() as f32)
    }

    /// Black or white, whichever reads better on `background`.
    pub fn text_on(&self, background: Color32) -> Color32 {
        let channel = |v: u8| {
            let v = f32::from(v) / 255.0;
            if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        };
        let luminance = 0.2126 * channel(background.r()) + 0.7152 * channel(background.g()) + 0.0722 * channel(background.b());
        // Equal contrast against black and white lies at 0.179.
        if luminance > 0.179 { Color32::BLACK } else { Color32::WHITE }
    }
}

fn of_colorous(color: colorous::Color) -> Color32 {
    rgb(color.r, color.g, color.b)
}

/// The embedded fonts; the proportional one lacks arrows and some mathematics, which the monospaced one has.
fn fonts() -> egui::FontDefinitions {
    let mut fonts = egui::FontDefinitions::default();
    if let Some(proportional) = fonts.families.get_mut(&FontFamily::Proportional) {
        proportional.push("Hack".to_owned());
    }
    fonts
}

/// Use the tokens and fonts for every widget, in both themes.
pub fn apply(ctx: &egui::Context) {
    ctx.set_fonts(fonts());
    for theme in [Theme::Light, Theme::Dark] {
        let mut style = egui::Style { visuals: visuals(theme), ..egui::Style::default() };
        let font = |size| FontId::new(size, FontFamily::Proportional);
        style.text_styles = [
            (TextStyle::Small, font(11.5)),
            (TextStyle::Body, font(13.5)),
            (TextStyle::Button, font(13.5)),
            (TextStyle::Heading, font(18.0)),
            (TextStyle::Monospace, FontId::new(12.5, FontFamily::Monospace)),
        ]
        .into();
        style.spacing.item_spacing = Vec2::new(8.0, 6.0);
        style.spacing.button_padding = Vec2::new(9.0, 4.0);
        style.spacing.interact_size = Vec2::new(32.0, 24.0);
        style.spacing.menu_margin = Margin::same(6);
        style.spacing.window_margin = Margin::same(14);
        style.spacing.combo_width = 60.0;
        style.spacing.tooltip_width = 380.0;
        style.animation_time = 0.1;
        ctx.set_style_of(theme, style);
    }
}

fn visuals(theme: Theme) -> egui::Visuals {
    let tokens = tokens(theme);
    let mut visuals = theme.default_visuals();
    let round = CornerRadius::same(5);
    visuals.panel_fill = tokens.chrome;
    visuals.window_fill = tokens.pane;
    visuals.window_stroke = Stroke::new(1.0, tokens.line);
    visuals.window_corner_radius = CornerRadius::same(9);
    visuals.menu_corner_radius = CornerRadius::same(7);
    visuals.window_shadow =
        Shadow { offset: [0, 6], blur: 22, spread: 0, color: Color32::from_black_alpha(if tokens.dark { 120 } else { 36 }) };
    visuals.popup_shadow =
        Shadow { offset: [0, 4], blur: 12, spread: 0, color: Color32::from_black_alpha(if tokens.dark { 110 } else { 30 }) };
    visuals.faint_bg_color = tokens.card;
    visuals.extreme_bg_color = if tokens.dark { tokens.chrome } else { tokens.pane };
    visuals.code_bg_color = tokens.card;
    visuals.hyperlink_color = tokens.accent;
    visuals.warn_fg_color = tokens.warning;
    visuals.error_fg_color = tokens.error;
    visuals.weak_text_color = Some(tokens.weak);
    visuals.selection.bg_fill = tokens.selected;
    visuals.selection.stroke = Stroke::new(1.0, tokens.accent);
    visuals.window_highlight_topmost = false;
    visuals.striped = false;
    visuals.slider_trailing_fill = true;
    visuals.indent_has_left_vline = false;
    let set = |widget: &mut egui::style::WidgetVisuals, fill: Color32, stroke: Color32, text: Color32| {
        widget.bg_fill = fill;
        widget.weak_bg_fill = fill;
        widget.bg_stroke = Stroke::new(1.0, stroke);
        widget.fg_stroke = Stroke::new(1.0, text);
        widget.corner_radius = round;
        widget.expansion = 0.0;
    };
    let hover = tokens.card.lerp_to_gamma(tokens.accent, 0.12);
    set(&mut visuals.widgets.noninteractive, tokens.pane, tokens.line, tokens.text);
    set(&mut visuals.widgets.inactive, tokens.card, tokens.line, tokens.text);
    set(&mut visuals.widgets.hovered, hover, tokens.accent, tokens.text);
    set(&mut visuals.widgets.active, tokens.selected, tokens.accent, tokens.text);
    // Also behind the titles of windows.
    set(&mut visuals.widgets.open, tokens.card, tokens.accent, tokens.text);
    visuals
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(color: Color32) -> f32 {
        let channel = |v: u8| {
            let v = f32::from(v) / 255.0;
            if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(color.r()) + 0.7152 * channel(color.g()) + 0.0722 * channel(color.b())
    }

    fn contrast(a: Color32, b: Color32) -> f32 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_is_readable_on_every_surface_in_both_themes() {
        for theme in [&LIGHT, &DARK] {
            for surface in [theme.chrome, theme.pane, theme.card, theme.selected] {
                for text in [theme.text, theme.weak, theme.error, theme.warning, theme.success] {
                    assert!(contrast(text, surface) >= 4.5, "{text:?} on {surface:?}: {}", contrast(text, surface));
                }
            }
            assert!(contrast(theme.on_accent, theme.accent) >= 4.5);
            assert!(contrast(theme.accent, theme.pane) >= 4.5);
        }
    }

    #[test]
    fn the_first_areas_stand_out_and_every_scale_carries_its_labels() {
        for theme in [&LIGHT, &DARK] {
            for area in 0..3 {
                assert!(contrast(theme.category(area), theme.pane) >= 3.0, "area {area}");
            }
            for step in 0..=20 {
                let x = f64::from(step) / 10.0 - 1.0;
                for fill in [theme.diverging(x), theme.sequential((x + 1.0) / 2.0)] {
                    assert!(contrast(theme.text_on(fill), fill) >= 4.5);
                }
            }
        }
    }

    #[test]
    fn scales_survive_bad_numbers_and_signs_look_different() {
        for theme in [&LIGHT, &DARK] {
            assert_eq!(theme.diverging(f64::NAN), theme.diverging(0.0));
            assert_eq!(theme.sequential(f64::INFINITY), theme.sequential(0.0));
            assert_ne!(theme.diverging(1.0), theme.diverging(-1.0));
        }
    }
}
