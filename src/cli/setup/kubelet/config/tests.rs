use super::*;

fn plan(tokens: bool, version: Option<&str>) -> Plan {
    let images = ["*.dkr.ecr.*.amazonaws.com", "public.ecr.aws"].map(str::to_owned).to_vec();
    Plan { images, tokens, version: version.map(|version| version.parse().unwrap()) }
}

fn completed(plan: &Plan, text: &str) -> Result<ConfigText, ConfigError> {
    ConfigText::read(text.as_bytes(), "json")?.completed(plan)
}

fn edit(plan: &Plan, text: &str) -> String {
    let edited = completed(plan, text).unwrap().text;
    assert_eq!(completed(plan, &edited).unwrap().text, edited, "a second time changes nothing");
    edited
}

const NEW: &str = r#"{
  "apiVersion": "kubelet.config.k8s.io/v1",
  "kind": "CredentialProviderConfig",
  "providers": [
    {
      "name": "ecr-credential-provider",
      "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
      "matchImages": [
        "*.dkr.ecr.*.amazonaws.com",
        "public.ecr.aws"
      ],
      "defaultCacheDuration": "0s"
    }
  ]
}
"#;

#[test]
fn a_new_file_is_written_in_full() {
    assert_eq!(edit(&plan(false, None), ""), NEW);
    let older = NEW.replace("k8s.io/v1", "k8s.io/v1beta1");
    assert_eq!(edit(&plan(false, Some("1.25")), "\n"), older);
}

/// As the EKS images for Amazon Linux 2023 have it.
const EKS: &str = r#"{
  "apiVersion": "kubelet.config.k8s.io/v1",
  "kind": "CredentialProviderConfig",
  "providers": [
    {
      "name": "ecr-credential-provider",
      "matchImages": [
        "*.dkr.ecr.*.amazonaws.com",
        "*.dkr.ecr.*.amazonaws.com.cn"
      ],
      "defaultCacheDuration": "12h0m0s",
      "apiVersion": "credentialprovider.kubelet.k8s.io/v1"
    }
  ]
}
"#;

#[test]
fn the_provider_of_an_eks_image_is_edited_and_not_doubled() {
    let expected = EKS.replace(".amazonaws.com.cn\"\n", ".amazonaws.com.cn\",\n        \"public.ecr.aws\"\n");
    assert_eq!(edit(&plan(false, None), EKS), expected);
}

#[test]
fn service_account_tokens_are_added_to_it() {
    let edited = edit(&plan(true, Some("1.34")), EKS);
    let attributes = r#""apiVersion": "credentialprovider.kubelet.k8s.io/v1",
      "tokenAttributes": {
        "serviceAccountTokenAudience": "sts.amazonaws.com",
        "cacheType": "ServiceAccount",
        "requireServiceAccount": false,
        "optionalServiceAccountAnnotationKeys": ["eks.amazonaws.com/ecr-role-arn"]
      }
    }
  ]
}
"#;
    assert!(edited.ends_with(attributes), "{edited}");
    for version in [None, Some("1.33")] {
        assert!(!edit(&plan(true, version), EKS).contains("cacheType"), "{version:?}");
    }
}

#[test]
fn service_account_tokens_need_v1_of_both_apis() {
    let edited = edit(&plan(true, None), &EKS.replace("k8s.io/v1\"", "k8s.io/v1alpha1\""));
    assert!(
        edited.contains("\"kubelet.config.k8s.io/v1\"") && edited.contains("\"credentialprovider.kubelet.k8s.io/v1\"")
    );
    assert!(!edited.contains("v1alpha1"));
    let edited = edit(&plan(false, None), &EKS.replace("k8s.io/v1\"", "k8s.io/v1alpha1\""));
    assert_eq!(edited.matches("k8s.io/v1alpha1\"").count(), 2, "without tokens the file's versions stay");
}

