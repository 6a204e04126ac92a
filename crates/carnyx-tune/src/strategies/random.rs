//! Random search: what a trial gets depends on the seed, its number and the names alone.

use crate::domain::Domain;
use crate::hyper::Source;
use crate::random::Random;
use carnyx_graph::Result;

/// Every value of a domain is as likely.
pub(super) struct Even {
    pub seed: u64,
    pub number: usize,
}

impl Source for Even {
    fn value(&mut self, name: &str, domain: &Domain) -> Result<f64> {
        Ok(domain.at(Random::named(self.seed, self.number, name).share()))
    }
}
