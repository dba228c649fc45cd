//! Printing: tables and lines for people, JSON for programs.
//!
//! Data goes to standard output and nothing else does. Control characters in data are never sent to a terminal.

use std::io::{self, IsTerminal as _, Write, stderr, stdout};

use clap::ColorChoice;
use comfy_table::{Table, presets};
use serde::Serialize;

use super::Global;
use super::exit::Failure;

/// Something that can be a row of a table.
pub trait Row: Serialize {
    /// Names of the columns.
    const HEADERS: &'static [&'static str];

    /// One text for each column.
    fn cells(&self) -> Vec<String>;
}

/// Where and how to print.
pub struct Output {
    json: bool,
    quiet: bool,
    color: bool,
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
}

impl Output {
    /// Standard output and standard error, as the global options say.
    #[must_use]
    pub fn standard(global: &Global) -> Self {
        let color = match global.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        };
        Self { json: global.json, quiet: global.quiet > 0, color, out: Box::new(stdout()), err: Box::new(stderr()) }
    }

    /// Prints into other places.
    #[must_use]
    pub fn to(json: bool, out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        Self { json, quiet: false, color: false, out, err }
    }

    /// Data is to be JSON.
    #[must_use]
    pub const fn json(&self) -> bool {
        self.json
    }

    /// People asked to be told less.
    #[must_use]
    pub const fn quiet(&self) -> bool {
        self.quiet
    }

    /// Text to people may have colours.
    #[must_use]
    pub const fn color(&self) -> bool {
        self.color
    }

    /// Prints a list: a table, or a JSON array. Without rows, people are told `nothing` on standard error.
    ///
    /// # Errors
    /// Of writing.
    pub fn rows<T: Row>(&mut self, rows: &[T], nothing: &str) -> io::Result<()> {
        if self.json {
            return self.write_json(rows);
        }
        if rows.is_empty() {
            return self.note(nothing);
        }
        write!(self.out, "{}", table(rows))?;
        self.out.flush()
    }

    /// Prints one thing: a line for each field, or a JSON object.
    ///
    /// # Errors
    /// Of writing.
    pub fn item<T: Serialize>(&mut self, item: &T, fields: &[(&str, String)]) -> io::Result<()> {
        if self.json {
            return self.write_json(item);
        }
        let width = fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in fields {
            writeln!(self.out, "{name:width$}  {}", clean(value))?;
        }
        self.out.flush()
    }

    /// Prints one thing of a stream: a line of text, or a line of JSON.
    ///
    /// # Errors
    /// Of writing.
    pub fn event<T: Serialize>(&mut self, item: &T, text: &str) -> io::Result<()> {
        if self.json {
            serde_json::to_writer(&mut self.out, item)?;
            writeln!(self.out)?;
        } else {
            writeln!(self.out, "{}", clean(text))?;
        }
        self.out.flush()
    }

    /// Reports an action that was done: a sentence on standard error, or a JSON object on standard output.
    ///
    /// # Errors
    /// Of writing.
    pub fn done<T: Serialize>(&mut self, item: &T, sentence: &str) -> io::Result<()> {
        if self.json { self.write_json(item) } else { self.note(sentence) }
    }

    /// Prints text that somebody else wrote, without what a terminal would act upon.
    ///
    /// # Errors
    /// Of writing.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", clean(text).trim_end())?;
        self.out.flush()
    }

    /// Prints text as it is: something made for programs, such as a script or a file's contents.
    ///
    /// # Errors
    /// Of writing.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.out.flush()
    }

    /// Tells people something, unless they asked for quiet.
    ///
    /// # Errors
    /// Of writing.
    pub fn note(&mut self, text: &str) -> io::Result<()> {
        if self.quiet { Ok(()) } else { writeln!(self.err, "{}", clean(text)) }
    }

    /// Tells why the command failed. A reader that went away is told nothing.
    pub fn failure(&mut self, failure: &Failure) {
        if failure.reader_gone {
            return;
        }
        // If this cannot be written there is nobody to tell; the exit code still says it.
        let _ = if self.json {
            let line = serde_json::json!({ "error": failure });
            writeln!(self.err, "{line}")
        } else {
            self.err.write_all(failure.render(self.color).as_bytes())
        };
    }

    fn write_json<T: Serialize + ?Sized>(&mut self, data: &T) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut self.out, data)?;
        writeln!(self.out)?;
        self.out.flush()
    }
}

