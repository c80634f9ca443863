//! The tests' fake AWS as a process of its own, for benchmarks and for trying things by hand.
//!
//! ```text
//! cargo run --example loopback_aws -- [--tls] [--address IP] [--port PORT] [--late MILLISECONDS] [--life SECONDS] [--ca FILE]
//!     [--plain] [--names NAME,NAME...]
//! ```
//!
//! Prints its URL, then answers until stdin ends, then prints how many calls of each service and how many
//! connections there were. With `--tls` the certificate of its authority is written to the file of `--ca`; with `--plain`
//! beside it the same AWS answers without TLS too, at the URL of the second line: instance metadata never has TLS. With
//! `--names` it is a DNS server too, on port 53: these names are at its address (127.0.0.1 without `--address`), and there is no other; those that were asked
//! for are printed at the end.

/// The test support's modules, without the one that runs the binary under test.
#[allow(dead_code)]
#[path = "../tests/support"]
mod support {
    pub mod aws;
    mod aws_login;
    pub mod fault;
    mod issued;
    pub mod name_server;
    mod request;
    mod server;
    mod services;
    mod signature;
    mod throttle;
    pub mod tls;
}

use std::error::Error;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr};

use support::aws::{FakeAws, Service};
use support::fault::Fault;
use support::name_server::NameServer;
use support::tls::Certificate;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut tls, mut plain) = (false, false);
    let mut address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let (mut port, mut late, mut life, mut ca, mut names) = (0, None, None, None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} wants a value"));
        match argument.as_str() {
            "--tls" => tls = true,
            "--plain" => plain = true,
            "--address" => address = value()?.parse()?,
            "--port" => port = value()?.parse()?,
            "--late" => late = Some(value()?.parse()?),
            "--life" => life = Some(value()?.parse()?),
            "--ca" => ca = Some(value()?),
            "--names" => names = Some(value()?),
            _ => return Err(format!("{argument} is not known").into()),
        }
    }
    let aws = FakeAws::at((address, port).into(), tls.then_some(Certificate::Good));
    if let Some(milliseconds) = late {
        aws.fail(Service::Ecr, Fault::late(milliseconds));
    }
    if let Some(seconds) = life {
        aws.token_life(seconds);
    }
    if let Some(file) = ca {
        std::fs::write(file, aws.authority().pem())?;
    }
    let name_server = names
        .map(|names: String| {
            let names: Vec<String> = names.split(',').map(str::to_owned).collect();
            let here = vec![address];
            NameServer::start((address, 53).into(), move |name| {
                names.iter().any(|known| known == name).then(|| here.clone())
            })
        })
        .transpose()?;
    println!("{}", aws.url());
    let without_tls = plain.then(|| aws.host_of_its_own(None));
    if let Some(server) = &without_tls {
        println!("{}", server.url());
    }
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    for service in [Service::Ecr, Service::Sts, Service::Imds, Service::Container, Service::Sso, Service::SsoOidc] {
        println!("{service:?} {}", aws.calls(service));
    }
    println!("connections {}", aws.connections());
    for name in name_server.iter().flat_map(NameServer::asked) {
        println!("asked {name}");
    }
    Ok(())
}
