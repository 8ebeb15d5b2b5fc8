//! What the harness tells the worker in its environment (contract §1).

use crate::http::Base;
use serde::Deserialize;
use std::env::{self, VarError};
use std::fs;
use std::time::Duration;

pub struct Settings {
    pub engine: Engine,
    pub tenants: Vec<Tenant>,
    pub pdp: Base,
    pub pdp_deadline: Duration,
    pub services: Base,
    pub service_deadline: Duration,
    pub deployment: Option<Deployment>,
}

pub struct Engine {
    pub address: String,
    pub tls: Option<Tls>,
    pub token_file: Option<String>,
}

pub struct Tls {
    pub ca: Vec<u8>,
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
    pub server_name: Option<String>,
}

#[derive(Clone, Deserialize)]
pub struct Tenant {
    pub namespace: String,
    pub task_queue: String,
}

pub struct Deployment {
    pub name: String,
    pub build_id: String,
}

impl Settings {
    pub fn read() -> Result<Self, String> {
        Ok(Self {
            engine: Engine {
                address: need("TEMPORAL_ADDRESS")?,
                tls: tls()?,
                token_file: optional("TEMPORAL_TOKEN_FILE")?,
            },
            tenants: serde_json::from_str(&need("HARNESS_TENANTS")?)
                .map_err(|error| format!("HARNESS_TENANTS: {error}"))?,
            pdp: Base::read(&need("HARNESS_PDP_URL")?)?,
            pdp_deadline: milliseconds("HARNESS_PDP_DEADLINE_MS", 1000)?,
            services: Base::read(&need("HARNESS_SERVICES_URL")?)?,
            service_deadline: milliseconds("HARNESS_SERVICE_DEADLINE_MS", 2000)?,
            deployment: deployment()?,
        })
    }
}

fn tls() -> Result<Option<Tls>, String> {
    let Some(ca) = file("TEMPORAL_TLS_CA")? else {
        return Ok(None);
    };
    let server_name = optional("TEMPORAL_TLS_SERVER_NAME")?;
    let identity = match (file("TEMPORAL_TLS_CERT")?, file("TEMPORAL_TLS_KEY")?) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => return Err("TEMPORAL_TLS_CERT and TEMPORAL_TLS_KEY: both or neither".to_owned()),
    };
    Ok(Some(Tls {
        ca,
        identity,
        server_name,
    }))
}

fn deployment() -> Result<Option<Deployment>, String> {
    match (
        optional("HARNESS_DEPLOYMENT")?,
        optional("HARNESS_BUILD_ID")?,
    ) {
        (Some(name), Some(build_id)) => Ok(Some(Deployment { name, build_id })),
        (None, None) => Ok(None),
        _ => Err("HARNESS_DEPLOYMENT and HARNESS_BUILD_ID: both or neither".to_owned()),
    }
}

/// A variable that is empty counts as none.
fn optional(name: &str) -> Result<Option<String>, String> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

fn need(name: &str) -> Result<String, String> {
    optional(name)?.ok_or_else(|| format!("{name} is not set"))
}

fn file(name: &str) -> Result<Option<Vec<u8>>, String> {
    let read = |path: String| fs::read(&path).map_err(|error| format!("{name}: {path}: {error}"));
    optional(name)?.map(read).transpose()
}

fn milliseconds(name: &str, usual: u64) -> Result<Duration, String> {
    let ms = match optional(name)? {
        Some(text) => text
            .parse()
            .map_err(|_| format!("{name}: {text}: not milliseconds"))?,
        None => usual,
    };
    Ok(Duration::from_millis(ms))
}