#[test]
fn attributes_that_are_there_stay() {
    let own = r#"{"kind":"CredentialProviderConfig","apiVersion":"kubelet.config.k8s.io/v1","providers":[{
        "name":"ecr-credential-provider","apiVersion":"credentialprovider.kubelet.k8s.io/v1",
        "matchImages":["x.example"],"defaultCacheDuration":"1h","env":[{"name":"AWS_PROFILE","value":"node"}],
        "tokenAttributes":{"serviceAccountTokenAudience":"mine","requireServiceAccount":true,
            "requiredServiceAccountAnnotationKeys":["eks.amazonaws.com/ecr-role-arn"]}}]}"#;
    let edited = completed(&plan(true, Some("1.35")), own).unwrap();
    assert_eq!(edited.audience().as_deref(), Some("mine"));
    let value: serde_json::Value = serde_json::from_str(&edited.text).unwrap();
    let provider = &value["providers"][0];
    assert_eq!(
        provider["matchImages"],
        serde_json::json!(["x.example", "*.dkr.ecr.*.amazonaws.com", "public.ecr.aws"])
    );
    assert_eq!(provider["defaultCacheDuration"], "1h");
    assert_eq!(provider["env"][0]["value"], "node");
    let attributes = &provider["tokenAttributes"];
    assert_eq!(attributes["requireServiceAccount"], true);
    assert_eq!(attributes["cacheType"], "ServiceAccount");
    assert!(attributes.get("optionalServiceAccountAnnotationKeys").is_none());
}

#[test]
fn other_providers_stay_byte_for_byte() {
    let before = "{\"providers\":[\n\t{ \"name\" : \"gcr\",\"matchImages\":[ \"gcr.io\" ], \"x\": 1.50,\n\t\t\"odd\":\"\\u0041\" }";
    let after =
        "\n],\t\"zz\":null,\n\"apiVersion\":\"kubelet.config.k8s.io/v1beta1\",\"kind\":\"CredentialProviderConfig\"}";
    let edited = edit(&plan(false, None), &format!("{before}{after}"));
    assert!(edited.starts_with(&format!("{before},")) && edited.ends_with(after), "{edited}");
}

#[test]
fn the_file_s_indentation_is_followed() {
    for unit in ["\t", "    "] {
        let laid_out = |text: &str| {
            let lines = text.lines().map(|line| {
                let depth = (line.len() - line.trim_start().len()) / 2;
                format!("{}{}\n", unit.repeat(depth), line.trim_start())
            });
            lines.collect::<String>()
        };
        let other = laid_out(NEW).replace("ecr-credential-provider", "other");
        let edited = edit(&plan(false, None), &other);
        let new = laid_out(NEW);
        let provider = new.lines().skip(4).take(9).collect::<Vec<_>>().join("\n");
        assert!(edited.contains(&provider), "{edited}");
    }
}

#[test]
fn a_file_without_providers_gets_them() {
    for text in ["{}", "{\"providers\":null}", "{\"providers\":[]}", "{\n}\n"] {
        let value: serde_json::Value = serde_json::from_str(&edit(&plan(false, None), text)).unwrap();
        assert_eq!(value["kind"], "CredentialProviderConfig", "{text}");
        assert_eq!(value["apiVersion"], "kubelet.config.k8s.io/v1", "{text}");
        assert_eq!(value["providers"][0]["name"], "ecr-credential-provider", "{text}");
    }
}

#[test]
fn what_is_no_such_file_is_refused() {
    let plan = plan(false, None);
    assert_eq!(completed(&plan, "{\n  x"), Err(JsonError::NotJson { line: 2, column: 3 }.into()));
    for text in [
        "[]",
        "1",
        r#"{"kind":"KubeletConfiguration"}"#,
        r#"{"apiVersion":"v1"}"#,
        r#"{"providers":{}}"#,
        r#"{"providers":[1]}"#,
        "kind: KubeletConfiguration\n",
        "- providers\n",
        "providers: {name: a}\n",
    ] {
        assert!(
            matches!(completed(&plan, text), Err(ConfigError::Shape(ShapeError::WrongShape(_)))),
            "{text}: {:?}",
            completed(&plan, text)
        );
    }
    for text in ["{\"providers\":[],}", "{} // x"] {
        assert!(matches!(completed(&plan, text), Err(ConfigError::Json(JsonError::NotJson { .. }))), "{text}");
    }
    for text in ["[".repeat(100_000), "a: [\n".to_owned(), "a: b: c\n".to_owned()] {
        assert!(matches!(completed(&plan, &text), Err(ConfigError::Yaml(_))), "{text:.40}");
    }
}