/// A table for people.
#[must_use]
pub fn table<T: Row>(rows: &[T]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(T::HEADERS.iter().map(|header| header.to_uppercase()));
    for row in rows {
        table.add_row(row.cells().iter().map(|cell| clean(cell)));
    }
    let mut text = String::new();
    for line in table.lines() {
        // Cells have a space on either side: the first one of each line is not wanted.
        let line = line.trim_end();
        text.push_str(line.strip_prefix(' ').unwrap_or(line));
        text.push('\n');
    }
    text
}

/// Replaces what a terminal would act upon: names and errors come from customers, connectors and providers.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A place to print into and read from.
    #[derive(Clone, Default)]
    pub(in crate::cli) struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Buffer {
        pub(in crate::cli) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[derive(Serialize)]
    struct Customer {
        name: &'static str,
        objects: u32,
    }

    impl Row for Customer {
        const HEADERS: &'static [&'static str] = &["name", "objects"];

        fn cells(&self) -> Vec<String> {
            vec![self.name.to_owned(), self.objects.to_string()]
        }
    }

    const CUSTOMERS: [Customer; 2] =
        [Customer { name: "acme", objects: 12 }, Customer { name: "ev\x1b[31mil", objects: 3 }];

    fn printed(json: bool, print: impl FnOnce(&mut Output) -> io::Result<()>) -> (String, String) {
        let (out, err) = (Buffer::default(), Buffer::default());
        print(&mut Output::to(json, Box::new(out.clone()), Box::new(err.clone()))).unwrap();
        (out.text(), err.text())
    }

    #[test]
    fn a_list_is_a_table_without_terminal_codes_from_the_data() {
        let (out, err) = printed(false, |output| output.rows(&CUSTOMERS, "no customers"));
        insta::assert_snapshot!(out, @r#"
NAME       OBJECTS
acme       12
ev�[31mil  3
"#);
        assert_eq!(err, "");
    }

    #[test]
    fn a_list_is_an_array_for_programs_even_when_it_is_empty() {
        let (out, err) = printed(true, |output| output.rows::<Customer>(&[], "no customers"));
        assert_eq!((out.as_str(), err.as_str()), ("[]\n", ""));
        let (out, err) = printed(false, |output| output.rows::<Customer>(&[], "no customers"));
        assert_eq!((out.as_str(), err.as_str()), ("", "no customers\n"));
    }

    #[test]
    fn a_stream_is_one_object_a_line() {
        let (out, _) = printed(true, |output| CUSTOMERS.iter().try_for_each(|c| output.event(c, c.name)));
        assert_eq!(out.lines().count(), 2);
        assert!(out.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    }

    #[test]
    fn one_thing_is_a_line_for_each_field() {
        let fields = [("name", "acme".to_owned()), ("objects", "12".to_owned())];
        let (out, _) = printed(false, |output| output.item(&CUSTOMERS[0], &fields));
        assert_eq!(out, "name     acme\nobjects  12\n");
    }

    #[test]
    fn talk_never_mixes_with_data() {
        let (out, err) = printed(true, |output| {
            output.note("looking")?;
            output.failure(&Failure::new(super::super::exit::Exit::NotFound, "gone"));
            Ok(())
        });
        assert_eq!(out, "");
        assert_eq!(err, "looking\n{\"error\":{\"exit\":3,\"what\":\"gone\"}}\n");
    }
}
