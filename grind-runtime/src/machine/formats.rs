//! Formats of C's `printf` and `scanf`: which arguments they take, and of what type.
//!
//! Sizes are those of wasm32: `long`, `size_t` and pointers have 4 bytes, `long double` 16.

/// What is printed from one argument, or read into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Printed {
    /// The argument itself, of so many bytes.
    Value(u32),
    /// The string that it points to, of which so many bytes are printed at most. Those of a wide one are of 4 bytes each.
    Text { most: Precision, wide: bool },
    /// Nothing: the number of bytes so far, of so many bytes, goes to where it points.
    Count(u32),
}

/// How much of a string is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    All,
    Bytes(u32),
    /// As this argument says, by its place among the taken ones.
    Argument(usize),
}

/// An argument that a format of `printf` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// Its number, from 0.
    pub(super) number: usize,
    pub(super) printed: Printed,
}

/// Arguments by position that are looked at; a format that names a further one is read up to there.
const MOST_ARGUMENTS: usize = 256;

struct Format<'a>(&'a [u8]);

impl Format<'_> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn skip(&mut self, which: &[u8]) {
        while self.peek().is_some_and(|byte| which.contains(&byte)) {
            self.next();
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.next();
        }
        found
    }

    fn number(&mut self) -> Option<u32> {
        let mut number: Option<u32> = None;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            self.next();
            let before = number.unwrap_or(0).saturating_mul(10);
            number = Some(before.saturating_add(u32::from(digit - b'0')));
        }
        number
    }

    /// `3$`: the place of an argument, from 1. Nothing is taken if it is not one.
    fn place(&mut self) -> Option<usize> {
        let before = self.0;
        match self.number() {
            Some(place) if place > 0 && self.take(b'$') => Some(place as usize - 1),
            _ => {
                self.0 = before;
                None
            }
        }
    }

    /// Bytes of an integer that has this length modifier, and whether it says that strings and characters are wide and
    /// `double` is meant, or `long double`.
    fn length(&mut self) -> Length {
        let (bytes, long) = match self.peek() {
            Some(b'h') => {
                self.next();
                let bytes = if self.take(b'h') { 1 } else { 2 };
                return Length {
                    bytes,
                    long: Long::No,
                };
            }
            Some(b'l') => {
                self.next();
                match self.take(b'l') {
                    true => (8, Long::Twice),
                    false => (4, Long::Once),
                }
            }
            Some(b'j') => (8, Long::No),
            Some(b'L') => (8, Long::Twice),
            Some(b'z' | b't') => (4, Long::No),
            _ => {
                return Length {
                    bytes: 4,
                    long: Long::No,
                };
            }
        };
        if matches!(self.peek(), Some(b'j' | b'L' | b'z' | b't')) {
            self.next();
        }
        Length { bytes, long }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Long {
    No,
    Once,
    Twice,
}

#[derive(Clone, Copy)]
struct Length {
    bytes: u32,
    long: Long,
}

/// The arguments that a format of `printf` takes, up to the first conversion that is not known.
pub(super) fn printf(format: &[u8]) -> Vec<Taken> {
    let mut rest = Format(format);
    let mut taken = Vec::new();
    let mut next = 0;
    while let Some(byte) = rest.next() {
        if byte == b'%'
            && !rest.take(b'%')
            && conversion(&mut rest, &mut next, &mut taken).is_none()
        {
            break;
        }
    }
    taken
}

fn conversion(rest: &mut Format<'_>, next: &mut usize, taken: &mut Vec<Taken>) -> Option<()> {
    let mut argument = |place: Option<usize>| {
        let number = place.unwrap_or_else(|| {
            *next += 1;
            *next - 1
        });
        (number < MOST_ARGUMENTS).then_some(number)
    };
    let place = rest.place();
    rest.skip(b"-+ #0'I");
    if rest.take(b'*') {
        let number = argument(rest.place())?;
        let printed = Printed::Value(4);
        taken.push(Taken { number, printed });
    } else {
        rest.number();
    }
    let mut most = Precision::All;
    if rest.take(b'.') {
        if rest.take(b'*') {
            let number = argument(rest.place())?;
            most = Precision::Argument(number);
            let printed = Printed::Value(4);
            taken.push(Taken { number, printed });
        } else {
            // A lone point is a precision of 0; what is less than 0 counts as none.
            most = match rest.take(b'-') {
                true => {
                    rest.number();
                    Precision::All
                }
                false => Precision::Bytes(rest.number().unwrap_or(0)),
            };
        }
    }
    let Length { bytes, long } = rest.length();
    let printed = match rest.next()? {
        b'd' | b'i' | b'o' | b'u' | b'x' | b'X' => Printed::Value(bytes.max(4)),
        b'a' | b'A' | b'e' | b'E' | b'f' | b'F' | b'g' | b'G' => Printed::Value(match long {
            Long::Twice => 16,
            _ => 8,
        }),
        b'c' | b'C' | b'p' => Printed::Value(4),
        b's' => Printed::Text {
            most,
            wide: long == Long::Once,
        },
        b'S' => Printed::Text { most, wide: true },
        b'n' => Printed::Count(bytes),
        b'm' => return Some(()),
        _ => return None,
    };
    let number = argument(place)?;
    taken.push(Taken { number, printed });
    Some(())
}

/// Where each argument is, by number, from the beginning of the arguments: those between that are not taken are not known,
/// and neither is what follows them.
pub(super) fn offsets(taken: &[Taken]) -> Vec<u32> {
    let mut offsets = Vec::new();
    let mut at: u32 = 0;
    for number in 0..MOST_ARGUMENTS {
        let Some(argument) = taken.iter().find(|taken| taken.number == number) else {
            break;
        };
        let size = match argument.printed {
            Printed::Value(size) => size,
            Printed::Text { .. } | Printed::Count(_) => 4,
        };
        at = at.next_multiple_of(size);
        offsets.push(at);
        at += size;
    }
    offsets
}

/// What an argument of `scanf` points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// So many bytes.
    Bytes(u32),
    /// A string with its end, of characters of so many bytes.
    Text { unit: u32 },
    /// The address of a string that the function allocates.
    Allocated,
    /// The number of bytes so far, of so many bytes: no item, and neither how many there are nor the items tell whether it was
    /// written, for what is between may not have been in the input.
    Count(u32),
}

