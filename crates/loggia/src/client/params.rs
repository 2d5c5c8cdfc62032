//! Writes the `params` of a request for one revision: the caller's params, with `_meta` keys of the protocol replaced
//! by those of the client. Members other than `_meta` are copied byte by byte.

use loggia_wire::model::{LoggingLevel, Meta};
use loggia_wire::{Params, RawJson, RawObject, Version, json, meta};

use crate::error::Error;

/// The `_meta` keys of the protocol. The client writes them, also if `params` has them.
const OWNED: [&str; 5] = [
    meta::PROGRESS_TOKEN,
    meta::PROTOCOL_VERSION,
    meta::CLIENT_INFO,
    meta::CLIENT_CAPABILITIES,
    meta::LOG_LEVEL,
];

/// The client's name and capabilities as JSON, for modern requests.
#[derive(Debug, Clone)]
pub(crate) struct ClientMeta<'a> {
    pub version: Version,
    pub info: &'a RawJson,
    pub capabilities: &'a RawJson,
    pub log_level: Option<LoggingLevel>,
}

/// The members to write into `_meta`.
#[derive(Debug, Default)]
pub(crate) struct MetaPatch<'a> {
    /// Only in the modern era.
    pub client: Option<ClientMeta<'a>>,
    /// The token of progress notifications.
    pub progress_token: Option<i64>,
    /// Further members of the caller.
    pub extra: Option<&'a Meta>,
}

/// Returns `params` with `patch`; `None` if the result is empty.
pub(crate) fn compose(params: &Params, patch: &MetaPatch<'_>) -> Result<Option<RawJson>, Error> {
    let given = match params.routing() {
        Some(routing) => routing.meta.map(RawObject::read).transpose(),
        None => RawObject::of(params).and_then(|all| all.raw("_meta").map(RawObject::read).transpose()),
    };
    let composed = match compose_meta(&given.map_err(not_an_object)?.unwrap_or_default(), patch) {
        Some(meta) => params.with_meta(&meta),
        None => params.without_meta(),
    };
    let composed = composed.map_err(not_an_object)?;
    Ok((!is_empty(&composed)).then(|| composed.into_raw()))
}

fn is_empty(object: &RawJson) -> bool {
    object.as_bytes().iter().all(|byte| matches!(byte, b'{' | b'}' | b' ' | b'\n' | b'\r' | b'\t'))
}

/// Returns `params` with the members `additions` replaced or added, as a retry after `input_required` needs them.
pub(crate) fn with_members(
    params: &RawJson,
    additions: &[(&str, Option<RawJson>)],
) -> Result<RawJson, Error> {
    let given = RawObject::of(params).map_err(not_an_object)?;
    let mut out = ObjectWriter::new(params.as_bytes().len() + 256);
    for (name, value) in given.iter() {
        if !additions.iter().any(|(added, _)| *added == name) {
            out.member(name, value);
        }
    }
    for (name, value) in additions {
        if let Some(value) = value {
            out.member(name, value.as_bytes());
        }
    }
    Ok(out.finish().unwrap_or(RawJson::empty_object()))
}

/// Returns one member of `params`.
pub(crate) fn member(params: &RawJson, wanted: &str) -> Option<RawJson> {
    params.member(wanted).map(|value| params.part_at(value))
}

fn compose_meta(given: &RawObject<'_>, patch: &MetaPatch<'_>) -> Option<Vec<u8>> {
    let mut out = ObjectWriter::new(256);
    for (name, value) in given.iter() {
        let replaced = patch.extra.is_some_and(|extra| extra.contains_key(name));
        if !OWNED.contains(&name) && !replaced {
            out.member(name, value);
        }
    }
    for (name, value) in patch.extra.into_iter().flat_map(Meta::iter) {
        if !OWNED.contains(&&*name) {
            out.member(&name, value.as_bytes());
        }
    }
    if let Some(token) = patch.progress_token {
        out.member(meta::PROGRESS_TOKEN, token.to_string().as_bytes());
    }
    if let Some(client) = &patch.client {
        write_client(&mut out, client);
    }
    out.written()
}

fn write_client(out: &mut ObjectWriter, client: &ClientMeta<'_>) {
    out.string(meta::PROTOCOL_VERSION, client.version.as_str());
    out.member(meta::CLIENT_INFO, client.info.as_bytes());
    out.member(meta::CLIENT_CAPABILITIES, client.capabilities.as_bytes());
    if let Some(level) = client.log_level {
        out.member(meta::LOG_LEVEL, RawJson::of(&level).as_bytes());
    }
}

