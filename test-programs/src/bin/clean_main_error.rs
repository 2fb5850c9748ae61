//! `main` returns an error: it goes to standard error, and the code is 1.
//@ exit: 1

fn main() -> Result<(), &'static str> {
    Err("no luck")
}

threadlink::main!(main);
