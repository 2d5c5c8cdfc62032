//! A hostile server tries to get out of its sandbox. Each attempt belongs to a part of the sandbox: if the report calls
//! the part enforced, the attempt must be refused.

use std::collections::BTreeMap;
use std::process::Command;

use loggia_sandbox::SandboxPart::{
    self, Files, Memory, Network, Privileges, ProcessCount, ProcessEnd, Processes, SystemCalls, TotalUse,
};
use serde_json::{Value, json};

use crate::fixture::{Surroundings, clean, confined, python, runs_with_argument, sandbox, text};

const SCRIPT: &str = include_str!("hostile.py");

/// Every attempt, with the parts that refuse it: it must be refused if one of them is enforced. `None` is a gap that
/// the documentation names.
const ATTEMPTS: &[(&str, Option<SandboxPart>)] = &[
    ("read_file", Some(Files)),
    ("read_with_dots", Some(Files)),
    ("read_through_given_link", Some(Files)),
    ("read_through_own_link", Some(Files)),
    ("read_through_hard_link", Some(Files)),
    ("read_after_change_of_folder", Some(Files)),
    ("read_through_path_descriptor", Some(Files)),
    ("read_through_folder_descriptor", Some(Files)),
    ("read_through_handle", Some(SystemCalls)),
    ("read_root_of_init", Some(Files)),
    ("read_folder_of_init", Some(Files)),
    ("list_outside", Some(Files)),
    ("list_home_of_user", Some(Files)),
    ("list_temporary_folder", Some(Files)),
    ("list_root", Some(Files)),
    ("read_shared_memory", Some(Files)),
    ("read_passwords", Some(Files)),
    ("read_kernel_log", Some(Files)),
    ("read_memory_device", Some(Files)),
    ("read_disk", Some(Files)),
    ("open_terminal", Some(Files)),
    ("run_outside_program", Some(Files)),
    ("see_that_a_file_exists", None),
    ("write_new_file", Some(Files)),
    ("write_existing_file", Some(Files)),
    ("write_readable_folder", Some(Files)),
    ("empty_file", Some(Files)),
    ("remove_file", Some(Files)),
    ("move_file_out", Some(Files)),
    ("move_file_in", Some(Files)),
    ("make_folder", Some(Files)),
    ("make_link", Some(Files)),
    ("make_pipe", Some(Files)),
    ("change_mode", Some(Files)),
    ("change_times", Some(Files)),
    ("change_owner", Some(Files)),
    ("change_attribute", Some(Files)),
    ("make_device", Some(Files)),
    ("change_kernel_setting", Some(Files)),
    ("signal_process", Some(Processes)),
    ("signal_all_processes", Some(Processes)),
    ("trace_process", Some(SystemCalls)),
    ("trace_init", Some(SystemCalls)),
    ("read_memory_of_process", Some(SystemCalls)),
    ("read_variables_of_process", Some(Processes)),
    ("read_command_line_of_process", Some(Processes)),
    ("find_process_in_list", Some(Processes)),
    ("read_variables_of_init", Some(Processes)),
    ("write_memory_of_init", Some(Processes)),
    ("open_files_of_init", Some(Processes)),
    ("hold_process", Some(Processes)),
    ("take_descriptor_of_process", Some(SystemCalls)),
    ("change_priority_of_process", Some(Processes)),
    ("have_capabilities", Some(Privileges)),
    ("gain_privileges_with_a_program", Some(Privileges)),
    ("raise_own_priority", Some(Privileges)),
    ("run_in_real_time", Some(Privileges)),
    ("lift_own_limits", Some(Privileges)),
    ("become_another_user", Some(Privileges)),
    ("load_bpf", Some(SystemCalls)),
    ("handle_page_faults", Some(SystemCalls)),
    ("use_keyring", Some(SystemCalls)),
    ("add_key", Some(SystemCalls)),
    ("use_io_uring", Some(SystemCalls)),
    ("measure_events", Some(SystemCalls)),
    ("make_user_namespace", Some(SystemCalls)),
    ("clone_into_user_namespace", Some(SystemCalls)),
    ("clone_with_unseen_flags", Some(SystemCalls)),
    ("enter_namespace", Some(SystemCalls)),
    ("mount_folder", Some(SystemCalls)),
    ("change_root", Some(SystemCalls)),
    ("replace_root", Some(SystemCalls)),
    ("load_kernel", Some(SystemCalls)),
    ("load_module", Some(SystemCalls)),
    ("restart_machine", Some(SystemCalls)),
    ("use_swap", Some(SystemCalls)),
    ("set_clock", Some(SystemCalls)),
    ("set_host_name", Some(SystemCalls)),
    ("type_into_terminal", Some(SystemCalls)),
    ("use_other_abi", Some(SystemCalls)),
    ("connect_to_this_machine", Some(Network)),
    ("connect_to_this_machine_by_another_address", Some(Network)),
    ("connect_to_listed_host_at_another_port", Some(Network)),
    ("connect_to_an_address_of_no_name", Some(Network)),
    ("connect_to_a_name_of_this_machine", Some(Network)),
    ("reach_a_network", Some(Network)),
    ("reach_a_network_of_ipv6", Some(Network)),
    ("send_datagram_to_this_machine", Some(Network)),
    ("look_up_a_name_that_carries_data", Some(Network)),
    ("ask_another_resolver", Some(Network)),
    ("make_raw_socket", Some(Privileges)),
    ("make_packet_socket", Some(SystemCalls)),
    ("make_machine_socket", Some(SystemCalls)),
    ("make_crypto_socket", Some(SystemCalls)),
    ("connect_to_socket_file", Some(Network)),
    ("connect_to_abstract_socket", Some(Network)),
    ("add_address", Some(Network)),
    ("use_private_memory", Some(Memory)),
    ("start_many_processes", Some(ProcessCount)),
    ("use_shared_memory", Some(TotalUse)),
    ("use_the_processor", Some(TotalUse)),
    ("outlive_the_sandbox", Some(ProcessEnd)),
];

