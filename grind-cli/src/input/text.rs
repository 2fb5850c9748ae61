//! Modules in the text format, and what assembling them takes.
//!
//! The assembler looks a label up among those of all blocks around it, so that many labels in deep blocks take quadratic
//! time. And it finds the line of an instruction by reading from the one before to there and on to the end of the line: also
//! backwards, for the operator of a folded expression comes after its operands. On a long line, or where the first operands are
//! deep, that is quadratic as well. What both come to is counted first.

use grind_runtime::program::ProgramError;
use wast::lexer::{Lexer, TokenKind};

/// Bytes of text; assembling takes dozens for each.
pub(crate) const LONGEST: u64 = 256 << 20;

/// Steps that looking up the labels may take: some seconds.
const MOST_LABEL_STEPS: u64 = 1 << 30;

/// Steps that finding the lines may take: some seconds.
const MOST_LINE_STEPS: u64 = 1 << 28;

/// Bytes that are searched for the end of a line in the time that a line takes at least.
const BYTES_OF_A_STEP: u64 = 256;

/// How often the assembler looks at something, about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Steps {
    labels: u64,
    lines: u64,
}

/// A place in the text.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    offset: usize,
    line: u64,
    /// Bytes of that line.
    length: usize,
}

impl Steps {
    /// What this text takes. Text that has no tokens is for the assembler to refuse.
    pub(crate) fn of(text: &str) -> Steps {
        let lexer = Lexer::new(text);
        let mut at = 0;
        let mut depth = 0_u64;
        let mut steps = Steps::default();
        // For each open parenthesis, what comes after what is in it: the operator of a folded expression.
        let mut parentheses: Vec<Parenthesis> = Vec::new();
        let mut opened = false;
        let mut lines = text.split_inclusive('\n').zip(1..);
        let (mut here, mut end) = (Place::default(), 0);
        let mut last = Place::default();
        while let Ok(Some(token)) = lexer.parse(&mut at) {
            here.offset = token.offset;
            while token.offset >= end
                && let Some((line, number)) = lines.next()
            {
                (here.line, here.length) = (number, line.len());
                end += line.len();
            }
            match token.kind {
                TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment => {
                    continue;
                }
                TokenKind::LParen => parentheses.push(Parenthesis::Other),
                TokenKind::RParen => match parentheses.pop() {
                    Some(Parenthesis::Block) => depth = depth.saturating_sub(1),
                    Some(Parenthesis::Operator(operator)) => steps.goes(&mut last, operator),
                    _ => {}
                },
                TokenKind::Keyword => {
                    let parenthesis = parentheses.last_mut().filter(|_| opened);
                    match token.src(text) {
                        "block" | "loop" | "if" | "try_table" => {
                            depth += 1;
                            steps.goes(&mut last, here);
                            if let Some(parenthesis) = parenthesis {
                                *parenthesis = Parenthesis::Block;
                            }
                        }
                        word => {
                            if word == "end" {
                                depth = depth.saturating_sub(1);
                            }
                            match parenthesis {
                                Some(folded) if word != "func" => {
                                    *folded = Parenthesis::Operator(here);
                                }
                                _ => steps.goes(&mut last, here),
                            }
                        }
                    }
                }
                TokenKind::Id => steps.labels += depth,
                _ => {}
            }
            opened = token.kind == TokenKind::LParen;
        }
        steps
    }

    fn goes(&mut self, from: &mut Place, to: Place) {
        let bytes = from.offset.abs_diff(to.offset) + to.length;
        self.lines += from.line.abs_diff(to.line) + bytes as u64 / BYTES_OF_A_STEP;
        *from = to;
    }

    /// # Errors
    /// [`ProgramError::TooLarge`].
    pub(crate) fn check_labels(self) -> Result<(), ProgramError> {
        if self.labels > MOST_LABEL_STEPS {
            return Err(ProgramError::TooLarge(format!(
                "its names in nested blocks take {} steps to look up, where {MOST_LABEL_STEPS} are allowed; \
                 number the labels or assemble it with another tool",
                self.labels
            )));
        }
        Ok(())
    }

    /// Whether the lines of its instructions can be found in time.
    pub(crate) fn has_lines(self) -> bool {
        self.lines <= MOST_LINE_STEPS
    }
}

#[derive(Clone, Copy)]
enum Parenthesis {
    Block,
    /// Which is here.
    Operator(Place),
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize, labels: usize) -> [String; 2] {
        let names = " $l".repeat(labels);
        let plain = format!(
            "(module (func {} br_table{names} {}))",
            "block $l ".repeat(depth),
            "end ".repeat(depth)
        );
        let folded = format!(
            "(module (func {} (br_table{names}) {}))",
            "(block $l ".repeat(depth),
            ")".repeat(depth)
        );
        [plain, folded]
    }

    #[test]
    fn labels_are_counted_by_the_blocks_around_them() {
        for text in nested(20_000, 20_000) {
            assert!(Steps::of(&text).check_labels().is_ok());
        }
        for text in nested(40_000, 40_000) {
            assert!(Steps::of(&text).check_labels().is_err());
        }
    }

    #[test]
    fn blocks_side_by_side_are_not_deep() {
        let text = "(block $l (br $l)) block $l br $l end (; block ;) \"block\" ".repeat(100_000);
        let steps = Steps::of(&format!("(module (func {text}))"));
        assert!(steps.check_labels().is_ok());
    }

    #[test]
    fn lines_are_not_looked_for_where_that_is_quadratic() {
        // What is on one line, and operators before deep operands, on one line or on many.
        let functions = |n, end: &str| format!("(module {})", format!("(func){end}").repeat(n));
        let folded = |n, end: &str| {
            let (open, close) = (format!("(i32.add{end}"), format!("{end}(i32.const 1))"));
            format!(
                "(module (func (drop {}(i32.const 0){})))",
                open.repeat(n),
                close.repeat(n)
            )
        };
        for (text, has_lines) in [
            (functions(20_000, ""), true),
            (functions(400_000, ""), false),
            (functions(400_000, "\n"), true),
            (folded(5_000, " "), true),
            (folded(5_000, "\n"), true),
            (folded(30_000, "\n"), false),
            (folded(100_000, " "), false),
        ] {
            let steps = Steps::of(&text);
            assert_eq!(steps.has_lines(), has_lines, "{steps:?}");
        }
    }
}
