//! The binary `inventory`.

fn main() -> std::process::ExitCode {
    inventory::main(|_| {})
}
