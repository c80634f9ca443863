//! config.json as people have it.

use std::fs;

use super::REGISTRY;
use super::home::Home;

/// A file, and the piece that goes in: everything before and behind it must be the file's own bytes.
struct Shape {
    name: &'static str,
    before: &'static str,
    /// The file afterwards; `@` stands for the registry.
    after: &'static str,
}

const SHAPES: &[Shape] = &[
    Shape {
        name: "docker's own, with tabs and no newline at the end",
        before: "{\n\t\"auths\": {\n\t\t\"ghcr.io\": {\n\t\t\t\"auth\": \"dTpw\"\n\t\t}\n\t}\n}",
        after: "{\n\t\"auths\": {\n\t\t\"ghcr.io\": {\n\t\t\t\"auth\": \"dTpw\"\n\t\t}\n\t},\n\t\"credHelpers\": {\n\t\t\"@\": \"ecr-login\"\n\t}\n}",
    },
    Shape {
        name: "two blanks",
        before: "{\n  \"credsStore\": \"desktop\",\n  \"currentContext\": \"colima\"\n}\n",
        after: "{\n  \"credsStore\": \"desktop\",\n  \"currentContext\": \"colima\",\n  \"credHelpers\": {\n    \"@\": \"ecr-login\"\n  }\n}\n",
    },
    Shape {
        name: "four blanks",
        before: "{\n    \"psFormat\": \"table {{.ID}}\",\n    \"experimental\": \"enabled\"\n}\n",
        after: "{\n    \"psFormat\": \"table {{.ID}}\",\n    \"experimental\": \"enabled\",\n    \"credHelpers\": {\n        \"@\": \"ecr-login\"\n    }\n}\n",
    },
    Shape {
        name: "lines that end in CR LF",
        before: "{\r\n  \"credsStore\": \"wincred\"\r\n}\r\n",
        after: "{\r\n  \"credsStore\": \"wincred\",\r\n  \"credHelpers\": {\r\n    \"@\": \"ecr-login\"\r\n  }\r\n}\r\n",
    },
    Shape {
        name: "a byte order mark, after which no client reads the file",
        before: "\u{feff}{\n  \"credsStore\": \"wincred\"\n}\n",
        after: "{\n  \"credsStore\": \"wincred\",\n  \"credHelpers\": {\n    \"@\": \"ecr-login\"\n  }\n}\n",
    },
    Shape {
        name: "all on one line, packed",
        before: r#"{"auths":{"ghcr.io":{"auth":"dTpw"}},"credsStore":"pass"}"#,
        after: r#"{"auths":{"ghcr.io":{"auth":"dTpw"}},"credsStore":"pass","credHelpers":{"@":"ecr-login"}}"#,
    },
    Shape {
        name: "all on one line, with blanks",
        before: "{\"auths\": {}, \"credsStore\": \"pass\"}\n",
        after: "{\"auths\": {}, \"credsStore\": \"pass\", \"credHelpers\": {\"@\": \"ecr-login\"}}\n",
    },
    Shape { name: "an empty object", before: "{}", after: "{\n\t\"credHelpers\": {\n\t\t\"@\": \"ecr-login\"\n\t}\n}" },
    Shape {
        name: "an empty object over three lines",
        before: "{\n\n}\n",
        after: "{\n\t\"credHelpers\": {\n\t\t\"@\": \"ecr-login\"\n\t}\n}\n",
    },
    Shape { name: "null", before: "null\n", after: "{\n\t\"credHelpers\": {\n\t\t\"@\": \"ecr-login\"\n\t}\n}\n" },
    Shape { name: "an empty file", before: "", after: "{\n\t\"credHelpers\": {\n\t\t\"@\": \"ecr-login\"\n\t}\n}\n" },
    Shape {
        name: "nothing but white space",
        before: " \n\n",
        after: "{\n\t\"credHelpers\": {\n\t\t\"@\": \"ecr-login\"\n\t}\n}\n",
    },
    Shape {
        name: "other helpers",
        before: "{\n\t\"credHelpers\": {\n\t\t\"gcr.io\": \"gcr\",\n\t\t\"quay.io\": \"pass\"\n\t},\n\t\"detachKeys\": \"ctrl-q\"\n}",
        after: "{\n\t\"credHelpers\": {\n\t\t\"gcr.io\": \"gcr\",\n\t\t\"quay.io\": \"pass\",\n\t\t\"@\": \"ecr-login\"\n\t},\n\t\"detachKeys\": \"ctrl-q\"\n}",
    },
    Shape {
        name: "other helpers on one line of a longer file",
        before: "{\n  \"credHelpers\": {\"gcr.io\": \"gcr\"},\n  \"x\": 1\n}\n",
        after: "{\n  \"credHelpers\": {\"gcr.io\": \"gcr\", \"@\": \"ecr-login\"},\n  \"x\": 1\n}\n",
    },
    Shape {
        name: "an empty credHelpers",
        before: "{\n  \"credHelpers\": {},\n  \"x\": 1\n}\n",
        after: "{\n  \"credHelpers\": {\n    \"@\": \"ecr-login\"\n  },\n  \"x\": 1\n}\n",
    },
    Shape {
        name: "credHelpers null",
        before: "{\n  \"credHelpers\": null\n}\n",
        after: "{\n  \"credHelpers\": {\n    \"@\": \"ecr-login\"\n  }\n}\n",
    },
    Shape {
        name: "credHelpers twice, which docker adds up",
        before: "{\n  \"credHelpers\": {\"a.io\": \"a\"},\n  \"credHelpers\": {\"b.io\": \"b\"}\n}\n",
        after: "{\n  \"credHelpers\": {\"a.io\": \"a\"},\n  \"credHelpers\": {\"b.io\": \"b\", \"@\": \"ecr-login\"}\n}\n",
    },
    Shape {
        name: "commas first",
        before: "{ \"auths\": {}\n, \"credHelpers\":\n  { \"a.io\": \"a\"\n  , \"b.io\": \"b\"\n  }\n}\n",
        after: "{ \"auths\": {}\n, \"credHelpers\":\n  { \"a.io\": \"a\"\n  , \"b.io\": \"b\", \"@\": \"ecr-login\"\n  }\n}\n",
    },
    Shape {
        name: "strange but right strings and numbers",
        before: "{\n  \"\\u0061\\\"}{\": \"\\ud83d\\ude00 \\\\\", \"n\": 1e3, \"m\": -0.0,\n  \"k\": [1,\n2, {}]\n}\n",
        after: "{\n  \"\\u0061\\\"}{\": \"\\ud83d\\ude00 \\\\\", \"n\": 1e3, \"m\": -0.0,\n  \"k\": [1,\n2, {}],\n  \"credHelpers\": {\n    \"@\": \"ecr-login\"\n  }\n}\n",
    },
    Shape {
        name: "many plugins and headers",
        before: "{\n\t\"HttpHeaders\": {\n\t\t\"User-Agent\": \"Docker-Client/28.2.2 (linux)\"\n\t},\n\t\"plugins\": {\n\t\t\"-x-cli-hints\": {\n\t\t\t\"enabled\": \"true\"\n\t\t}\n\t},\n\t\"features\": {\n\t\t\"hooks\": \"true\"\n\t}\n}\n",
        after: "{\n\t\"HttpHeaders\": {\n\t\t\"User-Agent\": \"Docker-Client/28.2.2 (linux)\"\n\t},\n\t\"plugins\": {\n\t\t\"-x-cli-hints\": {\n\t\t\t\"enabled\": \"true\"\n\t\t}\n\t},\n\t\"features\": {\n\t\t\"hooks\": \"true\"\n\t},\n\t\"credHelpers\": {\n\t\t\"@\": \"ecr-login\"\n\t}\n}\n",
    },
    Shape {
        name: "not indented at all",
        before: "{\n\"auths\": {\n}\n}\n",
        after: "{\n\"auths\": {\n},\n\"credHelpers\": {\n\"@\": \"ecr-login\"\n}\n}\n",
    },
    Shape {
        name: "blank lines around",
        before: "\n\n{\n  \"a\": 1\n\n}\n\n\n",
        after: "\n\n{\n  \"a\": 1,\n  \"credHelpers\": {\n    \"@\": \"ecr-login\"\n  }\n\n}\n\n\n",
    },
];

#[test]
fn only_our_lines_change_in_every_shape_and_undo_gives_back_the_bytes() {
    assert!(SHAPES.len() >= 20);
    for shape in SHAPES {
        let home = Home::with(shape.before.as_bytes());
        home.done(&["--registry", REGISTRY]);
        assert_eq!(home.read(), shape.after.replace('@', REGISTRY), "{}", shape.name);
        let again = home.done(&["--registry", REGISTRY]);
        assert!(again.contains("nothing to do"), "{}: {again}", shape.name);
        assert_eq!(home.read(), shape.after.replace('@', REGISTRY), "{}: again", shape.name);
        let copy = fs::read_to_string(home.path(".docker/config.json.before-ecr-login")).unwrap();
        assert_eq!(copy, shape.before, "{}: the copy", shape.name);
        home.done(&["--undo"]);
        assert_eq!(home.read(), shape.before, "{}: undone", shape.name);
        assert_eq!(home.names(), ["config.json"], "{}: nothing is left behind", shape.name);
    }
}
