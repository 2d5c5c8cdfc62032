//! The pages about applications in the book, which say what the table says. `UPDATE_PAGES=1` writes them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use loggia_connect::clients::{
    ClientApp, ClientTable, ConfigFormat, GatewayTransport, InstallOutcome, InstallRequest, OperatingSystem,
};

use super::machine::Machine;

const SYSTEMS: [OperatingSystem; 3] =
    [OperatingSystem::Linux, OperatingSystem::MacOs, OperatingSystem::Windows];

fn book() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src")
}

/// Returns a template as people write the path.
fn path(template: &str, system: OperatingSystem) -> String {
    let (home, config) = match system {
        OperatingSystem::Linux => ("~", "~/.config"),
        OperatingSystem::MacOs => ("~", "~/Library/Application Support"),
        OperatingSystem::Windows => ("%USERPROFILE%", "%APPDATA%"),
    };
    let path = template.replace("{home}", home).replace("{config}", config).replace("{env:", "{");
    let path = path.replace("{xdg}", &format!("{home}/.config"));
    match (system, path.split_once('}')) {
        (OperatingSystem::Windows, Some((name, rest))) => {
            format!("%{}%{rest}", &name[1..]).replace('/', "\\")
        }
        (_, Some((name, rest))) => format!("${}{rest}", &name[1..]),
        (OperatingSystem::Windows, None) => path.replace('/', "\\"),
        (_, None) => path,
    }
}

/// Returns the text of the entry in a new file.
fn entry(machine: &Machine, client: &ClientApp, transport: GatewayTransport) -> String {
    let request = InstallRequest { transport: Some(transport), ..machine.request(client) };
    match machine.installer.install(&client.name, &request).unwrap() {
        InstallOutcome::Change(plan) => {
            let diff = plan.change.diff();
            let lines = diff.lines().filter(|line| line.starts_with('+') && !line.starts_with("+++"));
            lines.map(|line| format!("{}\n", &line[1..])).collect()
        }
        other => panic!("{}: {other:?}", client.name),
    }
}

fn page(machine: &Machine, client: &ClientApp) -> String {
    let ClientApp { name, title, .. } = client;
    let mut page = format!("# {title}\n\n");
    let Some(format) = client.format else {
        writeln!(
            page,
            "{title} has no file that a program can edit. `loggia install {name}` prints these steps:\n"
        )
        .unwrap();
        for (n, step) in client.steps.iter().enumerate() {
            let step = step.replace("{url}", "http://127.0.0.1:4000/mcp").replace("{name}", "loggia");
            writeln!(page, "{}. {step}", n + 1).unwrap();
        }
        return page + &sources(client);
    };
    let has_user = !client.user_templates(OperatingSystem::Linux).is_empty();
    page.push_str("```sh\n");
    if has_user {
        writeln!(page, "loggia install {name}").unwrap();
    }
    if !client.project_files().is_empty() {
        let option = if has_user {
            "--project      # the file of the project in this folder"
        } else {
            "--project=DIR"
        };
        writeln!(page, "loggia install {name} {option}").unwrap();
    }
    page.push_str("```\n\n| file | of |\n|---|---|\n");
    let paths = |system: OperatingSystem| {
        let templates = client.user_templates(system).iter();
        templates.map(|template| format!("`{}`", path(template, system))).collect::<Vec<_>>().join(", else ")
    };
    for system in SYSTEMS.into_iter().filter(|_| has_user) {
        writeln!(page, "| {} | the user, on {} |", paths(system), system.title()).unwrap();
    }
    for file in client.project_files() {
        writeln!(page, "| `{file}` | a project |").unwrap();
    }
    let language = match format {
        ConfigFormat::Json => "json",
        ConfigFormat::Toml => "toml",
        ConfigFormat::Yaml => "yaml",
    };
    for transport in client.transports() {
        let text = match transport {
            GatewayTransport::Http => "The entry with the URL of the gateway:",
            GatewayTransport::Stdio if client.transports().len() == 1 => {
                "The application starts a [bridge](README.md#bridge):"
            }
            GatewayTransport::Stdio => "With `--stdio`, the application starts a [bridge](README.md#bridge):",
        };
        write!(page, "\n{text}\n\n```{language}\n{}```\n", entry(machine, client, transport)).unwrap();
    }
    writeln!(page, "\n{}", client.after).unwrap();
    for note in &client.notes {
        writeln!(page, "\n{note}").unwrap();
    }
    page + &sources(client)
}

fn sources(client: &ClientApp) -> String {
    let sources = client.sources.iter().map(|source| format!("- <{source}>\n")).collect::<String>();
    format!("\n## Sources\n\n{sources}")
}

/// Returns the list of applications for the first page.
fn list() -> String {
    let mut list = "## Applications\n\n| application | name | by URL | by command | file of a project |\n|---|---|---|---|---|\n".to_owned();
    for client in ClientTable::embedded().all() {
        let ClientApp { name, title, .. } = client;
        let mark = |transport| if client.transports().contains(&transport) { "yes" } else { "" };
        let (url, command) = match client.format {
            Some(_) => (mark(GatewayTransport::Http), mark(GatewayTransport::Stdio)),
            None => ("by hand", ""),
        };
        let project = if client.project_files().is_empty() { "" } else { "yes" };
        writeln!(list, "| [{title}]({name}.md) | `{name}` | {url} | {command} | {project} |").unwrap();
    }
    list
}

#[test]
fn the_book_says_what_the_table_says() {
    let machine = Machine::new();
    let folder = book().join("clients");
    let is_update = std::env::var_os("UPDATE_PAGES").is_some();
    let mut pages: Vec<(PathBuf, String)> = Vec::new();
    for client in ClientTable::embedded().all() {
        pages.push((folder.join(format!("{}.md", client.name)), page(&machine, client)));
    }
    let first = folder.join("README.md");
    let text = fs::read_to_string(&first).unwrap();
    let start = text.split("## Applications\n").next().unwrap();
    pages.push((first, format!("{}\n\n{}", start.trim_end(), list())));
    let summary = book().join("SUMMARY.md");
    let links = ClientTable::embedded().all().iter().fold(String::new(), |links, client| {
        format!("{links}  - [{}](clients/{}.md)\n", client.title, client.name)
    });
    let text = fs::read_to_string(&summary).unwrap();
    let (start, rest) = text.split_once("- [AI applications](clients/README.md)\n").unwrap();
    pages.push((
        summary,
        format!("{start}- [AI applications](clients/README.md)\n{links}{}", after_links(rest)),
    ));
    for (file, text) in &pages {
        if is_update {
            fs::write(file, text).unwrap();
        }
        let written = fs::read_to_string(file).unwrap_or_default();
        assert!(
            written == *text,
            "{} differs from the table: run the test with UPDATE_PAGES=1",
            file.display()
        );
    }
    let others = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let unknown: Vec<PathBuf> = others.filter(|file| pages.iter().all(|(page, _)| page != file)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// Returns the lines after the links of one chapter.
fn after_links(rest: &str) -> &str {
    let mut at = 0;
    for line in rest.split_inclusive('\n').take_while(|line| line.starts_with("  - [")) {
        at += line.len();
    }
    &rest[at..]
}