#[test]
fn what_is_not_utf_8_is_refused_with_its_place() {
    let read = ConfigText::read(b"{\n  \"kind\": \"\xff\"}", "json");
    assert_eq!(read, Err(ConfigError::NotUtf8 { line: 2, column: 12 }));
}

#[test]
fn a_key_that_is_there_twice_is_refused_as_the_kubelet_refuses_it() {
    let plan = plan(false, None);
    for text in [r#"{"kind":"a","kind":"b"}"#, r#"{"providers":[{"name":"a","n\u0061me":"b"}]}"#] {
        assert!(matches!(completed(&plan, text), Err(ConfigError::Json(JsonError::Twice(_)))), "{text}");
    }
    for text in ["kind: a\nkind: a\n", "providers:\n- {name: a, name: b}\n", "a: &x {b: 1}\nc: {<<: *x, b: 2}\n"] {
        assert!(matches!(completed(&plan, text), Err(ConfigError::Yaml(YamlError::Twice { .. }))), "{text}");
    }
}

#[test]
fn an_audience_that_is_no_text_is_put_right() {
    let own = r#"{"providers":[{"name":"ecr-credential-provider","tokenAttributes":{"serviceAccountTokenAudience":null,"requireServiceAccount":"no"}}]}"#;
    let edited = completed(&plan(true, Some("1.34")), own).unwrap();
    assert_eq!(edited.audience().as_deref(), Some(AUDIENCE));
    assert!(edited.text.contains(r#""requireServiceAccount":false"#), "{}", edited.text);
}

/// What `diff` calls the lines of `new` that are not in `old`; every line of `old` must be there, in its order.
fn added<'n>(old: &str, new: &'n str) -> Vec<&'n str> {
    let mut left = old.split_inclusive('\n').peekable();
    let added = new.split_inclusive('\n').filter(|line| left.next_if(|old| old == line).is_none()).collect();
    assert_eq!(left.next(), None, "a line of the old file is gone from:\n{new}");
    added
}

/// Files as nodes have them. That the kubelet's own decoder takes each after the edit is shown by the end-to-end tests.
#[test]
fn files_of_nodes_are_edited_in_place() {
    let files = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kubelet");
    let mut count = 0;
    for file in std::fs::read_dir(files).unwrap() {
        let file = file.unwrap().path();
        let (name, bytes) = (file.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&file).unwrap());
        for (tokens, version) in [(false, None), (false, Some("1.33")), (true, Some("1.37"))] {
            let plan = plan(tokens, version);
            let old = ConfigText::read(&bytes, "yaml").unwrap();
            if old.text.contains("cacheType") && version == Some("1.33") {
                continue;
            }
            let new = old.completed(&plan).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(
                ConfigText::read(new.text.as_bytes(), "yaml").unwrap().completed(&plan),
                Ok(new.clone()),
                "{name}"
            );
            new.check(plan.version).unwrap_or_else(|refusal| panic!("{name}: {refusal}\n{}", new.text));
            // Comments, blanks, line ends: all characters of the old file, in their order. (`[]` gives way to a list, and
            // an API without service account tokens to one that has them.)
            let mut rest = new.text.chars();
            let old = old.text.replace("providers: []", "providers:").replace("/v1beta1", "/v1");
            let kept = old.chars().all(|c| rest.any(|found| found == c));
            assert!(kept, "{name}:\n{}", new.text);
        }
        count += 1;
    }
    assert!(count >= 20, "{count}");
}

#[test]
fn block_lists_get_lines_that_look_like_theirs() {
    let old = "kind: CredentialProviderConfig # c\napiVersion: kubelet.config.k8s.io/v1\nproviders:\n-   name: \
               ecr-credential-provider\n    matchImages:\n    - 'a.example' # mine\n    #- b\n    defaultCacheDuration: 1h\n    \
               apiVersion: credentialprovider.kubelet.k8s.io/v1\n# end";
    assert_eq!(
        added(old, &edit(&plan(false, None), old)),
        ["    - '*.dkr.ecr.*.amazonaws.com'\n", "    - 'public.ecr.aws'\n"]
    );
    let attributes = "    tokenAttributes:
      serviceAccountTokenAudience: sts.amazonaws.com
      cacheType: ServiceAccount
      requireServiceAccount: false
      optionalServiceAccountAnnotationKeys:
      - \"eks.amazonaws.com/ecr-role-arn\"
";
    let new = edit(&plan(true, Some("1.34")), old);
    assert_eq!(added(old, &new)[2..].concat(), attributes);
}

