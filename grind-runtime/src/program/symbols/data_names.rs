//! Symbols of data, without debug information: the symbol table that a module linked with `--emit-relocs` keeps, and
//! names of data segments that are one for each variable.

use super::demangle::demangle;
use super::variable::Variable;
use wasmparser::{
    DataKind, KnownCustom, Linking, Name, Operator, Parser, Payload, SymbolInfo, TypeRef,
};

/// Where symbols of data are, by address.
#[derive(Debug, Default)]
pub(super) struct DataNames {
    symbols: Vec<Variable>,
}

/// What linkers put before a variable's name when it has a segment of its own. A segment of this name alone has many.
const SEGMENTS: [&str; 3] = [".data.", ".bss.", ".rodata."];

/// What is collected over the sections, which may come in any order.
#[derive(Default)]
struct Found<'m> {
    /// Address and length of each segment, as far as they are known.
    segments: Vec<(Option<u32>, u32)>,
    names: Vec<(u32, &'m str)>,
    /// Segment, offset, size and name.
    symbols: Vec<(u32, u32, u32, &'m str)>,
    start: Option<u32>,
    imported: u32,
    bodies: u32,
    /// Where the start function puts passive segments.
    placed: Vec<(u32, u32)>,
}

impl DataNames {
    /// As many as are readable.
    pub(super) fn read(module: &[u8]) -> DataNames {
        let mut found = Found::default();
        // What was found before an error is good.
        let _ = found.read(module);
        for &(segment, address) in &found.placed {
            if let Some((place @ None, _)) = found.segments.get_mut(segment as usize) {
                *place = Some(address);
            }
        }
        let place = |segment: u32| match found.segments.get(segment as usize) {
            Some(&(Some(address), len)) => Some((address, len)),
            _ => None,
        };
        let symbols = found
            .symbols
            .iter()
            .filter_map(|&(segment, offset, size, name)| {
                let address = place(segment)?.0.checked_add(offset)?;
                Some((name, address, size))
            });
        let segments = found.names.iter().filter_map(|&(segment, name)| {
            let name = (SEGMENTS.iter()).find_map(|prefix| name.strip_prefix(prefix))?;
            let (address, len) = place(segment)?;
            Some((name, address, len))
        });
        let mut symbols: Vec<Variable> = symbols
            .chain(segments)
            .filter(|(name, _, size)| !name.is_empty() && *size > 0)
            .map(|(name, address, size)| Variable {
                name: demangle(name),
                address,
                size: Some(size),
            })
            .collect();
        symbols.sort_by_key(|symbol| symbol.address);
        DataNames { symbols }
    }

    /// The symbol that this byte belongs to.
    pub(super) fn find(&self, address: u32) -> Option<Variable> {
        let end = (self.symbols).partition_point(|symbol| symbol.address <= address);
        let nearest = self.symbols[..end].last()?;
        nearest.contains(address).then(|| nearest.clone())
    }
}

impl<'m> Found<'m> {
    fn read(&mut self, module: &'m [u8]) -> wasmparser::Result<()> {
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::ImportSection(reader) => {
                    for import in reader.into_imports() {
                        let function = TypeRef::Func(0);
                        let same = std::mem::discriminant(&import?.ty)
                            == std::mem::discriminant(&function);
                        self.imported += u32::from(same);
                    }
                }
                Payload::StartSection { func, .. } => self.start = Some(func),
                Payload::CodeSectionEntry(body) => {
                    let index = self.imported + self.bodies;
                    self.bodies += 1;
                    if self.start == Some(index) {
                        self.read_start(&body)?;
                    }
                }
                Payload::DataSection(reader) => {
                    for data in reader {
                        let data = data?;
                        let address = match data.kind {
                            DataKind::Active { offset_expr, .. } => {
                                match offset_expr.get_operators_reader().read()? {
                                    Operator::I32Const { value } => Some(value.cast_unsigned()),
                                    _ => None,
                                }
                            }
                            DataKind::Passive => None,
                        };
                        let len = u32::try_from(data.data.len()).unwrap_or(u32::MAX);
                        self.segments.push((address, len));
                    }
                }
                Payload::CustomSection(section) => match section.as_known() {
                    KnownCustom::Name(subsections) => {
                        for subsection in subsections {
                            if let Name::Data(map) = subsection? {
                                for naming in map {
                                    let naming = naming?;
                                    self.names.push((naming.index, naming.name));
                                }
                            }
                        }
                    }
                    KnownCustom::Linking(subsections) => {
                        for subsection in subsections {
                            let Linking::SymbolTable(symbols) = subsection? else {
                                continue;
                            };
                            for symbol in symbols {
                                if let SymbolInfo::Data {
                                    name,
                                    symbol: Some(symbol),
                                    ..
                                } = symbol?
                                {
                                    let at = (symbol.index, symbol.offset, symbol.size);
                                    self.symbols.push((at.0, at.1, at.2, name));
                                }
                            }
                        }
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        Ok(())
    }

    /// The linker's start function copies each passive segment whole, to an address that is a constant.
    fn read_start(&mut self, body: &wasmparser::FunctionBody<'m>) -> wasmparser::Result<()> {
        let mut constants = [None; 3];
        for operator in body.get_operators_reader()? {
            match operator? {
                Operator::I32Const { value } => {
                    constants.rotate_left(1);
                    constants[2] = Some(value.cast_unsigned());
                }
                Operator::MemoryInit { data_index, .. } => {
                    if let [Some(address), Some(0), Some(_)] = constants {
                        self.placed.push((data_index, address));
                    }
                    constants = [None; 3];
                }
                _ => constants = [None; 3],
            }
        }
        Ok(())
    }
}
