//! The host, and the inputs of a command.

use super::*;
#[cfg(unix)]
use crate::credentials::{aws_env::AwsEnv, profile_files::FileContents};
#[cfg(unix)]
use crate::os::environment::Environment;

#[test]
fn another_boot_is_another_machine_and_without_its_id_nothing_is_cached() {
    let network = EndpointConfig::default();
    let instance = CredentialSource::Imds { endpoint: "http://169.254.169.254".into() };
    let ecs = container("http://169.254.170.2/a", None);
    let local = container("http://localhost:1/a", None);
    let at =
        |source: &CredentialSource, host_context: HostContext<'_>| print_of(REGISTRY, &network, source, &host_context);
    let rebooted = || HostContext { boot: Some("other".into()), ..here() };
    let moved = || HostContext { network: Some(2), ..here() };
    for source in [&instance, &ecs, &local, &role(instance.clone())] {
        assert_ne!(at(source, rebooted()), print(source));
        assert_eq!(at(source, HostContext { boot: None, ..here() }), None);
    }
    // A name may lead elsewhere there, too.
    let named = container("https://agent.example:1/a", None);
    for source in [&instance, &local, &ecs, &named, &role(local.clone())] {
        assert_ne!(at(source, moved()), print(source));
        assert_eq!(at(source, HostContext { network: None, ..here() }), None);
    }
    for source in [keys("a"), web("t"), sso()] {
        assert_eq!(at(&source, HostContext::default()), print(&source));
    }
}

/// Files that are not there.
#[cfg(unix)]
fn no_files() -> FileContents {
    FileContents::read(&AwsEnv::of(&Environment::of::<&str, &str>([])))
}

#[cfg(target_os = "linux")]
#[test]
fn the_host_is_looked_at_for_sources_that_depend_on_it_and_for_no_other() {
    let environment = Environment::of::<&str, &str>([]);
    let (variables, contents) = (AwsEnv::of(&environment), no_files());
    let mut files = contents.sections();
    let instance = role(CredentialSource::Imds { endpoint: String::new() });
    assert_eq!(HostContext::of(&instance, &variables, &files).boot.unwrap().len(), 36);
    assert!(HostContext::of(&keys("a"), &variables, &files).boot.is_none());
    let command = CredentialSource::CredentialProcess { profile: "p".into(), command: secret("/bin/sh") };
    assert!(HostContext::of(&command, &variables, &files).boot.is_none());
    files.texts = ["[profile x]\ncredential_source = Ec2InstanceMetadata", ""];
    assert!(HostContext::of(&role(command), &variables, &files).boot.is_some());
}

#[cfg(unix)]
#[test]
fn a_command_with_other_variables_is_another_identity() {
    let command = CredentialSource::CredentialProcess { profile: "p".into(), command: secret("/bin/sh $WHO") };
    let told = |source: &CredentialSource, name: &str, value: &str| {
        let environment = Environment::of([("HOME", "/home/a"), ("AWS_PROFILE", "dev"), (name, value)]);
        let files = no_files();
        let host_context = HostContext::of(source, &AwsEnv::of(&environment), &files.sections());
        print_of(REGISTRY, &EndpointConfig::default(), source, &host_context).unwrap()
    };
    for source in [command.clone(), role(command)] {
        let usual = told(&source, "LANG", "C");
        for name in [
            "AWS_DEFAULT_PROFILE",
            "AWS_CONFIG_FILE",
            "AWS_SHARED_CREDENTIALS_FILE",
            "AWS_REGION",
            "PATH",
            "XDG_CONFIG_HOME",
            "WHO",
        ] {
            assert_ne!(told(&source, name, "b"), usual, "{name}");
        }
        for (name, value) in [
            ("LANG", "de"),
            ("AWS_ECR_CACHE_DIR", "/c"),
            ("ECR_LOGIN_LOG", "i"),
            ("AWS_CA_BUNDLE", ""),
            ("WHOEVER", "x"),
        ] {
            assert_eq!(told(&source, name, value), usual, "{name}");
        }
    }
    assert_eq!(told(&keys("a"), "AWS_REGION", "b"), told(&keys("a"), "LANG", "C"));
}

#[test]
fn every_variable_that_a_command_reads_counts() {
    let command = CredentialSource::CredentialProcess { profile: "p".into(), command: secret("x") };
    let file = FileIdentity([1, 2, 3, 4, 5]);
    let other = FileIdentity([1, 2, 3, 4, 6]);
    let program = |path: &str, file| Some((std::path::PathBuf::from(path), file));
    let contexts = [
        ProcessContext::default(),
        ProcessContext { variables: vec![(b"A", b"")], ..Default::default() },
        ProcessContext { variables: vec![(b"", b"A")], ..Default::default() },
        ProcessContext { shared_files: ["a", ""], ..Default::default() },
        ProcessContext { shared_files: ["", "a"], ..Default::default() },
        ProcessContext { program: program("/x", file), ..Default::default() },
        ProcessContext { program: program("/y", file), ..Default::default() },
        ProcessContext { program: program("/x", other), ..Default::default() },
        ProcessContext { files: vec![None], ..Default::default() },
        ProcessContext { files: vec![Some(file)], ..Default::default() },
        ProcessContext { files: vec![Some(other)], ..Default::default() },
        ProcessContext { files: vec![None, Some(file)], ..Default::default() },
        ProcessContext { working_directory: Some("/a".into()), ..Default::default() },
        ProcessContext { working_directory: Some("/b".into()), ..Default::default() },
    ];
    let count = contexts.len();
    let keys: std::collections::HashSet<_> = contexts
        .into_iter()
        .map(|process| {
            let host_context = HostContext { process: Some(process), ..HostContext::default() };
            print_of(REGISTRY, &EndpointConfig::default(), &command, &host_context).unwrap()
        })
        .collect();
    assert_eq!(keys.len(), count);
    let unclear = ProcessContext { unclear: true, ..Default::default() };
    let host_context = HostContext { process: Some(unclear), ..HostContext::default() };
    assert_eq!(print_of(REGISTRY, &EndpointConfig::default(), &command, &host_context), None);
    // The machine counts where it is known.
    assert_ne!(print_of(REGISTRY, &EndpointConfig::default(), &command, &here()), Some(*keys.iter().next().unwrap()));
}
