//! What `setup kubelet` does to the kubelet's `CredentialProviderConfig`. The words of the first line are the plan, the
//! rest is the file.

use ecr_login::cli::setup::kubelet::config::{ConfigText, Format, Plan};
use ecr_login::cli::setup::kubelet::version::KubeletVersion;

use super::memory;
use super::tree::Tree;

const PLUGIN: &str = "ecr-credential-provider";
const PROGRAM: &str = "docker-credential-ecr-login";
/// Keys of the provider that the plan may fill in or correct.
const PLANNED: [&str; 5] = ["apiVersion", "matchImages", "defaultCacheDuration", "args", "tokenAttributes"];

pub fn check(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let words = String::from_utf8_lossy(&input[..end]).into_owned();
    let text = input.get(end + 1..).unwrap_or_default();
    let version: Option<KubeletVersion> = words.split(' ').find_map(|word| word.parse().ok());
    let plan = Plan {
        images: vec!["*.dkr.ecr.*.amazonaws.com".to_owned(), "public.ecr.aws".to_owned()],
        tokens: words.split(' ').any(|word| word == "tokens")
            && version.is_none_or(|version| version.needs_tokens().is_ok()),
        version,
    };
    let complete = |text: &[u8]| ConfigText::read(text, "json")?.completed(&plan);
    let Ok(edited) = memory::bounded(text.len(), (256 * 1024, 4096), || complete(text)) else { return };
    // Once more changes nothing.
    assert_eq!(complete(edited.text.as_bytes()).unwrap(), edited);
    if edited.format == Format::Yaml {
        let ours = edited.value["providers"].as_array().unwrap();
        let ours = ours.iter().find(|provider| provider["name"] == PLUGIN || provider["name"] == PROGRAM).unwrap();
        let images = ours["matchImages"].as_array().unwrap();
        assert!(plan.images.iter().all(|image| images.iter().any(|found| found == image.as_str())), "{}", edited.text);
        return;
    }
    let new = Tree::parse(edited.text.as_bytes()).unwrap();
    let old = Tree::parse(text);
    // The kubelet refuses such a file, before and after: its decoder is strict, and providers' names are unique.
    if old.as_ref().is_some_and(|old| old.repeats_a_key() || providers(old).1.len() > 1) {
        return;
    }
    assert!(!new.repeats_a_key(), "the kubelet's decoder refuses {}", edited.text);
    let (others, ours) = providers(&new);
    assert_eq!(ours.len(), 1, "{}", edited.text);
    let images = ours[0].get("matchImages");
    let Some(Tree::List(images)) = images else { panic!("{}", edited.text) };
    assert!(plan.images.iter().all(|image| images.contains(&Tree::Text(image.clone()))), "{}", edited.text);
    assert!(ours[0].get("apiVersion").is_some() && ours[0].get("defaultCacheDuration").is_some());
    assert!(edited.audience().is_some() || !plan.tokens, "{}", edited.text);
    let Some(old) = old else {
        assert!(String::from_utf8_lossy(text).trim().is_empty());
        return;
    };
    let top = ["apiVersion", "kind", "providers"];
    assert_eq!(new.without(&top), old.without(&top));
    let (old_others, old_ours) = providers(&old);
    assert_eq!(others, old_others);
    if let Some(old) = old_ours.first() {
        assert_eq!(ours[0].without(&PLANNED), old.without(&PLANNED));
        if let Some(Tree::List(old)) = old.get("matchImages") {
            assert!(images.starts_with(old), "{}", edited.text);
        }
    }
}

/// The providers that are not ours, and those that are.
fn providers(config: &Tree) -> (Vec<Tree>, Vec<Tree>) {
    let Some(Tree::List(providers)) = config.get("providers") else { return (Vec::new(), Vec::new()) };
    let name = |provider: &Tree| provider.get("name").and_then(Tree::text).unwrap_or_default().to_owned();
    // By the plugin's name, or else by the helper's own.
    let ours = [PLUGIN, PROGRAM].into_iter().find(|ours| providers.iter().any(|provider| name(provider) == *ours));
    providers.iter().cloned().partition(|provider| Some(name(provider).as_str()) != ours)
}