/// What a format of `scanf` writes to, in the order of the arguments, up to the first conversion that is not known.
pub(super) fn scanf(format: &[u8]) -> Vec<(usize, Scanned)> {
    let mut rest = Format(format);
    let mut items = Vec::new();
    let mut next = 0;
    while let Some(byte) = rest.next() {
        if byte != b'%' || rest.take(b'%') {
            continue;
        }
        let place = rest.place();
        let suppressed = rest.take(b'*');
        let width = rest.number();
        let allocates = rest.take(b'm');
        let Length { bytes, long } = rest.length();
        let unit = if long == Long::Once { 4 } else { 1 };
        let Some(conversion) = rest.next() else {
            break;
        };
        let scanned = match conversion {
            b'd' | b'i' | b'o' | b'u' | b'x' | b'X' => Scanned::Bytes(bytes),
            b'p' => Scanned::Bytes(4),
            b'a' | b'A' | b'e' | b'E' | b'f' | b'F' | b'g' | b'G' => Scanned::Bytes(match long {
                Long::No => 4,
                Long::Once => 8,
                Long::Twice => 16,
            }),
            b'c' => Scanned::Bytes(width.unwrap_or(1).saturating_mul(unit)),
            b'C' => Scanned::Bytes(width.unwrap_or(1).saturating_mul(4)),
            b's' => Scanned::Text { unit },
            b'S' => Scanned::Text { unit: 4 },
            b'[' => {
                rest.take(b'^');
                // A bracket that comes first is one of the set.
                rest.next();
                while rest.next().is_some_and(|byte| byte != b']') {}
                Scanned::Text { unit }
            }
            b'n' => Scanned::Count(bytes),
            _ => break,
        };
        if suppressed {
            continue;
        }
        let scanned = match scanned {
            Scanned::Text { .. } if allocates => Scanned::Allocated,
            Scanned::Bytes(_) if allocates => Scanned::Allocated,
            scanned => scanned,
        };
        let number = place.unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        if number >= MOST_ARGUMENTS {
            break;
        }
        items.push((number, scanned));
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(most: Precision) -> Printed {
        Printed::Text { most, wide: false }
    }

    fn printed(format: &str) -> Vec<Printed> {
        let taken = printf(format.as_bytes());
        taken.iter().map(|taken| taken.printed).collect()
    }

    #[test]
    fn printf_takes_what_its_conversions_say() {
        use Printed::{Count, Value};
        assert_eq!(
            printed("100%% %d%c %s\n"),
            [Value(4), Value(4), text(Precision::All)]
        );
        assert_eq!(
            printed("%-5.3s%.s"),
            [3, 0].map(|n| text(Precision::Bytes(n)))
        );
        assert_eq!(printed("%*.*s").len(), 3);
        assert_eq!(printed("%*.*s")[2], text(Precision::Argument(1)));
        assert_eq!(printed("%.-1s"), [text(Precision::All)]);
        assert_eq!(
            printed("%hhd%hd%ld%lld%jd%zu%td"),
            [4, 4, 4, 8, 8, 4, 4].map(Value)
        );
        assert_eq!(printed("%f%lf%Lf%+.2e"), [8, 8, 16, 8].map(Value));
        assert_eq!(printed("%n%hhn%lln"), [4, 1, 8].map(Count));
        assert_eq!(printed("%ls%m%p").len(), 2);
        // What is not known ends it.
        assert_eq!(printed("%d%y%s"), [Value(4)]);
        assert_eq!(printed("%"), []);
    }

    #[test]
    fn arguments_are_aligned_to_their_size() {
        assert_eq!(offsets(&printf(b"%d%lld%s%f%d%Lf")), [0, 8, 16, 24, 32, 48]);
        assert_eq!(offsets(&printf(b"%2$s%1$lld")), [0, 8]);
        assert_eq!(offsets(&printf(b"%3$s%1$d")), [0]);
        let taken = printf(b"%2$.*1$s");
        assert_eq!(taken[1].printed, text(Precision::Argument(0)));
        assert_eq!((offsets(&taken), taken[1].number), (vec![0, 4], 1));
        // Many arguments by position cost no memory.
        assert_eq!(printf(b"%4000000000$d"), []);
    }

    #[test]
    fn scanf_writes_what_its_conversions_say() {
        use Scanned::{Allocated, Bytes, Count, Text};
        let scanned = |format: &str| -> Vec<Scanned> {
            let items = scanf(format.as_bytes());
            items.into_iter().map(|(_, item)| item).collect()
        };
        assert_eq!(scanned("%d,%hd %lld%hhx"), [4, 2, 8, 1].map(Bytes));
        assert_eq!(scanned("%f%lf%Lf%p"), [4, 8, 16, 4].map(Bytes));
        assert_eq!(scanned("%*d%5c%c"), [5, 1].map(Bytes));
        assert_eq!(
            scanned("%9s%[]a-z]%[^]]%ms"),
            [
                Text { unit: 1 },
                Text { unit: 1 },
                Text { unit: 1 },
                Allocated
            ]
        );
        assert_eq!(scanned("%ls"), [Text { unit: 4 }]);
        assert_eq!(scanned("%*d%n;%hhn%*n%d"), [Count(4), Count(1), Bytes(4)]);
        assert_eq!(scanf(b"%2$d%1$d"), [(1, Bytes(4)), (0, Bytes(4))]);
    }
}
