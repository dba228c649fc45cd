//! Places in a file: line, column and the source line itself, with secrets blanked.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use super::schema::SECTIONS;

/// A place in a file, to be shown to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The file.
    pub path: PathBuf,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// The line; secrets in it are replaced by asterisks.
    pub source: String,
    /// How many characters are meant, at least 1.
    pub width: usize,
}

impl Excerpt {
    /// Writes the source line and what is meant in it. Answers with the width of the gutter.
    pub(super) fn write_source(&self, f: &mut fmt::Formatter<'_>) -> Result<usize, fmt::Error> {
        let gutter = self.line.to_string().len().max(2);
        // Tabs stay tabs, so that the carets stand where the terminal puts the text.
        let lead = self.source.chars().take(self.column - 1).map(|c| if c == '\t' { c } else { ' ' });
        write!(f, "\n{:gutter$} |\n{:>gutter$} | {}", "", self.line, self.source)?;
        write!(f, "\n{:gutter$} | {}{}", "", lead.collect::<String>(), "^".repeat(self.width))?;
        Ok(gutter)
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

impl PartialOrd for Excerpt {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Excerpt {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.path, self.line, self.column).cmp(&(&other.path, other.line, other.column))
    }
}

/// A file's text, with the places in it that must not be shown.
pub(crate) struct FileText {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) hidden: Vec<Range<usize>>,
}

impl FileText {
    /// The excerpt that shows the bytes of `span`, or its first line.
    pub(crate) fn excerpt(&self, span: &Range<usize>) -> Excerpt {
        let start = span.start.min(self.text.len());
        let before = self.text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let rest = self.text.get(line_start..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default().trim_end_matches('\r');
        let line_end = line_start + line.len();
        let width = self.text.get(start..span.end.min(line_end)).map_or(1, |meant| meant.chars().count().max(1));
        Excerpt {
            path: self.path.clone(),
            line: before.matches('\n').count() + 1,
            column: self.text.get(line_start..start).map_or(1, |lead| lead.chars().count() + 1),
            source: self.blanked(line, line_start),
            width,
        }
    }

    /// Hides what a line that cannot be parsed may hold: nobody knows where a secret in it begins or ends.
    pub(super) fn hide_broken_line(&mut self, span: &Range<usize>) {
        let start = span.start.min(self.text.len());
        let line_start = self.text.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let line_end = self.text.get(start..).and_then(|rest| rest.find('\n')).map_or(self.text.len(), |at| start + at);
        let line = self.text.get(line_start..line_end).unwrap_or_default();
        let value = match line.find('=') {
            Some(at) => line.get(..at).is_some_and(may_be_secret).then_some(at + 1),
            // Part of a value that began on an earlier line.
            None => line.find(['"', '\'']),
        };
        if let Some(at) = value {
            self.hidden.push(line_start + at..line_end);
        }
    }

    fn blanked(&self, line: &str, line_start: usize) -> String {
        line.char_indices()
            .map(|(at, c)| {
                let hidden = !c.is_whitespace() && self.hidden.iter().any(|span| span.contains(&(line_start + at)));
                if hidden { '*' } else { c }
            })
            .collect()
    }
}

fn may_be_secret(name: &str) -> bool {
    SECTIONS.iter().flat_map(|section| section.keys).any(|key| key.secret && name.contains(key.name))
}