/// Attempts that get out without a sandbox, for every user and on every machine. They show that the script really
/// tries.
const CONTROLS: &[&str] = &[
    "read_file",
    "read_with_dots",
    "read_through_given_link",
    "read_through_own_link",
    "read_after_change_of_folder",
    "read_through_path_descriptor",
    "read_through_folder_descriptor",
    "list_outside",
    "list_temporary_folder",
    "list_root",
    "read_shared_memory",
    "run_outside_program",
    "see_that_a_file_exists",
    "write_new_file",
    "write_existing_file",
    "write_readable_folder",
    "empty_file",
    "remove_file",
    "move_file_out",
    "move_file_in",
    "make_folder",
    "make_link",
    "make_pipe",
    "change_mode",
    "change_times",
    "change_owner",
    "signal_process",
    "read_variables_of_process",
    "read_command_line_of_process",
    "find_process_in_list",
    "hold_process",
    "change_priority_of_process",
    "connect_to_this_machine",
    "connect_to_a_name_of_this_machine",
    "send_datagram_to_this_machine",
    "connect_to_socket_file",
    "connect_to_abstract_socket",
    "use_private_memory",
    "use_shared_memory",
    "use_the_processor",
];

/// Runs the script, and returns whether each attempt got out, with the detail.
fn run(mut command: Command, surroundings: &Surroundings, given: &Value) -> BTreeMap<String, (bool, String)> {
    let temporary = given["temporary"].as_str();
    command.envs(temporary.map(|path| ("TMPDIR", path)));
    let output = command.args(["-c", SCRIPT]).arg(given.to_string()).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let results = lines.lines().map(|line| {
        let result: Value = serde_json::from_str(line).expect(line);
        let name = result["attempt"].as_str().unwrap().to_owned();
        (name, (result["got_out"].as_bool().unwrap(), result["detail"].as_str().unwrap().to_owned()))
    });
    let results: BTreeMap<_, _> = results.collect();
    assert!(!results.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(surroundings.path("outside").exists());
    results
}

fn given(surroundings: &Surroundings) -> Value {
    json!({
        "outside": text(&surroundings.path("outside")),
        "allowed": text(&surroundings.path("allowed")),
        "home": std::env::var("HOME").unwrap_or("/root".to_owned()),
        "victim": surroundings.victim.id(),
        "shared_memory": text(surroundings.shared_memory.path()),
        "port": surroundings.tcp,
        "alias": "localhost",
        "datagram_port": surroundings.udp,
        "socket": text(&surroundings.path("outside").join("socket")),
        "abstract_socket": surroundings.abstract_socket,
        "memory": surroundings.policy().memory,
        "processes": surroundings.policy().processes,
        "marker": marker(surroundings),
    })
}

/// Returns the argument of a process that tries to outlive the sandbox: a number of seconds that no other test has.
fn marker(surroundings: &Surroundings) -> String {
    format!("60.{:05}", surroundings.tcp)
}

#[test]
fn a_hostile_server_does_not_get_out_of_what_is_enforced() {
    let surroundings = Surroundings::new();
    let enforcement = sandbox().enforcement().clone();
    let mut results = run(confined(&surroundings.policy(), &python()), &surroundings, &given(&surroundings));
    // The script starts the process; it got out if it still runs.
    results
        .entry("outlive_the_sandbox".to_owned())
        .and_modify(|result| result.0 = runs_with_argument(&marker(&surroundings)));
    let tried: Vec<&str> = results.keys().map(String::as_str).collect();
    let mut known: Vec<&str> = ATTEMPTS.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    assert_eq!(tried, known);

    let (mut refused, mut open, mut escaped) = (0, Vec::new(), Vec::new());
    for (name, part) in ATTEMPTS {
        let (got_out, _) = &results[*name];
        match (got_out, part) {
            (false, _) => refused += 1,
            (true, Some(part)) if enforcement.is_enforced(*part) => escaped.push(format!("{name} ({part})")),
            (true, _) => open.push(*name),
        }
    }
    println!("{enforcement}");
    println!("{} attempts: {refused} refused, {} not enforceable here: {open:?}", ATTEMPTS.len(), open.len());
    assert_eq!(escaped, Vec::<String>::new());
}

#[test]
fn the_attempts_get_out_without_a_sandbox() {
    let surroundings = Surroundings::new();
    let mut given = given(&surroundings);
    given["only"] = json!(CONTROLS);
    given["temporary"] = json!(text(&surroundings.path("own")));
    let results = run(clean(Command::new(python())), &surroundings, &given);
    for name in CONTROLS {
        assert!(results[*name].0, "{name}: {}", results[*name].1);
    }
}
