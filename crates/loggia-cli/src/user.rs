//! Who the person at this machine is to the operating system.

/// Where systems say it, in the order in which it is looked for.
const VARIABLES: [&str; 3] = ["USER", "LOGNAME", "USERNAME"];

/// The name of the person who started the program.
pub(crate) fn name() -> String {
    let said = VARIABLES.iter().filter_map(|name| std::env::var(name).ok());
    // Containers have none; there is one person all the same.
    said.map(|name| name.trim().to_owned())
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "owner".to_owned())
}
