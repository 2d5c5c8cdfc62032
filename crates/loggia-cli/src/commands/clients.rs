//! `loggia install`, `loggia uninstall` and `loggia bridge`: AI applications as clients of the gateway.

use loggia_connect::clients::{ClientError, ClientInstaller, GatewayTransport, InstallRequest};
use loggia_gateway::{Credentials, Gateway, GatewayConfig, client_installer};

use super::add::is_interactive;
use super::up;
use crate::args::{BridgeArgs, ClientFileArgs, InstallArgs};
use crate::ask;
use crate::exit::{Code, Failure, Outcome};
use crate::out;
use crate::target::connector_context;
use crate::text::harmless;

/// `loggia install`.
pub(crate) fn install(args: &InstallArgs, credentials: &Credentials) -> Outcome {
    let transport = args.stdio.then_some(GatewayTransport::Stdio);
    let request = InstallRequest::at(args.url.as_deref(), args.toolset.as_deref())?;
    let request = InstallRequest { transport, replaces: args.replace, ..for_file(request, &args.file) };
    for_each(&args.file, false, credentials, |installer, name| {
        installer.install(name, &request)?.finish(args.file.dry_run)
    })
}

/// `loggia uninstall`.
pub(crate) fn uninstall(args: &ClientFileArgs, credentials: &Credentials) -> Outcome {
    let request = for_file(InstallRequest::default(), args);
    for_each(args, true, credentials, |installer, name| {
        installer.uninstall(name, &request)?.finish(args.dry_run)
    })
}

/// `loggia bridge`.
pub(crate) async fn bridge(args: &BridgeArgs, credentials: &Credentials) -> Outcome {
    let config = GatewayConfig::of_url(&args.url, credentials.redactor())?;
    let gateway = Gateway::builder(config).connector_context(connector_context(credentials)).build().await?;
    up::serve_stdio(gateway, None).await
}

fn for_file(request: InstallRequest, args: &ClientFileArgs) -> InstallRequest {
    InstallRequest { name: args.name.clone(), project: args.project.clone(), ..request }
}

/// Does something for each application, and prints its report. The others follow where one fails.
fn for_each(
    args: &ClientFileArgs,
    is_installed: bool,
    credentials: &Credentials,
    act: impl Fn(&ClientInstaller, &str) -> Result<String, ClientError>,
) -> Outcome {
    let installer = client_installer(credentials)?;
    let mut outcome = Ok(());
    for name in chosen(args, is_installed, &installer)? {
        match act(&installer, &name) {
            Ok(report) => out::print(harmless(&report))?,
            Err(error) => {
                Failure::from(error).report(credentials.redactor());
                outcome = Err(Failure::silent(Code::Usage));
            }
        }
    }
    outcome
}

/// Returns the applications that the line names. Without any, those on this machine are listed, and the user chooses.
fn chosen(args: &ClientFileArgs, is_installed: bool, installer: &ClientInstaller) -> Outcome<Vec<String>> {
    if !args.clients.is_empty() {
        return Ok(args.clients.clone());
    }
    let choice = installer.choice(&args.name, is_installed)?;
    if args.all {
        return Ok(choice.names());
    }
    out::print(harmless(&choice.to_string()))?;
    if !is_interactive() {
        return Err(Failure::usage("no application is named").hint("name some of these, or give --all"));
    }
    let answer = ask::line("Which? (numbers or names, `all`; nothing ends) ").unwrap_or_default();
    Ok(choice.chosen(&answer)?)
}