#[test]
fn a_new_file_in_yaml_is_written_in_full() {
    let text = ConfigText::read(b"# ours\n", "yml").unwrap().completed(&plan(false, None)).unwrap().text;
    let expected = "# ours
apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers:
  - name: ecr-credential-provider
    apiVersion: credentialprovider.kubelet.k8s.io/v1
    matchImages:
      - \"*.dkr.ecr.*.amazonaws.com\"
      - \"public.ecr.aws\"
    defaultCacheDuration: \"0s\"
";
    assert_eq!(text, expected);
}

#[test]
fn what_an_edit_would_change_elsewhere_too_is_refused() {
    let head = "kind: CredentialProviderConfig\napiVersion: kubelet.config.k8s.io/v1\nproviders:\n";
    let rest = "defaultCacheDuration: 1h, apiVersion: credentialprovider.kubelet.k8s.io/v1";
    for providers in [
        format!(
            "- {{name: a, matchImages: &i [x.example], {rest}}}\n- {{name: ecr-credential-provider, matchImages: *i, {rest}}}\n"
        ),
        format!(
            "- {{name: ecr-credential-provider, matchImages: &i [x.example], {rest}}}\n- {{name: a, matchImages: *i, {rest}}}\n"
        ),
    ] {
        let refused = completed(&plan(false, None), &format!("{head}{providers}"));
        assert!(matches!(refused, Err(ConfigError::Yaml(YamlError::Shared(4 | 5)))), "{refused:?}");
    }
    let empty_first = "---\n---\nkind: CredentialProviderConfig\n";
    assert_eq!(completed(&plan(false, None), empty_first), Err(YamlError::EmptyFirst.into()));
}

/// Of these only the last two are YAML to the kubelet's parser, though all are to YAML 1.2.
#[test]
fn a_tab_where_the_kubelet_wants_blanks_is_refused() {
    let file = |line: &str| format!("kind: CredentialProviderConfig\n{line}\nproviders:\n-   name: a\n");
    let refused =
        |text: &str, line| assert_eq!(ConfigText::read(text.as_bytes(), ""), Err(YamlError::Tab(line).into()));
    for line in ["\t# a comment", "  \t # a comment", "\t"] {
        refused(&file(line), 2);
    }
    refused(&file("# a").replace("-   name", "-\tname"), 4);
    refused("\t# a\nkind: CredentialProviderConfig\n", 1);
    for line in ["#\ta", "a: b\t# c", "a: [\n  b,\n\t# c\n  ]"] {
        assert!(ConfigText::read(file(line).as_bytes(), "").is_ok(), "{line}");
    }
}

#[test]
fn the_helper_s_own_name_needs_its_action() {
    let own = "kind: CredentialProviderConfig\napiVersion: kubelet.config.k8s.io/v1\nproviders:\n- name: docker-credential-ecr-login\n  \
               defaultCacheDuration: 1h\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n  matchImages: ['*.dkr.ecr.*.amazonaws.com', public.ecr.aws]\n";
    assert_eq!(added(own, &edit(&plan(false, None), own)).concat(), "  args:\n  - \"kubelet\"\n");
    let with_action = format!("{own}  args: [kubelet, -v]\n");
    assert_eq!(edit(&plan(false, None), &with_action), with_action);
    let other = completed(&plan(false, None), &format!("{own}  args: [get-credentials]\n"));
    assert_eq!(other, Err(ShapeError::OtherAction.into()));
}

