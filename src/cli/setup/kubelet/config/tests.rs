use super::*;

fn plan(tokens: bool, version: Option<&str>) -> Plan {
    let images = ["*.dkr.ecr.*.amazonaws.com", "public.ecr.aws"].map(str::to_owned).to_vec();
    Plan { images, tokens, version: version.map(|version| version.parse().unwrap()) }
}

fn edit(plan: &Plan, text: &str) -> String {
    let edited = plan.edit(text.as_bytes()).unwrap().text;
    assert_eq!(plan.edit(edited.as_bytes()).unwrap().text, edited, "a second time changes nothing");
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
    let edited = plan(true, Some("1.35")).edit(own.as_bytes()).unwrap();
    assert_eq!(edited.audience.as_deref(), Some("mine"));
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
        assert_eq!(value["providers"][0]["name"], PLUGIN, "{text}");
    }
}

#[test]
fn what_is_no_such_file_is_refused() {
    let plan = plan(false, None);
    assert_eq!(plan.edit(b"{\n  x"), Err(ConfigError::NotJson { line: 2, column: 3 }));
    for text in [
        "[]",
        "1",
        r#"{"kind":"KubeletConfiguration"}"#,
        r#"{"apiVersion":"v1"}"#,
        r#"{"providers":{}}"#,
        r#"{"providers":[1]}"#,
    ] {
        assert!(matches!(plan.edit(text.as_bytes()), Err(ConfigError::WrongShape(_))), "{text}");
    }
    for text in ["{\"providers\":[],}", "{} // x", &"[".repeat(100_000)] {
        assert!(matches!(plan.edit(text.as_bytes()), Err(ConfigError::NotJson { .. })), "{text:.40}");
    }
}

#[test]
fn the_stanza_for_yaml_is_the_same_provider() {
    let expected = r#"  - name: "ecr-credential-provider"
    apiVersion: "credentialprovider.kubelet.k8s.io/v1"
    matchImages:
      - "*.dkr.ecr.*.amazonaws.com"
      - "public.ecr.aws"
    defaultCacheDuration: "0s"
    tokenAttributes:
      serviceAccountTokenAudience: "sts.amazonaws.com"
      cacheType: "ServiceAccount"
      requireServiceAccount: false
      optionalServiceAccountAnnotationKeys:
        - "eks.amazonaws.com/ecr-role-arn"
"#;
    assert_eq!(plan(true, Some("1.34")).stanza(), expected);
}

#[test]
fn what_is_not_utf_8_is_refused_with_its_place() {
    let text = b"{\n  \"kind\": \"\xff\"}";
    assert_eq!(plan(false, None).edit(text), Err(ConfigError::NotJson { line: 2, column: 12 }));
}

#[test]
fn an_audience_that_is_no_text_is_put_right() {
    let own = r#"{"providers":[{"name":"ecr-credential-provider","tokenAttributes":{"serviceAccountTokenAudience":null,"requireServiceAccount":"no"}}]}"#;
    let edited = plan(true, Some("1.34")).edit(own.as_bytes()).unwrap();
    assert_eq!(edited.audience.as_deref(), Some(AUDIENCE));
    assert!(edited.text.contains(r#""requireServiceAccount":false"#), "{}", edited.text);
}
