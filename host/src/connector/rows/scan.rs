//! A way through JSON that looks at nothing but where values begin and end. Of JSON that is none it may make anything, or
//! None: whoever parses what was written finds that out, and a row is checked as a whole when it lands.

use std::ops::Range;

use super::{FACTS, Facts, KeptRow, Member, Members, ROWS, Wish};

/// A place in an answer's text.
pub(super) struct Scan<'a> {
    text: &'a [u8],
    /// The answer's number.
    answer: usize,
    at: usize,
}

impl<'a> Scan<'a> {
    pub(super) const fn new(text: &'a str, answer: usize) -> Self {
        Self { text: text.as_bytes(), answer, at: 0 }
    }

    /// Writes what is wanted of the answer, and adds where its rows are. None if there is not exactly one such list, or if
    /// there are more rows than may be kept.
    pub(super) fn answer(&mut self, wish: &Wish, rows: &mut Vec<KeptRow>, out: &mut Vec<u8>) -> Option<()> {
        let mut found = false;
        self.members((b'{', b'}'), |scan, first| {
            let key = scan.key()?;
            out.push(if first { b'{' } else { b',' });
            out.extend(key);
            out.push(b':');
            if !wish.list.is(key) {
                out.extend(scan.value()?);
                return Some(());
            }
            scan.rows(wish, rows, out)?;
            (!std::mem::replace(&mut found, true)).then_some(())
        })?;
        out.push(b'}');
        (found && self.peek().is_none()).then_some(())
    }

    /// Writes what is wanted of each row; of plain rows how many there are, one after another.
    fn rows(&mut self, wish: &Wish, rows: &mut Vec<KeptRow>, out: &mut Vec<u8>) -> Option<()> {
        let (mut plain, mut shown) = (0_usize, Vec::new());
        let mut list = List { out, empty: true };
        self.members((b'[', b']'), |scan, _| {
            if scan.peek()? != b'{' && wish.plain.is_some() {
                // It could not be told from a number of plain rows.
                return None;
            }
            let begin = scan.at;
            shown.clear();
            let mut row = Row { plain: wish.plain.is_some(), facts: Facts::default() };
            scan.wanted(&wish.known, &mut shown, &mut row)?;
            let facts = row.record(scan.text);
            if facts.is_some() {
                plain += 1;
            } else {
                list.number(std::mem::take(&mut plain));
                list.push(&shown);
            }
            rows.push(KeptRow { answer: scan.answer, text: begin..scan.at, facts });
            (rows.len() <= ROWS).then_some(())
        })?;
        list.number(plain);
        list.end();
        Some(())
    }

    /// Writes what is wanted of an object. What is none is written as it is.
    fn wanted(&mut self, members: &Members, out: &mut Vec<u8>, row: &mut Row) -> Option<()> {
        if self.peek()? != b'{' {
            out.extend(row.told(self.value()?));
            return Some(());
        }
        out.push(b'{');
        let begin = out.len();
        self.members((b'{', b'}'), |scan, _| {
            let key = scan.key()?;
            let Some(member) = members.named(key) else { return scan.skip() };
            if member.shown {
                out.extend((out.len() > begin).then_some(b','));
                out.extend(key);
                out.push(b':');
            }
            if let Some(inner) = &member.inner
                && !member.is_fact()
            {
                return scan.wanted(inner, out, row);
            }
            let value = scan.value()?;
            if member.is_fact() {
                row.note(member, scan.at - value.len()..scan.at);
            } else {
                row.told(value);
            }
            out.extend(if member.shown { value } else { &[] });
            Some(())
        })?;
        out.push(b'}');
        Some(())
    }

    /// What stands between two brackets, one after the other, told whether it is the first.
    fn members(
        &mut self,
        (open, close): (u8, u8),
        mut member: impl FnMut(&mut Self, bool) -> Option<()>,
    ) -> Option<()> {
        self.take(open)?;
        let mut first = true;
        if self.peek()? != close {
            loop {
                member(self, first)?;
                first = false;
                if self.peek()? == close {
                    break;
                }
                self.take(b',')?;
            }
        }
        self.at += 1;
        Some(())
    }

