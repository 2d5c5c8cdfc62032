//! The name of the user of this machine, as the operating system knows it. It is the subject of those who sign in by a
//! link, and the owner of API keys that name no other.

/// The environment variables that hold it, in the order in which they are read.
const VARIABLES: [&str; 3] = ["USER", "LOGNAME", "USERNAME"];

/// Returns the name of the user who started the program; `owner` where the environment has none, as in containers.
pub fn os_user_name() -> String {
    let values = VARIABLES.iter().filter_map(|name| std::env::var(name).ok());
    values
        .map(|name| name.trim().to_owned())
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "owner".to_owned())
}
