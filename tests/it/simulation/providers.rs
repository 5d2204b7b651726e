//! Who is asked about Ethereum in a seed: one endpoint or those of three operators, and what any of
//! them tells of ether that contracts move.

use confirmd::domain::block::BlockHash;
use std::fmt::Write as _;

/// What is told of ether that contracts move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracing {
    /// Every call, at once.
    Told,
    /// Every call, but now and then late or not at all.
    Late,
    /// Nothing but balances.
    Balances,
}

/// The endpoints of a seed.
#[derive(Debug, Clone, Copy)]
pub struct Providers {
    /// Who runs each endpoint.
    pub operators: &'static [&'static str],
    /// How many operators must agree.
    pub quorum: usize,
    pub tracing: Tracing,
    /// How many payments in ether of a thousand a contract makes.
    pub contracts: u64,
}

const THREE: [&str; 3] = ["anna", "bert", "cleo"];
/// Two endpoints of one operator are one voice.
const FOUR: [&str; 4] = ["anna", "anna", "bert", "cleo"];

/// Names of the kinds, for the coverage.
pub const KINDS: [&str; 6] = [
    "1 endpoints",
    "3 endpoints",
    "4 endpoints",
    "told",
    "late",
    "balances",
];

impl Providers {
    /// One endpoint that tells everything.
    pub const ONE: Self = Self {
        operators: &["node"],
        quorum: 1,
        tracing: Tracing::Told,
        contracts: 0,
    };

    /// By the seed's own number: any hundred seeds in a row have each kind alike often.
    pub const fn of(seed: u64) -> Self {
        let (operators, quorum): (&[&str], usize) = match seed % 5 {
            3 => (&THREE, 2),
            4 => (&FOUR, 2),
            _ => (Self::ONE.operators, 1),
        };
        let (tracing, contracts) = match seed / 5 % 5 {
            3 => (Tracing::Balances, 300),
            4 => (Tracing::Late, 300),
            _ => (Tracing::Told, if quorum > 1 { 300 } else { 0 }),
        };
        Self {
            operators,
            quorum,
            tracing,
            contracts,
        }
    }

    /// How the coverage calls them.
    pub fn names(&self) -> [String; 2] {
        let tracing = match self.tracing {
            Tracing::Told => "told",
            Tracing::Late => "late",
            Tracing::Balances => "balances",
        };
        [
            format!("{} endpoints", self.operators.len()),
            tracing.to_owned(),
        ]
    }

    /// Whether one operator alone is never believed.
    pub const fn is_quorum(&self) -> bool {
        self.quorum > 1
    }

    /// What the configuration says of them and of the chain that they must be on.
    pub fn config(&self, genesis: BlockHash) -> String {
        let mut text = format!("quorum = {}\ngenesis = \"0x{genesis}\"\n", self.quorum);
        for (n, operator) in self.operators.iter().enumerate() {
            let name = match n {
                0 => "node".to_owned(),
                n => format!("node-{n}"),
            };
            writeln!(text, "[[chains.ethereum.endpoints]]").unwrap();
            writeln!(text, "name = \"{name}\"\noperator = \"{operator}\"").unwrap();
            writeln!(text, "url = \"http://127.0.0.1:1\"").unwrap();
        }
        text
    }
}
