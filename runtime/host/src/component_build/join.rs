//! One `cargo build` for several packages: cargo then compiles independent crates at the same time, and a dependency once.

/// The command that builds the packages of both commands; `None` unless both are the same `cargo build`, apart from the
/// packages at their end.
pub(super) fn joined(first: &str, second: &str) -> Option<String> {
    let (command, packages) = split(first)?;
    let (other, more) = split(second)?;
    (command == other).then(|| format!("{command}{packages}{more}"))
}

/// A `cargo build` without and with the packages at its end: `cargo build --release` and ` -p car`.
fn split(command: &str) -> Option<(&str, &str)> {
    let (command, packages) = command.split_at(command.find(" -p ")?);
    // Other characters may have a meaning for the shell.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b" -_./=".contains(&byte);
    let words: Vec<&str> = packages.split_whitespace().collect();
    let is_package = |words: &[&str]| matches!(words, ["-p", name] if !name.starts_with('-'));
    let is_joinable = command.starts_with("cargo build")
        && command.bytes().chain(packages.bytes()).all(is_plain)
        && words.chunks(2).all(is_package);
    is_joinable.then_some((command, packages))
}

#[cfg(test)]
mod tests {
    use super::joined;

    const CAR: &str = "cargo build --release --target wasm32-wasip2 -p car";

    #[test]
    fn builds_of_different_packages_are_joined() {
        let both = joined(CAR, &CAR.replace("-p car", "-p payment"));
        let expected = format!("{CAR} -p payment");
        assert_eq!(both.as_deref(), Some(&*expected));
        let all = joined(&expected, &CAR.replace("-p car", "-p message"));
        assert_eq!(all, Some(format!("{expected} -p message")));
    }

    #[test]
    fn other_commands_are_not_joined() {
        for other in [
            "cargo build --target wasm32-wasip2 -p payment",
            "cargo build --release --target wasm32-wasip2",
            "cargo build --release --target wasm32-wasip2 -p payment --locked",
            "cargo build --release --target wasm32-wasip2 -p payment && cp a b",
            "cargo test --release --target wasm32-wasip2 -p payment",
            "npm run build",
        ] {
            assert_eq!(joined(CAR, other), None, "{other}");
            assert_eq!(joined(other, CAR), None, "{other}");
        }
    }
}
