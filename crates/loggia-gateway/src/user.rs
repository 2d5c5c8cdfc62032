//! The name of the user of this machine in the operating system. It is the subject of users who sign in with a link,
//! and the owner of API keys without another owner.

/// The environment variables with the name, in the order in which they are read.
const VARIABLES: [&str; 3] = ["USER", "LOGNAME", "USERNAME"];

/// Returns the name of the user who started the program; `owner` if the environment has none, as in containers.
pub fn os_user_name() -> String {
    let values = VARIABLES.iter().filter_map(|name| std::env::var(name).ok());
    values
        .map(|name| name.trim().to_owned())
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "owner".to_owned())
}
