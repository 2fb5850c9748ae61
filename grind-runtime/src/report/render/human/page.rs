//! Lines of styled text, wrapped to a width.

use crate::report::text::clean;
use crate::report::text::log::shield;
use annotate_snippets::renderer::{
    AnsiColor, DEFAULT_CONTEXT_STYLE, DEFAULT_ERROR_STYLE, DEFAULT_NOTE_STYLE,
    DEFAULT_WARNING_STYLE, Effects, Style,
};
use unicode_width::UnicodeWidthStr;

/// What a piece of text is, which decides its look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Ink {
    Plain,
    Strong,
    Faint,
    Error,
    Warning,
    Note,
    /// The frame of the text: numbers, bars, arrows.
    Rail,
    Place,
}

impl Ink {
    fn style(self) -> Style {
        match self {
            Ink::Plain => Style::new(),
            Ink::Strong => Style::new().effects(Effects::BOLD),
            Ink::Faint => Style::new().effects(Effects::DIMMED),
            Ink::Error => DEFAULT_ERROR_STYLE,
            Ink::Warning => DEFAULT_WARNING_STYLE,
            Ink::Note => DEFAULT_NOTE_STYLE,
            Ink::Rail => DEFAULT_CONTEXT_STYLE,
            Ink::Place => AnsiColor::Cyan.on_default(),
        }
    }
}

/// A piece of text. Whatever it contains, it comes out on the page as visible characters.
pub(in crate::report) type Span = (Ink, String);

/// Width of a text in columns of a terminal.
pub(in crate::report) fn width(text: &str) -> usize {
    text.width()
}

/// Text under construction.
pub(in crate::report) struct Page {
    out: String,
    color: bool,
    pub(in crate::report) width: usize,
}

impl Page {
    pub(in crate::report) fn new(color: bool, width: usize) -> Page {
        Page {
            out: String::new(),
            color,
            // Below this, wrapping makes things worse.
            width: width.max(40),
        }
    }

    pub(in crate::report) fn finish(self) -> String {
        shield(&self.out)
    }

    pub(in crate::report) fn blank(&mut self) {
        self.out.push('\n');
    }

    /// Text that is rendered already, escape sequences and all.
    pub(in crate::report) fn raw(&mut self, text: &str) {
        self.out.push_str(text);
        if !text.ends_with('\n') {
            self.out.push('\n');
        }
    }

    /// One line, indented by `indent` columns. Where it is too long it goes on below, `hang` columns
    /// further in.
    pub(in crate::report) fn line(&mut self, indent: usize, hang: usize, spans: &[Span]) {
        self.spaces(indent);
        let mut column = indent;
        let mut fresh = true;
        let mut pending = 0;
        for (ink, text) in spans {
            let text = clean(text);
            let mut open = false;
            for (index, word) in text.split(' ').enumerate() {
                if index > 0 {
                    pending += 1;
                }
                if word.is_empty() {
                    continue;
                }
                let wide = width(word);
                // A break that would gain nothing is none.
                let gains = !fresh && pending > 0 && column + pending > indent + hang;
                if gains && column + pending + wide > self.width {
                    if open {
                        self.close(*ink);
                        open = false;
                    }
                    self.out.push('\n');
                    self.spaces(indent + hang);
                    column = indent + hang;
                } else {
                    self.spaces(pending);
                    column += pending;
                }
                pending = 0;
                fresh = false;
                if !open {
                    self.open(*ink);
                    open = true;
                }
                self.out.push_str(word);
                column += wide;
            }
            if open {
                self.close(*ink);
            }
        }
        self.out.push('\n');
    }

    fn spaces(&mut self, n: usize) {
        self.out.extend(std::iter::repeat_n(' ', n));
    }

    fn open(&mut self, ink: Ink) {
        if self.color && ink != Ink::Plain {
            self.out.push_str(&ink.style().render().to_string());
        }
    }

    fn close(&mut self, ink: Ink) {
        if self.color && ink != Ink::Plain {
            self.out.push_str(&ink.style().render_reset().to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_between_words_and_across_spans() {
        let mut page = Page::new(false, 40);
        page.line(
            2,
            4,
            &[
                (Ink::Strong, "a word and another and one more ".into()),
                (
                    Ink::Plain,
                    "then averyveryveryverylongwordthatcannotbebroken".into(),
                ),
                (Ink::Plain, ", end".into()),
            ],
        );
        assert_eq!(
            page.finish(),
            "  a word and another and one more then\n      \
             averyveryveryverylongwordthatcannotbebroken,\n      end\n"
        );
    }

    #[test]
    fn colours_are_closed_on_each_line_and_guest_escapes_are_not_obeyed() {
        let mut page = Page::new(true, 40);
        page.line(
            0,
            0,
            &[(Ink::Strong, format!("{} \x1b[31m", "x".repeat(38)))],
        );
        let text = page.finish();
        for line in text.lines() {
            assert_eq!(
                line.matches("\x1b[1m").count(),
                line.matches("\x1b[0m").count()
            );
        }
        assert!(text.contains("\\u{1b}[31m"));
    }
}