    /// A member's name with its quotes; behind its colon then. None for one that is written with escapes: it might be any.
    fn key(&mut self) -> Option<&'a [u8]> {
        self.peek().filter(|next| *next == b'"')?;
        let begin = self.at;
        self.at += 1 + mark(self.text.get(self.at + 1..)?)?;
        if self.text.get(self.at) != Some(&b'"') {
            return None;
        }
        self.at += 1;
        let key = self.text.get(begin..self.at)?;
        self.take(b':')?;
        Some(key)
    }

    /// The text of a value.
    fn value(&mut self) -> Option<&'a [u8]> {
        self.peek()?;
        let begin = self.at;
        self.skip()?;
        self.text.get(begin..self.at)
    }

    /// To behind a value.
    fn skip(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string(),
            b'{' | b'[' => {
                let mut depth = 0_usize;
                loop {
                    match self.text.get(self.at)? {
                        b'"' => {
                            self.string()?;
                            continue;
                        }
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => depth -= 1,
                        _ => {}
                    }
                    self.at += 1;
                    if depth == 0 {
                        return Some(());
                    }
                }
            }
            _ => {
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
                let left = self.text.get(self.at..)?;
                let length = left.iter().position(ends).unwrap_or(left.len());
                self.at += length;
                (length > 0).then_some(())
            }
        }
    }

    /// To behind the end of a string that begins here.
    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            self.at += mark(self.text.get(self.at..)?)?;
            if self.text.get(self.at) == Some(&b'"') {
                self.at += 1;
                return Some(());
            }
            self.at += 2;
        }
    }

    /// The next byte that is no white space; none at the end.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let next = *self.text.get(self.at)?;
            if !matches!(next, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(next);
            }
            self.at += 1;
        }
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        self.peek().filter(|next| *next == wanted)?;
        self.at += 1;
        Some(())
    }
}

/// Where the first quote or backslash is. Most strings of JSON are short: their bytes are looked at eight at a time, and only
/// those of a long one with what is faster once it runs.
fn mark(bytes: &[u8]) -> Option<usize> {
    const SHORT: usize = 64;
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    // The highest bit of the lowest byte that is 0; those above it may be anything.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    let (words, _) = bytes.get(..SHORT).unwrap_or(bytes).as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = zero(word ^ (ONES * b'"' as u64)) | zero(word ^ (ONES * b'\\' as u64));
        if found != 0 {
            return Some(place * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let looked = words.len() * 8;
    memchr::memchr2(b'"', b'\\', bytes.get(looked..)?).map(|found| looked + found)
}

/// What a row tells.
struct Row {
    facts: Facts,
    /// Nothing was told so far but what makes its record, and nothing twice.
    plain: bool,
}

impl Row {
    /// Takes note of a member that makes something of the record.
    fn note(&mut self, member: &Member, place: Range<usize>) {
        for (bit, fact) in self.facts.iter_mut().enumerate() {
            if member.facts >> bit & 1 == 1 {
                self.plain &= fact.replace(place.clone()).is_none();
            }
        }
    }

    /// Takes note of another value: it tells something unless it is null or false.
    fn told<'v>(&mut self, value: &'v [u8]) -> &'v [u8] {
        self.plain &= matches!(value, b"null" | b"false");
        value
    }

    /// What makes the record, if the row is plain: texts without escapes and whole numbers, and an id among them.
    fn record(self, text: &[u8]) -> Option<Facts> {
        if !self.plain {
            return None;
        }
        let mut facts = self.facts;
        for place in &mut facts {
            let Some(Range { start, end }) = place.clone() else { continue };
            match text.get(start..end)? {
                b"null" => *place = None,
                [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => *place = Some(start + 1..end - 1),
                number if number.iter().all(u8::is_ascii_digit) => {}
                _ => return None,
            }
        }
        let [id, ..]: &[_; FACTS.len()] = &facts;
        id.as_ref().is_some_and(|id| !id.is_empty()).then_some(facts)
    }
}

/// A JSON list that is being written.
struct List<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl List<'_> {
    fn push(&mut self, item: &[u8]) {
        self.out.push(if self.empty { b'[' } else { b',' });
        self.out.extend(item);
        self.empty = false;
    }

    /// A number that is not 0.
    fn number(&mut self, number: usize) {
        if number > 0 {
            self.push(number.to_string().as_bytes());
        }
    }

    fn end(self) {
        self.out.extend(if self.empty { b"[]".as_slice() } else { b"]" });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_mark_is_found(before in 0_usize..100, mark_byte in r#"["\\]"#, after in r#"["\\a\x00-\xff]{0,20}"#) {
            // All other bytes, those next to the marks' among them.
            let others = (0..=u8::MAX).filter(|byte| !matches!(byte, b'"' | b'\\')).cycle();
            for skipped in [0, 30, 90] {
                let mut bytes: Vec<u8> = others.clone().skip(skipped).take(before).collect();
                prop_assert_eq!(mark(&bytes), None);
                bytes.extend(mark_byte.bytes().chain(after.bytes()));
                prop_assert_eq!(mark(&bytes), Some(before));
            }
        }
    }
}
