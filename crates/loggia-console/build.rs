//! Makes the files of the console: `npm ci` and `vite build` in the folder `console/` of the repository, into the folder
//! of build products. A published crate carries them in `dist/`. Where neither can be had, one page says what is missing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("console");
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    println!("cargo::rerun-if-env-changed=LOGGIA_CONSOLE_DIST");
    let _ = fs::remove_dir_all(&out);
    fs::create_dir_all(&out).expect("the folder of build products can be written");
    let (built, source) = (here.join("dist"), here.join("../../console"));
    let made = match env::var_os("LOGGIA_CONSOLE_DIST") {
        Some(folder) => copy(Path::new(&folder), &out).map_err(|error| error.to_string()),
        None if source.join("package.json").exists() => build(&source, &out),
        None => copy(&built, &out).map_err(|error| error.to_string()),
    };
    if let Err(reason) = made {
        println!("cargo::warning=the console is not built: {reason}");
        fs::write(out.join("index.html"), without_console(&reason)).expect("it can be written");
    }
}

/// Builds the sources of `folder` into `out`.
fn build(folder: &Path, out: &Path) -> Result<(), String> {
    for part in ["src", "index.html", "package.json", "package-lock.json", "vite.config.ts", "public"] {
        println!("cargo::rerun-if-changed={}", folder.join(part).display());
    }
    let folder = folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))?;
    let lock =
        fs::read(folder.join("package-lock.json")).map_err(|error| format!("package-lock.json: {error}"))?;
    let installed = folder.join("node_modules/.loggia-lock");
    if fs::read(&installed).ok().as_deref() != Some(&lock) {
        run(&folder, "npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])?;
        fs::write(&installed, &lock).map_err(|error| format!("{}: {error}", installed.display()))?;
    }
    let out = out.to_string_lossy();
    run(
        &folder,
        "node",
        &["node_modules/vite/bin/vite.js", "build", "--outDir", &out, "--emptyOutDir", "--logLevel=warn"],
    )
}

fn run(folder: &Path, program: &str, args: &[&str]) -> Result<(), String> {
    let output =
        Command::new(program).args(args).current_dir(folder).output().map_err(|error| {
            match error.kind() {
                io::ErrorKind::NotFound => {
                    format!("{program} is not installed: install Node.js 20.19 or newer, and build again")
                }
                _ => format!("{program} cannot be started: {error}"),
            }
        })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("it says nothing")
        .trim()
        .to_owned();
    Err(format!("`{program} {}` failed: {last}", args[0]))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &target)?,
            false => drop(fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}

fn without_console(reason: &str) -> String {
    let reason = reason.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Loggia</title><h1>This build has no console</h1>\
         <p>{reason}.</p><p>The gateway itself works: <code>loggia connectors</code> lists the connectors.</p></html>"
    )
}
