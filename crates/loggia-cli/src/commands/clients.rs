//! `loggia install`, `loggia uninstall` and `loggia bridge`: AI applications as clients of the gateway.

use loggia_connect::clients::{
    ClientInstaller, FileChange, GatewayAddress, GatewayTransport, InstallOutcome, InstallRequest,
    UninstallOutcome,
};
use loggia_gateway::{Credentials, Gateway, GatewayConfig, client_installer};

use super::add::is_interactive;
use super::up;
use crate::args::{BridgeArgs, ClientFileArgs, InstallArgs, UninstallArgs};
use crate::ask;
use crate::exit::{Code, Failure, Outcome};
use crate::out::{self, DIM, GOOD, NAME};
use crate::target::connector_context;
use crate::text::{harmless, one_line};

/// `loggia install`.
pub(crate) fn install(args: &InstallArgs, credentials: &Credentials) -> Outcome {
    let address = match &args.url {
        Some(url) => GatewayAddress::parse(url).map_err(|why| Failure::usage(format!("--url {why}")))?,
        None => GatewayAddress::default(),
    };
    let address = match &args.toolset {
        Some(toolset) => {
            address.with_toolset(toolset).map_err(|why| Failure::usage(format!("--toolset {why}")))?
        }
        None => address,
    };
    let request = InstallRequest {
        address,
        transport: args.stdio.then_some(GatewayTransport::Stdio),
        replaces: args.replace,
        ..request(&args.file)
    };
    for_each(&args.file, false, credentials, |installer, name| {
        match installer.install(name, &request)? {
            InstallOutcome::Change(plan) if args.file.dry_run => show(&plan.change)?,
            InstallOutcome::Change(plan) => {
                let (text, after, notes) = (plan.to_string(), plan.after.clone(), plan.notes.clone());
                let backup = plan.apply()?;
                out::print(format!("{GOOD}✓{GOOD:#} {}\n", one_line(&text)))?;
                let backup = backup.map(|backup| format!("The file as it was: {}", backup.display()));
                for line in [after].into_iter().chain(notes).chain(backup) {
                    out::print(format!("  {DIM}{}{DIM:#}\n", one_line(&line)))?;
                }
            }
            InstallOutcome::Present { title, file } => {
                out::print(format!(
                    "{title}: {} has this entry already\n",
                    one_line(&file.display().to_string())
                ))?;
            }
            InstallOutcome::Manual(steps) => out::print(format!("{steps}\n"))?,
        }
        Ok(())
    })
}

/// `loggia uninstall`.
pub(crate) fn uninstall(args: &UninstallArgs, credentials: &Credentials) -> Outcome {
    let request = request(&args.file);
    for_each(&args.file, true, credentials, |installer, name| {
        match installer.uninstall(name, &request)? {
            UninstallOutcome::Change(plan) if args.file.dry_run => show(&plan.change)?,
            UninstallOutcome::Change(plan) => {
                let text = plan.to_string();
                plan.apply()?;
                out::print(format!("{GOOD}✓{GOOD:#} {}\n", one_line(&text)))?;
            }
            UninstallOutcome::Gone { title, file } => {
                out::print(format!(
                    "{title}: {} has no entry any more\n",
                    one_line(&file.display().to_string())
                ))?;
            }
            UninstallOutcome::Manual(steps) => out::print(format!("{steps}\n"))?,
        }
        Ok(())
    })
}

/// `loggia bridge`.
pub(crate) async fn bridge(args: &BridgeArgs, credentials: &Credentials) -> Outcome {
    let config = GatewayConfig::of_url(&args.url, credentials.redactor())?;
    let gateway = Gateway::builder(config).connector_context(connector_context(credentials)).build().await?;
    up::serve_stdio(gateway, None).await
}

fn request(args: &ClientFileArgs) -> InstallRequest {
    InstallRequest { name: args.name.clone(), project: args.project.clone(), ..InstallRequest::default() }
}

/// Does something for each application. The others follow where one fails.
fn for_each(
    args: &ClientFileArgs,
    is_installed: bool,
    credentials: &Credentials,
    act: impl Fn(&ClientInstaller, &str) -> Outcome,
) -> Outcome {
    let installer = client_installer(credentials)?;
    let names = chosen(args, is_installed, &installer)?;
    let mut failures: Vec<Failure> = names.iter().filter_map(|name| act(&installer, name).err()).collect();
    match failures.pop() {
        Some(failure) if failures.is_empty() => Err(failure),
        Some(last) => {
            for failure in failures.into_iter().chain([last]) {
                failure.report(credentials.redactor());
            }
            Err(Failure::silent(Code::Usage))
        }
        None => Ok(()),
    }
}

/// Returns the applications that the line names. Without any, those on this machine are listed, and the user chooses.
fn chosen(args: &ClientFileArgs, is_installed: bool, installer: &ClientInstaller) -> Outcome<Vec<String>> {
    if !args.clients.is_empty() {
        return Ok(args.clients.clone());
    }
    let mut found = installer.found(&args.name);
    found.retain(|found| !is_installed || found.is_installed);
    if found.is_empty() {
        let names: Vec<&str> = installer.table().all().iter().map(|client| client.name.as_str()).collect();
        let failure = Failure::usage("no AI application that is known was found on this machine");
        return Err(failure.hint(format!("name one: {}", names.join(", "))));
    }
    let names: Vec<String> = found.iter().map(|found| found.client.name.clone()).collect();
    if args.all {
        return Ok(names);
    }
    let mut text = String::new();
    for (n, found) in found.iter().enumerate() {
        text.push_str(&format!("{:>3}  {NAME}{}{NAME:#}\n", n + 1, one_line(&found.to_string())));
    }
    out::print(text)?;
    let choice = match is_interactive() {
        true => ask::line("Which? (numbers or names, `all`; nothing ends) ").unwrap_or_default(),
        false => {
            return Err(Failure::usage("no application is named").hint("name some of these, or give --all"));
        }
    };
    let name = |word: &str| match word.parse::<usize>() {
        Ok(n) => names
            .get(n.wrapping_sub(1))
            .cloned()
            .ok_or_else(|| Failure::usage(format!("there is no number {n}"))),
        Err(_) => Ok(word.to_owned()),
    };
    match choice.trim() {
        "all" => Ok(names),
        choice => choice.split([' ', ',']).filter(|word| !word.is_empty()).map(name).collect(),
    }
}

fn show(change: &FileChange) -> Result<(), Failure> {
    Ok(out::print(harmless(&change.diff()))?)
}
