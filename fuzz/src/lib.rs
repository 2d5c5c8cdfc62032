//! The functions of the fuzz targets. Each gets arbitrary bytes and panics if a promise is broken. The files in
//! `fuzz_targets/` only pass on libFuzzer's input, and the tests below call the same functions with random input, for
//! machines on which libFuzzer cannot be built.

use bytes::Bytes;
use loggia::transport::sse;
use loggia_wire::jsonrpc::{self, Frame, Message};
use loggia_wire::model::{ClientNotification, ServerNotification, ServerResult};
use loggia_json_schema::Validator;
use loggia_wire::uri_template::UriTemplate;
use loggia_wire::{JsonObject, Method, Params, RawJson, RequestMeta, Version, codec, header, meta, reference};
use serde_json::{Map, Value};

/// The function of a target.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: &[(&str, Target)] = &[
    ("headers", headers),
    ("json_schema", json_schema),
    ("jsonrpc", jsonrpc),
    ("notifications", notifications),
    ("request_meta", request_meta),
    ("results", results),
    ("sse", sse),
    ("uri_template", uri_template),
];

/// A message that was understood can be written, and says the same when it is read again; the fast reading and
/// the plain one agree.
pub fn jsonrpc(data: &[u8]) {
    let text = Bytes::copy_from_slice(data);
    let frame = jsonrpc::decode_frame(&text);
    if !data.trim_ascii_start().starts_with(b"[") {
        assert_eq!(frame, reference::message(&text).map(Frame::Single));
    }
    let Ok(frame) = frame else { return };
    let messages = match frame {
        Frame::Single(message) => vec![message],
        Frame::Batch(members) => members.into_iter().filter_map(Result::ok).collect(),
    };
    for message in messages {
        let mut written = Vec::new();
        write(&message, &mut written);
        assert_eq!(jsonrpc::decode(&written.into()), Ok(message));
    }
}

/// A result that one revision understood can be written in every revision, and what was written can be read.
pub fn results(data: &[u8]) {
    let Some((version, method, result)) = payload(data) else { return };
    let Ok(decoded) = codec::decode_result(&method, version, &result) else { return };
    // Before the modern era a question to the client is a request and not a result; and a result of an
    // extension has no meaning in another era.
    let to = match &decoded {
        ServerResult::Custom(_) => vec![version],
        ServerResult::InputRequired(_) => Version::ALL.into_iter().filter(|to| to.is_modern()).collect(),
        _ => Version::ALL.to_vec(),
    };
    for to in to {
        let encoded = codec::encode_result(decoded.clone(), to, None);
        let again = codec::decode_result(&method, to, &encoded);
        assert!(again.is_ok(), "{method} in {to}: {encoded:?} cannot be read: {again:?}");
        let twice = codec::encode_result(again.expect("it was just seen to be there"), to, None);
        assert_eq!(json(&encoded), json(&twice), "{method} in {to}");
    }
}

/// A notification that was understood can be written in every revision that has it, and read again.
pub fn notifications(data: &[u8]) {
    let Some((_, method, params)) = payload(data) else { return };
    let from_server = ServerNotification::decode(&method, Some(&params)).ok();
    let from_client = ClientNotification::decode(&method, Some(&params)).ok();
    for version in Version::ALL {
        if let Some((method, params)) =
            from_server.clone().and_then(|it| codec::encode_server_notification(it, version, None))
        {
            assert!(ServerNotification::decode(&method, params.as_ref()).is_ok(), "{method} in {version}");
        }
        if let Some((method, params)) =
            from_client.clone().and_then(|it| codec::encode_client_notification(it, version))
        {
            assert!(ClientNotification::decode(&method, params.as_ref()).is_ok(), "{method} in {version}");
        }
    }
}

/// The `_meta` of a modern request is read or refused.
pub fn request_meta(data: &[u8]) {
    let Ok(raw) = RawJson::parse(data.to_vec()) else { return };
    let params = Params::from(raw);
    let _ = meta::declared_version(Some(&params));
    let fast = RequestMeta::from_modern(Some(&params), &Version::ALL);
    let plain = reference::request_meta(Some(&params), &Version::ALL);
    assert_eq!(format!("{fast:?}"), format!("{plain:?}"));
}

/// A decoded header value can be encoded again; mirrored arguments are equal to their own headers.
pub fn headers(data: &[u8]) {
    if let Ok(value) = header::decode_value(data) {
        let encoded = header::encode_value(&value);
        assert!(encoded.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)), "{encoded:?}");
        assert_eq!(header::decode_value(encoded.as_bytes()).as_deref(), Ok(&*value));
    }
    if let Ok(text) = std::str::from_utf8(data) {
        assert_eq!(header::decode_value(header::encode_value(text).as_bytes()).as_deref(), Ok(text));
    }
    let Some((schema, arguments)) = two_objects(data) else { return };
    let Ok(params) = header::ParamHeaders::from_schema(&schema) else { return };
    let headers = params.values(Some(&arguments));
    let lookup =
        |name: &str| headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_bytes());
    // An integer that JavaScript cannot hold is refused whatever its header says.
    if let Err(message) = params.check(lookup, Some(&arguments)) {
        assert!(message.contains("must lie between"), "{message}");
    }
}

