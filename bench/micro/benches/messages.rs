//! `cargo xtask bench micro`: the cost of reading a message, with Loggia's parsers and others, each as far as a
//! server needs it (the envelope is read, the arguments stay text) and each into a tree; and the cost of reading one
//! string argument. The messages are those of clients: a small call, one with 64 KiB of plain text, and one with 64
//! KiB in which every line has escapes.

use std::borrow::Cow;
use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use loggia_wire::jsonrpc::{self, Frame, Message};
use loggia_wire::{Method, RequestMeta, Version, codec};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// A call, in the form before the tool is known.
#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    id: u64,
    #[serde(borrow)]
    params: Params<'a>,
}

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    arguments: &'a RawValue,
    #[serde(borrow, rename = "_meta")]
    meta: &'a RawValue,
}

#[derive(Deserialize)]
struct LazyCall<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    id: u64,
    #[serde(borrow)]
    params: LazyParams<'a>,
}

#[derive(Deserialize)]
struct LazyParams<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    arguments: sonic_rs::LazyValue<'a>,
    #[serde(borrow, rename = "_meta")]
    meta: sonic_rs::LazyValue<'a>,
}

fn call(text: &str) -> String {
    json!({
        "jsonrpc": "2.0", "id": 7, "method": "tools/call",
        "params": {
            "name": "echo", "arguments": { "text": text },
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": "bench", "version": "1.0.0" },
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    })
    .to_string()
}

fn messages() -> [(&'static str, String); 3] {
    let plain = "the quick brown fox jumps over the lazy dog. ".repeat(1457);
    let lines = "a line of \"code\"\n\tand another;\n".repeat(1900);
    [("small", call(&"x".repeat(32))), ("64 KiB plain", call(&plain)), ("64 KiB escaped", call(&lines))]
}

fn envelopes(criterion: &mut Criterion) {
    for (name, text) in messages() {
        let mut group = criterion.benchmark_group(format!("envelope/{name}"));
        group.throughput(Throughput::Bytes(text.len() as u64));
        envelope(&mut group, &text);
        group.finish();
    }
}

fn envelope(group: &mut BenchmarkGroup<'_, WallTime>, text: &str) {
    let frame = Bytes::from(text.to_owned());
    group.bench_function("loggia", |bench| bench.iter(|| jsonrpc::decode_frame(black_box(&frame))));
    group.bench_function("serde_json", |bench| {
        bench.iter(|| {
            let call: Call<'_> = serde_json::from_slice(black_box(&frame)).expect("a call");
            black_box((call.id, call.method.len(), call.params.name.len()));
            black_box((call.params.arguments.get().len(), call.params.meta.get().len()));
        });
    });
    group.bench_function("sonic-rs", |bench| {
        bench.iter(|| {
            let call: LazyCall<'_> = sonic_rs::from_slice(black_box(&frame)).expect("a call");
            black_box((call.id, call.method.len(), call.params.name.len()));
            black_box((call.params.arguments.as_raw_str().len(), call.params.meta.as_raw_str().len()));
        });
    });
    group.bench_function("serde_json, a tree", |bench| {
        bench.iter(|| serde_json::from_slice::<Value>(black_box(&frame)));
    });
    group.bench_function("sonic-rs, a tree", |bench| {
        bench.iter(|| sonic_rs::from_slice::<sonic_rs::Value>(black_box(&frame)));
    });
    group.bench_function("simd-json, a tree", |bench| {
        bench.iter(|| {
            // This parser writes into its input, which is shared.
            let mut own = black_box(&frame).to_vec();
            simd_json::to_borrowed_value(&mut own).map(|value| black_box(value).into_static()).is_ok()
        });
    });
}

/// Reads the one argument from its text.
fn arguments(criterion: &mut Criterion) {
    for (name, text) in messages() {
        let Ok(Frame::Single(Message::Request { params: Some(params), .. })) =
            jsonrpc::decode_frame(&Bytes::from(text))
        else {
            panic!("a request");
        };
        let text = params.member("arguments").expect("they are there").to_vec();
        let value: Value = serde_json::from_slice(&text).expect("JSON");
        let text = value["text"].to_string().into_bytes();
        let mut group = criterion.benchmark_group(format!("string/{name}"));
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function("serde_json", |bench| {
            bench.iter(|| serde_json::from_slice::<String>(black_box(&text)));
        });
        group.bench_function("sonic-rs", |bench| {
            bench.iter(|| sonic_rs::from_slice::<String>(black_box(&text)));
        });
        group.bench_function("simd-json", |bench| {
            bench.iter(|| simd_json::serde::from_slice::<String>(&mut black_box(&text).to_vec()));
        });
        group.finish();
    }
}

/// Reads a result, as a client does.
fn results(criterion: &mut Criterion) {
    let result = json!({
        "resultType": "complete", "structuredContent": { "result": 3 },
        "content": [{ "type": "text", "text": "x".repeat(32) }],
    });
    let result = loggia_wire::RawJson::from(&result);
    let version = Version::LATEST;
    criterion.bench_function("result/loggia", |bench| {
        bench.iter(|| codec::decode_result(&Method::CallTool, version, black_box(&result)));
    });
    criterion.bench_function("result/serde_json, a tree", |bench| {
        bench.iter(|| serde_json::from_slice::<Value>(black_box(result.as_bytes())));
    });
}

/// Reads the `_meta` of a request, new and recognised from the last one.
fn meta(criterion: &mut Criterion) {
    let frame = Bytes::from(call("x"));
    let Ok(Frame::Single(Message::Request { params, .. })) = jsonrpc::decode_frame(&frame) else {
        panic!("a request");
    };
    criterion.bench_function("meta/read", |bench| {
        bench.iter(|| RequestMeta::from_modern(black_box(params.as_ref()), &Version::ALL));
    });
}

criterion_group!(benches, envelopes, arguments, results, meta);
criterion_main!(benches);
