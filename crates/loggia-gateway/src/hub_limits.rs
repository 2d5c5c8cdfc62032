//! The bounds of the hub, from `[server.limits]`. Invariant: every key of the section has an effect.

use loggia_connect::config_file::{GatewayLimits, ServerSection};
use loggia_hub::{HubLimits, RetryPolicy};
use loggia_store::ResultStoreLimits;

/// Returns the bounds of a hub with at most `requests` running calls.
pub(crate) fn hub_limits(server: &ServerSection, requests: usize) -> HubLimits {
    let default = HubLimits::default();
    // This names all fields, so that a new key cannot be forgotten here.
    let GatewayLimits {
        start_timeout,
        starts,
        start_turn,
        connect_timeout,
        list_timeout,
        probe_timeout,
        call_timeout,
        call_max_timeout,
        first_list_wait,
        connect_wait,
        removal_timeout,
        retry_first,
        retry_longest,
        retry_stable_after,
        keep_listed,
        list_entries,
        list_page,
        list_refresh_after,
        list_ttl,
        suspended_calls,
        suspended_call_timeout,
        connector_subscriptions,
        instructions_bytes,
        user_connections,
        user_connection_idle,
        process_idle,
        sign_in_timeout,
        result_bytes,
        stored_result_bytes,
        stored_result_caller_bytes,
        stored_result_ttl,
    } = server.gateway.clone();
    HubLimits {
        upstream: server.limits.clone(),
        requests,
        result_bytes: result_bytes.unwrap_or(default.result_bytes),
        start_timeout: start_timeout.unwrap_or(default.start_timeout),
        starts: starts.unwrap_or(default.starts),
        start_turn: start_turn.unwrap_or(default.start_turn),
        connect_timeout: connect_timeout.unwrap_or(default.connect_timeout),
        list_timeout: list_timeout.unwrap_or(default.list_timeout),
        probe_timeout: probe_timeout.unwrap_or(default.probe_timeout),
        timeout: call_timeout.unwrap_or(default.timeout),
        max_timeout: call_max_timeout.unwrap_or(default.max_timeout),
        first_list_wait: first_list_wait.unwrap_or(default.first_list_wait),
        connect_wait: connect_wait.unwrap_or(default.connect_wait),
        removal_timeout: removal_timeout.unwrap_or(default.removal_timeout),
        retry: RetryPolicy {
            first_retry: retry_first.unwrap_or(default.retry.first_retry),
            longest_retry: retry_longest.unwrap_or(default.retry.longest_retry),
            stable_after: retry_stable_after.unwrap_or(default.retry.stable_after),
            keep_listed: keep_listed.unwrap_or(default.retry.keep_listed),
        },
        list_entries: list_entries.unwrap_or(default.list_entries),
        page: list_page.unwrap_or(default.page),
        refresh_after: list_refresh_after.unwrap_or(default.refresh_after),
        list_ttl: list_ttl.unwrap_or(default.list_ttl),
        suspended_calls: suspended_calls.unwrap_or(default.suspended_calls),
        suspended_call_timeout: suspended_call_timeout.unwrap_or(default.suspended_call_timeout),
        subscriptions: connector_subscriptions.unwrap_or(default.subscriptions),
        instructions: instructions_bytes.unwrap_or(default.instructions),
        user_connections: user_connections.unwrap_or(default.user_connections),
        user_connection_idle: user_connection_idle.unwrap_or(default.user_connection_idle),
        process_idle: process_idle.unwrap_or(default.process_idle),
        sign_in_wait: sign_in_timeout.unwrap_or(default.sign_in_wait),
        stored_results: ResultStoreLimits {
            bytes: stored_result_bytes.unwrap_or(default.stored_results.bytes),
            caller_bytes: stored_result_caller_bytes.unwrap_or(default.stored_results.caller_bytes),
            time_to_live: stored_result_ttl.unwrap_or(default.stored_results.time_to_live),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use loggia_connect::config_file::ConfigFile;

    use super::*;

    const BOOK: &str = include_str!("../../../docs/src/up.md");

    /// The keys in the table of the book.
    fn documented() -> BTreeSet<&'static str> {
        let table = BOOK.split("## Limits").nth(1).expect("the section");
        let rows = table.lines().filter(|line| line.starts_with("| `"));
        rows.flat_map(|row| row.split('|').nth(1).expect("a cell").split('`').skip(1).step_by(2)).collect()
    }

    fn read(text: &str) -> Result<ServerSection, String> {
        let config = ConfigFile::parse(&format!("[server.limits]\n{text}\n"), Path::new("loggia.toml"));
        config.map(|config| config.server).map_err(|error| error.to_string())
    }

    #[test]
    fn every_key_of_the_book_sets_a_bound_of_the_hub() {
        let shown = |server: &ServerSection| {
            let requests = server.limits.requests;
            (format!("{:?}", server.limits), format!("{:?}", hub_limits(server, requests)))
        };
        let default = shown(&ServerSection::default());
        for key in documented() {
            let server = read(&format!("{key} = 7")).or_else(|_| read(&format!("{key} = \"7s\"")));
            let server = server.unwrap_or_else(|error| panic!("{key}: {error}"));
            assert_ne!(shown(&server), default, "{key} has no effect");
            assert_ne!(shown(&server).1, default.1, "{key} does not reach the connectors");
        }
    }

    #[test]
    fn every_key_is_in_the_book() {
        let error = read("zzzzzz = 1").expect_err("there is no such key");
        let names = error.split("it is one of ").nth(1).expect("the names").trim();
        let known: BTreeSet<&str> = names.split(", ").collect();
        assert_eq!(known, documented());
    }
}
