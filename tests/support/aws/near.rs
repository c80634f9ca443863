//! The services next door: instance metadata, and the agent of ECS and EKS.

use super::super::request::Request;
use super::super::server::Response;
use super::super::services::keys_document;
use super::{INSTANCE_ROLE, Service, State};

impl State {
    pub(super) fn imds(&mut self, request: &Request) -> Response {
        const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
        if (request.method.as_str(), request.path.as_str()) == ("PUT", "/latest/api/token") {
            if let Some(status) = self.old_imds {
                return Service::Imds.error(status, "Refused", "no tokens here");
            }
            let Some(ttl) = request.header("x-aws-ec2-metadata-token-ttl-seconds") else {
                return Service::Imds.error(400, "Bad Request", "no ttl");
            };
            let token = format!("fake-imds-session-token-of-the-instance-{:08}", self.next());
            self.imds_tokens.insert(token.clone());
            return Response::new(200, "text/plain", token).header("x-aws-ec2-metadata-token-ttl-seconds", ttl);
        }
        let token = request.header("x-aws-ec2-metadata-token");
        let is_right = token.is_some_and(|token| self.imds_tokens.contains(token));
        if !is_right && (self.old_imds.is_none() || token.is_some()) {
            return Service::Imds.error(401, "Unauthorized", "no token");
        }
        match request.path.strip_prefix(ROLES) {
            Some("") => Response::new(200, "text/plain", INSTANCE_ROLE),
            Some(role) if role == INSTANCE_ROLE => {
                let keys = self.issue(format!("instance-{role}"));
                keys_document(&keys, true)
            }
            _ => Service::Imds.error(404, "Not Found", "no such page"),
        }
    }

    pub(super) fn container(&mut self, request: &Request) -> Response {
        let is_wanted = self.container_authorization.as_deref() == request.header("authorization");
        if !is_wanted && !self.container_takes_any {
            return Service::Container.error(401, "Unauthorized", "wrong authorization token");
        }
        let keys = self.issue("container".to_owned());
        keys_document(&keys, false)
    }
}
