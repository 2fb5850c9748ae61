//! Main executes `unreachable`.

fn main() {
    std::process::abort(); //~ trap
}

threadlink::main!(main);