/// A stream says the same however it is cut into chunks.
pub fn sse(data: &[u8]) {
    let Some((&cut, stream)) = data.split_first() else { return };
    let whole = events(&[stream]);
    let chunks: Vec<&[u8]> = stream.chunks(usize::from(cut % 7) + 1).collect();
    assert_eq!(whole, events(&chunks));
    for event in whole.into_iter().flatten() {
        let mut written = Vec::new();
        sse::write_event(&mut written, event.name.as_deref(), event.id.as_deref(), &event.data);
        let again = events(&[&written]);
        let data = again.first().and_then(|event| event.as_ref().ok()).map(|event| &event.data);
        assert_eq!(data, Some(&event.data));
    }
}

/// A template is read or refused, and a URI matches it or does not.
pub fn uri_template(data: &[u8]) {
    let Some((template, uri)) = std::str::from_utf8(data).ok().and_then(|text| text.split_once('\n')) else {
        return;
    };
    let Ok(template) = UriTemplate::parse(template) else { return };
    let Some(variables) = template.matches(uri) else { return };
    let names = template.variables();
    assert!(variables.iter().all(|(name, _)| names.contains(&name.as_str())), "{variables:?}");
}

/// A schema is compiled or refused, and a value fits it or does not.
pub fn json_schema(data: &[u8]) {
    let Some(at) = data.iter().position(|byte| *byte == 0) else { return };
    let (Ok(schema), Ok(value)) =
        (serde_json::from_slice(&data[..at]), serde_json::from_slice(&data[at + 1..]))
    else {
        return;
    };
    if let Ok(validator) = Validator::compile_value(&schema) {
        let fits = validator.is_valid(&value);
        assert_eq!(validator.validate(&value).is_ok(), fits);
    }
}

fn write(message: &Message, out: &mut Vec<u8>) {
    match message {
        Message::Request { id, method, params } => {
            jsonrpc::write_request(out, id, method, params.as_deref().map(RawJson::as_bytes));
        }
        Message::Notification { method, params } => {
            jsonrpc::write_notification(out, method, params.as_ref().map(RawJson::as_bytes));
        }
        Message::Response { id: Some(id), outcome: Ok(result) } => {
            jsonrpc::write_result(out, id, result.as_bytes())
        }
        Message::Response { id, outcome: Err(error) } => jsonrpc::write_error(out, id.as_ref(), error),
        Message::Response { id: None, outcome: Ok(_) } => unreachable!("a result is decoded with its id"),
    }
}

/// A revision, a method and a payload: the first two bytes choose, the rest is JSON.
fn payload(data: &[u8]) -> Option<(Version, Method, RawJson)> {
    let (&[version, method], json) = data.split_first_chunk::<2>()?;
    let version = Version::ALL[usize::from(version) % Version::ALL.len()];
    let method = Method::KNOWN[usize::from(method) % Method::KNOWN.len()].clone();
    Some((version, method, RawJson::parse(json.to_vec()).ok()?))
}

fn two_objects(data: &[u8]) -> Option<(JsonObject, Map<String, Value>)> {
    let at = data.iter().position(|byte| *byte == 0)?;
    Some((serde_json::from_slice(&data[..at]).ok()?, serde_json::from_slice(&data[at + 1..]).ok()?))
}

fn json(raw: &RawJson) -> Value {
    raw.decode().expect("it was written as JSON")
}

fn events(chunks: &[&[u8]]) -> Vec<Result<sse::SseEvent, sse::SseEventTooLong>> {
    let mut parser = sse::SseParser::new(1 << 16);
    let mut events = Vec::new();
    for chunk in chunks {
        parser.feed(chunk);
        while let Some(event) = parser.next_event().transpose() {
            let failed = event.is_err();
            events.push(event);
            if failed {
                return events;
            }
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::TARGETS;

    /// Each target with its seeds, and with what becomes of them when bytes are changed at random.
    #[test]
    fn no_target_panics_on_mutated_seeds() {
        for (name, target) in TARGETS {
            let mut random = Random(0x9e37_79b9_7f4a_7c15);
            for seed in seeds(name) {
                target(&seed);
                for _ in 0..2_000 {
                    target(&mutated(&seed, &mut random));
                }
            }
        }
    }

    /// Every target has a file for libFuzzer and at least one seed.
    #[test]
    fn every_target_can_be_fuzzed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (name, _) in TARGETS {
            assert!(root.join("fuzz_targets").join(format!("{name}.rs")).exists(), "{name}");
            assert!(!seeds(name).is_empty(), "{name} has no seeds");
        }
    }

    fn seeds(name: &str) -> Vec<Vec<u8>> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
        let entries = std::fs::read_dir(dir).expect("every target has a folder of seeds");
        entries
            .map(|entry| std::fs::read(entry.expect("it is listed").path()).expect("it can be read"))
            .collect()
    }

    fn mutated(seed: &[u8], random: &mut Random) -> Vec<u8> {
        const WORDS: &[&[u8]] = &[
            b"null",
            b"{}",
            b"[",
            b"\"",
            b"\\u0000",
            b"\n",
            b"\r",
            b":",
            b"1e400",
            b"-0",
            b"\xff",
            b"=?base64?",
        ];
        let mut bytes = seed.to_vec();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len() + 1);
            match random.below(4) {
                0 if at < bytes.len() => bytes[at] = random.below(256) as u8,
                1 => drop(bytes.splice(at..at, WORDS[random.below(WORDS.len())].iter().copied())),
                2 => bytes.truncate(at),
                _ => drop(bytes.drain(at..bytes.len().min(at + 1 + random.below(8)))),
            }
        }
        bytes
    }

    /// xorshift: enough to change bytes with, and the same on every machine.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % end as u64) as usize
        }
    }
}
