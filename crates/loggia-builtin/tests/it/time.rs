//! The connector `time`.

use loggia_builtin::time::server;
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::program::run;

async fn caller() -> Caller {
    Caller::new(&server("Europe/Berlin").unwrap()).await
}

#[tokio::test]
async fn now_is_the_time_of_other_programs() {
    let folder = std::env::temp_dir();
    let clock = || run(&folder, "date", &["+%s"]).parse::<i64>().unwrap();
    let caller = caller().await;
    assert_eq!(caller.tools().await, ["now", "parse", "convert", "difference"]);
    let before = clock();
    let now = caller.call("now", json!({ "zone": "Asia/Tokyo" })).await;
    let unix = now["unix"].as_i64().unwrap();
    assert!((before..=clock()).contains(&unix), "{now}");
    assert_eq!((&now["zone"], &now["offset"]), (&json!("Asia/Tokyo"), &json!("+09:00")));
    assert_eq!(caller.call("now", json!({})).await["zone"], json!("Europe/Berlin"));
}

#[tokio::test]
async fn times_are_read_in_many_forms() {
    let caller = caller().await;
    for (text, zone, time) in [
        ("2026-01-31T15:30", None, "2026-01-31T15:30:00+01:00"),
        ("2026-07-31 15:30:05.25", None, "2026-07-31T15:30:05.25+02:00"),
        ("2026-01-31", Some("UTC"), "2026-01-31T00:00:00+00:00"),
        ("2026-01-31T15:30:00Z", None, "2026-01-31T15:30:00+00:00"),
        ("2026-01-31T15:30:00-05:00", None, "2026-01-31T15:30:00-05:00"),
        ("2026-01-31T15:30[America/New_York]", None, "2026-01-31T15:30:00-05:00"),
        ("Sat, 31 Jan 2026 15:30:00 +0100", None, "2026-01-31T15:30:00+01:00"),
        ("1769869800", None, "2026-01-31T15:30:00+01:00"),
        ("@0", Some("UTC"), "1970-01-01T00:00:00+00:00"),
        ("2026-01-31T15:30", Some("+05:30"), "2026-01-31T15:30:00+05:30"),
    ] {
        let moment = caller.call("parse", json!({ "time": text, "zone": zone })).await;
        assert_eq!(moment["time"], json!(time), "{text}");
        assert_eq!(moment.get("note"), None, "{text}");
    }
    let today = caller.call("parse", json!({ "time": "15:30", "zone": "UTC" })).await;
    assert!(today["time"].as_str().unwrap().ends_with("T15:30:00+00:00"), "{today}");
    let summer = caller.call("parse", json!({ "time": "2026-07-04T12:00" })).await;
    let parts = ["weekday", "offset", "daylight_saving", "unix", "week", "day_of_year"]
        .map(|key| summer[key].clone());
    assert_eq!(json!(parts), json!(["Saturday", "+02:00", true, 1_783_159_200, "2026-W27", 185]));
}

/// The clock is set forward on 29 March 2026 at 2:00, and back on 25 October at 3:00.
#[tokio::test]
async fn changes_of_the_clock_are_noted() {
    let caller = caller().await;
    for (text, time, note) in [
        ("2026-03-29T02:30", "2026-03-29T03:30:00+02:00", "does not exist"),
        ("2026-10-25T02:30", "2026-10-25T02:30:00+02:00", "exists twice"),
    ] {
        let moment = caller.call("parse", json!({ "time": text })).await;
        assert_eq!(moment["time"], json!(time), "{text}");
        assert!(moment["note"].as_str().unwrap().contains(note), "{moment}");
    }
}

#[tokio::test]
async fn times_are_converted_as_other_programs_do_it() {
    let folder = std::env::temp_dir();
    let caller = caller().await;
    let zones = ["America/New_York", "Asia/Kolkata", "Pacific/Auckland", "UTC"];
    for time in ["2026-01-31T15:30:00Z", "2026-03-29T00:59:59Z", "1969-07-20T20:17:40Z"] {
        let converted = caller.call("convert", json!({ "time": time, "to": zones })).await;
        for (index, zone) in zones.iter().enumerate() {
            let script = format!(
                "from zoneinfo import ZoneInfo\nfrom datetime import datetime\n\
                                  print(datetime.fromisoformat('{}').astimezone(ZoneInfo('{zone}')).isoformat())",
                time.replace('Z', "+00:00")
            );
            let expected = run(&folder, "python3", &["-c", &script]);
            assert_eq!(converted["to"][index]["time"], json!(expected), "{time} {zone}");
        }
    }
}

#[tokio::test]
async fn differences_are_in_calendar_units_and_seconds() {
    let caller = caller().await;
    for (start, end, duration, words, seconds, days) in [
        ("2026-01-31", "2026-03-01", "P1M1D", "1 month, 1 day", 2_505_600.0, 29),
        ("2026-03-28T12:00", "2026-03-29T12:00", "P1D", "1 day", 82_800.0, 1),
        ("2026-10-24T12:00", "2026-10-25T12:00", "P1D", "1 day", 90_000.0, 1),
        (
            "2026-01-01T00:00:00",
            "2026-01-01T02:03:04",
            "PT2H3M4S",
            "2 hours, 3 minutes, 4 seconds",
            7_384.0,
            0,
        ),
        ("2026-01-02", "2026-01-01", "-P1D", "1 day before", -86_400.0, -1),
        ("2026-01-01", "2026-01-01", "PT0S", "no time", 0.0, 0),
    ] {
        let found = caller.call("difference", json!({ "start": start, "end": end })).await;
        let parts = ["duration", "words", "seconds", "days"].map(|key| found[key].clone());
        assert_eq!(json!(parts), json!([duration, words, seconds, days]), "{start} {end}");
    }
    let since = caller.call("difference", json!({ "start": "2020-01-01" })).await;
    assert!(since["seconds"].as_f64().unwrap() > 1e8, "{since}");
}

#[tokio::test]
async fn mistakes_are_explained() {
    let caller = caller().await;
    let long = "1".repeat(1000);
    let table: &[(&str, Value, &str)] = &[
        ("now", json!({ "zone": "Berlin" }), "did you mean Europe/Berlin?"),
        ("now", json!({ "zone": "Mars/Base" }), "there is no zone \"Mars/Base\""),
        ("now", json!({ "zone": "../../etc/passwd" }), "there is no zone"),
        ("parse", json!({ "time": "someday" }), "is no time"),
        ("parse", json!({ "time": "2026-02-30" }), "is no time"),
        ("parse", json!({ "time": "" }), "is no time"),
        ("parse", json!({ "time": long }), "is no time"),
        ("parse", json!({ "time": "@99999999999999" }), "outside of the years"),
        ("convert", json!({ "time": "2026-01-01", "to": [] }), "to"),
        ("difference", json!({ "start": "x" }), "is no time"),
    ];
    for (tool, args, expected) in table {
        let error = caller.error(tool, args.clone()).await;
        assert!(error.contains(expected), "{tool} {args}: {error}");
    }
    assert!(server("Nowhere").is_err());
}
