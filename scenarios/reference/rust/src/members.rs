//! Reading a JSON object member by member against a schema: what does not fit is told, unknown
//! members are ignored.

use serde_json::value::RawValue as Json;
use std::collections::BTreeMap;

/// Why an argument does not fit its schema, for people.
pub type Misfit = String;

/// The members of one JSON object. Values stay text, so nothing is lost that is only passed on.
pub struct Members(BTreeMap<String, Box<Json>>);

impl Members {
    pub fn of(text: &Json) -> Result<Self, Misfit> {
        serde_json::from_str(text.get())
            .map(Self)
            .map_err(|_| "not an object".to_owned())
    }

    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name).map(AsRef::as_ref)
    }

    pub fn need(&self, name: &str) -> Result<&Json, Misfit> {
        self.get(name).ok_or_else(|| format!("no {name}"))
    }

    /// A string of at least one character.
    pub fn text(&self, name: &str) -> Result<String, Misfit> {
        let text: String = serde_json::from_str(self.need(name)?.get())
            .map_err(|_| format!("{name} is not a string"))?;
        if text.is_empty() {
            Err(format!("{name} is empty"))
        } else {
            Ok(text)
        }
    }

    /// A tenant or a saga id: 1 to 200 visible ASCII characters.
    pub fn identity(&self, name: &str) -> Result<String, Misfit> {
        let text = self.text(name)?;
        let fits = text.len() <= 200 && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then_some(text)
            .ok_or_else(|| format!("{name} is not 1 to 200 visible ASCII characters"))
    }

    /// A whole number in `least..=most`; `1.0` is one, as the contract wants it.
    pub fn whole(&self, name: &str, least: u64, most: u64) -> Result<u64, Misfit> {
        let number = self.number(name)?;
        let whole = number.fract() == 0.0 && number >= least as f64 && number <= most as f64;
        whole
            .then_some(number as u64)
            .ok_or_else(|| format!("{name} is not {least} to {most}"))
    }

    pub fn number(&self, name: &str) -> Result<f64, Misfit> {
        serde_json::from_str(self.need(name)?.get()).map_err(|_| format!("{name} is not a number"))
    }

    pub fn list(&self, name: &str) -> Result<Vec<Box<Json>>, Misfit> {
        serde_json::from_str(self.need(name)?.get()).map_err(|_| format!("{name} is not a list"))
    }

    /// `read`'s value if the member is there, else `otherwise`.
    pub fn or<T>(
        &self,
        name: &str,
        otherwise: T,
        read: impl FnOnce(&Self, &str) -> Result<T, Misfit>,
    ) -> Result<T, Misfit> {
        if self.0.contains_key(name) {
            read(self, name)
        } else {
            Ok(otherwise)
        }
    }
}
