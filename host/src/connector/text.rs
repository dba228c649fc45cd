//! Text from a guest made fit for people: bounded and without control characters.

/// The longest message of a guest that is kept, in bytes.
pub(crate) const MESSAGE_BYTES: usize = 4 << 10;

/// Escapes control characters, newlines included, and cuts after `max` bytes, never inside a character.
pub(crate) fn clean(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    for c in text.chars() {
        let before = out.len();
        // Beside the control characters: marks that change the direction of text can make a line read as another.
        if c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        if out.len() > max {
            out.truncate(before);
            out.push('…');
            break;
        }
    }
    out
}

/// The longest prefix of at most `max` bytes that does not cut a character.
pub(crate) fn prefix(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_does_not_reach_a_terminal() {
        assert_eq!(clean("\u{1b}[2Jok\r\nnext\u{202e}", 100), r"\u{1b}[2Jok\r\nnext\u{202e}");
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(clean("ääää", 5), "ää…");
        assert_eq!(prefix("ääää", 5), "ää");
    }
}
