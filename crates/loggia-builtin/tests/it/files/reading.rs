use loggia_builtin::files::{Content, Files, Limits, ReadRange, ReadRequest, ReadResult};

use super::{folder, read_only, with_limits};

fn read(files: &Files, path: &str, range: ReadRange) -> ReadResult {
    files.read(&ReadRequest { path: path.into(), range, ..Default::default() }).expect("it is read")
}

fn lines(first: u64, count: u64) -> ReadRange {
    ReadRange::Lines { first, count: Some(count) }
}

fn bytes(offset: u64, length: u64) -> ReadRange {
    ReadRange::Bytes { offset, length: Some(length) }
}

#[test]
fn ranges() {
    let folder = folder(&[
        ("five", "one\ntwo\nthree\nfour\nfive\n"),
        ("no-end", "one\ntwo"),
        ("crlf", "one\r\ntwo\r\n"),
        ("empty", ""),
        ("blank", "\n\n"),
        ("umlaut", "aäöü"),
    ]);
    let files = read_only(folder.path());
    let all = ReadRange::Whole;
    let from = |first| ReadRange::Lines { first, count: None };
    let last = ReadRange::LastLines;
    let table = [
        ("five", all, "one\ntwo\nthree\nfour\nfive\n", Some((1, 5))),
        ("five", lines(2, 2), "two\nthree\n", Some((2, 3))),
        ("five", lines(5, 9), "five\n", Some((5, 5))),
        ("five", lines(1, 0), "", None),
        ("five", from(4), "four\nfive\n", Some((4, 5))),
        ("five", last(2), "four\nfive\n", None),
        ("five", last(9), "one\ntwo\nthree\nfour\nfive\n", None),
        ("five", last(0), "", None),
        ("five", bytes(4, 3), "two", None),
        ("five", bytes(24, 3), "", None),
        ("no-end", all, "one\ntwo", Some((1, 2))),
        ("no-end", last(1), "two", None),
        ("crlf", lines(2, 1), "two\r\n", Some((2, 2))),
        ("empty", all, "", None),
        ("empty", lines(1, 5), "", None),
        ("empty", last(3), "", None),
        ("blank", all, "\n\n", Some((1, 2))),
        // a range that begins and ends inside a character gives the whole ones in it
        ("umlaut", bytes(2, 4), "ö", None),
    ];
    for (path, range, text, shown) in table {
        let result = read(&files, path, range);
        assert_eq!(result.content, Content::Text(text.to_owned()), "{path} {range:?}");
        assert_eq!(result.lines, shown, "{path} {range:?}");
    }
    assert_eq!(read(&files, "umlaut", bytes(2, 4)).bytes, Some((3, 5)));
}

#[test]
fn what_does_not_fit_is_named() {
    let folder = folder(&[("long", "aaaa\nbbbb\ncccc\n"), ("one", "äääää"), ("max", "aaaa\nbbbb\n")]);
    let files = read_only(folder.path());
    let table: &[(&str, ReadRange, usize, &str, &str)] = &[
        ("long", ReadRange::Whole, 10, "aaaa\nbbbb\n", "read on with first_line 3"),
        ("long", ReadRange::Whole, 9, "aaaa\n", "read on with first_line 2"),
        ("long", lines(1, 2), 99, "aaaa\nbbbb\n", "read on with first_line 3"),
        ("long", lines(2, 2), 7, "bbbb\n", "read on with first_line 3"),
        ("long", ReadRange::Bytes { offset: 1, length: None }, 4, "aaa\n", "read on with offset 5"),
        ("long", ReadRange::LastLines(3), 11, "bbbb\ncccc\n", "begin at offset 5"),
        ("one", ReadRange::Whole, 5, "ää", "was cut; read on with offset 4"),
        ("max", ReadRange::Whole, 10, "aaaa\nbbbb\n", ""),
    ];
    for (path, range, max, text, note) in table {
        let request =
            ReadRequest { path: (*path).into(), range: *range, max_bytes: Some(*max), line_numbers: false };
        let result = files.read(&request).expect("it is read");
        assert_eq!(result.content, Content::Text((*text).to_owned()), "{path} {range:?} {max}");
        let said = result.note.unwrap_or_default();
        assert_eq!(said.is_empty(), note.is_empty(), "{path} {range:?} {max}: {said}");
        assert!(said.contains(note), "{path} {range:?} {max}: {said}");
    }
}

#[test]
fn line_numbers_begin_where_the_range_does() {
    let folder = folder(&[("five", "one\ntwo\nthree\n")]);
    let request =
        ReadRequest { path: "five".into(), range: lines(2, 2), line_numbers: true, ..Default::default() };
    let result = read_only(folder.path()).read(&request).expect("it is read");
    assert_eq!(result.content, Content::Text("     2\ttwo\n     3\tthree\n".into()));
}

