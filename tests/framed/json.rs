//! What is one JSON text, and what is none.

use crate::tools::*;

/// What a line of JSON comes out as.
fn taken(text: &[u8]) -> String {
    let mut bytes = text.to_vec();
    bytes.extend(b"\n[\"next\"]\n");
    let framed = json(&bytes);
    let got = next(&framed);
    assert_eq!(next(&framed), "[\"next\"]", "after {text:?}");
    got
}

/// FRAMED-6.
#[test]
fn what_the_grammar_says_is_taken() {
    for text in [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "7",
        "-12",
        "1.5",
        "-0.25",
        "1e5",
        "1E+5",
        "1e-5",
        "0e0",
        "0.0e-0",
        "123456789012345678901234567890",
        "\"\"",
        "\"a\"",
        "\"\\\"\"",
        "\"\\\\\"",
        "\"\\/\\b\\f\\n\\r\\t\"",
        "\"\\u0041\"",
        "\"\\uD83D\\uDE00\"",
        "\"\\uD800\"",
        "\"\\u0000\"",
        "\"é😀\"",
        "\"\u{7f}\"",
        "\"\u{2028}\"",
        "[]",
        "[ ]",
        "[1]",
        "[1,2]",
        "[ 1 , 2 ]",
        "[[],[[]],{}]",
        "{}",
        "{ }",
        "{\"a\":1}",
        "{\"a\":1,\"a\":2}",
        "{\"\":{}}",
        " { \"a\" : [ true , null ] } ",
        "\t[]\t",
        "[{\"a\":[{\"b\":\"]}\"}]}]",
        "\"/\"",
        "\"]\"",
        "[\"\",0]",
        "1.0E10",
    ] {
        assert_eq!(taken(text.as_bytes()), text);
    }
}

/// FRAMED-6.
#[test]
fn what_the_grammar_does_not_say_is_an_error_of_that_line_alone() {
    for text in [
        &b"{"[..],
        b"}",
        b"[",
        b"]",
        b"[}",
        b"{]",
        b"{\"a\"",
        b"{\"a\":",
        b"{\"a\":1",
        b"{\"a\":1,",
        b"{\"a\":1,}",
        b"{,}",
        b"{1:1}",
        b"{a:1}",
        b"{'a':1}",
        b"{\"a\" 1}",
        b"{\"a\":1 \"b\":2}",
        b"{\"a\":1]",
        b"{\"a\"}",
        b"{\"a\",\"b\"}",
        b"{\"a\"::1}",
        b"{:1}",
        b"[1,]",
        b"[,1]",
        b"[1 2]",
        b"[1,,2]",
        b"[:]",
        b"[\"a\":1]",
        b"[1}",
        b"[]]",
        b"{}}",
        b"{}{}",
        b"[][]",
        b"1 2",
        b"null null",
        b"nul",
        b"nulll",
        b"True",
        b"TRUE",
        b"fals",
        b"tru e",
        b"undefined",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"-",
        b"+1",
        b"01",
        b"-01",
        b"00",
        b"1.",
        b".5",
        b"-.5",
        b"1.e5",
        b"1e",
        b"1e+",
        b"1E-",
        b"1e5.5",
        b"0x10",
        b"1_000",
        b"1a",
        b"--1",
        b"1+1",
        b"\"",
        b"\"a",
        b"a\"",
        b"'a'",
        b"\"\\\"",
        b"\"\\a\"",
        b"\"\\x41\"",
        b"\"\\u12\"",
        b"\"\\u12g4\"",
        b"\"\\U0041\"",
        b"\"\\u\"",
        b"\"\\",
        b"\"a\"b\"",
        b"\"\t\"",
        b"\"\0\"",
        b"\"\x1f\"",
        b"\0",
        b"\x0c[]",
        b"\x0b[]",
        b"\xc2\xa0[]",
        b"\xef\xbb\xbf[]",
        b"//\n"[..2].as_ref(),
        b"[1]//c",
        b"/**/1",
        b",",
        b":",
        b"#",
        b"*",
        b"\\u0031",
        b"[\\n]",
        b"{\"a\":}",
        b"{\"a\":1,\"b\"}",
        // What is no UTF-8, in a string and outside.
        b"\"\xff\"",
        b"\"\xc3\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xc0\x80\"",
        b"\"\xf5\x80\x80\x80\"",
        b"\xff",
        b"\"\xe2\x82\"",
        b"[\"\xf0\x9f\x98\"]",
    ] {
        assert_eq!(
            taken(text),
            "InvalidData",
            "{:?}",
            String::from_utf8_lossy(text)
        );
    }
}

/// FRAMED-6.
#[test]
fn texts_are_deep_up_to_a_bound() {
    let nested = |depth: usize, open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    for (open, inner, close) in [("[", "", "]"), ("[", "1", "]"), ("{\"a\":", "1", "}")] {
        let deep = nested(128, open, inner, close);
        assert_eq!(taken(deep.as_bytes()), deep);
        let too_deep = nested(129, open, inner, close);
        assert_eq!(taken(too_deep.as_bytes()), "InvalidData");
    }
    // Objects and arrays in turn: what closes has to be what was opened, at each depth.
    let deep = nested(64, "[{\"a\":", "0", "}]");
    assert_eq!(taken(deep.as_bytes()), deep);
    for at in 0..64 {
        let mut wrong = nested(64, "[{\"a\":", "0", "}]").into_bytes();
        let end = wrong.len() - 2 * at;
        wrong[end - 2..end].copy_from_slice(b"]}");
        assert_eq!(taken(&wrong), "InvalidData");
    }
    // No memory, and no stack, for what is only opened.
    assert_eq!(taken("[".repeat(500_000).as_bytes()), "InvalidData");
}

/// Each text, cut at each byte, is none any more, but for numbers and blanks.
#[test]
fn a_part_of_a_text_is_no_text() {
    for text in [
        "{\"a\":[1,true,null,\"\\u00e9é\"],\"b\":{}}",
        "[[[\"deep\"],-1.5e+7],false]",
        "\"\\\\\\\"\"",
        "false",
    ] {
        assert_eq!(taken(text.as_bytes()), text);
        for end in 1..text.len() {
            assert_eq!(
                taken(&text.as_bytes()[..end]),
                "InvalidData",
                "{text} {end}"
            );
        }
    }
}

/// FRAMED-6.
#[test]
fn blank_lines_are_passed_over() {
    let framed = json(b"\n \n\t\r\n\r\n[1]\n\n");
    assert_eq!(next(&framed), "[1]");
    assert_eq!(next(&framed), "END");
}
