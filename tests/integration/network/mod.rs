//! The connection to ECR, against loopback servers that fail in every way.

mod answers;
mod connections;
mod deadline;
mod preconnect;
mod proxy;
mod refusals;
mod service_faults;
mod tls;