#[test]
fn text_is_told_from_bytes() {
    let folder = folder(&[]);
    let long_text = "ä".repeat(5000);
    let mut late = "text\n".repeat(3000).into_bytes();
    late.extend(b"\xff\xfe");
    let table: &[(&str, &[u8], bool, &str)] = &[
        ("a.rs", b"fn main() {}", true, "text/plain"),
        ("a.md", b"# a", true, "text/markdown"),
        ("a.PNG", b"\x89PNG\r\n\x1a\n\0", false, "image/png"),
        ("nul", b"a\0b", false, "application/octet-stream"),
        ("latin1", b"caf\xe9 au lait", false, "application/octet-stream"),
        ("utf16", b"\xff\xfea\0b\0", false, "application/octet-stream"),
        ("long", long_text.as_bytes(), true, "text/plain"),
        ("late", &late, false, "application/octet-stream"),
        ("empty", b"", true, "text/plain"),
    ];
    for (name, content, text, mime) in table {
        std::fs::write(folder.path().join(name), content).unwrap();
        let result = read(&read_only(folder.path()), name, ReadRange::Whole);
        let expected = match text {
            true => Content::Text(String::from_utf8(content.to_vec()).unwrap()),
            false => Content::Binary(content.to_vec()),
        };
        assert_eq!(result.content, expected, "{name}");
        assert_eq!(result.mime_type, *mime, "{name}");
        assert_eq!(result.size, content.len() as u64, "{name}");
    }
}

#[test]
fn a_huge_file_is_read_in_parts() {
    let folder = folder(&[]);
    let file = std::fs::File::create(folder.path().join("huge")).unwrap();
    file.set_len(1 << 40).unwrap();
    let files = read_only(folder.path());
    let result = read(&files, "huge", ReadRange::Whole);
    assert_eq!(result.content, Content::Binary(vec![0; files.limits().read_default]));
    assert_eq!((result.size, result.hash), (1 << 40, None));
    assert_eq!(
        result.note.as_deref(),
        Some("this is bytes 0 to 65536 of 1099511627776; read on with offset 65536")
    );
    let end = read(&files, "huge", bytes((1 << 40) - 2, 9));
    assert_eq!(end.bytes, Some(((1 << 40) - 2, 1 << 40)));
}

#[test]
fn a_picture_is_whole_or_refused() {
    let folder = folder(&[]);
    std::fs::write(folder.path().join("a.png"), [0; 100]).unwrap();
    std::fs::write(folder.path().join("b.zip"), [0; 100]).unwrap();
    let limits = |read_max| Limits { read_default: 10, read_max, ..Limits::default() };
    let files = with_limits(folder.path(), limits(100));
    assert_eq!(read(&files, "a.png", ReadRange::Whole).content.len(), 100);
    assert_eq!(read(&files, "b.zip", ReadRange::Whole).content.len(), 10);
    let files = with_limits(folder.path(), limits(99));
    let error =
        files.read(&ReadRequest { path: "a.png".into(), ..Default::default() }).expect_err("it is too large");
    insta::assert_snapshot!(error, @"'a.png': 100 bytes is above the limit of 99; read it in parts, by offset and length");
    assert_eq!(read(&files, "a.png", bytes(0, 20)).content.len(), 20.min(files.limits().read_default));
}

#[test]
fn a_line_far_into_a_large_file_costs_no_more_than_the_limit() {
    let folder = folder(&[("long", &"x\n".repeat(100_000))]);
    let files = with_limits(folder.path(), Limits { scan: 1000, ..Limits::default() });
    let request = ReadRequest { path: "long".into(), range: lines(90_000, 1), ..Default::default() };
    let error = files.read(&request).expect_err("it is too far");
    insta::assert_snapshot!(error, @"reading 'long' took too long and was stopped; ask for a smaller range, by offset and length, or for a smaller directory");
}

#[test]
fn the_hash_is_of_the_whole_file_and_changes_with_it() {
    let folder = folder(&[("a", "one\ntwo\n")]);
    let files = read_only(folder.path());
    let whole = read(&files, "a", ReadRange::Whole).hash;
    assert_eq!(read(&files, "a", lines(2, 1)).hash, whole);
    assert_eq!(files.stat("a").unwrap().hash, whole);
    std::fs::write(folder.path().join("a"), "one\ntwo!").unwrap();
    assert_ne!(read(&files, "a", lines(1, 1)).hash, whole);
}

#[test]
fn stat_says_what_is_there() {
    let folder = folder(&[("a.json", "{}"), ("dir/b", "")]);
    let files = read_only(folder.path());
    let stat = files.stat("./dir/../a.json").unwrap();
    let modified = stat.modified.as_deref().unwrap_or_default();
    assert!(modified.starts_with("20") && modified.ends_with('Z'), "{modified}");
    assert_eq!(
        (stat.path.as_str(), stat.size, stat.mime_type.as_deref()),
        ("a.json", Some(2), Some("application/json"))
    );
    let root = files.stat("").unwrap();
    assert_eq!((root.path.as_str(), root.size, root.hash), (".", None, None));
}