fn not_an_object(error: serde_json::Error) -> Error {
    Error::Configuration(format!("the params of a request, and their _meta, must be JSON objects: {error}"))
}

/// Writes an object member by member.
struct ObjectWriter(Vec<u8>);

impl ObjectWriter {
    fn new(capacity: usize) -> ObjectWriter {
        ObjectWriter(Vec::with_capacity(capacity))
    }

    fn member(&mut self, name: &str, value: &[u8]) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        json::write_string(&mut self.0, name);
        self.0.push(b':');
        self.0.extend_from_slice(value);
    }

    fn string(&mut self, name: &str, value: &str) {
        self.member(name, b"");
        json::write_string(&mut self.0, value);
    }

    /// Returns the object; `None` if it has no members.
    fn finish(self) -> Option<RawJson> {
        self.written().map(RawJson::from_written)
    }

    fn written(mut self) -> Option<Vec<u8>> {
        if self.0.is_empty() {
            return None;
        }
        self.0.push(b'}');
        Some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn composed(params: &Value, patch: &MetaPatch<'_>) -> Result<Option<RawJson>, Error> {
        compose(&RawJson::from(params).into(), patch)
    }

    fn value(raw: Option<RawJson>) -> Value {
        raw.map_or(Value::Null, |raw| raw.decode().expect("valid JSON"))
    }

    #[test]
    fn our_meta_replaces_what_was_there() {
        let info = RawJson::from(&json!({ "name": "c", "version": "1" }));
        let capabilities = RawJson::empty_object();
        let extra: Meta = serde_json::from_value(json!({ "vendor/key": 2 })).expect("an object");
        let patch = MetaPatch {
            client: Some(ClientMeta {
                version: Version::V2026_07_28,
                info: &info,
                capabilities: &capabilities,
                log_level: Some(LoggingLevel::Warning),
            }),
            progress_token: Some(7),
            extra: Some(&extra),
        };
        let params = json!({
            "name": "t\u{e9}\n",
            "_meta": {
                "progressToken": "theirs", "traceparent": "00-a-b-01", "vendor/key": 1,
                "io.modelcontextprotocol/logLevel": "debug",
                "io.modelcontextprotocol/clientInfo": { "name": "theirs", "version": "0" },
            },
        });
        assert_eq!(
            value(composed(&params, &patch).expect("objects")),
            json!({
                "name": "t\u{e9}\n",
                "_meta": {
                    "traceparent": "00-a-b-01", "vendor/key": 2, "progressToken": 7,
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientInfo": { "name": "c", "version": "1" },
                    "io.modelcontextprotocol/clientCapabilities": {},
                    "io.modelcontextprotocol/logLevel": "warning",
                },
            })
        );
    }

    #[test]
    fn nothing_to_say_is_no_params() {
        let patch = MetaPatch::default();
        for params in [json!({}), json!({ "_meta": {} }), json!({ "_meta": { "progressToken": 1 } })] {
            assert_eq!(composed(&params, &patch).expect("objects"), None, "{params}");
        }
        assert!(composed(&json!([]), &patch).is_err());
        assert!(composed(&json!({ "_meta": 1 }), &patch).is_err());
    }

    #[test]
    fn a_retry_replaces_the_last_rounds_answers() {
        let params =
            RawJson::from(&json!({ "name": "t", "inputResponses": { "a": 1 }, "requestState": "old" }));
        let answers = RawJson::from(&json!({ "b": 2 }));
        let retry = with_members(&params, &[("inputResponses", Some(answers)), ("requestState", None)]);
        assert_eq!(value(retry.ok()), json!({ "name": "t", "inputResponses": { "b": 2 } }));
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf =
            prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from), ".*".prop_map(Value::from)];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..4).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_but_our_own_keys_is_touched(
            members in prop::collection::btree_map(".*", json(), 0..5),
            meta in prop::collection::btree_map(".*", json(), 0..5),
        ) {
            let mut params = json!(members);
            params["_meta"] = json!(meta);
            let patch = MetaPatch { progress_token: Some(1), ..MetaPatch::default() };
            let mut expected = params.clone();
            expected["_meta"]["progressToken"] = 1.into();
            prop_assert_eq!(value(composed(&params, &patch).expect("objects")), expected);
        }
    }
}
