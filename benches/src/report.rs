//! The figures and the table of them.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use serde::Serialize;

/// How a figure is judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// The figure itself is at most this.
    AtMost(f64),
    /// The figure is at most so many times the baseline.
    Times(f64),
}

/// One measured figure.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// What it is.
    pub(crate) name: String,
    /// How much.
    pub(crate) value: f64,
    /// Of what.
    pub(crate) unit: &'static str,
    /// What it is compared with.
    pub(crate) baseline_name: &'static str,
    /// How much that was, in the same unit.
    pub(crate) baseline: Option<f64>,
    /// The figure by the baseline.
    pub(crate) ratio: Option<f64>,
    /// What it is to be; none for a figure that only explains others.
    pub(crate) target: Option<Target>,
    /// Whether it is.
    pub(crate) met: Option<bool>,
}

impl Figure {
    /// A figure without a baseline.
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        let name = name.into();
        Self { name, value, unit, baseline_name: "", baseline: None, ratio: None, target: None, met: None }
    }

    /// Compares it.
    pub(crate) fn against(mut self, name: &'static str, baseline: f64) -> Self {
        self.baseline_name = name;
        self.baseline = Some(baseline);
        self.ratio = (baseline > 0.0).then_some(self.value / baseline);
        self.judged()
    }

    /// Says what it is to be.
    pub(crate) fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self.judged()
    }

    fn judged(mut self) -> Self {
        self.met = match self.target {
            None => None,
            Some(Target::AtMost(most)) => Some(self.value <= most),
            Some(Target::Times(most)) => self.ratio.map(|ratio| ratio <= most),
        };
        self
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 1000.0 => {
            let digits = format!("{large:.0}");
            let groups: Vec<&str> =
                digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
            groups.join(",")
        }
        middle if middle >= 100.0 => format!("{value:.0}"),
        small if small >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The table, for people.
pub(crate) fn table(figures: &[Figure]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["figure", "measured", "baseline", "ratio", "target", "met"]);
    for figure in figures {
        let baseline = figure
            .baseline
            .map_or_else(String::new, |value| format!("{} {} ({})", number(value), figure.unit, figure.baseline_name));
        let target = match figure.target {
            None => String::new(),
            Some(Target::AtMost(most)) => format!("<= {most} {}", figure.unit),
            Some(Target::Times(most)) => format!("<= {most}x"),
        };
        table.add_row([
            figure.name.clone(),
            format!("{} {}", number(figure.value), figure.unit),
            baseline,
            figure.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}x")),
            target,
            figure.met.map_or("", |met| if met { "yes" } else { "NO" }).to_owned(),
        ]);
    }
    for column in [1, 3] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_judged_by_itself_or_by_its_ratio() {
        assert_eq!(Figure::new("a", 4.0, "ms").target(Target::AtMost(5.0)).met, Some(true));
        let slow = Figure::new("a", 4.0, "s").against("native", 1.0).target(Target::Times(3.0));
        assert_eq!((slow.ratio, slow.met), (Some(4.0), Some(false)));
        assert_eq!(Figure::new("a", 4.0, "s").target(Target::Times(3.0)).met, None);
        assert!(table(&[slow]).contains("4.00x"));
    }

    #[test]
    fn numbers_are_as_long_as_they_are_good() {
        assert_eq!([1_234_567.0, 123.4, 12.34, 1.234].map(number), ["1,234,567", "123", "12.3", "1.23"]);
    }
}
