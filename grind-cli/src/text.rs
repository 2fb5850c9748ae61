//! Modules in the text format.
//!
//! The assembler looks a label up among those of all blocks around it, so that many labels in deep blocks take quadratic
//! time. What that comes to is counted first.

use grind_runtime::program::ProgramError;
use wast::lexer::{Lexer, TokenKind};

/// Bytes of text; assembling takes dozens for each.
pub(crate) const LONGEST: u64 = 256 << 20;

/// Steps that looking up the labels may take: some seconds.
const MOST_STEPS: u64 = 1 << 30;

/// # Errors
/// [`ProgramError::TooLarge`]. Text that has no tokens is for the assembler to refuse.
pub(crate) fn check_labels(text: &str) -> Result<(), ProgramError> {
    let lexer = Lexer::new(text);
    let mut at = 0;
    let mut depth = 0_u64;
    let mut steps = 0_u64;
    // For each open parenthesis, whether it is that of a block.
    let mut parentheses: Vec<bool> = Vec::new();
    let mut opened = false;
    while let Ok(Some(token)) = lexer.parse(&mut at) {
        match token.kind {
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment => continue,
            TokenKind::LParen => parentheses.push(false),
            TokenKind::RParen if parentheses.pop() == Some(true) => depth = depth.saturating_sub(1),
            TokenKind::Keyword => match token.src(text) {
                "block" | "loop" | "if" | "try_table" => {
                    depth += 1;
                    if let Some(parenthesis) = parentheses.last_mut().filter(|_| opened) {
                        *parenthesis = true;
                    }
                }
                "end" => depth = depth.saturating_sub(1),
                _ => {}
            },
            TokenKind::Id => steps += depth,
            _ => {}
        }
        opened = token.kind == TokenKind::LParen;
    }
    if steps > MOST_STEPS {
        return Err(ProgramError::TooLarge(format!(
            "its names in nested blocks take {steps} steps to look up, where {MOST_STEPS} are allowed; \
             number the labels or assemble it with another tool"
        )));
    }
    Ok(())
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
            assert!(check_labels(&text).is_ok());
        }
        for text in nested(40_000, 40_000) {
            assert!(check_labels(&text).is_err());
        }
    }

    #[test]
    fn blocks_side_by_side_are_not_deep() {
        let text = "(block $l (br $l)) block $l br $l end (; block ;) \"block\" ".repeat(100_000);
        assert!(check_labels(&format!("(module (func {text}))")).is_ok());
    }
}