/// What keeps a kubelet from starting, each by one change of a file that does not.
#[test]
fn what_keeps_the_kubelet_from_starting_is_known() {
    let good = r#"{"kind":"CredentialProviderConfig","apiVersion":"kubelet.config.k8s.io/v1","providers":[{"name":"a",
        "apiVersion":"credentialprovider.kubelet.k8s.io/v1","matchImages":["*.x.example:5000/a"],"defaultCacheDuration":"1h30m",
        "args":["-v"],"env":[{"name":"A","value":"b"}],"tokenAttributes":{"serviceAccountTokenAudience":"sts","cacheType":"Token",
        "requireServiceAccount":true,"requiredServiceAccountAnnotationKeys":["x.example/Role"]}}]}"#;
    let check = |text: &str, version: Option<&str>| {
        let config = ConfigText::read(text.as_bytes(), "json").unwrap();
        config.check(version.map(|version| version.parse().unwrap())).map_err(|refusal| refusal.to_string())
    };
    assert_eq!(check(good, None), Ok(vec!["a".to_owned()]));
    assert_eq!(check(good, Some("1.37")), Ok(vec!["a".to_owned()]));
    for (old, new, field) in [
        ("\"kind\":\"CredentialProviderConfig\",", "", "kind "),
        ("\"apiVersion\":\"kubelet.config.k8s.io/v1\",", "", "apiVersion "),
        ("kubelet.config.k8s.io/v1\"", "kubelet.config.k8s.io/v2\"", "apiVersion "),
        ("\"providers\":[", "\"x\":1,\"providers\":[", "x "),
        ("\"name\":\"a\"", "\"name\":\"a b\"", "providers[0].name "),
        ("\"name\":\"a\"", "\"name\":\"../a\"", "providers[0].name "),
        ("\"name\":\"a\"", "\"name\":1", "providers[0].name is not a text: put it in quotes"),
        ("\"name\":\"a\"", "\"Name\":\"a\"", "providers[0].Name "),
        ("credentialprovider.kubelet.k8s.io/v1", "credentialprovider.kubelet.k8s.io/v2", "providers[0].apiVersion "),
        ("[\"*.x.example:5000/a\"]", "[]", "providers[0].matchImages "),
        ("*.x.example:5000/a", "x.example:a", "providers[0].matchImages "),
        ("*.x.example:5000/a", "x example", "providers[0].matchImages "),
        ("*.x.example:5000/a", "x/%zz", "providers[0].matchImages "),
        ("\"1h30m\"", "\"12\"", "providers[0].defaultCacheDuration "),
        ("\"1h30m\"", "\"-1h\"", "providers[0].defaultCacheDuration "),
        ("\"1h30m\"", "\"1 h\"", "providers[0].defaultCacheDuration "),
        ("\"1h30m\"", "null", "providers[0].defaultCacheDuration is missing"),
        ("[\"-v\"]", "\"-v\"", "providers[0].args "),
        ("\"value\":\"b\"", "\"value\":true", "providers[0].env[0].value is not a text"),
        ("\"value\":\"b\"", "\"valueFrom\":\"b\"", "providers[0].env[0].valueFrom "),
        ("\"cacheType\":\"Token\"", "\"cacheType\":\"Pod\"", "providers[0].tokenAttributes.cacheType "),
        ("\"requireServiceAccount\":true,", "", "providers[0].tokenAttributes.requireServiceAccount "),
        ("\"requireServiceAccount\":true", "\"requireServiceAccount\":false", "providers[0].tokenAttributes.required"),
        ("x.example/Role", "x.example/", "providers[0].tokenAttributes.required"),
        ("[\"x.example/Role\"]", "[\"r\",\"r\"]", "providers[0].tokenAttributes.required"),
        (
            "\"serviceAccountTokenAudience\":\"sts\"",
            "\"serviceAccountTokenAudience\":\"\"",
            "providers[0].tokenAttributes.service",
        ),
    ] {
        assert!(good.contains(old), "{old}");
        let refused = check(&good.replacen(old, new, 1), Some("1.37"));
        assert!(refused.as_ref().is_err_and(|refused| refused.starts_with(field)), "{new}: {refused:?}");
    }
    let without_cache_type = good.replace("\"cacheType\":\"Token\",", "");
    assert!(check(&without_cache_type, Some("1.34")).is_err() && check(&without_cache_type, Some("1.33")).is_ok());
    assert!(check(&without_cache_type, None).is_ok(), "which version it is for is not known");
    assert!(check(good, Some("1.33")).unwrap_err().starts_with("providers[0].tokenAttributes.cacheType "));
    assert!(check(&without_cache_type, Some("1.32")).unwrap_err().starts_with("providers[0].tokenAttributes "));
    assert!(check(good, Some("1.25")).unwrap_err().starts_with("apiVersion "));
    assert!(check_names(["a", "b", "a"].into_iter()).is_err() && check_names(std::iter::empty()).is_err());
}
