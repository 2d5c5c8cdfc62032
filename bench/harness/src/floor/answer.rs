//! Reads a call and writes its answer, only with serde_json.

use std::borrow::Cow;

use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Call<'a> {
    id: u64,
    #[serde(borrow)]
    params: Params<'a>,
}

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    arguments: Arguments<'a>,
}

#[derive(Deserialize)]
struct Arguments<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
}

pub(crate) fn parse(body: &[u8]) -> serde_json::Result<Call<'_>> {
    serde_json::from_slice(body)
}

impl Call<'_> {
    /// Returns whether the called tool sends progress notifications.
    pub(crate) fn tells_progress(&self) -> bool {
        self.params.name == "progress"
    }
}

/// Returns the answer of 2026-07-28.
pub(crate) fn modern(call: &Call<'_>) -> serde_json::Result<Vec<u8>> {
    write(
        call,
        br#","result":{"resultType":"complete","content":[{"type":"text","text":"#,
        br#"}],"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"bench-floor","version":"0.1.0"}}}}"#,
    )
}

/// Returns the answer of 2025-11-25.
pub(crate) fn legacy(call: &Call<'_>) -> serde_json::Result<Vec<u8>> {
    write(call, br#","result":{"content":[{"type":"text","text":"#, b"}]}}")
}

fn write(call: &Call<'_>, before: &[u8], after: &[u8]) -> serde_json::Result<Vec<u8>> {
    let text = &call.params.arguments.text;
    let mut out = Vec::with_capacity(text.len() + 256);
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    serde_json::to_writer(&mut out, &call.id)?;
    out.extend_from_slice(before);
    serde_json::to_writer(&mut out, text)?;
    out.extend_from_slice(after);
    Ok(out)
}
